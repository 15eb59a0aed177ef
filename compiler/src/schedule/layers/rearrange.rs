//! Elements that move: views where they lie as they should, else dense copies along a nest of axes.

use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::{Concat, Slice, Transpose};
use frit_ir::{NodeId, Shape};

use crate::kernels::nest::Loop;
use crate::kernels::{F32, Strides, rearrange, window};
use crate::plan::{Argument, Call, Region, Work};
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::stage::Kernels;

/// The most axes of a loop nest, after those that lie one in the other became one.
const MOST_AXES: usize = 8;

/// An axis of a loop nest: its length, and the bytes from one element to the next on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) count: usize,
    pub(super) bytes: [usize; 2],
}

/// Nothing where only axes of one element move; a picture that comes channels first is convolved as it lies.
pub(super) fn place_transpose(
    placement: &mut Placement<'_>,
    id: NodeId,
    transpose: &Transpose,
) -> Result<(), Diagnostic> {
    let from = placement.net.shape(placement.net.operand(id, 0));
    let moved: Vec<usize> = transpose.axes.iter().copied().filter(|&axis| from.axes()[axis] > 1).collect();
    if moved.is_sorted() {
        place_reshape(placement, id);
        return Ok(());
    }
    if transpose.axes[..] == [1, 2, 0] && is_read_by_convolutions_alone(placement, id) {
        view_channels_first(placement, id);
        return Ok(());
    }
    let strides = strides(from);
    rearranged(placement, id, 0, transpose.axes.iter().map(|&axis| strides[axis]).collect())
}

fn view_channels_first(placement: &mut Placement<'_>, id: NodeId) {
    let net = placement.net;
    let from = placement.tensor_dense(net.operand(id, 0));
    let map = net.shape(id).map().unwrap_or_default();
    placement.settle(id, Placed::channels_first(&from, map, net.width.lanes));
}

/// Whether all readers of `id` are convolutions over all of its few channels, whose kernel takes any distance of channels.
fn is_read_by_convolutions_alone(placement: &Placement<'_>, id: NodeId) -> bool {
    let net = placement.net;
    let reads = |reader: NodeId| {
        net.convolution(reader).is_some_and(|conv| {
            let operands = net.graph.operands(reader);
            let once = operands.iter().filter(|&&operand| operand == id).count() == 1;
            once && operands[0] == id
                && conv.groups == 1
                && !conv.gate
                && conv.prologue.is_none()
                && !window::is_large(conv.kernel)
        })
    };
    let is_picture = net.shape(id).channels() < net.width.lanes;
    is_picture && !net.is_output(id) && net.graph.users(id).into_iter().all(reads)
}

/// Nothing where both shapes lie in the same way; else through a dense copy, in which both orders are the same.
pub(super) fn place_reshape(placement: &mut Placement<'_>, id: NodeId) {
    let net = placement.net;
    let operand = net.operand(id, 0);
    let from = placement.home(operand);
    let shape = net.shape(id);
    let target = Placed { offset: from.offset, ..Placed::dense(shape, net.width.lanes, from.region) };
    if from.channels == target.channels && from.pixels() == target.pixels() {
        let Placed { rows, columns, .. } = target;
        let row = columns * from.strides.pixel;
        let strides = Strides { row, ..from.strides };
        placement.settle(id, Placed { rows, columns, strides, ..from });
    } else if from.is_dense {
        placement.settle(id, target);
    } else {
        let dense = placement.tensor_dense(operand);
        placement.settle(id, Placed { region: dense.region, offset: dense.offset, ..target });
    }
}

/// A slice that is no view.
pub(super) fn place_slice(
    placement: &mut Placement<'_>,
    id: NodeId,
    slice: &Slice,
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let operand = net.operand(id, 0);
    if net.shape(id) == net.shape(operand) {
        placement.alias(id);
        return Ok(());
    }
    let strides = strides(net.shape(operand));
    let spans = slice.spans.iter().zip(&strides);
    let begin = spans.clone().map(|(span, stride)| span.start * stride).sum();
    rearranged(placement, id, begin, spans.map(|(span, stride)| span.step * stride).collect())
}

/// A stage that reads the one operand from `begin` bytes on, with a stride for each axis of the result.
fn rearranged(
    placement: &mut Placement<'_>,
    id: NodeId,
    begin: usize,
    from: Vec<usize>,
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let input = placement.tensor_dense(net.operand(id, 0));
    let output = placement.place_dense(id);
    let axes = axes(net.shape(id), &from, &strides(net.shape(id)));
    stage(placement, id, vec![Moved::new(axes, input.reach_from(begin, 0), output.reach(0))?]);
    Ok(())
}

/// A concatenation along an axis in front of the channels.
pub(super) fn place_concat(
    placement: &mut Placement<'_>,
    id: NodeId,
    concat: &Concat,
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let operands = net.graph.operands(id);
    if operands.len() == 1 {
        placement.alias(id);
        return Ok(());
    }
    let inputs: Vec<Placed> = operands.iter().map(|&operand| placement.tensor_dense(operand)).collect();
    let output = placement.place_dense(id);
    let to = strides(net.shape(id));
    let (mut begin, mut moves) = (0, Vec::new());
    for (operand, input) in operands.into_iter().zip(inputs) {
        let shape = net.shape(operand);
        let axes = axes(shape, &strides(shape), &to);
        moves.push(Moved::new(axes, input.reach(0), output.reach_from(begin, 0))?);
        begin += shape.axes()[concat.axis] * to[concat.axis];
    }
    stage(placement, id, moves);
    Ok(())
}

