//! Two tensors, element by element.
//!
//! In text: `add`, `sub`, `mul`, `div`, `min`, `max`, `pow`.

use smallvec::SmallVec;

use super::{Given, Page};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written};

/// A function of two elements. Operands of different shapes are repeated as NumPy does it: axes are compared from the last
/// one on, and a missing axis or one of length 1 fits any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    /// `a + b`
    Add,
    /// `a - b`
    Sub,
    /// `a * b`; of a map and one value for each channel, the gate of Squeeze-and-Excitation (Hu et al., 2018).
    Mul,
    /// `a / b`
    Div,
    /// The smaller; NaN where either is.
    Min,
    /// The larger; NaN where either is.
    Max,
    /// `a` to the power of `b`
    Pow,
}

impl Binary {
    /// All of them.
    pub const ALL: [Binary; 7] =
        [Binary::Add, Binary::Sub, Binary::Mul, Binary::Div, Binary::Min, Binary::Max, Binary::Pow];

    /// The name in the textual form and in descriptions.
    pub fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Sub => "sub",
            Binary::Mul => "mul",
            Binary::Div => "div",
            Binary::Min => "min",
            Binary::Max => "max",
            Binary::Pow => "pow",
        }
    }

    /// The one that is called `name`.
    pub fn of_name(name: &str) -> Option<Binary> {
        Binary::ALL.into_iter().find(|binary| binary.name() == name)
    }

    /// The function of two elements.
    pub fn apply<T: Number>(&self, a: T, b: T) -> T {
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Min | Binary::Max if a.is_nan() || b.is_nan() => T::nan(),
            Binary::Min => a.min(b),
            Binary::Max => a.max(b),
            Binary::Pow => a.powf(b),
        }
    }
}

impl Binary {
    /// The function of each pair of elements.
    pub(super) fn joined<T: Number>(&self, a: &Tensor<T>, b: &Tensor<T>) -> Result<Tensor<T>, Diagnostic> {
        let shape = broadcast(&Shape::new(a.shape()), &Shape::new(b.shape())).ok_or_else(|| {
            let message = format!("{} joins {:?} and {:?}", self.name(), a.shape(), b.shape());
            Diagnostic::error(codes::JOIN_SHAPES, message)
        })?;
        let spread = |tensor: &Tensor<T>| {
            tensor.broadcast(shape.axes()).expect("both spread to the shape of the result").into_owned()
        };
        let mut output = spread(a);
        output.zip_mut_with(&spread(b), |a, &b| *a = self.apply(*a, b));
        Ok(output.as_standard_layout().into_owned())
    }
}

impl Page for Binary {
    fn name(&self) -> &'static str {
        Binary::name(self)
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        broadcast(&operands[0], &operands[1]).map_or(Ok(operands[0].clone()), super::sized)
    }

    fn arity(&self) -> usize {
        2
    }

    fn print(&self, _: &mut Written) {}

    fn parse(name: &str, _: &mut Attributes<'_>) -> Result<Option<Binary>, Diagnostic> {
        Ok(Binary::of_name(name))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        self.joined(given.operands[0], given.operands[1])
    }
}

/// The shape of tensors of `a` and `b` repeated to fit each other, where they can be (NumPy, Broadcasting).
pub fn broadcast(a: &Shape, b: &Shape) -> Option<Shape> {
    let (long, short) = if a.rank() >= b.rank() { (a, b) } else { (b, a) };
    let mut axes: SmallVec<[usize; 4]> = SmallVec::from_slice(long.axes());
    let offset = long.rank() - short.rank();
    for (axis, &length) in axes[offset..].iter_mut().zip(short.axes()) {
        match (*axis, length) {
            (one, other) if one == other || other == 1 => {}
            (1, other) => *axis = other,
            _ => return None,
        }
    }
    Some(Shape::new(&axes))
}

/// Whether `gate` has one value for each channel of `map`.
pub fn is_gate(map: &Shape, gate: &Shape) -> bool {
    map.map().is_some() && gate.channels() == map.channels() && gate.elements() == Some(map.channels())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
        broadcast(&Shape::new(a), &Shape::new(b)).map(|shape| shape.axes().to_vec())
    }

    #[test]
    fn axes_are_compared_from_the_last_one_on() {
        assert_eq!(joined(&[4, 5, 3], &[4, 5, 3]), Some(vec![4, 5, 3]));
        assert_eq!(joined(&[4, 5, 3], &[3]), Some(vec![4, 5, 3]));
        assert_eq!(joined(&[3], &[4, 5, 3]), Some(vec![4, 5, 3]));
        assert_eq!(joined(&[4, 1, 3], &[5, 1]), Some(vec![4, 5, 3]));
        assert_eq!(joined(&[4, 5, 3], &[]), Some(vec![4, 5, 3]));
        assert_eq!(joined(&[4, 5, 3], &[4, 5, 2]), None);
        assert_eq!(joined(&[4, 5, 3], &[4]), None);
        assert_eq!(joined(&[4, 5, 3], &[4, 4, 5, 3]), Some(vec![4, 4, 5, 3]));
    }

    #[test]
    fn a_gate_is_a_vector_of_the_maps_channels_and_only_of_those() {
        let gate = |a: &[usize], b: &[usize]| is_gate(&Shape::new(a), &Shape::new(b));
        assert!(gate(&[4, 5, 3], &[3]) && gate(&[4, 5, 3], &[1, 1, 3]));
        assert!(!gate(&[4, 5, 3], &[4, 5, 1]) && !gate(&[4, 5, 3], &[1, 5, 3]) && !gate(&[4, 3], &[3]));
    }

    #[test]
    fn operands_are_repeated_and_nan_stays() {
        let tensor = |axes: &[usize], values: &[f64]| Tensor::from_shape_vec(axes, values.to_vec()).unwrap();
        let (column, row) = (tensor(&[2, 1], &[1.0, 2.0]), tensor(&[3], &[10.0, 20.0, f64::NAN]));
        let sub = Binary::Sub.joined(&column, &row).unwrap();
        assert_eq!(sub.shape(), [2, 3]);
        assert_eq!(sub.iter().take(2).copied().collect::<Vec<_>>(), [-9.0, -19.0]);
        let min = Binary::Min.joined(&row, &column).unwrap();
        assert!(min[[1, 2]].is_nan() && min[[1, 0]] == 2.0);
        assert_eq!(Binary::Pow.apply(2.0, 3.0), 8.0);
        assert_eq!(Binary::Div.apply(1.0, 4.0), 0.25);
    }
}
