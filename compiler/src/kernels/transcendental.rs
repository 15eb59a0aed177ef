//! Functions that no instruction computes: exponentials, and what is made of them.
//!
//! All split their argument into a power of two and the rest by rounding x / ln 2 (Cody and Waite, 1980). The power is
//! a factor and never an addend of the exponent's bits, so that NaN stays NaN.

use crate::vector::{Builder, Instruction, Operand, Register};

/// The largest relative error of [`exp`] over its whole range.
pub const EXP_RELATIVE_ERROR: f32 = 3e-7;

/// The least argument that [`exp`] tells apart; below it the result stays at `exp` of it, about 1.6e-38.
pub const EXP_LEAST: f32 = -87.0;

/// The largest error of [`sigmoid`] where its result is a normal number, in units of the result's last place.
pub const SIGMOID_ULP: f64 = 3.75;

/// The largest error of [`swish`] from [`SWISH_LEAST`] on, in units of the result's last place.
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

/// An argument of [`sigmoid`] whose e^-x is infinity: the power of two is 2^128, as an f32 has it.
const ALL_GONE: f32 = -89.0;

/// An argument of [`sigmoid`] whose e^-x is 0: the power of two is 2^-127, as an f32 has it.
const ALL_THERE: f32 = 88.0;

/// `e^x` in place, for x ≤ 0.
pub fn exp(builder: &mut Builder, x: Register) {
    let constant = builder.register();
    builder.emit(Instruction::Constant { to: constant, value: EXP_LEAST });
    builder.emit(Instruction::Maximum { to: x, a: constant, b: Operand::Register(x) });
    builder.free(constant);
    let [power, factor, spare] = split(builder, x, 1.0);
    builder.emit(Instruction::Multiply { to: x, a: factor, b: Operand::Register(power) });
    builder.free_all([power, factor, spare]);
}

/// `1 / (1 + e^-x)` of each of `values`, in place, with three registers beside them.
pub fn sigmoid(builder: &mut Builder, values: &[Register]) {
    let constant = builder.register();
    builder.emit(Instruction::Constant { to: constant, value: ALL_GONE });
    for &x in values {
        builder.emit(Instruction::Maximum { to: x, a: constant, b: Operand::Register(x) });
    }
    builder.emit(Instruction::Constant { to: constant, value: ALL_THERE });
    for &x in values {
        builder.emit(Instruction::Minimum { to: x, a: constant, b: Operand::Register(x) });
    }
    builder.free(constant);
    for &x in values {
        let [sum, spare] = one_plus_exp_of_minus(builder, x);
        builder.emit(Instruction::Constant { to: spare, value: 1.0 });
        builder.emit(Instruction::Divide { to: x, a: spare, b: Operand::Register(sum) });
        builder.free_all([sum, spare]);
    }
}

/// `x / (1 + e^-x)` of each of `values`, in place, with four registers beside them; -0 far below 0, as its limit is.
pub fn swish(builder: &mut Builder, values: &[Register]) {
    let argument = builder.register();
    builder.emit(Instruction::Constant { to: argument, value: ALL_GONE });
    for &x in values {
        // The numerator too: minus infinity over infinity is no number.
        builder.emit(Instruction::Maximum { to: x, a: argument, b: Operand::Register(x) });
    }
    for &x in values {
        builder.emit(Instruction::Constant { to: argument, value: ALL_THERE });
        builder.emit(Instruction::Minimum { to: argument, a: argument, b: Operand::Register(x) });
        let [sum, spare] = one_plus_exp_of_minus(builder, argument);
        builder.emit(Instruction::Divide { to: x, a: x, b: Operand::Register(sum) });
        builder.free_all([sum, spare]);
    }
    builder.free(argument);
}

/// `1 + e^-x` for x from [`ALL_GONE`] to [`ALL_THERE`], in the first of two registers that the caller frees. Loses `x`.
fn one_plus_exp_of_minus(builder: &mut Builder, x: Register) -> [Register; 2] {
    let [power, factor, sum] = split(builder, x, -1.0);
    builder.emit(Instruction::Constant { to: sum, value: 1.0 });
    builder.emit(Instruction::MultiplyAdd { sum, a: factor, b: Operand::Register(power) });
    builder.free(power);
    [sum, factor]
}

/// Two factors of `e^(sign * x)`, a power of two and a number near 1, and a spare register; the caller frees all three.
/// `sign` is 1 or -1, and `sign * x` from -88 to 89. Loses `x`.
fn split(builder: &mut Builder, x: Register, sign: f32) -> [Register; 3] {
    let [power, mut factor, mut constant] = [(); 3].map(|()| builder.register());
    let set = |b: &mut Builder, to: Register, value: f32| b.emit(Instruction::Constant { to, value });
    set(builder, power, ROUND);
    set(builder, constant, sign * std::f32::consts::LOG2_E);
    builder.emit(Instruction::MultiplyAdd { sum: power, a: x, b: Operand::Register(constant) });
    set(builder, constant, ROUND);
    builder.emit(Instruction::Subtract { to: factor, a: power, b: Operand::Register(constant) });
    for part in LN2 {
        set(builder, constant, -sign * part);
        builder.emit(Instruction::MultiplyAdd { sum: x, a: factor, b: Operand::Register(constant) });
    }
    set(builder, factor, sign.powi(COEFFICIENTS.len() as i32 - 1) * COEFFICIENTS[0]);
    for (place, &coefficient) in COEFFICIENTS.iter().enumerate().skip(1) {
        // A polynomial of the negative rest changes the sign of its odd powers.
        set(builder, constant, sign.powi((COEFFICIENTS.len() - 1 - place) as i32) * coefficient);
        builder.emit(Instruction::MultiplyAdd { sum: constant, a: factor, b: Operand::Register(x) });
        (factor, constant) = (constant, factor);
    }
    builder.emit(Instruction::ShiftLeft { to: power, a: power, bits: 23 });
    [power, factor, constant]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::program::Width;
    use crate::vector::{Address, Count, interpret};

    /// `function` of each of `arguments`, at 4 lanes.
    fn results(fused: bool, function: fn(&mut Builder, Register), arguments: &[f32]) -> Vec<f32> {
        let width = Width { lanes: 4, registers: 16, fused };
        let mut builder = Builder::new("function", width, 1);
        let base = builder.parameter(0);
        builder.repeat(Count::Items, |b| {
            let x = b.load(base, 0);
            function(b, x);
            b.emit(Instruction::Store { to: Address { base, offset: 0 }, from: x });
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
            let found = results(fused, |b, x| sigmoid(b, &[x]), &arguments);
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
            let found = results(fused, |b, x| swish(b, &[x]), &arguments);
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
}
