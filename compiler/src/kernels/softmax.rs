//! Softmax over the channels of each pixel, or its logarithm.
//!
//! ```text
//! for pixel in items
//!     most = max over channels
//!     for block: output = exp(input - most)
//!     sum  = sum over channels of output
//!     for block: output = output / sum             or input - most - ln sum
//! ```
//! The maximum and the sum go over scalars broadcast to all lanes, so no lane ever meets another and the order of the
//! additions is the channels' order, whatever the number of lanes.
//!
//! Parameters: input, output. Items: pixels.

use super::formula::Formula;
use super::functions;
use super::transcendental::Held;
use super::{F32, Strides, advance, at, set, transcendental};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// Builds the softmax over so many channels, or its logarithm.
pub fn build(
    width: Width,
    (channels, log): (usize, bool),
    input: Strides,
    output: Strides,
) -> Result<Program, TooManyRegisters> {
    let kind = if log { "log_softmax" } else { "softmax" };
    let mut builder = Builder::new(format!("{kind}_{channels}"), width, 2);
    let (from, to) = (builder.pointer(builder.parameter(0), 0), builder.pointer(builder.parameter(1), 0));
    let cursor = builder.pointer(from, 0);
    let second = builder.pointer(to, 0);
    let blocks = Count::Static(channels.div_ceil(width.lanes) as u32);
    builder.repeat(Count::Items, |b| {
        let (most, sum, value) = (b.register(), b.register(), b.register());
        b.emit(Instruction::SetPointer { to: cursor, base: from, offset: 0 });
        b.emit(Instruction::Broadcast { to: most, from: at(cursor, 0) });
        each_channel(b, cursor, channels, input.block, |b, address| {
            b.emit(Instruction::Broadcast { to: value, from: address });
            b.emit(Instruction::Maximum { to: most, a: most, b: Operand::Register(value) });
        });
        set(b, [cursor, second], [from, to], [0; 2]);
        b.repeat(blocks, |b| {
            b.emit(Instruction::Load { to: value, from: at(cursor, 0) });
            b.emit(Instruction::Subtract { to: value, a: value, b: Operand::Register(most) });
            transcendental::exp(b, value);
            store(b, second, value, output.block);
            b.emit(Instruction::Advance { pointer: cursor, bytes: input.block as i64 });
        });
        b.emit(Instruction::Constant { to: sum, value: 0.0 });
        set(b, [cursor, second], [to, to], [0; 2]);
        each_channel(b, cursor, channels, output.block, |b, address| {
            b.emit(Instruction::Broadcast { to: value, from: address });
            b.emit(Instruction::Add { to: sum, a: sum, b: Operand::Register(value) });
        });
        if log {
            functions::log(&mut Formula { builder: b, held: &Held::default() }, sum);
            set(b, [cursor], [from], [0]);
        }
        b.repeat(blocks, |b| {
            if log {
                b.emit(Instruction::Load { to: value, from: at(cursor, 0) });
                b.emit(Instruction::Subtract { to: value, a: value, b: Operand::Register(most) });
                b.emit(Instruction::Subtract { to: value, a: value, b: Operand::Register(sum) });
                b.emit(Instruction::Advance { pointer: cursor, bytes: input.block as i64 });
            } else {
                b.emit(Instruction::Load { to: value, from: at(second, 0) });
                b.emit(Instruction::Divide { to: value, a: value, b: Operand::Register(sum) });
            }
            store(b, second, value, output.block);
        });
        b.free_all([most, sum, value]);
        advance(b, [from, to], [input.pixel, output.pixel]);
    });
    builder.finish()
}

/// Stores `value` at `to` and moves it to the next block.
fn store(b: &mut Builder, to: Pointer, value: Register, block: usize) {
    b.emit(Instruction::Store { to: at(to, 0), from: value });
    b.emit(Instruction::Advance { pointer: to, bytes: block as i64 });
}

/// Runs `body` on the address of each channel in turn, with `cursor` at the first block.
pub(super) fn each_channel(
    b: &mut Builder,
    cursor: Pointer,
    channels: usize,
    block: usize,
    body: impl Fn(&mut Builder, Address),
) {
    let lanes = b.width().lanes;
    b.repeat(Count::Static((channels / lanes) as u32), |b| {
        for lane in 0..lanes {
            body(b, at(cursor, (lane * F32) as i64));
        }
        b.emit(Instruction::Advance { pointer: cursor, bytes: block as i64 });
    });
    for lane in 0..channels % lanes {
        body(b, at(cursor, (lane * F32) as i64));
    }
}
