//! A fully connected layer over the last axis of a vector: `y = x · kernel + bias`.

use super::{Epilogue, WeightRole};
use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// Attributes of a fully connected layer. The kernel is `[inputs, units]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dense {
    /// Length of the result.
    pub units: usize,
    /// What happens to the sum.
    pub epilogue: Epilogue,
}

impl Dense {
    /// Multiply-accumulates of one image.
    pub fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        (operands[0].channels() as u64).saturating_mul(result.elements().unwrap_or(0) as u64)
    }

    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        if operands[0].rank() != 1 {
            return Err(Diagnostic::error(codes::RANK, format!("dense takes a vector, not {}", operands[0]))
                .help("put a flatten or a global_avg_pool before it"));
        }
        if self.units == 0 {
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, "dense of 0 units; the least is 1"));
        }
        super::sized(Shape::new(&[self.units]))
    }

    pub(super) fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        let kernel = Shape::new(&[operands[0].channels(), self.units]);
        let mut roles = vec![WeightRole { role: "kernel", shape: kernel }];
        if self.epilogue.bias {
            roles.push(WeightRole { role: "bias", shape: Shape::new(&[self.units]) });
        }
        roles
    }
}

impl Dense {
    /// The biased sums.
    pub(crate) fn evaluate<T: Number>(
        &self,
        input: &Tensor<T>,
        kernel: &[T],
        bias: Option<&[T]>,
    ) -> Tensor<T> {
        let mut sums = bias.map_or_else(|| vec![T::zero(); self.units], <[T]>::to_vec);
        for (&value, weights) in input.iter().zip(kernel.chunks_exact(self.units)) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum = *sum + value * weight;
            }
        }
        Tensor::from_shape_vec(vec![self.units], sums).expect("as many sums as units")
    }
}
