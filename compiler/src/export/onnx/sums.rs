//! Layers of sums: convolutions, dense layers, normalisations, squeeze and excite.

use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{BatchNorm, Conv2d, Conv2dTranspose, Dense, Epilogue, Scalar, SqueezeExcite};
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, NodeId};
use ndarray::Axis;

use super::functions::function;
use super::nodes::{float, int, ints, window};
use super::tensors::Form;
use super::writer::Writer;
use crate::export::not_expressible;

pub(super) fn conv2d(writer: &mut Writer<'_>, id: NodeId, conv: &Conv2d) -> Result<(), Diagnostic> {
    let layer = writer.graph.node(id).name.clone();
    let operands = writer.graph.operands(id);
    let mut x = writer.tensor(operands[0], Form::ChannelsFirst);
    if conv.gate {
        let channels = writer.tensors.shape(operands[0]).channels();
        let gate = writer.tensor(operands[1], Form::Plain);
        let gate = writer.reshaped(&format!("{layer}/gate"), &gate, &[channels, 1, 1]);
        x = writer.nodes.add("Mul", &format!("{layer}/gated"), &[&x, &gate], vec![]);
    }
    if let Some(prologue) = &conv.prologue {
        let name = writer.nodes.fresh(&format!("{layer}/{}", prologue.name()));
        function(&mut writer.nodes, prologue, &name, &x);
        x = name;
    }
    let kernel = writer.weight_array(id, 0)?.permuted_axes(vec![3, 2, 0, 1]);
    let mut inputs = vec![x, writer.array(id, 0, kernel)];
    inputs.extend(bias(writer, id, &conv.epilogue)?);
    let mut attributes = window(&conv.window());
    attributes.push(int("group", conv.groups as i64));
    sum(writer, (id, Form::ChannelsFirst), &conv.epilogue, ("Conv", inputs, attributes));
    Ok(())
}

pub(super) fn conv2d_transpose(
    writer: &mut Writer<'_>,
    id: NodeId,
    conv: &Conv2dTranspose,
) -> Result<(), Diagnostic> {
    let x = writer.tensor(writer.operand(id), Form::ChannelsFirst);
    // [kh, kw, in of a group, groups, out of a group] to [groups, in of a group, out of a group, kh, kw].
    let kernel = writer.weight_array(id, 0)?;
    let [height, width, inputs] = [0, 1, 2].map(|axis| kernel.len_of(Axis(axis)));
    let outputs = conv.filters / conv.groups;
    let split = kernel.into_shape_with_order(vec![height, width, inputs, conv.groups, outputs]);
    let split = split.map_err(|_| not_expressible("groups that do not divide the filters"))?;
    let turned: Values = split.permuted_axes(vec![3, 2, 4, 0, 1]).iter().copied().collect();
    let shape = [conv.groups * inputs, outputs, height, width];
    let mut operands = vec![x, writer.nodes.weight(&writer.graph.node(id).weights[0], &shape, &turned)];
    operands.extend(bias(writer, id, &conv.epilogue)?);
    let mut attributes = window(&conv.window());
    attributes.push(int("group", conv.groups as i64));
    attributes.push(ints("output_padding", &conv.output_padding.map(|length| length as i64)));
    sum(writer, (id, Form::ChannelsFirst), &conv.epilogue, ("ConvTranspose", operands, attributes));
    Ok(())
}

pub(super) fn dense(writer: &mut Writer<'_>, id: NodeId, dense: &Dense) -> Result<(), Diagnostic> {
    let operand = writer.operand(id);
    let x = writer.tensor(operand, Form::Plain);
    let kernel = writer.weight_array(id, 0)?;
    let mut inputs = vec![x, writer.array(id, 0, kernel)];
    let bias = bias(writer, id, &dense.epilogue)?;
    if writer.tensors.shape(operand).rank() == 1 {
        inputs.extend(bias);
        sum(writer, (id, Form::Plain), &dense.epilogue, ("Gemm", inputs, vec![]));
        return Ok(());
    }
    if let Some(bias) = bias {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let name = format!("{}/matmul", writer.graph.node(id).name);
        let product = writer.nodes.add("MatMul", &name, &inputs, vec![]);
        sum(writer, (id, Form::Plain), &dense.epilogue, ("Add", vec![product, bias], vec![]));
    } else {
        sum(writer, (id, Form::Plain), &dense.epilogue, ("MatMul", inputs, vec![]));
    }
    Ok(())
}

/// A node that makes sums, and what follows them.
fn sum(
    writer: &mut Writer<'_>,
    (id, form): (NodeId, Form),
    epilogue: &Epilogue,
    (operator, inputs, attributes): (&str, Vec<String>, Vec<crate::onnx::Attribute>),
) {
    let mut parts = vec!["sum"];
    parts.extend(epilogue.parts().into_iter().filter(|&part| part != "bias"));
    let names = writer.names((id, form), &parts);
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    writer.nodes.add_named(operator, &names[0], &inputs, attributes);
    let mut steps = names.windows(2).map(|pair| [pair[0].as_str(), pair[1].as_str()]);
    if let Some((activation, [from, to])) = epilogue.activation.and_then(|a| Some((a, steps.next()?))) {
        function(&mut writer.nodes, &activation, to, from);
    }
    if epilogue.residual
        && let Some([from, to]) = steps.next()
    {
        let residual = writer.graph.operands(id).last().copied().unwrap_or(id);
        let rank = writer.tensors.shape(id).rank();
        let residual = writer.spread(residual, rank, form);
        writer.nodes.add_named("Add", to, &[from, &residual], vec![]);
    }
    if let Some((activation, [from, to])) = epilogue.activation_after.and_then(|a| Some((a, steps.next()?))) {
        function(&mut writer.nodes, &activation, to, from);
    }
}

