//! One number out of many along some axes.

use frit_ir::Op;
use frit_ir::ops::{ArgMax, GlobalAveragePool, Reduce, ReduceKind, Softmax};
use frit_ir::{NodeId, Shape};

use super::activation::operand;
use crate::import::onnx::call::{Call, Value, axes, axis};
use crate::import::onnx::data_type::DataType;
use crate::import::onnx::fault::{Outcome, mixes};
use crate::import::onnx::layout::{Axis, GraphAxis, View, place};
use crate::import::onnx::network::Network;

/// `ReduceMean`, `ReduceSum`, `ReduceMax` and `ReduceMin`.
pub(super) fn reduce(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let along = match call.ints_or_operand("axes", 1)? {
        Some(given) if !given.is_empty() => axes(&given, view.rank())?,
        _ if call.flag("noop_with_empty_axes", false)? => {
            return Ok(vec![Value::Tensor(network.renamed(&call.name, &view)?)]);
        }
        _ => (0..view.rank()).collect(),
    };
    let batched = view.batch().is_some_and(|batch| along.contains(&batch));
    match &call.moment_of {
        // Only the channels are left: the statistics of a batch.
        Some(layer) if batched && along.len() + 1 == view.rank() => network.training.note(layer),
        _ if batched => return Err(mixes(format!("{} along the images of a batch", call.op()))),
        _ => {}
    }
    let keeps = call.flag("keepdims", true)?;
    let (node, order) = network.natural(&view)?;
    let mut places: Vec<usize> =
        along.iter().filter_map(|axis| order.iter().position(|other| other == axis)).collect();
    places.sort_unstable();
    let kind = match call.op() {
        "ReduceMean" => ReduceKind::Mean,
        "ReduceSum" => ReduceKind::Sum,
        "ReduceMax" => ReduceKind::Max,
        _ => ReduceKind::Min,
    };
    let op = match (kind, &places[..], order.len()) {
        (_, [], _) => Op::Identity,
        (ReduceKind::Mean, [0, 1], 3) => Op::GlobalAveragePool(GlobalAveragePool { keep_dims: keeps }),
        _ => Op::Reduce(Reduce { kind, axes: places.iter().copied().collect(), keep_dims: keeps }),
    };
    let node = network.add(&call.name, op, &[node], Vec::new())?;
    let left = |axis: &usize| keeps || !along.contains(axis);
    let mut result = kept(network, node, (&view, &order), left);
    if batched {
        result.axes.iter_mut().filter(|axis| **axis == Axis::Batch).for_each(|axis| *axis = Axis::one());
    }
    Ok(vec![Value::Tensor(result)])
}

/// The view of `node`, which has the axes of `order` that are `left`.
fn kept(
    network: &Network,
    node: NodeId,
    (view, order): (&View, &[usize]),
    left: impl Fn(&usize) -> bool,
) -> View {
    let lying: Vec<usize> = order.iter().copied().filter(&left).collect();
    let places: Vec<GraphAxis> =
        (0..view.rank()).filter(left).map(|axis| place(&view.axes[axis], axis, &lying)).collect();
    View::new(node, &network.shape(node), &places)
}

/// `Softmax` and `LogSoftmax`: along one axis, and before version 13 over all axes from one on.
pub(super) fn softmax(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let joins = call.version < 13;
    let from = axis(call.int("axis", if joins { 1 } else { -1 })?, view.rank())?;
    let shares = if joins { (from..view.rank()).collect() } else { vec![from] };
    if view.batch().is_some_and(|batch| shares.contains(&batch)) {
        return Err(mixes(format!("{} over the images of a batch", call.op())));
    }
    let op = Op::Softmax(Softmax { log: call.op() == "LogSoftmax" });
    let natural = network.natural(&view)?.1;
    let (inside, before): (Vec<usize>, Vec<usize>) =
        natural.iter().copied().partition(|axis| shares.contains(axis));
    let order = [&before[..], &inside[..]].concat();
    let groups: Vec<&[usize]> = before.iter().map(std::slice::from_ref).chain([&inside[..]]).collect();
    let node = network.arrange(&view, &groups)?;
    let node = network.add(&call.name, op, &[node], Vec::new())?;
    Ok(vec![Value::Tensor(laid(&view, node, &order))])
}

/// The view of `node`, in which the axes of `order` follow one another, whichever axes of the graph they are.
fn laid(view: &View, node: NodeId, order: &[usize]) -> View {
    let lengths: Vec<usize> = order.iter().map(|&axis| view.axes[axis].length()).collect();
    let places: Vec<GraphAxis> = (0..view.rank()).map(|axis| place(&view.axes[axis], axis, order)).collect();
    View::new(node, &Shape::new(&lengths), &places)
}

/// `ArgMax`: whole numbers, held in f32.
pub(super) fn arg_max(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let along = axis(call.int("axis", 0)?, view.rank())?;
    let natural = network.natural(&view)?.1;
    if !natural.contains(&along) {
        return Err(mixes("ArgMax over the images of a batch"));
    }
    let order: Vec<usize> = natural.into_iter().filter(|&axis| axis != along).chain([along]).collect();
    let node = network.ordered(&view, &order)?;
    let keeps = call.flag("keepdims", true)?;
    let op = Op::ArgMax(ArgMax { keep_dims: keeps, last: call.flag("select_last_index", false)? });
    let node = network.add(&call.name, op, &[node], Vec::new())?;
    let result = kept(network, node, (&view, &order), |&axis| keeps || axis != along);
    Ok(vec![Value::Tensor(View { kind: DataType::I64, ..result })])
}
