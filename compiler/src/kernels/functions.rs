//! Functions of each element that take more constants than a tile leaves registers: they go over memory, where the values
//! have just been stored, with all registers.
//!
//! A power of two is a factor and never an addend of the exponent's bits, so that NaN stays NaN (see `transcendental`).

use std::collections::BTreeMap;

use frit_ir::ops::Activation;

use super::transcendental::{Held, split};
use crate::vector::{Address, Builder, Comparison, Instruction, Operand, Register};

/// The largest error of each function as a share of the result, where that is a normal number; of the GELUs, as a share of
/// the argument.
pub const RELATIVE_ERROR: f64 = 1.2e-6;

/// `(e^r - 1 - r) / r²` for |r| ≤ ln 2 / 2, highest power first; leaves an error of 2.4e-8 of e^r - 1.
const EXP_M1: [f32; 5] = [1.392_625e-3, 8.363_233e-3, 4.166_655_2e-2, 1.666_657_6e-1, 0.5];

/// `ln(1 + u) / u` for u from 0 to 1; relative error 1.5e-8.
const LOG_1P: [f32; 10] = [
    -3.176_057e-3,
    1.954_252_6e-2,
    -5.637_361e-2,
    1.054_362_3e-1,
    -1.526_966_7e-1,
    1.966_327_4e-1,
    -2.495_161_6e-1,
    3.332_971e-1,
    -4.999_989_3e-1,
    1.0,
];

/// `(ln(1 + f) - f + f² / 2) / f³` for 1 + f from √½ to √2.
const LOG: [f32; 8] = [
    -7.902_744e-2,
    1.262_231_9e-1,
    -1.299_818_3e-1,
    1.421_449_6e-1,
    -1.664_128_2e-1,
    2.000_104_5e-1,
    -2.500_030_7e-1,
    3.333_333e-1,
];

/// `e^z² erfc(z) / t` in t = 1 / (1 + z / 2) for z from 0 to 10; relative error 5.6e-8.
const ERFC: [f32; 9] = [
    -5.971_492e-2,
    2.877_683e-1,
    -4.938_636_4e-1,
    2.856_977e-1,
    -3.184_176e-2,
    2.048_536_5e-1,
    2.425_728_9e-1,
    2.824_450_4e-1,
    2.820_826_8e-1,
];

/// `erf(x) / x` in x² for |x| up to [`ERF_SMALL`]; relative error 5.6e-8.
const ERF: [f32; 5] =
    [4.719_083e-3, -2.675_773_2e-2, 1.128_283_1e-1, -3.761_260_8e-1, std::f32::consts::FRAC_2_SQRT_PI];

/// Below it the error function is a polynomial, above it what is missing to 1 is.
const ERF_SMALL: f32 = 0.5;

/// ln 2 in two parts: the first has few enough bits that its multiples by an exponent are exact.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// -2 √(2/π), twice the factor of a GELU's tanh.
const GELU_TANH: f32 = -2.0 * 0.797_884_6;

/// 1.5 · 2^23, and 127 more so that the low bits are an f32's exponent: adding it rounds to a whole number.
const ROUND: f32 = 12_582_912.0;

/// Whether `activation` is one of these.
pub fn is_long(activation: Activation) -> bool {
    function(activation).is_some()
}