/// The tensor of `operand` repeated to `shape`, in blocks, for `id` alone.
pub(super) fn place_expanded(
    placement: &mut Placement<'_>,
    id: NodeId,
    operand: NodeId,
    shape: &Shape,
) -> Result<Placed, Diagnostic> {
    let input = placement.tensor_dense(operand);
    let own = placement.net.shape(operand);
    let mut from = vec![0; shape.rank() - own.rank()];
    from.extend(
        own.axes().iter().zip(strides(own)).map(|(&length, bytes)| if length == 1 { 0 } else { bytes }),
    );
    let dense = placement.place_dense_in_arena(shape);
    let axes = axes(shape, &from, &strides(shape));
    stage(placement, id, vec![Moved::new(axes, input.reach(0), dense.reach(0))?]);
    let blocks = placement.place_in_blocks(shape);
    placement.copy(id, dense, blocks);
    Ok(blocks)
}

/// Elements of a nest of axes that move from one place to another; an item is one of the outermost axis.
struct Moved {
    item: Axis,
    loops: Vec<Loop<2>>,
    from: Argument,
    to: Argument,
}

impl Moved {
    fn new(axes: Vec<Axis>, from: Argument, to: Argument) -> Result<Moved, Diagnostic> {
        let mut axes = joined(axes)?;
        // A single axis is one run.
        let item = if axes.len() > 1 { axes.remove(0) } else { Axis { count: 1, bytes: [0; 2] } };
        let loops = axes.iter().map(|axis| Loop { count: axis.count, bytes: axis.bytes }).collect();
        let argument = |at: Argument, stride: usize| Argument { stride, ..at };
        Ok(Moved { item, loops, from: argument(from, item.bytes[0]), to: argument(to, item.bytes[1]) })
    }

    fn call(&self, kernels: &mut Kernels) -> Result<Call, Diagnostic> {
        let program = rearrange::build(kernels.width, self.item.bytes, &self.loops);
        kernels.call(program, vec![self.from, self.to], self.item.count)
    }
}

fn stage(placement: &mut Placement<'_>, id: NodeId, moves: Vec<Moved>) {
    let touched: Vec<Region> = moves.iter().flat_map(|moved| [moved.from.region, moved.to.region]).collect();
    placement.stage(id, &touched, move |kernels| {
        Ok(Work::Items(moves.iter().map(|moved| moved.call(kernels)).collect::<Result<_, _>>()?))
    });
}

/// Bytes from one element to the next along each axis of a dense tensor.
pub(super) fn strides(shape: &Shape) -> Vec<usize> {
    let mut bytes = F32;
    let mut strides: Vec<usize> = shape
        .axes()
        .iter()
        .rev()
        .map(|&length| {
            let stride = bytes;
            bytes *= length;
            stride
        })
        .collect();
    strides.reverse();
    strides
}

fn axes(shape: &Shape, from: &[usize], to: &[usize]) -> Vec<Axis> {
    let sides = from.iter().zip(to);
    shape.axes().iter().zip(sides).map(|(&count, (&from, &to))| Axis { count, bytes: [from, to] }).collect()
}

/// `axes` without those of one element, and with two as one where the inner one ends where the outer one goes on.
pub(super) fn joined(axes: Vec<Axis>) -> Result<Vec<Axis>, Diagnostic> {
    let mut joined: Vec<Axis> = Vec::new();
    for axis in axes.into_iter().filter(|axis| axis.count > 1) {
        match joined.last_mut() {
            Some(outer) if outer.bytes == axis.bytes.map(|bytes| axis.count * bytes) => {
                *outer = Axis { count: outer.count * axis.count, ..axis };
            }
            _ => joined.push(axis),
        }
    }
    if joined.len() > MOST_AXES {
        let message = format!("elements that move along {} axes; {MOST_AXES} are the most", joined.len());
        return Err(Diagnostic::error(codes::LIMIT, message));
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_that_lie_one_in_the_other_become_one() {
        let shape = Shape::new(&[2, 1, 3, 4]);
        let own = strides(&shape);
        assert_eq!(own, [48, 48, 16, 4]);
        let one = joined(axes(&shape, &own, &own)).unwrap();
        assert_eq!(one, [Axis { count: 24, bytes: [4, 4] }]);
        let repeated = joined(axes(&shape, &[0, 0, 0, 4], &own)).unwrap();
        assert_eq!(repeated, [Axis { count: 6, bytes: [0, 16] }, Axis { count: 4, bytes: [4, 4] }]);
    }

    #[test]
    fn too_many_axes_are_refused() {
        let shape = Shape::new(&[2; 10]);
        let turned: Vec<usize> = strides(&shape).into_iter().rev().collect();
        assert!(joined(axes(&shape, &turned, &strides(&shape))).is_err());
    }
}
