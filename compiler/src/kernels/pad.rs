//! One value around a map in channel blocks.
//!
//! ```text
//! for block in items
//!     the value for the rows above
//!     for row: the value left, the row, the value right
//!     the value for the rows below
//! ```
//! Parameters: input, output. Items: blocks of channels.

use frit_ir::ops::Pad;

use super::{Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Pointer, Program, Register};

/// Builds the padding of a map of `rows` × `columns` pixels; pixels and rows lie one behind the other on both sides.
pub fn build(
    width: Width,
    [rows, columns]: [usize; 2],
    pad: &Pad,
    input: Strides,
    output: Strides,
) -> Result<Program, TooManyRegisters> {
    let mut builder = Builder::new(format!("pad_{rows}x{columns}"), width, 2);
    let (block_from, block_to) =
        (builder.pointer(builder.parameter(0), 0), builder.pointer(builder.parameter(1), 0));
    let (from, to) = (builder.pointer(block_from, 0), builder.pointer(block_to, 0));
    let padding = &pad.padding;
    let padded_row = padding.left + columns + padding.right;
    builder.repeat(Count::Items, |b| {
        set(b, [from, to], [block_from, block_to], [0; 2]);
        let (around, value) = (b.register(), b.register());
        b.emit(Instruction::Constant { to: around, value: pad.value.get() });
        fill(b, around, to, padding.top * padded_row, output.pixel);
        b.repeat(Count::Static(rows as u32), |b| {
            fill(b, around, to, padding.left, output.pixel);
            b.repeat(Count::Static(columns as u32), |b| {
                b.emit(Instruction::Load { to: value, from: at(from, 0) });
                b.emit(Instruction::Store { to: at(to, 0), from: value });
                advance(b, [from, to], [input.pixel, output.pixel]);
            });
            fill(b, around, to, padding.right, output.pixel);
        });
        fill(b, around, to, padding.bottom * padded_row, output.pixel);
        b.free_all([around, value]);
        advance(b, [block_from, block_to], [input.block, output.block]);
    });
    builder.finish()
}

/// Stores `value` in `pixels` pixels at `to` and moves it behind them.
fn fill(builder: &mut Builder, value: Register, to: Pointer, pixels: usize, stride: usize) {
    builder.repeat(Count::Static(pixels as u32), |b| {
        b.emit(Instruction::Store { to: at(to, 0), from: value });
        b.emit(Instruction::Advance { pointer: to, bytes: stride as i64 });
    });
}