type Function = fn(&mut Formula<'_>, Register, f32);

/// The function, and its parameter where it has one.
fn function(activation: Activation) -> Option<(Function, f32)> {
    Some(match activation {
        Activation::Tanh => (|f, x, _| f.tanh(x), 0.0),
        Activation::Elu { alpha } => (|f, x, alpha| f.elu(x, alpha), alpha.get()),
        Activation::Gelu => (|f, x, _| f.gelu(x), 0.0),
        Activation::GeluTanh => (|f, x, _| f.gelu_tanh(x), 0.0),
        Activation::Mish => (|f, x, _| f.mish(x), 0.0),
        Activation::Softplus => (|f, x, _| f.softplus(x), 0.0),
        Activation::Erf => (|f, x, _| f.erf(x), 0.0),
        Activation::Exp => (|f, x, _| f.exp(x), 0.0),
        Activation::Log => (|f, x, _| f.log(x), 0.0),
        _ => return None,
    })
}

/// Applies `activation`, which [`is_long`], to each vector at `places`.
pub fn in_memory(builder: &mut Builder, activation: Activation, places: &[Address]) {
    let Some((function, parameter)) = function(activation) else { return };
    let held = Held::new(builder, &affordable(builder, function, parameter));
    let x = builder.register();
    for &place in places {
        builder.emit(Instruction::Load { to: x, from: place });
        function(&mut Formula { builder, held: &held }, x, parameter);
        builder.emit(Instruction::Store { to: place, from: x });
    }
    builder.free(x);
    held.free(builder);
}

/// The constants of `function` that it uses most, as many as there are registers that it leaves free.
fn affordable(builder: &Builder, function: Function, parameter: f32) -> Vec<f32> {
    let mut rehearsal = Builder::new("rehearsal", builder.width(), 0);
    let x = rehearsal.register();
    function(&mut Formula { builder: &mut rehearsal, held: &Held::default() }, x, parameter);
    // What does not fit here is refused where it is built.
    let Ok(program) = rehearsal.finish() else { return Vec::new() };
    let mut uses: BTreeMap<u32, usize> = BTreeMap::new();
    for instruction in &program.body {
        if let Instruction::Constant { value, .. } = instruction {
            *uses.entry(value.to_bits()).or_default() += 1;
        }
    }
    let mut constants: Vec<u32> = uses.keys().copied().collect();
    constants.sort_by_key(|bits| std::cmp::Reverse(uses[bits]));
    let free = builder.width().registers.saturating_sub(builder.taken() + program.registers);
    constants.into_iter().take(free).map(f32::from_bits).collect()
}

/// An operand of a formula.
#[derive(Debug, Clone, Copy)]
pub(super) enum Term {
    Register(Register),
    Constant(f32),
}

impl From<Register> for Term {
    fn from(register: Register) -> Term {
        Term::Register(register)
    }
}

impl From<f32> for Term {
    fn from(value: f32) -> Term {
        Term::Constant(value)
    }
}

/// Emits formulas whose operands are registers or constants; the functions change their argument in place.
pub(super) struct Formula<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) held: &'a Held,
}

