//! Functions that no instruction computes.

use crate::vector::{Builder, Instruction, Operand, Register};

/// The largest relative error of [`exp`] over its whole range.
pub const EXP_RELATIVE_ERROR: f32 = 2.4e-7;

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
