//! The two small layers of squeeze and excite, from the sums of a map's rows to the gate of each channel.
//!
//! ```text
//! mean[channel] = (sum of the rows' sums) * (1 / pixels)                    for all channels
//! reduced[unit] = activation(bias + sum over channels of mean * weight)     for all units, or units in items
//! gate[channel] = activation(bias + sum over units of reduced * weight)     channels in items
//! ```
//! One kernel does all of it, or two share it out ([`Part`]). Where one does, every worker computes all means and all
//! reduced channels for itself, in scratch memory: that is less than a barrier takes, where the first layer is small.
//! Several sums a vector hide the latency of the multiply-add; which product is added to which depends on the sizes alone.
//!
//! Parameters of the whole: row sums, weights of the first layer, weights of the second, gate, scratch. Of the first part:
//! row sums, weights, reduced channels, scratch; of the second: reduced channels, weights, gate. Items: blocks of channels
//! of the last layer.

use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Epilogue, SqueezeExcite};

use super::depthwise::RowSums;
use super::pool::{self, Column};
use super::{F32, advance, at, epilogue, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// What the kernel is for.
#[derive(Debug, Clone, Copy)]
pub struct Squeeze {
    /// Channels of the map.
    pub channels: usize,
    /// How many sums there are for each channel: the map's rows.
    pub rows: usize,
    /// Pixels of the map.
    pub pixels: usize,
    /// Where the sums lie.
    pub sums: RowSums,
    /// The two layers.
    pub layers: SqueezeExcite,
}

/// How much of it one kernel computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All.
    Whole,
    /// The means and the first layer.
    Reduce,
    /// The second layer.
    Expand,
}

/// Products that are summed side by side.
const CHAINS: usize = 8;

/// One of the two layers.
struct SmallLayer {
    inputs: usize,
    small: Small,
    /// Input values, weights and results.
    places: [Pointer; 3],
}

impl Squeeze {
    /// Bytes of the means of all channels, in blocks; the reduced channels lie behind them.
    pub fn mean_bytes(&self, lanes: usize) -> usize {
        self.channels.next_multiple_of(lanes) * F32
    }

    /// Bytes of scratch memory that all parts get by with.
    pub fn scratch_bytes(&self, lanes: usize) -> usize {
        self.mean_bytes(lanes) + self.layers.squeezed.next_multiple_of(lanes) * F32
    }

    fn means(&self, b: &mut Builder, sums: Pointer, to: Pointer) {
        let column = Column { count: self.rows, stride: self.sums.row, divisor: self.pixels };
        let lanes = b.width().lanes;
        let blocks = Count::Static(self.channels.div_ceil(lanes) as u32);
        pool::means(b, [sums, to], &column, [self.sums.block, lanes * F32], blocks);
    }
}

/// Builds the kernel.
pub fn build(width: Width, spec: &Squeeze, part: Part) -> Result<Program, TooManyRegisters> {
    let Squeeze { channels, layers: SqueezeExcite { squeezed, reduce, expand, .. }, .. } = *spec;
    let (name, parameters) = match part {
        Part::Whole => ("squeeze", 5),
        Part::Reduce => ("squeeze_reduce", 4),
        Part::Expand => ("squeeze_expand", 3),
    };
    let activations: String = [reduce, expand].iter().map(|layer| epilogue::name(&after(layer))).collect();
    let name = format!("{name}_{}of{channels}to{squeezed}{activations}", spec.rows);
    let mut builder = Builder::new(name, width, parameters);
    let b = &mut builder;
    let place = |b: &mut Builder, index: usize| b.parameter(index);
    let last = place(b, parameters - 1);
    let [first, second, third] = [0, 1, 2].map(|index| place(b, index));
    match part {
        Part::Whole => {
            let reduced = b.pointer(last, spec.mean_bytes(width.lanes) as i64);
            spec.means(b, first, last);
            let layer = SmallLayer { inputs: channels, small: reduce, places: [last, second, reduced] };
            layer.emit(b, Count::Static(squeezed.div_ceil(width.lanes) as u32));
            let gate = place(b, 3);
            SmallLayer { inputs: squeezed, small: expand, places: [reduced, third, gate] }
                .emit(b, Count::Items);
        }
        Part::Reduce => {
            spec.means(b, first, last);
            let layer = SmallLayer { inputs: channels, small: reduce, places: [last, second, third] };
            layer.emit(b, Count::Items);
        }
        Part::Expand => {
            SmallLayer { inputs: squeezed, small: expand, places: [first, second, third] }
                .emit(b, Count::Items);
        }
    }
    builder.finish()
}

fn after(layer: &Small) -> Epilogue {
    Epilogue { activation: layer.activation, ..Epilogue::default() }
}

impl SmallLayer {
    /// `blocks` blocks of output channels.
    fn emit(&self, b: &mut Builder, blocks: Count) {
        let vector = b.width().lanes * F32;
        let [values, weights, to] = self.places.map(|place| b.pointer(place, 0));
        let [from, ..] = self.places;
        b.repeat(blocks, |b| {
            let sums = b.registers(CHAINS.min(self.inputs));
            b.emit(Instruction::Load { to: sums[0], from: at(weights, 0) });
            for &to in &sums[1..] {
                b.emit(Instruction::Constant { to, value: 0.0 });
            }
            set(b, [values], [from], [0]);
            advance(b, [weights], [vector]);
            b.repeat(Count::Static((self.inputs / sums.len()) as u32), |b| {
                products(b, &sums, values, weights);
                advance(b, [values, weights], [sums.len() * F32, sums.len() * vector]);
            });
            let rest = self.inputs % sums.len();
            products(b, &sums[..rest], values, weights);
            advance(b, [weights], [rest * vector]);
            for &sum in &sums[1..] {
                b.emit(Instruction::Add { to: sums[0], a: sums[0], b: Operand::Register(sum) });
            }
            b.free_all(sums[1..].iter().copied());
            epilogue::store(b, &after(&self.small), vec![sums[0]], &[], &[at(to, 0)]);
            advance(b, [to], [vector]);
        });
    }
}

/// Adds the products of neighbouring values and rows, one to each of `sums`.
fn products(b: &mut Builder, sums: &[Register], values: Pointer, weights: Pointer) {
    let vector = b.width().lanes * F32;
    let value = b.register();
    for (index, &sum) in sums.iter().enumerate() {
        b.emit(Instruction::Broadcast { to: value, from: at(values, (index * F32) as i64) });
        let weight = Operand::Memory(at(weights, (index * vector) as i64));
        b.emit(Instruction::MultiplyAdd { sum, a: value, b: weight });
    }
    b.free(value);
}
