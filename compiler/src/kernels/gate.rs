//! A gate into the weights of the convolution behind it: a copy of its panels, with the rows of each input channel times
//! that channel's gate.
//!
//! ```text
//! for panel in items
//!     scaled.bias = bias
//!     for tap: for channel: scaled[tap][channel] = weight[tap][channel] * gate[channel]
//! ```
//! Parameters: weights (see `pack`), gate, scaled weights. Items: panels.

use super::{F32, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Operand, Pointer, Program};

/// The panels to scale.
#[derive(Debug, Clone, Copy)]
pub struct Gate {
    /// Blocks of output channels of a panel.
    pub vectors: usize,
    /// Taps of the window.
    pub taps: usize,
    /// Input channels.
    pub channels: usize,
    /// Bytes from one block of the gate to the next.
    pub block: usize,
}

/// Builds the kernel.
pub fn build(width: Width, spec: &Gate) -> Result<Program, TooManyRegisters> {
    let Gate { vectors, taps, channels, block } = *spec;
    let name = format!("gate_weights_{taps}x{channels}_{vectors}");
    let mut builder = Builder::new(name, width, 3);
    let [weights, base, scaled] = [0, 1, 2].map(|index| builder.parameter(index));
    let rows = [weights, scaled].map(|base| builder.pointer(base, 0));
    let gate = builder.pointer(base, 0);
    let row = vectors * width.lanes * F32;
    builder.repeat(Count::Items, |b| {
        bias(b, rows, vectors);
        advance(b, rows, [row; 2]);
        b.repeat(Count::Static(taps as u32), |b| {
            set(b, [gate], [base], [0]);
            b.repeat(Count::Static((channels / width.lanes) as u32), |b| {
                scale(b, rows, gate, [width.lanes, vectors]);
                advance(b, rows, [width.lanes * row; 2]);
                advance(b, [gate], [block]);
            });
            scale(b, rows, gate, [channels % width.lanes, vectors]);
            advance(b, rows, [channels % width.lanes * row; 2]);
        });
    });
    builder.finish()
}

fn bias(b: &mut Builder, [weights, scaled]: [Pointer; 2], vectors: usize) {
    let vector = b.width().lanes * F32;
    let value = b.register();
    for offset in (0..vectors).map(|index| (index * vector) as i64) {
        b.emit(Instruction::Load { to: value, from: at(weights, offset) });
        b.emit(Instruction::Store { to: at(scaled, offset), from: value });
    }
    b.free(value);
}

/// The rows of `channels` input channels, the first of them at the pointers.
fn scale(b: &mut Builder, [weights, scaled]: [Pointer; 2], gate: Pointer, [channels, vectors]: [usize; 2]) {
    let vector = b.width().lanes * F32;
    let [factor, value] = [(); 2].map(|()| b.register());
    for channel in 0..channels {
        b.emit(Instruction::Broadcast { to: factor, from: at(gate, (channel * F32) as i64) });
        for index in 0..vectors {
            let offset = ((channel * vectors + index) * vector) as i64;
            b.emit(Instruction::Multiply { to: value, a: factor, b: Operand::Memory(at(weights, offset)) });
            b.emit(Instruction::Store { to: at(scaled, offset), from: value });
        }
    }
    b.free_all([factor, value]);
}
