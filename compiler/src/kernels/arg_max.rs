//! Where the largest channel of each pixel stands; NaN is larger than all.
//!
//! ```text
//! for pixel in items
//!     for channel
//!         if input > most: most, place = input, channel
//! ```
//! Everything is spread over all lanes, so that none meets another.
//!
//! Parameters: input, output (one value a pixel). Items: pixels.

use super::softmax::each_channel;
use super::{F32, Strides, advance, at};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Comparison, Count, Instruction, Operand, Program, Register};

/// Builds the kernel; `last` prefers the last of several equal channels to the first.
pub fn build(width: Width, channels: usize, last: bool, input: Strides) -> Result<Program, TooManyRegisters> {
    let which = if last { "last" } else { "first" };
    let mut builder = Builder::new(format!("arg_max_{which}_{channels}"), width, 2);
    let (parameter, output) = (builder.parameter(0), builder.parameter(1));
    let (from, to) = (builder.pointer(parameter, 0), builder.pointer(output, 0));
    let cursor = builder.pointer(from, 0);
    builder.repeat(Count::Items, |b| {
        b.emit(Instruction::SetPointer { to: cursor, base: from, offset: 0 });
        let state @ [most, place, channel, one] = [(); 4].map(|()| b.register());
        b.emit(Instruction::Broadcast { to: most, from: at(cursor, 0) });
        for (to, value) in [(place, 0.0), (channel, 0.0), (one, 1.0)] {
            b.emit(Instruction::Constant { to, value });
        }
        each_channel(b, cursor, channels, input.block, |b, address| {
            let value = b.register();
            b.emit(Instruction::Broadcast { to: value, from: address });
            step(b, last, value, [most, place, channel]);
            b.emit(Instruction::Add { to: channel, a: channel, b: Operand::Register(one) });
            b.free(value);
        });
        b.emit(Instruction::StorePart { to: at(to, 0), from: place, lanes: 1 });
        b.free_all(state);
        advance(b, [from, to], [input.pixel, F32]);
    });
    builder.finish()
}

/// Takes `value`, which is that of `channel`, where it is larger than `most`.
fn step(b: &mut Builder, last: bool, value: Register, [most, place, channel]: [Register; 3]) {
    let (mask, candidate) = (b.register(), b.register());
    let ordered = |b: &mut Builder, x: Register| {
        b.emit(Instruction::Compare { to: mask, comparison: Comparison::LessOrEqual, a: x, b: x });
    };
    // Where the value is NaN: here, unless an earlier one was NaN already and the first is meant.
    b.emit(Instruction::Move { to: candidate, from: channel });
    if !last {
        ordered(b, most);
        b.emit(Instruction::Select { to: candidate, mask, yes: channel, no: place });
    }
    let comparison = if last { Comparison::LessOrEqual } else { Comparison::Less };
    b.emit(Instruction::Compare { to: mask, comparison, a: most, b: value });
    b.emit(Instruction::Select { to: place, mask, yes: channel, no: place });
    b.emit(Instruction::Select { to: most, mask, yes: value, no: most });
    ordered(b, value);
    b.emit(Instruction::Select { to: place, mask, yes: place, no: candidate });
    b.emit(Instruction::Select { to: most, mask, yes: most, no: value });
    b.free_all([mask, candidate]);
}