/// The operator has its channels behind the batch; where that is no form of the tensor, what it computes is spelled out.
pub(super) fn batch_norm(writer: &mut Writer<'_>, id: NodeId, norm: &BatchNorm) -> Result<(), Diagnostic> {
    let operand = writer.operand(id);
    let weights = statistics(writer, id, norm)?;
    let form = match writer.tensors.shape(operand).rank() {
        3 => Form::ChannelsFirst,
        1 => Form::Plain,
        _ => {
            scale_and_shift(writer, id, norm, &weights);
            return Ok(());
        }
    };
    let mut inputs = vec![writer.tensor(operand, form)];
    let layer = writer.graph.node(id).name.clone();
    for (role, values) in ["gamma", "beta", "mean", "variance"].into_iter().zip(&weights) {
        inputs.push(writer.nodes.weight(&format!("{layer}.{role}"), &[values.len()], values));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    writer.emit((id, form), "BatchNormalization", &inputs, vec![float("epsilon", norm.epsilon)]);
    Ok(())
}

/// Gamma, beta, mean and variance, the first two as what does nothing where there is none.
fn statistics(writer: &Writer<'_>, id: NodeId, norm: &BatchNorm) -> Result<[Values; 4], Diagnostic> {
    let channels = writer.tensors.shape(writer.operand(id)).channels();
    let mut indices = 0..writer.graph.node(id).weights.len();
    let mut next = |is_given: bool, default: Scalar| -> Result<Values, Diagnostic> {
        match if is_given { indices.next() } else { None } {
            Some(index) => Ok(writer.weight_array(id, index)?.into_iter().collect()),
            None => Ok(std::iter::repeat_n(default.get(), channels).collect()),
        }
    };
    let (zero, one) = (Scalar::ZERO, Scalar::ONE);
    Ok([next(norm.scale, one)?, next(norm.center, zero)?, next(true, zero)?, next(true, one)?])
}

fn scale_and_shift(writer: &mut Writer<'_>, id: NodeId, norm: &BatchNorm, weights: &[Values; 4]) {
    let [gamma, beta, mean, variance] = weights;
    let epsilon = f64::from(norm.epsilon);
    let scale: Vec<f64> = gamma
        .iter()
        .zip(variance)
        .map(|(&gamma, &variance)| f64::from(gamma) / (f64::from(variance) + epsilon).sqrt())
        .collect();
    let shift = beta.iter().zip(mean).zip(&scale);
    let shift = shift.map(|((&beta, &mean), scale)| f64::from(beta) - f64::from(mean) * scale);
    let (shift, scale) = (Values::nearest(shift), Values::nearest(scale.iter().copied()));
    let layer = writer.graph.node(id).name.clone();
    let x = writer.tensor(writer.operand(id), Form::Plain);
    let scale = writer.nodes.weight(&format!("{layer}/scale"), &[scale.len()], &scale);
    let scaled = writer.nodes.add("Mul", &format!("{layer}/mul"), &[&x, &scale], vec![]);
    let shift = writer.nodes.weight(&format!("{layer}/shift"), &[shift.len()], &shift);
    writer.emit((id, Form::Plain), "Add", &[&scaled, &shift], vec![]);
}

pub(super) fn squeeze_excite(
    writer: &mut Writer<'_>,
    id: NodeId,
    squeeze: &SqueezeExcite,
) -> Result<(), Diagnostic> {
    let layer = writer.graph.node(id).name.clone();
    let x = writer.tensor(writer.operand(id), Form::ChannelsFirst);
    let mean = writer.nodes.add("GlobalAveragePool", &format!("{layer}/pool"), &[&x], vec![]);
    let reduced = writer.nodes.fresh(&format!("{layer}/reduce"));
    small(writer, (id, 0), &squeeze.reduce, (&reduced, &mean))?;
    let behind = 1 + usize::from(squeeze.reduce.bias);
    if squeeze.scales {
        let gate = writer.nodes.fresh(&format!("{layer}/expand"));
        small(writer, (id, behind), &squeeze.expand, (&gate, &reduced))?;
        writer.emit((id, Form::ChannelsFirst), "Mul", &[&x, &gate], vec![]);
    } else {
        let gate = writer.own(id, Form::ChannelsFirst);
        small(writer, (id, behind), &squeeze.expand, (&gate, &reduced))?;
    }
    Ok(())
}

/// One of the two layers, whose weights begin at `weight`, from the tensor `x` to `name`.
fn small(
    writer: &mut Writer<'_>,
    (id, weight): (NodeId, usize),
    small: &Small,
    (name, x): (&str, &str),
) -> Result<(), Diagnostic> {
    let kernel = writer.weight_array(id, weight)?.permuted_axes(vec![3, 2, 0, 1]);
    let mut inputs = vec![x.to_owned(), writer.array(id, weight, kernel)];
    if small.bias {
        let bias = writer.weight_array(id, weight + 1)?;
        inputs.push(writer.array(id, weight + 1, bias));
    }
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let attributes = window(&Conv2d::pointwise(1).window());
    match &small.activation {
        None => writer.nodes.add_named("Conv", name, &inputs, attributes),
        Some(activation) => {
            let sum = writer.nodes.add("Conv", &format!("{name}/sum"), &inputs, attributes);
            function(&mut writer.nodes, activation, name, &sum);
        }
    }
    Ok(())
}

/// The bias of a layer of sums as an initializer, where it has one.
fn bias(writer: &mut Writer<'_>, id: NodeId, epilogue: &Epilogue) -> Result<Option<String>, Diagnostic> {
    if !epilogue.bias {
        return Ok(None);
    }
    let bias = writer.weight_array(id, 1)?;
    Ok(Some(writer.array(id, 1, bias)))
}
