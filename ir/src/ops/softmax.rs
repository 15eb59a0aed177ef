//! Exponentials along the last axis that add up to one.
//!
//! In text: `softmax`, `log_softmax`.

use ndarray::Axis;

use super::{Given, Page};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written};

/// Softmax over the last axis; the largest element is subtracted first, so that nothing overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Softmax {
    /// Whether the logarithms of the shares are meant: `x - most - ln Σ e^(x - most)`.
    pub log: bool,
}

impl Page for Softmax {
    fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        Ok(operands[0].clone())
    }

    fn print(&self, _: &mut Written) {}

    fn parse(name: &str, _: &mut Attributes<'_>) -> Result<Option<Softmax>, Diagnostic> {
        Ok([false, true].map(|log| Softmax { log }).into_iter().find(|softmax| softmax.name() == name))
    }

    /// Softmax of each vector along the last axis.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let mut output = input.clone();
        for mut lane in output.lanes_mut(Axis(input.ndim().saturating_sub(1))) {
            let most =
                lane.iter().copied().fold(T::neg_infinity(), |most, x| if x > most { x } else { most });
            lane.mapv_inplace(|x| x - most);
            let sum: T = lane.iter().map(|x| x.exp()).sum();
            lane.mapv_inplace(|x| if self.log { x - sum.ln() } else { x.exp() / sum });
        }
        Ok(output)
    }
}
