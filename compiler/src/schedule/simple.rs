//! Steps of everything that is not a convolution.

use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::resize::Tap;
use frit_ir::ops::{Activation, ArgMax, BatchNorm, Pad, Resize, Softmax};
use frit_ir::{NodeId, Shape};

use super::Scheduler;
use super::placement::Placed;
use crate::kernels::elementwise::{self, Elementwise};
use crate::kernels::nest::Loop;
use crate::kernels::resize::{self, Resizing};
use crate::kernels::{F32, arg_max, pad, pool, softmax};
use crate::pack::Source;
use crate::plan::{Argument, Call, Region};

impl Scheduler<'_> {
    pub(super) fn batch_norm(&mut self, id: NodeId, norm: &BatchNorm) -> Result<(), Diagnostic> {
        let (scale, shift) = self.scale_and_shift(id, norm)?;
        let offset = self.weights.add(Source::Values(blocks(&scale, &shift, self.width.lanes).into()));
        self.elementwise(id, Some(offset), None)
    }

    pub(super) fn activation(&mut self, id: NodeId, activation: Activation) -> Result<(), Diagnostic> {
        self.elementwise(id, None, Some(activation))
    }

    /// `affine` is where its scales and shifts begin in the packed weights.
    fn elementwise(
        &mut self,
        id: NodeId,
        affine: Option<usize>,
        activation: Option<Activation>,
    ) -> Result<(), Diagnostic> {
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        self.each_element(id, affine, activation, [input, output])
    }

    /// The same over `input`, into `output`.
    pub(super) fn each_element(
        &mut self,
        id: NodeId,
        affine: Option<usize>,
        activation: Option<Activation>,
        [input, output]: [Placed; 2],
    ) -> Result<(), Diagnostic> {
        let spec = Elementwise {
            affine: affine.is_some(),
            activation,
            pixels: input.pixels(),
            input: input.strides,
            output: output.strides,
        };
        let tensors = [input, output].map(|tensor| tensor.reach(tensor.strides.block));
        let stride = 2 * self.width.lanes * F32;
        let weights = affine.map(|offset| Argument { region: Region::Weights, offset, stride });
        let arguments = tensors.into_iter().chain(weights).collect();
        let kernel = self.kernel(elementwise::build(self.width, &spec))?;
        let call = Call { kernel, arguments, items: input.channels.div_ceil(self.width.lanes) };
        self.step(id, vec![call]);
        Ok(())
    }

    /// A batch normalisation as `x * scale + shift`, computed in f64.
    fn scale_and_shift(&self, id: NodeId, norm: &BatchNorm) -> Result<(Vec<f32>, Vec<f32>), Diagnostic> {
        let mut weights = Vec::new();
        for name in &self.graph.node(id).weights {
            weights.push(self.graph.weights.values(name)?);
        }
        let mut next = weights.iter();
        let gamma = if norm.scale { next.next() } else { None };
        let beta = if norm.center { next.next() } else { None };
        let (mean, variance) = (&weights[weights.len() - 2], &weights[weights.len() - 1]);
        let value = |of: Option<&std::sync::Arc<[f32]>>, channel: usize, default: f64| {
            of.map_or(default, |values| f64::from(values[channel]))
        };
        let pair = |channel: usize| {
            let deviation = (f64::from(variance[channel]) + f64::from(norm.epsilon.get())).sqrt();
            let scale = value(gamma, channel, 1.0) / deviation;
            let shift = value(beta, channel, 0.0) - f64::from(mean[channel]) * scale;
            (scale as f32, shift as f32)
        };
        Ok((0..mean.len()).map(pair).unzip())
    }

    pub(super) fn pad(&mut self, id: NodeId, pad: &Pad) -> Result<(), Diagnostic> {
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        let program = pad::build(self.width, [input.rows, input.columns], pad, input.strides, output.strides);
        self.by_block(id, input, output, program)
    }

    pub(super) fn global_average_pool(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        let program = pool::build(self.width, input.pixels(), input.strides, output.strides);
        self.by_block(id, input, output, program)
    }

    /// A step whose items are blocks of channels.
    fn by_block(
        &mut self,
        id: NodeId,
        input: Placed,
        output: Placed,
        program: Result<crate::vector::Program, crate::vector::builder::TooManyRegisters>,
    ) -> Result<(), Diagnostic> {
        let arguments = vec![input.reach(input.strides.block), output.reach(output.strides.block)];
        let items = input.channels.div_ceil(self.width.lanes);
        let call = Call { kernel: self.kernel(program)?, arguments, items };
        self.step(id, vec![call]);
        Ok(())
    }

    pub(super) fn softmax(&mut self, id: NodeId, softmax: Softmax) -> Result<(), Diagnostic> {
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        let shape = (input.channels, softmax.log);
        let program = softmax::build(self.width, shape, input.strides, output.strides);
        let arguments = vec![input.reach(input.strides.pixel), output.reach(output.strides.pixel)];
        let call = Call { kernel: self.kernel(program)?, arguments, items: input.pixels() };
        self.step(id, vec![call]);
        Ok(())
    }

    pub(super) fn arg_max(&mut self, id: NodeId, op: ArgMax) -> Result<(), Diagnostic> {
        let input = self.tensor(self.graph.operands(id)[0]);
        let output = self.place_dense(id);
        let program = arg_max::build(self.width, input.channels, op.last, input.strides);
        let arguments = vec![input.reach(input.strides.pixel), output.reach(F32)];
        let call = Call { kernel: self.kernel(program)?, arguments, items: input.pixels() };
        self.step(id, vec![call]);
        Ok(())
    }

    /// Across, then down; nothing where neither changes.
    pub(super) fn resize(&mut self, id: NodeId, op: &Resize) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let mut input = self.tensor_in_blocks(operand)?;
        let (down, across) = (op.taps(0, input.rows), op.taps(1, input.columns));
        if down.len() + across.len() > MOST_POSITIONS {
            let [rows, columns] = op.size;
            let message = format!("a resize to {rows}x{columns} has more than {MOST_POSITIONS} positions");
            return Err(Diagnostic::error(codes::LIMIT, message));
        }
        let [changes_down, changes_across] =
            [(&down, input.rows), (&across, input.columns)].map(|(taps, length)| changes(taps, length));
        if !changes_down && !changes_across {
            self.alias(id);
            return Ok(());
        }
        if changes_across {
            let output = if changes_down {
                let shape = Shape::new(&[input.rows, across.len(), input.channels]);
                super::placement::check_size(&shape, self.width.lanes)?;
                self.place_in_blocks(&shape)
            } else {
                self.place(id)
            };
            let loops = [Loop { count: input.rows, bytes: [input.strides.row, output.strides.row] }, STILL];
            let step = [input.strides.pixel, output.strides.pixel];
            self.resize_along(id, [input, output], &Resizing { taps: &across, step, loops, block: [0; 2] })?;
            input = output;
        }
        if changes_down {
            let output = self.place(id);
            let bytes = [input.strides.pixel, output.strides.pixel];
            let loops = [STILL, Loop { count: input.columns, bytes }];
            let step = [input.strides.row, output.strides.row];
            self.resize_along(id, [input, output], &Resizing { taps: &down, step, loops, block: [0; 2] })?;
        }
        Ok(())
    }

    /// One pass of a resize, from one of `tensors` to the other.
    fn resize_along(
        &mut self,
        id: NodeId,
        tensors: [Placed; 2],
        spec: &Resizing<'_>,
    ) -> Result<(), Diagnostic> {
        let [input, output] = tensors;
        let spec = Resizing { block: tensors.map(|tensor| tensor.strides.block), ..*spec };
        let program = resize::build(self.width, &spec);
        self.by_block(id, input, output, program)
    }

    /// Nothing where both shapes lie in the same way; else through a dense copy, in which both orders are the same.
    pub(super) fn reshape(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let from = self.tensor(operand);
        let shape = self.shapes[&id].clone();
        let target = Placed { offset: from.offset, ..Placed::dense(&shape, self.width.lanes, from.region) };
        if from.channels == target.channels && from.pixels() == target.pixels() {
            let Placed { rows, columns, .. } = target;
            let row = columns * from.strides.pixel;
            let strides = crate::kernels::Strides { row, ..from.strides };
            self.placed.insert(id, Placed { rows, columns, strides, ..from });
            return Ok(());
        }
        if from.is_dense {
            self.placed.insert(id, target);
            return Ok(());
        }
        let dense = self.tensor_dense(operand)?;
        self.placed.insert(id, Placed { region: dense.region, offset: dense.offset, ..target });
        Ok(())
    }
}

/// The most rows and columns of a resize's result together, each of which is code of its own.
const MOST_POSITIONS: usize = 1 << 14;

/// A loop of one turn.
const STILL: Loop<2> = Loop { count: 1, bytes: [0; 2] };

/// Whether an axis of `length` is another behind `taps`.
fn changes(taps: &[Tap], length: usize) -> bool {
    let stays = |(index, tap): (usize, &Tap)| tap.first == index && tap.weight == 0.0;
    taps.len() != length || !taps.iter().enumerate().all(stays)
}

/// Scale and shift of each block of `lanes` channels, one behind the other, with zeros where a block has fewer channels.
fn blocks(scale: &[f32], shift: &[f32], lanes: usize) -> Vec<f32> {
    let padded = |values: &[f32]| {
        let mut vector = values.to_vec();
        vector.resize(lanes, 0.0);
        vector
    };
    scale.chunks(lanes).zip(shift.chunks(lanes)).flat_map(|(a, b)| [padded(a), padded(b)].concat()).collect()
}
