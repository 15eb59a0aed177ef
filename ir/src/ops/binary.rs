//! Two tensors, element by element.

use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// A function of two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    /// `a + b`, of two tensors of one shape.
    Add,
    /// `a * b`, of two tensors of one shape, or of a map and a gate: one value for each channel, the same for all pixels
    /// (Hu et al., Squeeze-and-Excitation Networks, 2018).
    Mul,
}

impl Binary {
    /// The name in the textual form and in descriptions.
    pub fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
            Binary::Mul => "mul",
        }
    }

    /// Whether the op takes operands of these shapes; the result has the first one's.
    pub fn joins(&self, a: &Shape, b: &Shape) -> bool {
        a == b || (*self == Binary::Mul && is_gate(a, b))
    }

    /// The function of each pair of elements; a tensor with fewer is repeated for each pixel.
    pub(crate) fn evaluate<T: Number>(&self, a: &Tensor<T>, b: &Tensor<T>) -> Result<Tensor<T>, Diagnostic> {
        let shape = |tensor: &Tensor<T>| Shape::new(tensor.shape());
        if a.len() != b.len() && !self.joins(&shape(a), &shape(b)) {
            let message = format!("{} joins {:?} and {:?}", self.name(), a.shape(), b.shape());
            return Err(Diagnostic::error(codes::JOIN_SHAPES, message));
        }
        let mut output = a.clone();
        let pairs = output.iter_mut().zip(b.iter().cycle());
        match self {
            Binary::Add => pairs.for_each(|(a, &b)| *a = *a + b),
            Binary::Mul => pairs.for_each(|(a, &b)| *a = *a * b),
        }
        Ok(output)
    }
}

/// Whether `gate` has one value for each channel of `map`.
pub fn is_gate(map: &Shape, gate: &Shape) -> bool {
    map.map().is_some() && gate.channels() == map.channels() && gate.elements() == Some(map.channels())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_is_a_vector_of_the_maps_channels_and_only_of_those() {
        let joins = |a: &[usize], b: &[usize]| Binary::Mul.joins(&Shape::new(a), &Shape::new(b));
        assert!(joins(&[4, 5, 3], &[4, 5, 3]));
        assert!(joins(&[4, 5, 3], &[3]) && joins(&[4, 5, 3], &[1, 1, 3]));
        assert!(
            !joins(&[4, 5, 3], &[4, 5, 1])
                && !joins(&[4, 5, 3], &[1, 5, 3])
                && !joins(&[1, 1, 3], &[4, 5, 3])
        );
        assert!(!Binary::Add.joins(&Shape::new(&[4, 5, 3]), &Shape::new(&[3])));
    }
}
