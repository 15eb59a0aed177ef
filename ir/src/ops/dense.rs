//! A fully connected layer over the last axis of a vector: `y = x · kernel + bias`.
//!
//! In text: `dense {units=N, EPILOGUE}`.

use super::{Epilogue, Given, Page, WeightRole};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, number};

/// Attributes of a fully connected layer. The kernel is `[inputs, units]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dense {
    /// Length of the result.
    pub units: usize,
    /// What happens to the sum.
    pub epilogue: Epilogue,
}

impl Dense {
    /// The biased sums.
    pub(super) fn sums<T: Number>(&self, input: &Tensor<T>, kernel: &[T], bias: Option<&[T]>) -> Tensor<T> {
        let mut sums = bias.map_or_else(|| vec![T::zero(); self.units], <[T]>::to_vec);
        for (&value, weights) in input.iter().zip(kernel.chunks_exact(self.units)) {
            for (sum, &weight) in sums.iter_mut().zip(weights) {
                *sum = *sum + value * weight;
            }
        }
        Tensor::from_shape_vec(vec![self.units], sums).expect("as many sums as units")
    }
}

impl Page for Dense {
    fn name(&self) -> &'static str {
        "dense"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        if operands[0].rank() != 1 {
            return Err(Diagnostic::error(codes::RANK, format!("dense takes a vector, not {}", operands[0]))
                .help("put a flatten or a global_avg_pool before it"));
        }
        if self.units == 0 {
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, "dense of 0 units; the least is 1"));
        }
        super::sized(Shape::new(&[self.units]))
    }

    fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        let kernel = Shape::new(&[operands[0].channels(), self.units]);
        let mut roles = vec![WeightRole { role: "kernel", shape: kernel }];
        if self.epilogue.bias {
            roles.push(WeightRole { role: "bias", shape: Shape::new(&[self.units]) });
        }
        roles
    }

    fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        (operands[0].channels() as u64).saturating_mul(result.elements().unwrap_or(0) as u64)
    }

    fn epilogue(&self) -> Option<&Epilogue> {
        Some(&self.epilogue)
    }

    fn epilogue_mut(&mut self) -> Option<&mut Epilogue> {
        Some(&mut self.epilogue)
    }

    fn print(&self, to: &mut Written) {
        to.beside_shape("units", self.units);
        to.epilogue(&self.epilogue);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Dense>, Diagnostic> {
        if name != "dense" {
            return Ok(None);
        }
        let units = from.or_shape("units", from.shape.map(Shape::channels), number)?;
        Ok(Some(Dense { units, epilogue: from.epilogue()? }))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        Ok(self.sums(given.first(), &given.weights[0], given.bias(&self.epilogue)))
    }
}
