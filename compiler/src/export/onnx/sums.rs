//! Layers of sums: convolutions, dense layers, normalisations, squeeze and excite.

use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{BatchNorm, Conv2d, Conv2dTranspose, Dense, Epilogue, SqueezeExcite};
use frit_ir::{Diagnostic, NodeId};
use ndarray::{ArrayD, Axis};

use super::Writer;
use super::layer::window;
use super::nodes::{float, int, ints};
use super::tensors::Form;
use crate::export::not_expressible;

impl Writer<'_> {
    pub(super) fn conv2d(&mut self, id: NodeId, conv: &Conv2d) -> Result<(), Diagnostic> {
        let layer = self.graph.node(id).name.clone();
        let operands = self.graph.operands(id);
        let mut x = self.tensor(operands[0], Form::ChannelsFirst);
        if conv.gate {
            let channels = self.tensors.shape(operands[0]).channels();
            let gate = self.tensor(operands[1], Form::Plain);
            let gate = self.reshaped(&format!("{layer}/gate"), &gate, &[channels, 1, 1]);
            x = self.nodes.add("Mul", &format!("{layer}/gated"), &[&x, &gate], vec![]);
        }
        if let Some(prologue) = &conv.prologue {
            let name = self.nodes.fresh(&format!("{layer}/{}", prologue.name()));
            self.function(prologue, &name, &x);
            x = name;
        }
        let kernel = self.weight_array(id, 0)?.permuted_axes(vec![3, 2, 0, 1]);
        let mut inputs = vec![x, self.array(id, 0, kernel)];
        inputs.extend(self.bias(id, &conv.epilogue)?);
        let mut attributes = window(&conv.window());
        attributes.push(int("group", conv.groups as i64));
        self.sum((id, Form::ChannelsFirst), &conv.epilogue, ("Conv", inputs, attributes));
        Ok(())
    }

    pub(super) fn conv2d_transpose(&mut self, id: NodeId, conv: &Conv2dTranspose) -> Result<(), Diagnostic> {
        let x = self.tensor(self.operand(id), Form::ChannelsFirst);
        // [kh, kw, in of a group, groups, out of a group] to [groups, in of a group, out of a group, kh, kw].
        let kernel = self.weight_array(id, 0)?;
        let [height, width, inputs] = [0, 1, 2].map(|axis| kernel.len_of(Axis(axis)));
        let outputs = conv.filters / conv.groups;
        let split = kernel.into_shape_with_order(vec![height, width, inputs, conv.groups, outputs]);
        let split = split.map_err(|_| not_expressible("groups that do not divide the filters"))?;
        let turned: Vec<f32> = split.permuted_axes(vec![3, 2, 4, 0, 1]).iter().copied().collect();
        let shape = [conv.groups * inputs, outputs, height, width];
        let mut operands = vec![x, self.nodes.weight(&self.graph.node(id).weights[0], &shape, &turned)];
        operands.extend(self.bias(id, &conv.epilogue)?);
        let mut attributes = window(&conv.window());
        attributes.push(int("group", conv.groups as i64));
        attributes.push(ints("output_padding", &conv.output_padding.map(|length| length as i64)));
        self.sum((id, Form::ChannelsFirst), &conv.epilogue, ("ConvTranspose", operands, attributes));
        Ok(())
    }

    pub(super) fn dense(&mut self, id: NodeId, dense: &Dense) -> Result<(), Diagnostic> {
        let operand = self.operand(id);
        let x = self.tensor(operand, Form::Plain);
        let kernel = self.weight_array(id, 0)?;
        let mut inputs = vec![x, self.array(id, 0, kernel)];
        let bias = self.bias(id, &dense.epilogue)?;
        if self.tensors.shape(operand).rank() == 1 {
            inputs.extend(bias);
            self.sum((id, Form::Plain), &dense.epilogue, ("Gemm", inputs, vec![]));
            return Ok(());
        }
        if let Some(bias) = bias {
            let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
            let name = format!("{}/matmul", self.graph.node(id).name);
            let product = self.nodes.add("MatMul", &name, &inputs, vec![]);
            self.sum((id, Form::Plain), &dense.epilogue, ("Add", vec![product, bias], vec![]));
        } else {
            self.sum((id, Form::Plain), &dense.epilogue, ("MatMul", inputs, vec![]));
        }
        Ok(())
    }

    /// A node that makes sums, and what follows them.
    fn sum(
        &mut self,
        (id, form): (NodeId, Form),
        epilogue: &Epilogue,
        (operator, inputs, attributes): (&str, Vec<String>, Vec<crate::onnx::Attribute>),
    ) {
        let mut parts = vec!["sum"];
        parts.extend(epilogue.parts().into_iter().filter(|&part| part != "bias"));
        let names = self.names((id, form), &parts);
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.nodes.add_named(operator, &names[0], &inputs, attributes);
        let mut steps = names.windows(2).map(|pair| [pair[0].as_str(), pair[1].as_str()]);
        if let Some((activation, [from, to])) = epilogue.activation.and_then(|a| Some((a, steps.next()?))) {
            self.function(&activation, to, from);
        }
        if epilogue.residual
            && let Some([from, to]) = steps.next()
        {
            let residual = self.graph.operands(id).last().copied().unwrap_or(id);
            let rank = self.tensors.shape(id).rank();
            let residual = self.spread(residual, rank, form);
            self.nodes.add_named("Add", to, &[from, &residual], vec![]);
        }
        if let Some((activation, [from, to])) =
            epilogue.activation_after.and_then(|a| Some((a, steps.next()?)))
        {
            self.function(&activation, to, from);
        }
    }

    /// The operator has its channels behind the batch; where that is no form of the tensor, what it computes is spelled out.
    pub(super) fn batch_norm(&mut self, id: NodeId, norm: &BatchNorm) -> Result<(), Diagnostic> {
        let operand = self.operand(id);
        let weights = self.statistics(id, norm)?;
        let form = match self.tensors.shape(operand).rank() {
            3 => Form::ChannelsFirst,
            1 => Form::Plain,
            _ => {
                self.scale_and_shift(id, norm, &weights);
                return Ok(());
            }
        };
        let mut inputs = vec![self.tensor(operand, form)];
        let layer = self.graph.node(id).name.clone();
        for (role, values) in ["gamma", "beta", "mean", "variance"].into_iter().zip(&weights) {
            inputs.push(self.nodes.weight(&format!("{layer}.{role}"), &[values.len()], values));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        self.emit((id, form), "BatchNormalization", &inputs, vec![float("epsilon", norm.epsilon.get())]);
        Ok(())
    }

    /// Gamma, beta, mean and variance, the first two as what does nothing where there is none.
    fn statistics(&self, id: NodeId, norm: &BatchNorm) -> Result<[Vec<f32>; 4], Diagnostic> {
        let channels = self.tensors.shape(self.operand(id)).channels();
        let mut indices = 0..self.graph.node(id).weights.len();
        let mut next = |is_given: bool, default: f32| -> Result<Vec<f32>, Diagnostic> {
            match if is_given { indices.next() } else { None } {
                Some(index) => Ok(self.weight_array(id, index)?.into_iter().collect()),
                None => Ok(vec![default; channels]),
            }
        };
        Ok([next(norm.scale, 1.0)?, next(norm.center, 0.0)?, next(true, 0.0)?, next(true, 1.0)?])
    }

    fn scale_and_shift(&mut self, id: NodeId, norm: &BatchNorm, weights: &[Vec<f32>; 4]) {
        let [gamma, beta, mean, variance] = weights;
        let epsilon = f64::from(norm.epsilon.get());
        let scale: Vec<f64> = gamma
            .iter()
            .zip(variance)
            .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + epsilon).sqrt())
            .collect();
        let shift = beta.iter().zip(mean).zip(&scale);
        let shift: Vec<f32> =
            shift.map(|((&beta, &mean), scale)| (f64::from(beta) - f64::from(mean) * scale) as f32).collect();
        let scale: Vec<f32> = scale.into_iter().map(|scale| scale as f32).collect();
        let layer = self.graph.node(id).name.clone();
        let x = self.tensor(self.operand(id), Form::Plain);
        let scale = self.nodes.weight(&format!("{layer}/scale"), &[scale.len()], &scale);
        let scaled = self.nodes.add("Mul", &format!("{layer}/mul"), &[&x, &scale], vec![]);
        let shift = self.nodes.weight(&format!("{layer}/shift"), &[shift.len()], &shift);
        self.emit((id, Form::Plain), "Add", &[&scaled, &shift], vec![]);
    }

    pub(super) fn squeeze_excite(&mut self, id: NodeId, squeeze: &SqueezeExcite) -> Result<(), Diagnostic> {
        let layer = self.graph.node(id).name.clone();
        let x = self.tensor(self.operand(id), Form::ChannelsFirst);
        let mean = self.nodes.add("GlobalAveragePool", &format!("{layer}/pool"), &[&x], vec![]);
        let reduced = self.nodes.fresh(&format!("{layer}/reduce"));
        self.small((id, 0), &squeeze.reduce, (&reduced, &mean))?;
        let behind = 1 + usize::from(squeeze.reduce.bias);
        if squeeze.scales {
            let gate = self.nodes.fresh(&format!("{layer}/expand"));
            self.small((id, behind), &squeeze.expand, (&gate, &reduced))?;
            self.emit((id, Form::ChannelsFirst), "Mul", &[&x, &gate], vec![]);
        } else {
            let gate = self.own(id, Form::ChannelsFirst);
            self.small((id, behind), &squeeze.expand, (&gate, &reduced))?;
        }
        Ok(())
    }

    /// One of the two layers, whose weights begin at `weight`, from the tensor `x` to `name`.
    fn small(
        &mut self,
        (id, weight): (NodeId, usize),
        small: &Small,
        (name, x): (&str, &str),
    ) -> Result<(), Diagnostic> {
        let kernel = self.weight_array(id, weight)?.permuted_axes(vec![3, 2, 0, 1]);
        let mut inputs = vec![x.to_owned(), self.array(id, weight, kernel)];
        if small.bias {
            let bias = self.weight_array(id, weight + 1)?;
            inputs.push(self.array(id, weight + 1, bias));
        }
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let attributes = window(&Conv2d::pointwise(1).window());
        match &small.activation {
            None => self.nodes.add_named("Conv", name, &inputs, attributes),
            Some(activation) => {
                let sum = self.nodes.add("Conv", &format!("{name}/sum"), &inputs, attributes);
                self.function(activation, name, &sum);
            }
        }
        Ok(())
    }

    /// The bias of a layer of sums as an initializer, where it has one.
    fn bias(&mut self, id: NodeId, epilogue: &Epilogue) -> Result<Option<String>, Diagnostic> {
        if !epilogue.bias {
            return Ok(None);
        }
        let bias = self.weight_array(id, 1)?;
        Ok(Some(self.array(id, 1, bias)))
    }

    /// Weight `index` of `id`.
    fn weight_array(&self, id: NodeId, index: usize) -> Result<ArrayD<f32>, Diagnostic> {
        let name = &self.graph.node(id).weights[index];
        let values = self.graph.weights.values(name)?;
        let shape =
            self.graph.weights.get(name).map(|weight| weight.shape.axes().to_vec()).unwrap_or_default();
        ArrayD::from_shape_vec(shape, values.to_vec())
            .map_err(|_| not_expressible(format!("the weight {name} has other values than its shape")))
    }

    /// `array`, in its order of axes, as an initializer with the name of weight `index` of `id`.
    fn array(&mut self, id: NodeId, index: usize, array: ArrayD<f32>) -> String {
        let values: Vec<f32> = array.iter().copied().collect();
        self.nodes.weight(&self.graph.node(id).weights[index], array.shape(), &values)
    }
}
