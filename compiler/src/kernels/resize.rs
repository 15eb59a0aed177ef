//! One axis of a map in channel blocks at another resolution: each position is a mix of two of the input.
//!
//! ```text
//! for block in items
//!     for outer: for position (spelled out): for inner
//!         output[position] = input[first] * (1 - weight) + input[second] * weight
//! ```
//! Across, the outer loop is the rows' and there is no inner one; down, the inner loop is the columns'. Where a weight is
//! 0 the second is not read.
//!
//! Parameters: input, output. Items: blocks of channels.

use frit_ir::ops::Scalar;
use frit_ir::ops::resize::Tap;

use super::at;
use super::nest::{self, Loop};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Instruction, Operand, Pointer, Program};

/// What to compute.
#[derive(Debug, Clone, Copy)]
pub struct Resizing<'a> {
    /// What each position of the axis is.
    pub taps: &'a [Tap],
    /// Bytes from one position to the next, of input and output.
    pub step: [usize; 2],
    /// The loops around the positions and inside them.
    pub loops: [Loop<2>; 2],
    /// Bytes from one block of channels to the next.
    pub block: [usize; 2],
}

/// Builds the kernel.
pub fn build(width: Width, spec: &Resizing<'_>) -> Result<Program, TooManyRegisters> {
    let [outer, inner] = spec.loops;
    let mut builder =
        Builder::new(format!("resize_{}x{}x{}", outer.count, spec.taps.len(), inner.count), width, 2);
    nest::items(&mut builder, spec.block, &[outer], &mut |b, [from, to]| {
        for (position, tap) in spec.taps.iter().enumerate() {
            let place = |index: usize, side: usize| (index * spec.step[side]) as i64;
            let pointers = [b.pointer(from, place(tap.first, 0)), b.pointer(to, place(position, 1))];
            let second = place(tap.second, 0) - place(tap.first, 0);
            nest::nest(b, &[inner], pointers, &mut |b, pointers| mix(b, pointers, second, tap.weight));
        }
    });
    builder.finish()
}

fn mix(b: &mut Builder, [from, to]: [Pointer; 2], second: i64, weight: f64) {
    let value = b.load(from, 0);
    if weight != 0.0 {
        let (other, factor) = (b.register(), b.register());
        b.emit(Instruction::Constant { to: factor, value: Scalar::nearest(1.0 - weight).get() });
        b.emit(Instruction::Multiply { to: value, a: value, b: Operand::Register(factor) });
        b.emit(Instruction::Constant { to: factor, value: Scalar::nearest(weight).get() });
        b.emit(Instruction::Load { to: other, from: at(from, second) });
        b.emit(Instruction::MultiplyAdd { sum: value, a: other, b: Operand::Register(factor) });
        b.free_all([other, factor]);
    }
    b.emit(Instruction::Store { to: at(to, 0), from: value });
    b.free(value);
}
