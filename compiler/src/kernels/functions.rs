//! Functions of each element that take more constants than a tile leaves registers: they go over memory, where the values
//! have just been stored, with all registers.
//!
//! A power of two is a factor and never an addend of the exponent's bits, so that NaN stays NaN (see `transcendental`).

use std::collections::BTreeMap;

use frit_ir::ops::Activation;

use super::formula::Formula;
use super::transcendental::{Held, split};
use crate::vector::{Address, Builder, Comparison, Instruction, Register};

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
        Activation::Tanh => (|f, x, _| tanh(f, x), 0.0),
        Activation::Elu { alpha } => (|f, x, alpha| elu(f, x, alpha), alpha.get()),
        Activation::Gelu => (|f, x, _| gelu(f, x), 0.0),
        Activation::GeluTanh => (|f, x, _| gelu_tanh(f, x), 0.0),
        Activation::Mish => (|f, x, _| mish(f, x), 0.0),
        Activation::Softplus => (|f, x, _| softplus(f, x), 0.0),
        Activation::Erf => (|f, x, _| erf(f, x), 0.0),
        Activation::Exp => (|f, x, _| exp(f, x), 0.0),
        Activation::Log => (|f, x, _| log(f, x), 0.0),
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

/// `e^x`: the square of that of half of x, so that neither end of the range needs a case of its own.
pub(super) fn exp(f: &mut Formula<'_>, x: Register) {
    f.multiply(x, x, 0.5);
    f.at_least(x, -60.0);
    f.at_most(x, 60.0);
    let [power, factor, spare] = split(f.builder, f.held, x, 1.0);
    f.multiply(x, factor, power);
    f.free([power, factor, spare]);
    f.multiply(x, x, x);
}

/// `e^x - 1`, as a share of itself; x is at most 88.
fn exp_m1(f: &mut Formula<'_>, x: Register) {
    f.at_least(x, -30.0);
    let [power, whole] = [f.register(), f.register()];
    f.set(power, ROUND + 127.0);
    f.multiply_add(power, x, std::f32::consts::LOG2_E);
    f.subtract(whole, power, ROUND + 127.0);
    f.multiply_add(x, whole, -LN2[0]);
    f.multiply_add(x, whole, -LN2[1]);
    f.builder.emit(Instruction::ShiftLeft { to: power, a: power, bits: 23 });
    let rest = f.polynomial(x, &EXP_M1);
    f.multiply(rest, rest, x);
    f.multiply_add(x, rest, x);
    f.subtract(whole, power, 1.0);
    f.multiply_add(whole, x, power);
    f.builder.emit(Instruction::Move { to: x, from: whole });
    f.free([power, whole, rest]);
}

/// With e^2x - 1 for n: n / (n + 2).
fn tanh(f: &mut Formula<'_>, x: Register) {
    f.add(x, x, x);
    f.at_least(x, -20.0);
    f.at_most(x, 20.0);
    exp_m1(f, x);
    let sum = f.register();
    f.add(sum, x, 2.0);
    f.divide(x, x, sum);
    f.free([sum]);
}

fn elu(f: &mut Formula<'_>, x: Register, alpha: f32) {
    let below = f.copy(x);
    f.at_most(below, 0.0);
    exp_m1(f, below);
    f.multiply(below, below, alpha);
    f.choose(Comparison::LessOrEqual, [0.0.into(), x.into()], x, [x.into(), below.into()]);
    f.free([below]);
}

/// `max(x, 0) + ln(1 + e^-|x|)`
fn softplus(f: &mut Formula<'_>, x: Register) {
    let power = f.copy(x);
    f.absolute(power);
    f.subtract(power, 0.0, power);
    exp(f, power);
    let log = f.polynomial(power, &LOG_1P);
    f.at_least(x, 0.0);
    f.multiply_add(x, log, power);
    f.free([power, log]);
}

/// With e^x for n: `x * (n² + 2n) / (n² + 2n + 2)`.
fn mish(f: &mut Formula<'_>, x: Register) {
    let share = f.copy(x);
    f.at_most(share, 20.0);
    exp(f, share);
    let sum = f.register();
    f.add(sum, share, 2.0);
    f.multiply(share, share, sum);
    f.add(sum, share, 2.0);
    f.divide(share, share, sum);
    // The power is 0 there: minus infinity times it would be no number.
    f.at_least(x, -200.0);
    f.multiply(x, x, share);
    f.free([share, sum]);
}

/// `x / (1 + e^-2u)` with `u = √(2/π) (x + 0.044715 x³)`
fn gelu_tanh(f: &mut Formula<'_>, x: Register) {
    let [power, factor] = [f.register(), f.register()];
    f.multiply(power, x, x);
    f.set(factor, 1.0);
    f.multiply_add(factor, power, 0.044_715);
    f.multiply(power, x, factor);
    f.multiply(power, power, GELU_TANH);
    exp(f, power);
    f.add(power, power, 1.0);
    f.at_least(x, f32::MIN);
    f.divide(x, x, power);
    f.free([power, factor]);
}

/// `x / 2 * erfc(-x / √2)`; from 0 on, x without the same of the other side.
fn gelu(f: &mut Formula<'_>, x: Register) {
    let (part, half) = (f.copy(x), f.copy(x));
    f.absolute(part);
    f.multiply(part, part, std::f32::consts::FRAC_1_SQRT_2);
    erfc(f, part);
    f.at_least(half, f32::MIN);
    f.at_most(half, f32::MAX);
    f.multiply(half, half, 0.5);
    f.multiply(part, part, half);
    f.subtract(half, x, part);
    f.choose_less([x.into(), 0.0.into()], x, part, half);
    f.free([part, half]);
}

