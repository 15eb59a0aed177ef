//! Steps of everything that is not a convolution.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Activation, BatchNorm, Binary, Epilogue, Padding};

use super::placement::{Home, Placed};
use super::{Draft, Reach, Scheduler};
use crate::kernels::elementwise::{self, Elementwise, Factor};
use crate::kernels::{F32, pad, pool, softmax};
use crate::pack::Source;
use crate::plan::Region;

impl Scheduler<'_> {
    pub(super) fn batch_norm(&mut self, id: NodeId, norm: &BatchNorm) -> Result<(), Diagnostic> {
        let (scale, shift) = self.scale_and_shift(id, norm)?;
        let offset = self.weights.add(Source::Values(blocks(&scale, &shift, self.width.lanes).into()));
        self.elementwise(id, Some(offset), None, Epilogue::default())
    }

    pub(super) fn activation(&mut self, id: NodeId, activation: Activation) -> Result<(), Diagnostic> {
        self.elementwise(id, None, None, Epilogue { activation: Some(activation), ..Epilogue::default() })
    }

    pub(super) fn binary(&mut self, id: NodeId, binary: Binary) -> Result<(), Diagnostic> {
        let operands = self.graph.operands(id);
        match binary {
            Binary::Add => {
                self.elementwise(id, None, None, Epilogue { residual: true, ..Epilogue::default() })
            }
            _ => {
                let is_gate = self.shapes[&operands[0]] != self.shapes[&operands[1]];
                let factor = if is_gate { Factor::Gate } else { Factor::Map };
                self.elementwise(id, None, Some(factor), Epilogue::default())
            }
        }
    }

    /// `affine` is where its scales and shifts begin in the packed weights.
    fn elementwise(
        &mut self,
        id: NodeId,
        affine: Option<usize>,
        factor: Option<Factor>,
        epilogue: Epilogue,
    ) -> Result<(), Diagnostic> {
        let operands = self.graph.operands(id);
        let input = self.tensor_in_blocks(operands[0])?;
        let residual = match operands.get(1) {
            Some(&operand) => self.tensor_in_blocks(operand)?,
            None => input,
        };
        let output = self.place(id);
        let spec = Elementwise {
            affine: affine.is_some(),
            factor,
            epilogue,
            pixels: input.pixels(),
            input: input.strides,
            output: output.strides,
            residual: residual.strides,
        };
        let by_block = |tensor: &Placed| tensor.reach(tensor.strides.block);
        let weights = Reach {
            home: Home::Region(Region::Weights),
            offset: affine.unwrap_or(0),
            stride: 2 * self.width.lanes * F32,
        };
        let arguments = vec![by_block(&input), by_block(&output), by_block(&residual), weights];
        let kernel = self.kernel(elementwise::build(self.width, &spec))?;
        let call = Draft { kernel, arguments, items: input.channels.div_ceil(self.width.lanes) };
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

    pub(super) fn pad(&mut self, id: NodeId, padding: &Padding) -> Result<(), Diagnostic> {
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        let program =
            pad::build(self.width, [input.rows, input.columns], padding, input.strides, output.strides);
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
        let call = Draft { kernel: self.kernel(program)?, arguments, items };
        self.step(id, vec![call]);
        Ok(())
    }

    pub(super) fn softmax(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        let program = softmax::build(self.width, input.channels, input.strides, output.strides);
        let arguments = vec![input.reach(input.strides.pixel), output.reach(output.strides.pixel)];
        let call = Draft { kernel: self.kernel(program)?, arguments, items: input.pixels() };
        self.step(id, vec![call]);
        Ok(())
    }

    /// Nothing where both shapes lie in the same way; else through a dense copy, in which both orders are the same.
    pub(super) fn reshape(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let from = self.tensor(operand);
        let shape = self.shapes[&id].clone();
        let dense_home = Home::Slot(self.slots.len());
        let target = Placed::dense(&shape, self.width.lanes, from.home);
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
        self.new_slot(from.pixels() * from.channels * F32);
        let dense = Placed::dense(&self.shapes[&operand], self.width.lanes, dense_home);
        self.copy(id, from, dense)?;
        self.placed.insert(id, Placed { home: dense_home, ..target });
        Ok(())
    }
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
