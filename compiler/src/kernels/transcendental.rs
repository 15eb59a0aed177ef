//! Functions that no instruction computes: exponentials, and what is made of them.
//!
//! All split their argument into a power of two and the rest by rounding x / ln 2 (Cody and Waite, 1980). The power is
//! a factor and never an addend of the exponent's bits, so that NaN stays NaN.

use std::collections::BTreeMap;

use crate::vector::{Address, Builder, Instruction, Operand, Register};

/// The largest relative error of [`exp`] over its whole range.
pub const EXP_RELATIVE_ERROR: f32 = 3e-7;

/// The least argument that [`exp`] tells apart; below it the result stays at `exp` of it, about 1.6e-38.
pub const EXP_LEAST: f32 = -87.0;

/// The largest error of a sigmoid where its result is a normal number, in units of the result's last place.
pub const SIGMOID_ULP: f64 = 3.75;

/// The largest error of a swish from [`SWISH_LEAST`] on, in units of the result's last place.
pub const SWISH_ULP: f64 = 3.75;

/// The least argument for which [`SWISH_ULP`] holds. Below it the result is that, or -0: it is off by less than 6e-37.
pub const SWISH_LEAST: f32 = -88.0;

/// ln 2 in two parts: the first has few enough bits that its multiples by -127..=128 are exact.
const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];

/// 1.5 · 2^23 + 127: adding it leaves an f32 that is rounded to a whole number, which then stands in its low bits as the
/// exponent of an f32 does.
const ROUND: f32 = 12_582_912.0 + 127.0;

/// A polynomial of least relative error, 9.2e-8, for e^r with |r| ≤ ln 2 / 2; highest power first, 1 at 0.
const COEFFICIENTS: [f32; 6] = [8.290_312e-3, 4.189_793e-2, 1.666_763_6e-1, 4.999_915e-1, 9.999_997e-1, 1.0];

/// An argument of [`logistic`] whose e^-x is infinity: the power of two is 2^128, as an f32 has it.
const ALL_GONE: f32 = -89.0;

/// An argument of [`logistic`] whose e^-x is 0: the power of two is 2^-127, as an f32 has it.
const ALL_THERE: f32 = 88.0;

/// Constants that lie in registers. Where many vectors are computed one after the other this is what makes them overlap:
/// a constant that is loaded again for each takes a place among the results that a core can have under way.
#[derive(Default)]
pub(super) struct Held(BTreeMap<u32, Register>);

impl Held {
    /// Loads `values`.
    pub(super) fn new(builder: &mut Builder, values: &[f32]) -> Held {
        let mut held = BTreeMap::new();
        for &value in values {
            held.entry(value.to_bits()).or_insert_with(|| {
                let to = builder.register();
                builder.emit(Instruction::Constant { to, value });
                to
            });
        }
        Held(held)
    }

    /// A register with `value`: where it is held, else `spare`.
    pub(super) fn fetch(&self, builder: &mut Builder, spare: Register, value: f32) -> Register {
        self.0.get(&value.to_bits()).copied().unwrap_or_else(|| {
            builder.emit(Instruction::Constant { to: spare, value });
            spare
        })
    }

    /// `to = value`
    pub(super) fn set(&self, builder: &mut Builder, to: Register, value: f32) {
        builder.emit(match self.0.get(&value.to_bits()) {
            Some(&from) => Instruction::Move { to, from },
            None => Instruction::Constant { to, value },
        });
    }

    /// Gives all registers back.
    pub(super) fn free(self, builder: &mut Builder) {
        builder.free_all(self.0.into_values());
    }
}

/// `e^x` in place, for x ≤ 0.
pub fn exp(builder: &mut Builder, x: Register) {
    let constant = builder.register();
    builder.emit(Instruction::Constant { to: constant, value: EXP_LEAST });
    builder.emit(Instruction::Maximum { to: x, a: constant, b: Operand::Register(x) });
    builder.free(constant);
    let [power, factor, spare] = split(builder, &Held::default(), x, 1.0);
    builder.emit(Instruction::Multiply { to: x, a: factor, b: Operand::Register(power) });
    builder.free_all([power, factor, spare]);
}

/// What is made of `1 / (1 + e^-x)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Logistic {
    /// Itself.
    Sigmoid,
    /// `x` times it; -0 far below 0, as its limit is.
    Swish,
}

/// The function of each of `values`, in place, with four registers beside them.
pub fn logistic(builder: &mut Builder, function: Logistic, values: &[Register]) {
    let argument = builder.register();
    for &x in values {
        builder.emit(Instruction::Move { to: argument, from: x });
        divided(builder, &Held::default(), function, argument, Numerator::Register(x));
    }
    builder.free(argument);
}

