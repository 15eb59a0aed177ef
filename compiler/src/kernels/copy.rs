//! Moves a tensor from one physical layout to another.
//!
//! ```text
//! for pixel in items
//!     for block: output[pixel][block] = input[pixel][block]      the last block by its channels only
//! ```
//! Parameters: input, output. Items: pixels, which must lie one behind the other on both sides.

use super::{Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Program};

/// Blocks whose copies are spelled out in one pass of the inner loop.
const UNROLL: usize = 4;

/// Builds the copy of `channels` channels.
pub fn build(
    width: Width,
    channels: usize,
    input: Strides,
    output: Strides,
) -> Result<Program, TooManyRegisters> {
    let lanes = width.lanes;
    let (blocks, rest) = (channels / lanes, channels % lanes);
    let mut builder = Builder::new(format!("copy_{channels}"), width, 2);
    let (from, to) = (builder.parameter(0), builder.parameter(1));
    let (pixel_from, pixel_to) = (builder.pointer(from, 0), builder.pointer(to, 0));
    let (block_from, block_to) = (builder.pointer(from, 0), builder.pointer(to, 0));
    builder.repeat(Count::Items, |b| {
        set(b, [block_from, block_to], [pixel_from, pixel_to], [0; 2]);
        let value = b.register();
        let several = |b: &mut Builder, count: usize| {
            for index in 0..count {
                b.emit(Instruction::Load { to: value, from: at(block_from, (index * input.block) as i64) });
                b.emit(Instruction::Store { to: at(block_to, (index * output.block) as i64), from: value });
            }
            advance(b, [block_from, block_to], [count * input.block, count * output.block]);
        };
        b.repeat(Count::Static((blocks / UNROLL) as u32), |b| several(b, UNROLL));
        several(b, blocks % UNROLL);
        if rest > 0 {
            let lanes = rest as u8;
            b.emit(Instruction::LoadPart { to: value, from: at(block_from, 0), lanes });
            b.emit(Instruction::StorePart { to: at(block_to, 0), from: value, lanes });
        }
        b.free(value);
        advance(b, [pixel_from, pixel_to], [input.pixel, output.pixel]);
    });
    builder.finish()
}
