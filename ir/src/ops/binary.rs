//! Two tensors of one shape, element by element.

use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::Tensor;

/// A function of two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    /// `a + b`
    Add,
}

impl Binary {
    /// The name in the textual form and in descriptions.
    pub fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
        }
    }

    /// The function of each pair of elements; both tensors may be flat, but must have as many elements.
    pub(crate) fn evaluate<T: Number>(&self, a: &Tensor<T>, b: &Tensor<T>) -> Result<Tensor<T>, Diagnostic> {
        if a.len() != b.len() {
            let message = format!("{} joins {:?} and {:?}", self.name(), a.shape(), b.shape());
            return Err(Diagnostic::error(codes::JOIN_SHAPES, message));
        }
        let mut output = a.clone();
        match self {
            Binary::Add => output.iter_mut().zip(b).for_each(|(a, &b)| *a = *a + b),
        }
        Ok(output)
    }
}
