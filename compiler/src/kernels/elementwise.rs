//! Functions of each element over maps in channel blocks: a batch normalisation, an activation, an addition or a product
//! alone.
//!
//! ```text
//! for block in items
//!     for pixel: output = epilogue(input * scale[block] + shift[block])      or of input * factor
//! ```
//! Parameters: input, output, second operand (summand or factor), weights (scale and shift of each block, where affine).
//! Items: blocks of channels. Pixels must lie one behind the other on all sides.

use frit_ir::ops::Epilogue;

use super::{Strides, advance, at, epilogue, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// Pixels whose computations are spelled out in one pass of the inner loop.
const UNROLL: usize = 8;

/// What to compute.
#[derive(Debug, Clone, Copy)]
pub struct Elementwise {
    /// Whether each channel is first scaled and shifted.
    pub affine: bool,
    /// What each element is multiplied by.
    pub factor: Option<Factor>,
    /// Activations and the second summand, in the epilogue's order.
    pub epilogue: Epilogue,
    /// Pixels of the map.
    pub pixels: usize,
    /// Strides of the input.
    pub input: Strides,
    /// Strides of the output.
    pub output: Strides,
    /// Strides of the second operand.
    pub residual: Strides,
}

/// The second operand of a product.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// A map of the same shape.
    Map,
    /// One value for each channel.
    Gate,
}

/// The places that one pass of the inner loop reads and writes.
struct Cursor {
    input: Pointer,
    output: Pointer,
    residual: Pointer,
    affine: Option<(Register, Register)>,
    gate: Option<Register>,
}

/// Builds the kernel.
pub fn build(width: Width, spec: &Elementwise) -> Result<Program, TooManyRegisters> {
    let what = match (spec.affine, spec.factor) {
        (true, _) => "_affine",
        (_, Some(Factor::Map)) => "_mul",
        (_, Some(Factor::Gate)) => "_gate",
        _ => "",
    };
    let name = format!("elementwise_{}{what}{}", spec.pixels, epilogue::name(&spec.epilogue));
    let mut builder = Builder::new(name, width, 4);
    let blocks = [0, 1, 2, 3].map(|index| builder.pointer(builder.parameter(index), 0));
    let [input_block, output_block, residual_block, weights] = blocks;
    let tensors = [input_block, output_block, residual_block];
    let pixels @ [input, output, residual] = tensors.map(|block| builder.pointer(block, 0));
    builder.repeat(Count::Items, |b| {
        set(b, pixels, tensors, [0; 3]);
        let vector = (b.width().lanes * super::F32) as i32;
        let affine = spec.affine.then(|| (b.load(weights, 0), b.load(weights, vector)));
        let gate = (spec.factor == Some(Factor::Gate)).then(|| b.load(residual, 0));
        let cursor = Cursor { input, output, residual, affine, gate };
        b.repeat(Count::Static((spec.pixels / UNROLL) as u32), |b| pass(b, spec, &cursor, UNROLL));
        if !spec.pixels.is_multiple_of(UNROLL) {
            pass(b, spec, &cursor, spec.pixels % UNROLL);
        }
        b.free_all(affine.into_iter().flat_map(|(scale, shift)| [scale, shift]).chain(gate));
        let strides = [spec.input.block, spec.output.block, spec.residual.block, 2 * vector as usize];
        advance(b, blocks, strides);
    });
    builder.finish()
}

/// `count` pixels, and the cursor moved behind them.
fn pass(b: &mut Builder, spec: &Elementwise, cursor: &Cursor, count: usize) {
    let values: Vec<Register> =
        (0..count).map(|index| b.load(cursor.input, (index * spec.input.pixel) as i32)).collect();
    if let Some((scale, shift)) = cursor.affine {
        for value in values.iter().copied() {
            b.emit(Instruction::Multiply { to: value, a: value, b: Operand::Register(scale) });
            b.emit(Instruction::Add { to: value, a: value, b: Operand::Register(shift) });
        }
    }
    for (index, value) in values.iter().copied().enumerate().filter(|_| spec.factor.is_some()) {
        let other = at(cursor.residual, (index * spec.residual.pixel) as i64);
        let other = cursor.gate.map_or(Operand::Memory(other), Operand::Register);
        b.emit(Instruction::Multiply { to: value, a: value, b: other });
    }
    let residuals: Vec<_> =
        (0..count).map(|index| at(cursor.residual, (index * spec.residual.pixel) as i64)).collect();
    let outputs: Vec<_> =
        (0..count).map(|index| at(cursor.output, (index * spec.output.pixel) as i64)).collect();
    epilogue::store(b, &spec.epilogue, values, &residuals, &outputs);
    let steps = [spec.input, spec.output, spec.residual].map(|strides| count * strides.pixel);
    advance(b, [cursor.input, cursor.output, cursor.residual], steps);
}