impl Formula<'_> {
    fn register(&mut self) -> Register {
        self.builder.register()
    }

    fn copy(&mut self, from: Register) -> Register {
        let to = self.register();
        self.builder.emit(Instruction::Move { to, from });
        to
    }

    fn free<const N: usize>(&mut self, registers: [Register; N]) {
        self.builder.free_all(registers);
    }

    /// Runs `emit` with `term` in a register.
    fn with(&mut self, term: Term, emit: impl FnOnce(&mut Self, Register)) {
        match term {
            Term::Register(register) => emit(self, register),
            Term::Constant(value) => {
                let spare = self.register();
                let register = self.held.fetch(self.builder, spare, value);
                emit(self, register);
                self.free([spare]);
            }
        }
    }

    fn two(&mut self, a: Term, b: Term, make: impl FnOnce(Register, Operand) -> Instruction) {
        self.with(a, |f, a| f.with(b, |f, b| f.builder.emit(make(a, Operand::Register(b)))));
    }

    pub(super) fn set(&mut self, to: Register, value: f32) {
        self.held.set(self.builder, to, value);
    }

    pub(super) fn add(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Add { to, a, b });
    }

    pub(super) fn subtract(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Subtract { to, a, b });
    }

    pub(super) fn multiply(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Multiply { to, a, b });
    }

    pub(super) fn divide(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Divide { to, a, b });
    }

    fn multiply_add(&mut self, sum: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::MultiplyAdd { sum, a, b });
    }

    /// At least `bound`; NaN stays NaN.
    fn at_least(&mut self, x: Register, bound: f32) {
        self.two(bound.into(), x.into(), |a, b| Instruction::Maximum { to: x, a, b });
    }

    /// At most `bound`; NaN stays NaN.
    fn at_most(&mut self, x: Register, bound: f32) {
        self.two(bound.into(), x.into(), |a, b| Instruction::Minimum { to: x, a, b });
    }

    pub(super) fn square_root(&mut self, x: Register) {
        self.builder.emit(Instruction::SquareRoot { to: x, a: x });
    }

    /// Without the sign, which is the first bit.
    pub(super) fn absolute(&mut self, x: Register) {
        self.builder.emit(Instruction::ShiftLeft { to: x, a: x, bits: 1 });
        self.builder.emit(Instruction::ShiftRight { to: x, a: x, bits: 1 });
    }

    /// `to = if a < b { yes } else { no }`
    fn choose_less(&mut self, [a, b]: [Term; 2], to: Register, yes: impl Into<Term>, no: impl Into<Term>) {
        self.choose(Comparison::Less, [a, b], to, [yes.into(), no.into()]);
    }

    fn choose(&mut self, comparison: Comparison, [a, b]: [Term; 2], to: Register, [yes, no]: [Term; 2]) {
        let mask = self.register();
        self.with(a, |f, a| {
            f.with(b, |f, b| f.builder.emit(Instruction::Compare { to: mask, comparison, a, b }));
        });
        self.with(yes, |f, yes| {
            f.with(no, |f, no| f.builder.emit(Instruction::Select { to, mask, yes, no }));
        });
        self.free([mask]);
    }

    /// The polynomial with these coefficients, highest power first, in a fresh register.
    fn polynomial(&mut self, x: Register, coefficients: &[f32]) -> Register {
        let [mut sum, mut next] = [self.register(), self.register()];
        for (place, &coefficient) in coefficients.iter().enumerate() {
            self.set(next, coefficient);
            if place > 0 {
                self.multiply_add(next, sum, x);
            }
            (sum, next) = (next, sum);
        }
        self.free([next]);
        sum
    }

    /// `e^x`: the square of that of half of x, so that neither end of the range needs a case of its own.
    pub(super) fn exp(&mut self, x: Register) {
        self.multiply(x, x, 0.5);
        self.at_least(x, -60.0);
        self.at_most(x, 60.0);
        let [power, factor, spare] = split(self.builder, self.held, x, 1.0);
        self.multiply(x, factor, power);
        self.free([power, factor, spare]);
        self.multiply(x, x, x);
    }

    /// `e^x - 1`, as a share of itself; x is at most 88.
    fn exp_m1(&mut self, x: Register) {
        self.at_least(x, -30.0);
        let [power, whole] = [self.register(), self.register()];
        self.set(power, ROUND + 127.0);
        self.multiply_add(power, x, std::f32::consts::LOG2_E);
        self.subtract(whole, power, ROUND + 127.0);
        self.multiply_add(x, whole, -LN2[0]);
        self.multiply_add(x, whole, -LN2[1]);
        self.builder.emit(Instruction::ShiftLeft { to: power, a: power, bits: 23 });
        let rest = self.polynomial(x, &EXP_M1);
        self.multiply(rest, rest, x);
        self.multiply_add(x, rest, x);
        self.subtract(whole, power, 1.0);
        self.multiply_add(whole, x, power);
        self.builder.emit(Instruction::Move { to: x, from: whole });
        self.free([power, whole, rest]);
    }

    /// With e^2x - 1 for n: n / (n + 2).
    fn tanh(&mut self, x: Register) {
        self.add(x, x, x);
        self.at_least(x, -20.0);
        self.at_most(x, 20.0);
        self.exp_m1(x);
        let sum = self.register();
        self.add(sum, x, 2.0);
        self.divide(x, x, sum);
        self.free([sum]);
    }

    fn elu(&mut self, x: Register, alpha: f32) {
        let below = self.copy(x);
        self.at_most(below, 0.0);
        self.exp_m1(below);
        self.multiply(below, below, alpha);
        self.choose(Comparison::LessOrEqual, [0.0.into(), x.into()], x, [x.into(), below.into()]);
        self.free([below]);
    }

    /// `max(x, 0) + ln(1 + e^-|x|)`
    fn softplus(&mut self, x: Register) {
        let power = self.copy(x);
        self.absolute(power);
        self.subtract(power, 0.0, power);
        self.exp(power);
        let log = self.polynomial(power, &LOG_1P);
        self.at_least(x, 0.0);
        self.multiply_add(x, log, power);
        self.free([power, log]);
    }

    /// With e^x for n: `x * (n² + 2n) / (n² + 2n + 2)`.
    fn mish(&mut self, x: Register) {
        let share = self.copy(x);
        self.at_most(share, 20.0);
        self.exp(share);
        let sum = self.register();
        self.add(sum, share, 2.0);
        self.multiply(share, share, sum);
        self.add(sum, share, 2.0);
        self.divide(share, share, sum);
        // The power is 0 there: minus infinity times it would be no number.
        self.at_least(x, -200.0);
        self.multiply(x, x, share);
        self.free([share, sum]);
    }

    /// `x / (1 + e^-2u)` with `u = √(2/π) (x + 0.044715 x³)`
    fn gelu_tanh(&mut self, x: Register) {
        let [power, factor] = [self.register(), self.register()];
        self.multiply(power, x, x);
        self.set(factor, 1.0);
        self.multiply_add(factor, power, 0.044_715);
        self.multiply(power, x, factor);
        self.multiply(power, power, GELU_TANH);
        self.exp(power);
        self.add(power, power, 1.0);
        self.at_least(x, f32::MIN);
        self.divide(x, x, power);
        self.free([power, factor]);
    }

    /// `x / 2 * erfc(-x / √2)`; from 0 on, x without the same of the other side.
    fn gelu(&mut self, x: Register) {
        let (part, half) = (self.copy(x), self.copy(x));
        self.absolute(part);
        self.multiply(part, part, std::f32::consts::FRAC_1_SQRT_2);
        self.erfc(part);
        self.at_least(half, f32::MIN);
        self.at_most(half, f32::MAX);
        self.multiply(half, half, 0.5);
        self.multiply(part, part, half);
        self.subtract(half, x, part);
        self.choose_less([x.into(), 0.0.into()], x, part, half);
        self.free([part, half]);
    }

    fn erf(&mut self, x: Register) {
        let (size, square) = (self.copy(x), self.register());
        self.absolute(size);
        let far = self.copy(size);
        self.erfc(far);
        self.subtract(far, 1.0, far);
        self.subtract(square, 0.0, far);
        self.choose_less([x.into(), 0.0.into()], far, square, far);
        self.multiply(square, x, x);
        let near = self.polynomial(square, &ERF);
        self.multiply(near, near, x);
        self.choose_less([size.into(), ERF_SMALL.into()], x, near, far);
        self.free([size, square, far, near]);
    }

    /// What the error function of z ≥ 0 lacks to 1.
    fn erfc(&mut self, z: Register) {
        // Far beyond where nothing is left.
        self.at_most(z, 12.0);
        let t = self.register();
        self.set(t, 1.0);
        self.multiply_add(t, z, 0.5);
        self.divide(t, 1.0, t);
        let factor = self.polynomial(t, &ERFC);
        self.multiply(factor, factor, t);
        self.free([t]);
        let power = self.register();
        self.subtract(power, 0.0, z);
        self.multiply(power, power, z);
        self.exp(power);
        self.multiply(z, power, factor);
        self.free([power, factor]);
    }

    /// The natural logarithm. An f32's bits from those of √½ on are its exponent and a number around 1.
    pub(super) fn log(&mut self, x: Register) {
        const HALF_ROOT: u32 = 0x3f35_04f3;
        const ONE: u32 = 0x3f80_0000;
        let (rest, exponent) = (self.copy(x), self.register());
        let tiny = [x.into(), f32::MIN_POSITIVE.into()];
        self.multiply(exponent, x, 8_388_608.0);
        self.choose_less(tiny, rest, exponent, x);
        self.add_bits(rest, ONE - HALF_ROOT);
        self.builder.emit(Instruction::ShiftRight { to: exponent, a: rest, bits: 23 });
        self.builder.emit(Instruction::ShiftLeft { to: rest, a: rest, bits: 9 });
        self.builder.emit(Instruction::ShiftRight { to: rest, a: rest, bits: 9 });
        self.add_bits(rest, HALF_ROOT);
        self.subtract(rest, rest, 1.0);
        // A whole number below 2^23 as the low bits of 2^23.
        self.add_bits(exponent, 8_388_608.0f32.to_bits());
        self.subtract(exponent, exponent, 8_388_608.0 + 127.0);
        let shifted = self.register();
        self.subtract(shifted, exponent, 23.0);
        self.choose_less(tiny, exponent, shifted, exponent);
        self.multiply(shifted, rest, rest);
        let sum = self.polynomial(rest, &LOG);
        self.multiply(sum, sum, rest);
        self.multiply(sum, sum, shifted);
        self.multiply_add(sum, exponent, LN2[1]);
        self.multiply_add(sum, shifted, -0.5);
        self.add(sum, sum, rest);
        self.multiply_add(sum, exponent, LN2[0]);
        // Of 0, infinity, negative numbers and NaN.
        self.add(rest, x, 0.0);
        self.divide(shifted, 1.0, rest);
        self.square_root(rest);
        self.subtract(rest, rest, shifted);
        self.choose_less([0.0.into(), x.into()], sum, sum, rest);
        self.choose_less([x.into(), f32::INFINITY.into()], x, sum, rest);
        self.free([rest, exponent, shifted, sum]);
    }

    fn add_bits(&mut self, to: Register, bits: u32) {
        self.with(f32::from_bits(bits).into(), |f, b| {
            f.builder.emit(Instruction::AddInteger { to, a: to, b });
        });
    }

    /// `a^b` in `a`, as `powf` has it but for the sign of zeros: `e^(b ln |a|)`, with the sign of a where b is odd, and no
    /// number where a is negative and b not whole. Loses `b`.
    pub(super) fn power(&mut self, a: Register, b: Register) {
        let size = self.copy(a);
        self.absolute(size);
        let result = self.copy(size);
        self.log(result);
        self.multiply(result, result, b);
        self.exp(result);
        self.choose(Comparison::LessOrEqual, [1.0.into(), size.into()], size, [size.into(), 2.0.into()]);
        self.choose(Comparison::LessOrEqual, [size.into(), 1.0.into()], result, [1.0.into(), result.into()]);
        self.signed(result, a, b);
        self.absolute(b);
        self.choose(Comparison::LessOrEqual, [b.into(), 0.0.into()], a, [1.0.into(), result.into()]);
        self.free([size, result]);
    }

    /// `result` with the sign that a power of `a` has.
    fn signed(&mut self, result: Register, a: Register, b: Register) {
        let [signed, off] = [self.register(), self.register()];
        self.multiply(off, b, 0.5);
        self.distance_to_whole(off);
        self.subtract(signed, 0.0, result);
        self.choose_less([0.0.into(), off.into()], signed, signed, result);
        self.builder.emit(Instruction::Move { to: off, from: b });
        self.distance_to_whole(off);
        let none = self.register();
        self.set(none, -1.0);
        self.square_root(none);
        self.choose_less([0.0.into(), off.into()], signed, none, signed);
        self.choose(Comparison::LessOrEqual, [b.into(), b.into()], signed, [signed.into(), b.into()]);
        self.choose_less([a.into(), 0.0.into()], result, signed, result);
        self.free([signed, off, none]);
    }

    /// How far x is from a whole number; from 2^22 on all numbers that matter are.
    fn distance_to_whole(&mut self, x: Register) {
        let [whole, size] = [self.register(), self.copy(x)];
        self.absolute(size);
        self.add(whole, x, ROUND);
        self.subtract(whole, whole, ROUND);
        self.subtract(x, x, whole);
        self.absolute(x);
        self.choose_less([size.into(), 4_194_304.0.into()], x, x, 0.0);
        self.free([whole, size]);
    }
}

#[cfg(test)]
mod tests;