fn erf(f: &mut Formula<'_>, x: Register) {
    let (size, square) = (f.copy(x), f.register());
    f.absolute(size);
    let far = f.copy(size);
    erfc(f, far);
    f.subtract(far, 1.0, far);
    f.subtract(square, 0.0, far);
    f.choose_less([x.into(), 0.0.into()], far, square, far);
    f.multiply(square, x, x);
    let near = f.polynomial(square, &ERF);
    f.multiply(near, near, x);
    f.choose_less([size.into(), ERF_SMALL.into()], x, near, far);
    f.free([size, square, far, near]);
}

/// What the error function of z ≥ 0 lacks to 1.
fn erfc(f: &mut Formula<'_>, z: Register) {
    // Far beyond where nothing is left.
    f.at_most(z, 12.0);
    let t = f.register();
    f.set(t, 1.0);
    f.multiply_add(t, z, 0.5);
    f.divide(t, 1.0, t);
    let factor = f.polynomial(t, &ERFC);
    f.multiply(factor, factor, t);
    f.free([t]);
    let power = f.register();
    f.subtract(power, 0.0, z);
    f.multiply(power, power, z);
    exp(f, power);
    f.multiply(z, power, factor);
    f.free([power, factor]);
}

/// The natural logarithm. An f32's bits from those of √½ on are its exponent and a number around 1.
pub(super) fn log(f: &mut Formula<'_>, x: Register) {
    const HALF_ROOT: u32 = 0x3f35_04f3;
    const ONE: u32 = 0x3f80_0000;
    let (rest, exponent) = (f.copy(x), f.register());
    let tiny = [x.into(), f32::MIN_POSITIVE.into()];
    f.multiply(exponent, x, 8_388_608.0);
    f.choose_less(tiny, rest, exponent, x);
    f.add_bits(rest, ONE - HALF_ROOT);
    f.builder.emit(Instruction::ShiftRight { to: exponent, a: rest, bits: 23 });
    f.builder.emit(Instruction::ShiftLeft { to: rest, a: rest, bits: 9 });
    f.builder.emit(Instruction::ShiftRight { to: rest, a: rest, bits: 9 });
    f.add_bits(rest, HALF_ROOT);
    f.subtract(rest, rest, 1.0);
    // A whole number below 2^23 as the low bits of 2^23.
    f.add_bits(exponent, 8_388_608.0f32.to_bits());
    f.subtract(exponent, exponent, 8_388_608.0 + 127.0);
    let shifted = f.register();
    f.subtract(shifted, exponent, 23.0);
    f.choose_less(tiny, exponent, shifted, exponent);
    f.multiply(shifted, rest, rest);
    let sum = f.polynomial(rest, &LOG);
    f.multiply(sum, sum, rest);
    f.multiply(sum, sum, shifted);
    f.multiply_add(sum, exponent, LN2[1]);
    f.multiply_add(sum, shifted, -0.5);
    f.add(sum, sum, rest);
    f.multiply_add(sum, exponent, LN2[0]);
    // Of 0, infinity, negative numbers and NaN.
    f.add(rest, x, 0.0);
    f.divide(shifted, 1.0, rest);
    f.square_root(rest);
    f.subtract(rest, rest, shifted);
    f.choose_less([0.0.into(), x.into()], sum, sum, rest);
    f.choose_less([x.into(), f32::INFINITY.into()], x, sum, rest);
    f.free([rest, exponent, shifted, sum]);
}

/// `a^b` in `a`, as `powf` has it but for the sign of zeros: `e^(b ln |a|)`, with the sign of a where b is odd, and no
/// number where a is negative and b not whole. Loses `b`.
pub(super) fn power(f: &mut Formula<'_>, a: Register, b: Register) {
    let size = f.copy(a);
    f.absolute(size);
    let result = f.copy(size);
    log(f, result);
    f.multiply(result, result, b);
    exp(f, result);
    f.choose(Comparison::LessOrEqual, [1.0.into(), size.into()], size, [size.into(), 2.0.into()]);
    f.choose(Comparison::LessOrEqual, [size.into(), 1.0.into()], result, [1.0.into(), result.into()]);
    signed(f, result, a, b);
    f.absolute(b);
    f.choose(Comparison::LessOrEqual, [b.into(), 0.0.into()], a, [1.0.into(), result.into()]);
    f.free([size, result]);
}

/// `result` with the sign that a power of `a` has.
fn signed(f: &mut Formula<'_>, result: Register, a: Register, b: Register) {
    let [signed, off] = [f.register(), f.register()];
    f.multiply(off, b, 0.5);
    distance_to_whole(f, off);
    f.subtract(signed, 0.0, result);
    f.choose_less([0.0.into(), off.into()], signed, signed, result);
    f.builder.emit(Instruction::Move { to: off, from: b });
    distance_to_whole(f, off);
    let none = f.register();
    f.set(none, -1.0);
    f.square_root(none);
    f.choose_less([0.0.into(), off.into()], signed, none, signed);
    f.choose(Comparison::LessOrEqual, [b.into(), b.into()], signed, [signed.into(), b.into()]);
    f.choose_less([a.into(), 0.0.into()], result, signed, result);
    f.free([signed, off, none]);
}

/// How far x is from a whole number; from 2^22 on all numbers that matter are.
fn distance_to_whole(f: &mut Formula<'_>, x: Register) {
    let [whole, size] = [f.register(), f.copy(x)];
    f.absolute(size);
    f.add(whole, x, ROUND);
    f.subtract(whole, whole, ROUND);
    f.subtract(x, x, whole);
    f.absolute(x);
    f.choose_less([size.into(), 4_194_304.0.into()], x, x, 0.0);
    f.free([whole, size]);
}

#[cfg(test)]
mod tests;