/// The function of each vector at `places`, in place, with all registers.
pub fn logistic_in_memory(builder: &mut Builder, function: Logistic, places: &[Address]) {
    let coefficients = COEFFICIENTS.iter().enumerate().map(|(place, _)| coefficient(place, -1.0));
    let others = [ALL_GONE, ALL_THERE, ROUND, -std::f32::consts::LOG2_E, LN2[0], LN2[1]];
    let values: Vec<f32> = others.into_iter().chain(coefficients).collect();
    let held = Held::new(builder, &values);
    let x = builder.register();
    for &place in places {
        builder.emit(Instruction::Load { to: x, from: place });
        divided(builder, &held, function, x, Numerator::Memory(place));
        builder.emit(Instruction::Store { to: place, from: x });
    }
    builder.free(x);
    held.free(builder);
}

/// Where the argument still is when its exponential is known.
#[derive(Clone, Copy)]
enum Numerator {
    /// In this register, which gets the result.
    Register(Register),
    /// Here; the register that the exponential was made in gets the result.
    Memory(Address),
}

/// `1 / (1 + e^-x)`, or the numerator times it; loses `x`.
fn divided(builder: &mut Builder, held: &Held, function: Logistic, x: Register, numerator: Numerator) {
    let spare = builder.register();
    let least = held.fetch(builder, spare, ALL_GONE);
    builder.emit(Instruction::Maximum { to: x, a: least, b: Operand::Register(x) });
    let most = held.fetch(builder, spare, ALL_THERE);
    builder.emit(Instruction::Minimum { to: x, a: most, b: Operand::Register(x) });
    builder.free(spare);
    let [power, factor, sum] = split(builder, held, x, -1.0);
    held.set(builder, sum, 1.0);
    builder.emit(Instruction::MultiplyAdd { sum, a: factor, b: Operand::Register(power) });
    let to = match numerator {
        Numerator::Register(to) => to,
        Numerator::Memory(_) => x,
    };
    let a = match function {
        Logistic::Sigmoid => held.fetch(builder, factor, 1.0),
        Logistic::Swish => {
            // Minus infinity over infinity is no number.
            let least = held.fetch(builder, factor, ALL_GONE);
            if let Numerator::Memory(from) = numerator {
                builder.emit(Instruction::Load { to, from });
            }
            builder.emit(Instruction::Maximum { to, a: least, b: Operand::Register(to) });
            to
        }
    };
    builder.emit(Instruction::Divide { to, a, b: Operand::Register(sum) });
    builder.free_all([power, factor, sum]);
}

/// Coefficient `place` of the polynomial in `sign` times the rest: odd powers change their sign with it.
fn coefficient(place: usize, sign: f32) -> f32 {
    sign.powi((COEFFICIENTS.len() - 1 - place) as i32) * COEFFICIENTS[place]
}

