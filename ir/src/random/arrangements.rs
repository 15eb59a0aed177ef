//! Random layers without weights: pools and resizes, joins with repetition, what moves elements and what reduces them.

use smallvec::SmallVec;

use super::{Choices, Growing};
use crate::Op;
use crate::Shape;
use crate::ops::{
    ArgMax, Binary, Concat, Coordinates, Interpolation, Pad, Padding, Pool, PoolKind, Reduce, ReduceKind,
    Reshape, Resize, Scalar, Slice, Span, Transpose,
};

impl Growing {
    /// One of these layers on the value `operand`.
    pub(super) fn arrangement(&mut self, operand: usize, choices: &mut Choices<'_>) {
        let shape = self.values[operand].1.clone();
        match (choices.below(10), shape.map()) {
            (0, Some(_)) => self.pool(operand, choices),
            (1, Some(_)) => self.add(resize(choices), &[operand]),
            (2, Some(_)) => {
                let value = Scalar::new(choices.one(&[0.0, -1.0, 0.5]));
                self.add(Op::Pad(Pad { padding: choices.padding(), value }), &[operand]);
            }
            (0..4, _) => self.spread(operand, choices),
            (4 | 5, _) => self.concat(operand, choices),
            (6, _) => self.add(Op::Slice(slice(&shape, choices)), &[operand]),
            (7, _) => self.add(Op::Transpose(Transpose { axes: order(shape.rank(), choices) }), &[operand]),
            (8, _) => self.add(Op::Reduce(reduce(&shape, choices)), &[operand]),
            _ => self.add(other(&shape, choices), &[operand]),
        }
    }

    fn pool(&mut self, operand: usize, choices: &mut Choices<'_>) {
        let [height, width, _] = self.values[operand].1.map().expect("pools are put on maps");
        let padding = choices.padding();
        let counted = Padding {
            top: choices.below(padding.top + 1),
            bottom: choices.below(padding.bottom + 1),
            left: choices.below(padding.left + 1),
            right: choices.below(padding.right + 1),
        };
        let room = [height + padding.top + padding.bottom, width + padding.left + padding.right];
        let kernel = room.map(|room| 1 + choices.below(room.min(5)));
        let dilation: [usize; 2] =
            std::array::from_fn(
                |axis| if (kernel[axis] - 1) * 2 < room[axis] { 1 + choices.below(2) } else { 1 },
            );
        // A largest element of nothing is minus infinity, which is no number behind the next subtraction.
        let averages =
            choices.flag() || padding.sides().into_iter().any(|side| side >= kernel[0].min(kernel[1]));
        let kind = if averages || dilation != [1, 1] { PoolKind::Average { counted } } else { PoolKind::Max };
        let stride = std::array::from_fn(|_| 1 + choices.below(3));
        self.add(Op::Pool(Pool { kind, kernel, stride, padding, dilation }), &[operand]);
    }

    /// A join with a value that is repeated: one whose axes are ones wherever they differ, made by a reduction.
    fn spread(&mut self, operand: usize, choices: &mut Choices<'_>) {
        let shape = self.values[operand].1.clone();
        let before = self.values.len();
        self.add(Op::Reduce(Reduce { keep_dims: true, ..reduce(&shape, choices) }), &[operand]);
        let other = if self.values.len() > before { before } else { operand };
        let binary = choices.one(&[Binary::Add, Binary::Sub, Binary::Mul, Binary::Min, Binary::Max]);
        let operands = if choices.flag() { [operand, other] } else { [other, operand] };
        self.add(Op::Binary(binary), &operands);
    }

    /// A concatenation of up to three values that are alike but for one axis.
    fn concat(&mut self, operand: usize, choices: &mut Choices<'_>) {
        let shape = self.values[operand].1.clone();
        if shape.rank() == 0 {
            return;
        }
        let axis = if choices.flag() { shape.rank() - 1 } else { choices.below(shape.rank()) };
        let fits = |other: &Shape| {
            other.rank() == shape.rank()
                && (0..shape.rank()).all(|at| at == axis || other.axes()[at] == shape.axes()[at])
        };
        let all: Vec<usize> = (0..self.values.len()).filter(|&index| fits(&self.values[index].1)).collect();
        let operands: Vec<usize> =
            std::iter::once(operand).chain((0..choices.below(3)).map(|_| choices.one(&all))).collect();
        self.add(Op::Concat(Concat { axis, inputs: operands.len() }), &operands);
    }
}

fn resize(choices: &mut Choices<'_>) -> Op {
    let size = std::array::from_fn(|_| 1 + choices.below(14));
    let interpolation = choices.one(&Interpolation::ALL);
    Op::Resize(Resize { size, scale: None, interpolation, coordinates: choices.one(&Coordinates::ALL) })
}

fn slice(shape: &Shape, choices: &mut Choices<'_>) -> Slice {
    let span = |&length: &usize| {
        let (start, step) = (choices.below(length), 1 + choices.below(2));
        let most = (length - 1 - start) / step + 1;
        Span { start, count: 1 + choices.below(most), step }
    };
    Slice { spans: shape.axes().iter().map(span).collect() }
}

fn order(rank: usize, choices: &mut Choices<'_>) -> SmallVec<[usize; 4]> {
    let mut left: Vec<usize> = (0..rank).collect();
    (0..rank).map(|_| left.remove(choices.below(left.len()))).collect()
}

fn reduce(shape: &Shape, choices: &mut Choices<'_>) -> Reduce {
    let mut axes: SmallVec<[usize; 4]> = (0..shape.rank()).filter(|_| choices.flag()).collect();
    if axes.is_empty() {
        axes.push(shape.rank().saturating_sub(1));
    }
    let kind = choices.one(&[ReduceKind::Mean, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min]);
    Reduce { kind, axes, keep_dims: choices.flag() }
}

/// An arg max (whose index would jump where two elements are almost alike, so of a vector of one), an identity, or a reshape
/// that splits an axis.
fn other(shape: &Shape, choices: &mut Choices<'_>) -> Op {
    match shape.axes() {
        [.., 1] => Op::ArgMax(ArgMax { keep_dims: choices.flag(), last: choices.flag() }),
        [rest @ .., last] if last.is_multiple_of(2) && rest.len() < 4 && choices.flag() => {
            Op::Reshape(Reshape::To(Shape::new(&[rest, &[2, last / 2]].concat())))
        }
        _ => Op::Identity,
    }
}
