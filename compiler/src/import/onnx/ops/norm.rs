//! Batch normalisation, and the leaky ReLU whose slope is learnt.

use frit_ir::ops::{BatchNorm, Prelu, Scalar};
use frit_ir::{Op, Shape, Weight};

use super::convolution::weight;
use super::window::first_is_batch;
use crate::import::onnx::call::{Call, Value};
use crate::import::onnx::fault::{Outcome, unsupported, wrong};
use crate::import::onnx::join::repeated;
use crate::import::onnx::network::Network;

/// `BatchNormalization` over axis 1. One that takes its statistics from the images at hand is noted.
pub(super) fn batch_norm(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let results = call.node.output.iter().filter(|output| !output.is_empty()).count();
    let at_hand = [3, 4].into_iter().any(|index| matches!(call.optional(index), Some(Value::Tensor(_))));
    if call.flag("training_mode", false)? || (call.version < 14 && results > 1) || at_hand {
        network.training.note(&call.name);
        return Ok(vec![Value::Tensor(network.tensor(call.operand(0, "input")?, "input")?)]);
    }
    if !call.flag("spatial", true)? {
        return Err(unsupported("BatchNormalization with spatial = 0, of each element by itself"));
    }
    let view = network.tensor(call.operand(0, "input")?, "input")?;
    if view.rank() < 2 {
        return Err(wrong("BatchNormalization of a tensor without channels"));
    }
    first_is_batch(call, &view)?;
    let epsilon = call.float("epsilon", Scalar::new(1e-5))?;
    let mut weights = Vec::with_capacity(4);
    for (index, role) in [(1, "scale"), (2, "bias"), (3, "mean"), (4, "variance")] {
        let constant = call.weight(index, role)?;
        call.budget.take_work(constant.len())?;
        let axes: Vec<usize> = (0..constant.dims.len()).collect();
        weights.push(weight(call.budget, constant, (&constant.dims, &axes), Shape::new(&constant.dims))?);
    }
    let order: Vec<usize> = (2..view.rank()).chain([1]).collect();
    let node = network.ordered(&view, &order)?;
    let op = Op::BatchNorm(BatchNorm { epsilon, scale: true, center: true });
    let node = network.add(&call.name, op, &[node], weights)?;
    Ok(vec![Value::Tensor(network.view(node, &view, &order))])
}

/// `PRelu`: slopes are repeated to the operand.
pub(super) fn prelu(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = network.tensor(call.operand(0, "input")?, "input")?;
    let slope = call.weight(1, "slope")?;
    let (node, order) = network.natural(&view)?;
    let (weight, shape): (Weight, Shape) = repeated(&network.budget, slope, &view, &order)?;
    let op = Op::Prelu(Prelu { slope: shape });
    let node = network.add(&call.name, op, &[node], vec![weight])?;
    Ok(vec![Value::Tensor(network.view(node, &view, &order))])
}
