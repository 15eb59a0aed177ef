//! Global average pooling over a map in channel blocks.
//!
//! ```text
//! for block in items
//!     sum[0..4] = 0
//!     for pixel: sum[pixel % 4] += input[block][pixel]
//!     output[block] = (sum[0] + sum[1] + sum[2] + sum[3]) * (1 / pixels)
//! ```
//! Four sums hide the latency of the addition; the order of additions is fixed by the map's size alone.
//!
//! Parameters: input, output. Items: blocks of channels.

use frit_ir::ops::Scalar;

use super::{Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// Sums side by side.
const SUMS: usize = 4;

/// Builds the mean over `pixels` pixels, which must lie one behind the other.
pub fn build(
    width: Width,
    pixels: usize,
    input: Strides,
    output: Strides,
) -> Result<Program, TooManyRegisters> {
    let mut builder = Builder::new(format!("global_avg_pool_{pixels}"), width, 2);
    let bases = [0, 1].map(|index| builder.parameter(index));
    let column = Column { count: pixels, stride: input.pixel, divisor: pixels };
    means(&mut builder, bases, &column, [input.block, output.block], Count::Items);
    builder.finish()
}

/// What is added up and divided to one mean.
pub(super) struct Column {
    /// How many vectors.
    pub(super) count: usize,
    /// Bytes from one to the next.
    pub(super) stride: usize,
    /// What their sum is divided by.
    pub(super) divisor: usize,
}

/// `blocks` means, from and to places that lie `strides` bytes apart.
pub(super) fn means(
    builder: &mut Builder,
    bases: [Pointer; 2],
    column: &Column,
    strides: [usize; 2],
    blocks: Count,
) {
    let [from, to] = bases.map(|base| builder.pointer(base, 0));
    let next = builder.pointer(from, 0);
    let Column { count, stride, divisor } = *column;
    builder.repeat(blocks, |b| {
        set(b, [next], [from], [0]);
        let sums = b.registers(SUMS);
        for &sum in &sums {
            b.emit(Instruction::Constant { to: sum, value: 0.0 });
        }
        let add = |b: &mut Builder, sum: Register, index: usize| {
            let address = at(next, (index * stride) as i64);
            b.emit(Instruction::Add { to: sum, a: sum, b: Operand::Memory(address) });
        };
        b.repeat(Count::Static((count / SUMS) as u32), |b| {
            for (index, &sum) in sums.iter().enumerate() {
                add(b, sum, index);
            }
            advance(b, [next], [SUMS * stride]);
        });
        for (index, &sum) in sums.iter().enumerate().take(count % SUMS) {
            add(b, sum, index);
        }
        for &sum in &sums[1..] {
            b.emit(Instruction::Add { to: sums[0], a: sums[0], b: Operand::Register(sum) });
        }
        b.emit(Instruction::Constant { to: sums[1], value: Scalar::ratio(1, divisor).get() });
        b.emit(Instruction::Multiply { to: sums[0], a: sums[0], b: Operand::Register(sums[1]) });
        b.emit(Instruction::Store { to: at(to, 0), from: sums[0] });
        b.free_all(sums);
        advance(b, [from, to], strides);
    });
}
