//! Exponentials along the last axis that add up to one.

use ndarray::Axis;

use crate::interpret::Number;
use crate::tensor::Tensor;

/// Softmax over the last axis; the largest element is subtracted first, so that nothing overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Softmax {
    /// Whether the logarithms of the shares are meant: `x - most - ln Σ e^(x - most)`.
    pub log: bool,
}

impl Softmax {
    /// The op's name.
    pub fn name(&self) -> &'static str {
        if self.log { "log_softmax" } else { "softmax" }
    }

    /// Softmax of each vector along the last axis.
    pub(crate) fn evaluate<T: Number>(self, input: &Tensor<T>) -> Tensor<T> {
        let mut output = input.clone();
        for mut lane in output.lanes_mut(Axis(input.ndim().saturating_sub(1))) {
            let most =
                lane.iter().copied().fold(T::neg_infinity(), |most, x| if x > most { x } else { most });
            lane.mapv_inplace(|x| x - most);
            let sum: T = lane.iter().map(|x| x.exp()).sum();
            lane.mapv_inplace(|x| if self.log { x - sum.ln() } else { x.exp() / sum });
        }
        output
    }
}
