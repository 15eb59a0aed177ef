//! Convolutions and transposed ones, in one or two dimensions.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Conv2d, Conv2dTranspose, Epilogue, Padding};
use frit_ir::{Diagnostic, Op, Shape, Weight, Window};

use super::window::{Map, explicit, extent, window};
use crate::import::budget::Budget;
use crate::import::onnx::call::{Call, Value};
use crate::import::onnx::constant::Constant;
use crate::import::onnx::fault::{Outcome, wrong};
use crate::import::onnx::network::Network;
use crate::import::window::PaddingRule;

/// `Conv`: weights are `[filters, channels / groups, height, width]`.
pub(super) fn conv(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (map, weights, groups) = operands(network, call)?;
    let window = window(call, &map, Some(&weights.dims[2..]))?;
    let (filters, inputs) = (weights.dims[0], weights.dims[1]);
    if inputs.checked_mul(groups) != Some(map.channels) {
        return Err(channels(inputs.saturating_mul(groups), &map));
    }
    let [height, width] = window.kernel;
    let kernel = weight(
        call.budget,
        weights,
        (&[filters, inputs, height, width], &[2, 3, 1, 0]),
        Shape::new(&[height, width, inputs, filters]),
    )?;
    let (weights, bias) = with_bias(call, kernel)?;
    let epilogue = Epilogue::with_bias(bias);
    let op = Op::Conv2d(Conv2d { groups, epilogue, ..Conv2d::over(window, filters) });
    let node = network.add(&call.name, op, &[map.node], weights)?;
    Ok(vec![Value::Tensor(map.result(network, node))])
}

/// `ConvTranspose`: weights are `[channels, filters / groups, height, width]`.
pub(super) fn conv_transpose(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (map, weights, groups) = operands(network, call)?;
    let (inputs, outputs) = (weights.dims[0], weights.dims[1]);
    if inputs != map.channels {
        return Err(channels(inputs, &map));
    }
    let same = call.has("auto_pad") && call.string("auto_pad", "NOTSET")?.starts_with("SAME");
    let window = window(call, &map, Some(&weights.dims[2..]))?;
    let output_padding = lengths(call, "output_padding", map.spatial)?.unwrap_or([0, 0]);
    let sizes = match lengths(call, "output_shape", map.spatial)? {
        Some(sizes) => Some(if map.spatial == 1 { [1, sizes[1]] } else { sizes }),
        None if same => Some([0, 1].map(|axis| map.size[axis].saturating_mul(window.stride[axis]))),
        None => None,
    };
    let padding = match sizes {
        Some(sizes) => cut(call, &map, &window, (output_padding, sizes))?,
        None if call.string("auto_pad", "NOTSET")? == "VALID" => Padding::default(),
        None => explicit(call, map.spatial)?,
    };
    let [height, width] = window.kernel;
    let (part, filters) = (inputs / groups, outputs.saturating_mul(groups));
    let stored = [groups, part, outputs, height, width];
    let shape = Shape::new(&[height, width, part, filters]);
    let kernel = weight(call.budget, weights, (&stored, &[3, 4, 1, 0, 2]), shape)?;
    let (weights, bias) = with_bias(call, kernel)?;
    let op = Op::Conv2dTranspose(Conv2dTranspose {
        filters,
        kernel: window.kernel,
        stride: window.stride,
        padding,
        output_padding,
        dilation: window.dilation,
        groups,
        epilogue: Epilogue::with_bias(bias),
    });
    let node = network.add(&call.name, op, &[map.node], weights)?;
    Ok(vec![Value::Tensor(map.result(network, node))])
}

/// What both read: the map, the weights and the number of groups.
fn operands<'a>(network: &mut Network, call: &'a Call<'_>) -> Outcome<(Map, &'a Constant, usize)> {
    let view = network.tensor(call.operand(0, "input")?, "input")?;
    let weights = call.weight(1, "weights")?;
    let map = Map::new(network, call, &view)?;
    if weights.dims.len() != view.rank() {
        return Err(wrong(format!(
            "weights of {} axes for an input of {}; they are as many",
            weights.dims.len(),
            view.rank()
        )));
    }
    let groups = call.int("group", 1)?;
    let groups = usize::try_from(groups).ok().filter(|&groups| groups > 0);
    let groups = groups
        .ok_or_else(|| wrong(format!("group {}; the least is 1", call.int("group", 1).unwrap_or(0))))?;
    if weights.dims.contains(&0) {
        return Err(wrong(format!(
            "weights of {:?}: a convolution without channels or filters",
            weights.dims
        )));
    }
    if !map.channels.is_multiple_of(groups) {
        return Err(wrong(format!("{groups} groups do not divide {} input channels", map.channels)));
    }
    Ok((map, weights, groups))
}

fn channels(weights: usize, map: &Map) -> Box<Diagnostic> {
    let message = "the weights are for another number of input channels";
    let fault = Diagnostic::error(codes::WEIGHT_SHAPE, message)
        .operand("weights", "", format!("{weights} channels"))
        .operand("input", "", format!("{} channels", map.channels));
    Box::new(fault)
}

/// Numbers from 0 on, one for each spatial axis.
fn lengths(call: &Call<'_>, name: &str, spatial: usize) -> Outcome<Option<[usize; 2]>> {
    call.ints(name)?.map(|given| super::window::numbers(name, given, spatial, 0)).transpose()
}

/// What is cut off so that the result has `sizes`.
fn cut(
    call: &Call<'_>,
    map: &Map,
    window: &Window,
    (output_padding, sizes): ([usize; 2], [usize; 2]),
) -> Outcome<Padding> {
    let upper = call.string("auto_pad", "NOTSET")? == "SAME_UPPER";
    let rule = if upper { PaddingRule::Same } else { PaddingRule::SameLower };
    let along = |axis: usize| -> Outcome<[usize; 2]> {
        let steps = map.size[axis].saturating_sub(1).saturating_mul(window.stride[axis]);
        let reached = steps.saturating_add(extent(window, axis)).saturating_add(output_padding[axis]);
        let total = reached.checked_sub(sizes[axis]).ok_or_else(|| {
            wrong(format!("a result of {} along an axis that windows reach {reached} of", sizes[axis]))
        })?;
        Ok(rule.halves(total))
    };
    let ([top, bottom], [left, right]) = (along(0)?, along(1)?);
    Ok(Padding { top, bottom, left, right })
}

/// The weights as the graph has them: those of a tensor with the axes `stored` in another order of `axes`.
pub(super) fn weight(
    budget: &Budget,
    weights: &Constant,
    (stored, axes): (&[usize], &[usize]),
    shape: Shape,
) -> Outcome<Weight> {
    let weight = weights.weight(budget, (stored, axes), shape)?;
    weight.ok_or_else(|| wrong("weights whose values are not known"))
}

/// The kernel, and the bias where there is one.
fn with_bias(call: &Call<'_>, kernel: Weight) -> Outcome<(Vec<Weight>, bool)> {
    if call.optional(2).is_none() {
        return Ok((vec![kernel], false));
    }
    let bias = call.weight(2, "bias")?;
    let axes: Vec<usize> = (0..bias.dims.len()).collect();
    let bias = weight(call.budget, bias, (&bias.dims, &axes), Shape::new(&bias.dims))?;
    Ok((vec![kernel, bias], true))
}