/// Two factors of `e^(sign * x)`, a power of two and a number near 1, and a spare register; the caller frees all three.
/// `sign` is 1 or -1, and `sign * x` from -88 to 89. Loses `x`.
pub(super) fn split(builder: &mut Builder, held: &Held, x: Register, sign: f32) -> [Register; 3] {
    let [power, mut factor, mut spare] = [(); 3].map(|()| builder.register());
    held.set(builder, power, ROUND);
    let log2_e = held.fetch(builder, spare, sign * std::f32::consts::LOG2_E);
    builder.emit(Instruction::MultiplyAdd { sum: power, a: x, b: Operand::Register(log2_e) });
    let round = held.fetch(builder, spare, ROUND);
    builder.emit(Instruction::Subtract { to: factor, a: power, b: Operand::Register(round) });
    for part in LN2 {
        let part = held.fetch(builder, spare, -sign * part);
        builder.emit(Instruction::MultiplyAdd { sum: x, a: factor, b: Operand::Register(part) });
    }
    held.set(builder, factor, coefficient(0, sign));
    for place in 1..COEFFICIENTS.len() {
        held.set(builder, spare, coefficient(place, sign));
        builder.emit(Instruction::MultiplyAdd { sum: spare, a: factor, b: Operand::Register(x) });
        (factor, spare) = (spare, factor);
    }
    builder.emit(Instruction::ShiftLeft { to: power, a: power, bits: 23 });
    [power, factor, spare]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::program::Width;
    use crate::vector::{Count, interpret};

    /// `function` of each of `arguments`, at 4 lanes.
    fn results(fused: bool, function: fn(&mut Builder, Register), arguments: &[f32]) -> Vec<f32> {
        let width = Width::new(4, 16, fused);
        let mut builder = Builder::new("function", width, 1);
        let base = builder.parameter(0);
        builder.repeat(Count::Items, |b| {
            let x = b.load(base, 0);
            function(b, x);
            b.emit(Instruction::Store { to: Address::new(base, 0), from: x });
            b.free(x);
            b.emit(Instruction::Advance { pointer: base, bytes: 4 * b.width().lanes as i64 });
        });
        let vectors = arguments.len().div_ceil(width.lanes);
        let mut memory = vec![arguments.to_vec()];
        memory[0].resize(vectors * width.lanes, 0.0);
        interpret::run(&builder.finish().unwrap(), &mut memory, &[(0, 0)], vectors as u64).unwrap();
        memory[0].truncate(arguments.len());
        memory.remove(0)
    }

    /// Two million numbers: of every exponent and both signs, NaN left out.
    fn every_exponent() -> Vec<f32> {
        (0..=u32::MAX).step_by(2039).map(f32::from_bits).filter(|x| !x.is_nan()).collect()
    }

    /// How far `found` is from `exact`, in units of its last place.
    fn ulps(found: f32, exact: f64) -> f64 {
        let exponent = exact.abs().log2().floor().max(-126.0);
        (f64::from(found) - exact).abs() / (exponent - 23.0).exp2()
    }

    #[test]
    fn the_relative_error_is_as_stated_over_the_whole_range() {
        let arguments: Vec<f32> = (0..400_000).map(|step| EXP_LEAST * step as f32 / 400_000.0).collect();
        for fused in [true, false] {
            for (&x, y) in arguments.iter().zip(results(fused, exp, &arguments)) {
                let exact = f64::from(x).exp();
                let error = (f64::from(y) / exact - 1.0).abs();
                assert!(
                    error <= f64::from(EXP_RELATIVE_ERROR),
                    "exp({x}) is {y}, off by {error:e}, fused {fused}"
                );
            }
        }
    }

    #[test]
    fn far_below_the_range_it_is_almost_zero_and_nan_stays_nan() {
        let found =
            results(true, exp, &[-1000.0, f32::NEG_INFINITY, f32::NAN, 0.0, f32::from_bits(0x7fc0_0001)]);
        assert!(found[0] < 2e-38 && found[1] < 2e-38, "{found:?}");
        assert!(found[2].is_nan() && found[4].is_nan(), "{found:?}");
        assert_eq!(found[3], 1.0);
    }

    #[test]
    fn a_sigmoid_is_as_close_as_stated_wherever_it_is_normal() {
        let arguments = every_exponent();
        for fused in [true, false] {
            let found = results(fused, |b, x| logistic(b, Logistic::Sigmoid, &[x]), &arguments);
            for (&x, y) in arguments.iter().zip(found) {
                let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
                let close = if exact < f64::from(f32::MIN_POSITIVE) {
                    (0.0..=f32::MIN_POSITIVE).contains(&y)
                } else {
                    ulps(y, exact) <= SIGMOID_ULP
                };
                assert!(close, "sigmoid({x:e}) is {y:e}, not {exact:e}, fused {fused}");
            }
        }
    }

    #[test]
    fn a_swish_is_as_close_as_stated_and_almost_zero_far_below() {
        let arguments = every_exponent();
        for fused in [true, false] {
            let found = results(fused, |b, x| logistic(b, Logistic::Swish, &[x]), &arguments);
            for (&x, y) in arguments.iter().zip(found) {
                let argument = f64::from(x);
                let exact =
                    if x.is_infinite() { argument.max(0.0) } else { argument / (1.0 + (-argument).exp()) };
                let close = if x < SWISH_LEAST {
                    (f64::from(y) - exact).abs() < 6e-37
                } else {
                    f64::from(y) == exact || ulps(y, exact) <= SWISH_ULP
                };
                assert!(close, "swish({x:e}) is {y:e}, not {exact:e}, fused {fused}");
            }
        }
    }

    #[test]
    fn in_memory_and_in_registers_are_the_same_bits() {
        let arguments = every_exponent();
        for (fused, function) in [
            (true, Logistic::Swish),
            (false, Logistic::Swish),
            (true, Logistic::Sigmoid),
            (false, Logistic::Sigmoid),
        ] {
            let width = Width::new(4, 16, fused);
            let run = |in_memory: bool| {
                let mut builder = Builder::new("function", width, 1);
                let base = builder.parameter(0);
                let place = Address::new(base, 0);
                builder.repeat(Count::Items, |b| {
                    if in_memory {
                        logistic_in_memory(b, function, &[place]);
                    } else {
                        let x = b.load(base, 0);
                        logistic(b, function, &[x]);
                        b.emit(Instruction::Store { to: place, from: x });
                        b.free(x);
                    }
                    b.emit(Instruction::Advance { pointer: base, bytes: 16 });
                });
                let mut memory = vec![arguments[..arguments.len() / 4 * 4].to_vec()];
                let items = memory[0].len() as u64 / 4;
                interpret::run(&builder.finish().unwrap(), &mut memory, &[(0, 0)], items).unwrap();
                memory[0].iter().map(|value| value.to_bits()).collect::<Vec<u32>>()
            };
            assert!(run(true) == run(false), "{function:?}, fused {fused}");
        }
    }
}
