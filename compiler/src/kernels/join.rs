//! Copies channels to or from the middle of a block.
//!
//! ```text
//! for pixel in items
//!     for block: output[pixel][block, from lane `shift` on] = input[pixel][block]      the rest into the next block
//! ```
//! or the same with the shift on the input. Only lanes of channels that are copied are written, so that what stands beside
//! them stays; where nothing stands behind the last of them, zeros fill the rest of its block, which others read with it.
//!
//! Parameters: input, output. Items: pixels, which must lie one behind the other on both sides.

use super::{F32, Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Pointer, Program};

/// Which side begins in the middle of a block, and how many lanes behind the block's begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shift {
    /// The input.
    Input(usize),
    /// The output.
    Output(usize),
}

/// Builds the copy of `channels` channels; the pointers are those of the blocks that the first channel is in. With `fills`,
/// nothing stands behind the last channel in its block of the output.
pub fn build(
    width: Width,
    channels: usize,
    shift: Shift,
    [input, output]: [Strides; 2],
    fills: bool,
) -> Result<Program, TooManyRegisters> {
    let lanes = width.lanes;
    let (side, by) = match shift {
        Shift::Input(by) => ("from", by),
        Shift::Output(by) => ("to", by),
    };
    let filled = if fills { "_fill" } else { "" };
    let mut builder = Builder::new(format!("join_{channels}_{side}{by}{filled}"), width, 2);
    let pixel = [0, 1].map(|index| builder.pointer(builder.parameter(index), 0));
    let block = pixel.map(|base| builder.pointer(base, 0));
    // What of a block of the side that is not shifted lies in each of two blocks of the other.
    let (first, second) = (lanes - by, by);
    builder.repeat(Count::Items, |b| {
        set(b, block, pixel, [0; 2]);
        let parts = |b: &mut Builder, [first, second]: [usize; 2]| {
            let begin = (by * F32) as i64;
            let behind = ((lanes - by) * F32) as i64;
            match shift {
                Shift::Output(_) => {
                    part(b, block, [0, begin], first);
                    part(b, block, [behind, output.block as i64], second);
                }
                Shift::Input(_) => {
                    part(b, block, [begin, 0], first);
                    part(b, block, [input.block as i64, behind], second);
                }
            }
        };
        b.repeat(Count::Static((channels / lanes) as u32), |b| {
            parts(b, [first, second]);
            advance(b, block, [input.block, output.block]);
        });
        let rest = channels % lanes;
        parts(b, [rest.min(first), rest.saturating_sub(first)]);
        if fills {
            let end = rest + if matches!(shift, Shift::Output(_)) { by } else { 0 };
            fill(b, block[1], output, end);
        }
        advance(b, pixel, [input.pixel, output.pixel]);
    });
    builder.finish()
}

/// Zeros from lane `end`, counted from the block at `to` on, to the end of the block that it is in.
fn fill(b: &mut Builder, to: Pointer, output: Strides, end: usize) {
    let lanes = b.width().lanes;
    let (block, lane) = (end / lanes, end % lanes);
    if lane > 0 {
        let zero = b.register();
        let to = at(to, (block * output.block + lane * F32) as i64);
        b.emit(Instruction::Constant { to: zero, value: 0.0 });
        b.emit(Instruction::StorePart { to, from: zero, lanes: (lanes - lane) as u8 });
        b.free(zero);
    }
}

/// Copies `lanes` values, if any, between places so many bytes behind the pointers.
fn part(b: &mut Builder, [from, to]: [Pointer; 2], [input, output]: [i64; 2], lanes: usize) {
    if lanes == 0 {
        return;
    }
    let value = b.register();
    let lanes = lanes as u8;
    b.emit(Instruction::LoadPart { to: value, from: at(from, input), lanes });
    b.emit(Instruction::StorePart { to: at(to, output), from: value, lanes });
    b.free(value);
}
