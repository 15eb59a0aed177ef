//! Functions of each element over maps in channel blocks: a batch normalisation or an activation alone.
//!
//! ```text
//! for block in items
//!     for pixel: output = activation(input * scale[block] + shift[block])
//! ```
//! Parameters: input, output, weights (scale and shift of each block, where affine). Items: blocks of channels. Pixels must
//! lie one behind the other on both sides.

use frit_ir::ops::{Activation, Epilogue};

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
    /// What follows.
    pub activation: Option<Activation>,
    /// Pixels of the map.
    pub pixels: usize,
    /// Strides of the input.
    pub input: Strides,
    /// Strides of the output.
    pub output: Strides,
}

/// The places that one pass of the inner loop reads and writes.
struct Cursor {
    input: Pointer,
    output: Pointer,
    affine: Option<(Register, Register)>,
}

/// Builds the kernel.
pub fn build(width: Width, spec: &Elementwise) -> Result<Program, TooManyRegisters> {
    let what = if spec.affine { "_affine" } else { "" };
    let epilogue = Epilogue { activation: spec.activation, ..Epilogue::default() };
    let name = format!("elementwise_{}{what}{}", spec.pixels, epilogue::name(&epilogue));
    let mut builder = Builder::new(name, width, 2 + usize::from(spec.affine));
    let tensors = [0, 1].map(|index| builder.pointer(builder.parameter(index), 0));
    let weights = spec.affine.then(|| builder.pointer(builder.parameter(2), 0));
    let pixels @ [input, output] = tensors.map(|block| builder.pointer(block, 0));
    builder.repeat(Count::Items, |b| {
        set(b, pixels, tensors, [0; 2]);
        let vector = (b.width().lanes * super::F32) as i32;
        let affine = weights.map(|weights| (b.load(weights, 0), b.load(weights, vector)));
        let cursor = Cursor { input, output, affine };
        b.repeat(Count::Static((spec.pixels / UNROLL) as u32), |b| pass(b, spec, &cursor, UNROLL));
        if !spec.pixels.is_multiple_of(UNROLL) {
            pass(b, spec, &cursor, spec.pixels % UNROLL);
        }
        b.free_all(affine.into_iter().flat_map(|(scale, shift)| [scale, shift]));
        advance(b, tensors, [spec.input.block, spec.output.block]);
        if let Some(weights) = weights {
            advance(b, [weights], [2 * vector as usize]);
        }
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
    let outputs: Vec<_> =
        (0..count).map(|index| at(cursor.output, (index * spec.output.pixel) as i64)).collect();
    let epilogue = Epilogue { activation: spec.activation, ..Epilogue::default() };
    epilogue::store(b, &epilogue, values, &[], &outputs);
    advance(b, [cursor.input, cursor.output], [spec.input, spec.output].map(|strides| count * strides.pixel));
}
