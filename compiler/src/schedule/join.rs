//! Steps of two tensors element by element, and the weights that stand in for one of them.

use std::sync::Arc;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Binary, Prelu};
use frit_ir::{NodeId, Op, Shape};

use super::Scheduler;
use super::placement::Placed;
use crate::kernels::Strides;
use crate::kernels::binary::{self, Function, Join, Side};
use crate::pack::Source;
use crate::plan::{Call, Region};

impl Scheduler<'_> {
    pub(super) fn binary(&mut self, id: NodeId, binary: Binary) -> Result<(), Diagnostic> {
        let operands = self.graph.operands(id);
        if let Some(exponent) = self.exponent(id, binary)? {
            let side = self.side(id, operands[0])?;
            return self.join(id, Function::Power(exponent), [side, side]);
        }
        let sides = [self.side(id, operands[0])?, self.side(id, operands[1])?];
        self.join(id, Function::Binary(binary), sides)
    }

    /// The exponent of `id`, where it is a power of its first operand by one constant.
    fn exponent(&self, id: NodeId, binary: Binary) -> Result<Option<f32>, Diagnostic> {
        let &[base, exponent] = self.graph.operands(id).as_slice() else { return Ok(None) };
        let node = self.graph.node(exponent);
        let one = matches!(node.op, Op::Constant(_)) && self.shapes[&exponent].elements() == Some(1);
        if binary != Binary::Pow || !one || self.shapes[&base] != self.shapes[&id] {
            return Ok(None);
        }
        Ok(self.graph.weights.values(&node.weights[0])?.first().copied())
    }

    pub(super) fn prelu(&mut self, id: NodeId, prelu: &Prelu) -> Result<(), Diagnostic> {
        let x = self.side(id, self.graph.operands(id)[0])?;
        let values = self.graph.weights.values(&self.graph.node(id).weights[0])?;
        let shape = self.shapes[&id].clone();
        let packed = self.packed_in_blocks(&values, &prelu.slope);
        let slope = match side(packed, &prelu.slope, &shape) {
            Some(side) => (packed, side),
            None => {
                let packed = self.packed_in_blocks(&repeated(&values, &prelu.slope, &shape), &shape);
                (packed, Side { strides: packed.strides, spreads: false })
            }
        };
        self.join(id, Function::Prelu, [x, slope])
    }

    /// `operand` of the join `id`: repeated by the kernel where that can, else by a copy.
    fn side(&mut self, id: NodeId, operand: NodeId) -> Result<(Placed, Side), Diagnostic> {
        let shape = self.shapes[&id].clone();
        let own = self.shapes[&operand].clone();
        let placed = self.tensor_in_blocks(operand)?;
        if let Some(side) = side(placed, &own, &shape) {
            return Ok((placed, side));
        }
        let placed = self.expanded(id, operand, &shape)?;
        Ok((placed, Side { strides: placed.strides, spreads: false }))
    }

    fn join(&mut self, id: NodeId, function: Function, sides: [(Placed, Side); 2]) -> Result<(), Diagnostic> {
        let output = self.place(id);
        let join = Join {
            function,
            size: [output.rows, output.columns],
            sides: sides.map(|(_, side)| side),
            output: output.strides,
        };
        let kernel = self.kernel(binary::build(self.width, &join))?;
        let [a, b] = sides.map(|(placed, side)| placed.reach(side.strides.block));
        let arguments = vec![a, b, output.reach(output.strides.block)];
        let items = output.channels.div_ceil(self.width.lanes);
        self.step(id, vec![Call { kernel, arguments, items }]);
        Ok(())
    }

    /// A weight as a dense tensor, among the packed weights.
    pub(super) fn constant(&mut self, id: NodeId) -> Result<(), Diagnostic> {
        let values = self.graph.weights.values(&self.graph.node(id).weights[0])?;
        let offset = self.weights.add(Source::Values(values));
        let region = Region::Weights;
        let placed = Placed { offset, ..Placed::dense(&self.shapes[&id], self.width.lanes, region) };
        self.placed.insert(id, placed);
        Ok(())
    }

    /// `values`, a dense tensor of `shape`, in blocks of channels among the packed weights.
    pub(super) fn packed_in_blocks(&mut self, values: &[f32], shape: &Shape) -> Placed {
        let lanes = self.width.lanes;
        let (placed, bytes) = Placed::in_blocks(shape, lanes, Region::Weights);
        let mut packed = vec![0.0; bytes / crate::kernels::F32];
        let Strides { pixel, block, .. } = placed.strides;
        for (index, vector) in values.chunks_exact(placed.channels).enumerate() {
            for (number, part) in vector.chunks(lanes).enumerate() {
                let begin = (number * block + index * pixel) / crate::kernels::F32;
                packed[begin..][..part.len()].copy_from_slice(part);
            }
        }
        let offset = self.weights.add(Source::Values(Arc::from(packed)));
        Placed { offset, ..placed }
    }
}

/// How a tensor of the shape `own` in blocks is an operand of a join whose result is `shape`, where that can be said in
/// strides.
fn side(placed: Placed, own: &Shape, shape: &Shape) -> Option<Side> {
    let unless_one = |length: usize, bytes: usize| if length == 1 { 0 } else { bytes };
    let Strides { row, pixel, block, channel } = placed.strides;
    let [row, pixel] = if shape.rank() <= 3 {
        [unless_one(placed.rows, row), unless_one(placed.columns, pixel)]
    } else if placed.pixels() == 1 {
        [0; 2]
    } else {
        // All axes but the last are one row, in which nothing may be repeated.
        let leading = |shape: &Shape| shape.axes()[..shape.rank() - 1].to_vec();
        let alike = own.rank() == shape.rank() && leading(own) == leading(shape);
        alike.then_some([row, pixel])?
    };
    let spreads = placed.channels == 1 && shape.channels() > 1;
    let block = if spreads { 0 } else { block };
    Some(Side { strides: Strides { row, pixel, block, channel }, spreads })
}

/// `values` of the shape `from` repeated to the shape `to`.
fn repeated(values: &[f32], from: &Shape, to: &Shape) -> Vec<f32> {
    let place = |mut index: usize| {
        let (mut place, mut stride) = (0, 1);
        for axis in 1..=to.rank() {
            let length = to.axes()[to.rank() - axis];
            let own = from.rank().checked_sub(axis).map_or(1, |axis| from.axes()[axis]);
            place += if own == 1 { 0 } else { index % length * stride };
            stride *= own;
            index /= length;
        }
        place
    };
    (0..to.elements().unwrap_or(0)).map(|index| values[place(index)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_repeated_along_missing_axes_and_those_of_one_element() {
        let (from, to) = (Shape::new(&[2, 1]), Shape::new(&[2, 2, 3]));
        let expected = [[1.0; 3], [2.0; 3], [1.0; 3], [2.0; 3]].concat();
        assert_eq!(repeated(&[1.0, 2.0], &from, &to), expected);
    }
}
