//! Functions that no instruction computes.

use crate::vector::{Builder, Instruction, Operand, Register};

/// The largest relative error of [`exp`] over its whole range.
pub const EXP_RELATIVE_ERROR: f32 = 3e-7;

/// The least argument that [`exp`] tells apart; below it the result stays at `exp` of it, about 1.6e-38.
pub const EXP_LEAST: f32 = -87.0;

/// ln 2 in two parts: the first has few enough bits that its multiples by -126..=127 are exact.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// 1.5 · 2^23: adding it leaves an f32 that is rounded to a whole number, which then stands in its low bits.
const ROUND: f32 = 12_582_912.0;

/// Taylor coefficients of `e^r`, highest first; with |r| ≤ ln 2 / 2 the first term left out is below 2^-27.
const COEFFICIENTS: [f32; 7] = [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];

/// `e^x` in place, for x ≤ 0: split into a power of two and the rest by rounding x / ln 2 (Cody and Waite, 1980).
pub fn exp(builder: &mut Builder, x: Register) {
    let (power, constant, rest) = (builder.register(), builder.register(), builder.register());
    let set = |b: &mut Builder, value: f32| b.emit(Instruction::Constant { to: constant, value });
    set(builder, EXP_LEAST);
    builder.emit(Instruction::Maximum { to: x, a: constant, b: Operand::Register(x) });
    builder.emit(Instruction::Constant { to: power, value: ROUND });
    set(builder, std::f32::consts::LOG2_E);
    builder.emit(Instruction::MultiplyAdd { sum: power, a: x, b: Operand::Register(constant) });
    set(builder, ROUND);
    builder.emit(Instruction::Subtract { to: rest, a: power, b: Operand::Register(constant) });
    for part in [LN2_HIGH, LN2_LOW] {
        set(builder, -part);
        builder.emit(Instruction::MultiplyAdd { sum: x, a: rest, b: Operand::Register(constant) });
    }
    builder.emit(Instruction::Constant { to: rest, value: COEFFICIENTS[0] });
    for &coefficient in &COEFFICIENTS[1..] {
        set(builder, coefficient);
        builder.emit(Instruction::MultiplyAdd { sum: constant, a: rest, b: Operand::Register(x) });
        builder.emit(Instruction::Move { to: rest, from: constant });
    }
    builder.emit(Instruction::ShiftLeft { to: power, a: power, bits: 23 });
    builder.emit(Instruction::AddInteger { to: x, a: rest, b: power });
    builder.free_all([power, constant, rest]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::program::Width;
    use crate::vector::{Address, Count, Program, interpret};

    fn program(width: Width) -> Program {
        let mut builder = Builder::new("exp", width, 1);
        let base = builder.parameter(0);
        let address = Address { base, offset: 0 };
        builder.repeat(Count::Items, |b| {
            let x = b.load(base, 0);
            exp(b, x);
            b.emit(Instruction::Store { to: address, from: x });
            b.free(x);
            b.emit(Instruction::Advance { pointer: base, bytes: 4 * b.width().lanes as i64 });
        });
        builder.finish().unwrap()
    }

    #[test]
    fn the_relative_error_is_as_stated_over_the_whole_range() {
        for fused in [true, false] {
            let width = Width { lanes: 4, registers: 16, fused };
            let arguments: Vec<f32> = (0..400_000).map(|step| EXP_LEAST * step as f32 / 400_000.0).collect();
            let mut memory = vec![arguments.clone()];
            interpret::run(&program(width), &mut memory, &[(0, 0)], 100_000).unwrap();
            for (&x, &y) in arguments.iter().zip(&memory[0]) {
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
        let width = Width { lanes: 4, registers: 16, fused: true };
        let mut memory = vec![vec![-1000.0, f32::NEG_INFINITY, f32::NAN, 0.0]];
        interpret::run(&program(width), &mut memory, &[(0, 0)], 1).unwrap();
        assert!(memory[0][0] < 2e-38 && memory[0][1] < 2e-38, "{:?}", memory[0]);
        assert!(memory[0][2].is_nan());
        assert_eq!(memory[0][3], 1.0);
    }
}
