//! Functions of two operands that are repeated to fit each other.

use frit_ir::ops::{self, Binary};
use frit_ir::{Op, Shape, Weight};

use super::call::Value;
use super::constant::Constant;
use super::data_type::DataType;
use super::fault::{Outcome, mixes, wrong};
use super::layout::{Axis, Factor, GraphAxis, View, place};
use super::network::Network;
use crate::import::budget::Budget;

/// The function of two operands, repeated to fit each other. Those that don't fit are legality's concern: the result is of
/// the first one's shape then.
pub(super) fn join(network: &mut Network, name: &str, binary: Binary, sides: [&Value; 2]) -> Outcome<View> {
    let rank = sides.map(|side| side.dims().len()).into_iter().max().unwrap_or(0);
    let views = sides.map(|side| match side {
        Value::Tensor(view) => Some(view.widened(rank)),
        _ => None,
    });
    let like = joined(&views, sides, rank)?;
    let order = views
        .iter()
        .flatten()
        .filter(|view| (0..rank).all(|axis| view.axes[axis].length() == like.axes[axis].length()))
        .find_map(View::order)
        .or_else(|| views.iter().flatten().find_map(|view| view.order().filter(|_| rank == 4)))
        .unwrap_or_else(|| like.usual());
    let order = complete(order, &like.within());
    let mut nodes = Vec::with_capacity(2);
    for (view, side) in views.iter().zip(sides) {
        nodes.push(match (view, side) {
            (Some(view), _) => network.ordered(view, &order)?,
            (None, Value::Constant(constant)) => {
                let (weight, shape) = repeated(&network.budget, constant, &like, &order)?;
                let name = network.name(&format!("{name}/constant"));
                network.add(&name, Op::Constant(ops::Constant { shape }), &[], vec![weight])?
            }
            (None, _) => return Err(wrong("an operand is unknown")),
        });
    }
    let node = network.add(name, Op::Binary(binary), &nodes, Vec::new())?;
    let shape = network.shape(node);
    if shape.rank() != order.len() {
        let padded = [vec![1; order.len().saturating_sub(shape.rank())], shape.axes().to_vec()].concat();
        let places: Vec<GraphAxis> = (0..rank).map(|axis| place(&like.axes[axis], axis, &order)).collect();
        return Ok(View::new(node, &Shape::new(&padded), &places));
    }
    Ok(network.view(node, &like, &order))
}

/// The values of `constant` as a weight that is repeated to a tensor whose axes of the graph are those of `order` of `view`.
pub(super) fn repeated(
    budget: &Budget,
    constant: &Constant,
    view: &View,
    order: &[usize],
) -> Outcome<(Weight, Shape)> {
    let Some(missing) = view.rank().checked_sub(constant.dims.len()) else {
        return Err(wrong(format!(
            "{:?} has more axes than the tensor that it is to fit, {:?}",
            constant.dims,
            view.lengths()
        )));
    };
    let stored = [vec![1; missing], constant.dims.clone()].concat();
    let outside: Vec<usize> = (0..view.rank()).filter(|axis| !order.contains(axis)).collect();
    if outside.iter().any(|&axis| stored[axis] != 1) {
        return Err(mixes(format!("values of {:?}, other ones for each image of a batch", constant.dims)));
    }
    let lengths: Vec<usize> = order.iter().map(|&axis| stored[axis]).collect();
    // An axis of length 1 in front says nothing.
    let begin =
        lengths.iter().take(lengths.len().saturating_sub(1)).take_while(|&&length| length == 1).count();
    let shape = Shape::new(&lengths[begin..]);
    let weight = constant
        .weight(budget, (&stored, &[outside.as_slice(), order].concat()), shape.clone())?
        .ok_or_else(|| wrong("values that depend on the number of images of a batch"))?;
    Ok((weight, shape))
}

/// The axes of the result of a join of operands with `rank` axes each, as they are counted; how they lie is not said.
fn joined(views: &[Option<View>; 2], sides: [&Value; 2], rank: usize) -> Outcome<View> {
    let length = |index: usize, axis: usize| match (&views[index], sides[index]) {
        (Some(view), _) => view.axes[axis].clone(),
        (None, Value::Constant(constant)) => {
            let own = (axis + constant.dims.len()).checked_sub(rank).map_or(1, |axis| constant.dims[axis]);
            Axis::Of((own != 1).then_some(Factor { length: own, stride: 1 }).into_iter().collect())
        }
        (None, _) => Axis::one(),
    };
    let mut axes = Vec::with_capacity(rank);
    for axis in 0..rank {
        let (a, b) = (length(0, axis), length(1, axis));
        if (a == Axis::Batch && b.length() > 1) || (b == Axis::Batch && a.length() > 1) {
            return Err(mixes("the images of a batch meet an axis of another tensor"));
        }
        axes.push(match (&a, &b) {
            (Axis::Batch, _) | (_, Axis::Batch) => Axis::Batch,
            _ if a.length() == 1 => b,
            _ => a,
        });
    }
    if axes.iter().filter(|axis| **axis == Axis::Batch).count() > 1 {
        return Err(mixes("the images of a batch meet those of another tensor"));
    }
    let node = views.iter().flatten().map(|view| view.node).next().unwrap_or_default();
    Ok(View { node, kind: DataType::F32, axes })
}

/// `order` with the axes of `within` that it has not, in front, and without those that `within` has not.
fn complete(order: Vec<usize>, within: &[usize]) -> Vec<usize> {
    let missing = within.iter().copied().filter(|axis| !order.contains(axis));
    missing.chain(order.iter().copied().filter(|axis| within.contains(axis))).collect()
}
