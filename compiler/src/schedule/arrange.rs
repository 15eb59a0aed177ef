//! Steps that move elements of dense tensors, or make one number out of many.

use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::{Concat, Reduce, ReduceKind, Slice, Transpose};
use frit_ir::{NodeId, Op, Shape};

use super::Scheduler;
use super::placement::Placed;
use crate::kernels::nest::Loop;
use crate::kernels::reduce::{self, Reduction};
use crate::kernels::{F32, rearrange, window};
use crate::plan::{Argument, Blank, Call, Region};

/// The most axes of a loop nest, after those that lie one in the other became one.
const MOST_AXES: usize = 8;

/// An axis of a loop nest: its length, and the bytes from one element to the next on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Axis {
    count: usize,
    bytes: [usize; 2],
}

impl Scheduler<'_> {
    /// The tensor of `id`, dense, copied once if it lies otherwise.
    pub(super) fn tensor_dense(&mut self, id: NodeId) -> Result<Placed, Diagnostic> {
        let (placed, shape) = (self.tensor(id), self.shapes[&id].clone());
        if placed.is_dense || placed.lies_both_ways(self.width.lanes) {
            return Ok(placed);
        }
        if let Some(&copy) = self.dense.get(&id) {
            return Ok(copy);
        }
        let copy = self.dense_slot(&shape);
        self.copy(id, placed, copy)?;
        self.dense.insert(id, copy);
        Ok(copy)
    }

    /// The place of a new dense tensor for `id`: the caller's output where it is one, else the arena.
    pub(super) fn place_dense(&mut self, id: NodeId) -> Placed {
        let shape = self.shapes[&id].clone();
        let output = self.graph.outputs().iter().position(|&output| output == id);
        let placed = match output {
            Some(output) => Placed::dense(&shape, self.width.lanes, Region::Output(output)),
            None => self.dense_slot(&shape),
        };
        self.placed.insert(id, placed);
        placed
    }

    fn dense_slot(&mut self, shape: &Shape) -> Placed {
        let placed = Placed::dense(shape, self.width.lanes, Region::Tensor(self.tensors.len()));
        self.new_tensor(placed.pixels() * placed.channels * F32, Blank::default());
        placed
    }

    /// `id` is its operand, whose elements lie as they should.
    pub(super) fn alias(&mut self, id: NodeId) {
        let operand = self.graph.operands(id)[0];
        self.placed.insert(id, self.placed[&operand]);
        for copies in [&mut self.in_blocks, &mut self.dense] {
            if let Some(&copy) = copies.get(&operand) {
                copies.insert(id, copy);
            }
        }
    }

    pub(super) fn transpose(&mut self, id: NodeId, transpose: &Transpose) -> Result<(), Diagnostic> {
        let from = self.shapes[&self.graph.operands(id)[0]].clone();
        let moved: Vec<usize> =
            transpose.axes.iter().copied().filter(|&axis| from.axes()[axis] > 1).collect();
        if moved.is_sorted() {
            return self.reshape(id);
        }
        if transpose.axes[..] == [1, 2, 0] && self.is_read_by_convolutions_alone(id) {
            return self.view_channels_first(id);
        }
        let strides = strides(&from);
        self.rearranged(id, 0, transpose.axes.iter().map(|&axis| strides[axis]).collect())
    }

    /// A picture that comes channels first is convolved as it lies.
    fn view_channels_first(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let from = self.tensor_dense(self.graph.operands(id)[0])?;
        let map = self.shapes[&id].map().unwrap_or_default();
        self.placed.insert(id, Placed::channels_first(&from, map, self.width.lanes));
        Ok(())
    }

    /// Whether all readers of `id` are convolutions over all of its few channels, whose kernel takes any distance of channels.
    fn is_read_by_convolutions_alone(&self, id: NodeId) -> bool {
        let reads = |reader: NodeId| {
            if let Op::Conv2d(conv) = &self.graph.node(reader).op {
                let once = self.graph.operands(reader).iter().filter(|&&operand| operand == id).count() == 1;
                once && self.graph.operands(reader)[0] == id
                    && conv.groups == 1
                    && !conv.gate
                    && conv.prologue.is_none()
                    && !window::is_large(conv.kernel)
            } else {
                false
            }
        };
        let is_picture = self.shapes[&id].channels() < self.width.lanes;
        is_picture && !self.graph.outputs().contains(&id) && self.graph.users(id).into_iter().all(reads)
    }

    pub(super) fn slice_by_copy(&mut self, id: NodeId, slice: &Slice) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        if self.shapes[&id] == self.shapes[&operand] {
            self.alias(id);
            return Ok(());
        }
        let strides = strides(&self.shapes[&operand]);
        let spans = slice.spans.iter().zip(&strides);
        let begin = spans.clone().map(|(span, stride)| span.start * stride).sum();
        self.rearranged(id, begin, spans.map(|(span, stride)| span.step * stride).collect())
    }

    /// A step that reads the one operand from `begin` bytes on, with a stride for each axis of the result.
    fn rearranged(&mut self, id: NodeId, begin: usize, from: Vec<usize>) -> Result<(), Diagnostic> {
        let input = self.tensor_dense(self.graph.operands(id)[0])?;
        let output = self.place_dense(id);
        let axes = axes(&self.shapes[&id], &from, &strides(&self.shapes[&id]));
        let call = self.rearrangement(axes, input.reach_from(begin, 0), output.reach(0))?;
        self.step(id, vec![call]);
        Ok(())
    }

    pub(super) fn concat_by_copies(&mut self, id: NodeId, concat: &Concat) -> Result<(), Diagnostic> {
        let operands = self.graph.operands(id);
        if operands.len() == 1 {
            self.alias(id);
            return Ok(());
        }
        let inputs =
            operands.iter().map(|&operand| self.tensor_dense(operand)).collect::<Result<Vec<_>, _>>()?;
        let output = self.place_dense(id);
        let to = strides(&self.shapes[&id]);
        let (mut begin, mut calls) = (0, Vec::new());
        for (operand, input) in operands.into_iter().zip(inputs) {
            let shape = self.shapes[&operand].clone();
            let axes = axes(&shape, &strides(&shape), &to);
            calls.push(self.rearrangement(axes, input.reach(0), output.reach_from(begin, 0))?);
            begin += shape.axes()[concat.axis] * to[concat.axis];
        }
        self.step(id, calls);
        Ok(())
    }

    /// The tensor of `operand` repeated to `shape`, in blocks, for `id` alone.
    pub(super) fn expanded(
        &mut self,
        id: NodeId,
        operand: NodeId,
        shape: &Shape,
    ) -> Result<Placed, Diagnostic> {
        let input = self.tensor_dense(operand)?;
        let own = self.shapes[&operand].clone();
        let missing = shape.rank() - own.rank();
        let mut from = vec![0; missing];
        from.extend(
            own.axes().iter().zip(strides(&own)).map(|(&length, bytes)| if length == 1 { 0 } else { bytes }),
        );
        let dense = self.dense_slot(shape);
        let axes = axes(shape, &from, &strides(shape));
        let call = self.rearrangement(axes, input.reach(0), dense.reach(0))?;
        self.step(id, vec![call]);
        let blocks = self.place_in_blocks(shape);
        self.copy(id, dense, blocks)?;
        Ok(blocks)
    }

    /// The call that moves the elements of `axes` from one place to another; its items are the outermost axis.
    fn rearrangement(&mut self, axes: Vec<Axis>, from: Argument, to: Argument) -> Result<Call, Diagnostic> {
        let mut axes = joined(axes)?;
        // A single axis is one run.
        let item = if axes.len() > 1 { axes.remove(0) } else { Axis { count: 1, bytes: [0; 2] } };
        let loops: Vec<Loop<2>> =
            axes.iter().map(|axis| Loop { count: axis.count, bytes: axis.bytes }).collect();
        let kernel = self.kernel(rearrange::build(self.width, item.bytes, &loops))?;
        let arguments =
            vec![Argument { stride: item.bytes[0], ..from }, Argument { stride: item.bytes[1], ..to }];
        Ok(Call { kernel, arguments, items: item.count })
    }

    pub(super) fn reduce(&mut self, id: NodeId, op: &Reduce) -> Result<(), Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let shape = self.shapes[&operand].clone();
        if op.kind == ReduceKind::Mean && shape.rank() == 3 && op.axes[..] == [0, 1] {
            return self.global_average_pool(id);
        }
        let input = self.tensor_dense(operand)?;
        let output = self.place_dense(id);
        let kept_shape: Vec<usize> = (0..shape.rank())
            .map(|axis| if op.axes.contains(&axis) { 1 } else { shape.axes()[axis] })
            .collect();
        let (from, to) = (strides(&shape), strides(&Shape::new(&kept_shape)));
        let part = |reduced: bool| {
            let own = (0..shape.rank()).filter(|axis| op.axes.contains(axis) == reduced);
            joined(
                own.map(|axis| Axis { count: shape.axes()[axis], bytes: [from[axis], to[axis]] }).collect(),
            )
        };
        let (mut kept, reduced) = (part(false)?, part(true)?);
        let run = kept.pop_if(|axis| axis.bytes == [F32; 2]).map(|axis| axis.count);
        let item = if kept.is_empty() { Axis { count: 1, bytes: [0; 2] } } else { kept.remove(0) };
        let spec = Reduction {
            kind: op.kind,
            item: item.bytes,
            kept: kept.iter().map(|axis| Loop { count: axis.count, bytes: axis.bytes }).collect(),
            run,
            reduced: reduced.iter().map(|axis| Loop { count: axis.count, bytes: [axis.bytes[0]] }).collect(),
        };
        let kernel = self.kernel(reduce::build(self.width, &spec))?;
        let arguments = vec![input.reach(item.bytes[0]), output.reach(item.bytes[1])];
        self.step(id, vec![Call { kernel, arguments, items: item.count }]);
        Ok(())
    }
}

/// Bytes from one element to the next along each axis of a dense tensor.
fn strides(shape: &Shape) -> Vec<usize> {
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
fn joined(axes: Vec<Axis>) -> Result<Vec<Axis>, Diagnostic> {
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
