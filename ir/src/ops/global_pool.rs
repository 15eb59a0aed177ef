//! The mean of each channel over the whole map.
//!
//! In text: `global_avg_pool {keep_dims}`.

use super::{Given, Page};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written};

/// Global average pooling: a map becomes a vector, or a map of one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GlobalAveragePool {
    /// Whether the result is `1x1xC` instead of `C`.
    pub keep_dims: bool,
}

impl Page for GlobalAveragePool {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [_, _, channels] = super::as_map("global_avg_pool", &operands[0])?;
        Ok(if self.keep_dims { Shape::new(&[1, 1, channels]) } else { Shape::new(&[channels]) })
    }

    fn print(&self, to: &mut Written) {
        to.flag("keep_dims", self.keep_dims);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<GlobalAveragePool>, Diagnostic> {
        if name != "global_avg_pool" {
            return Ok(None);
        }
        Ok(Some(GlobalAveragePool { keep_dims: from.flag("keep_dims")? }))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        Ok(means(given.first()))
    }
}

/// The mean of each channel.
pub(super) fn means<T: Number>(input: &Tensor<T>) -> Tensor<T> {
    let channels = input.shape()[2];
    let mut sums = vec![T::zero(); channels];
    for (index, &value) in input.iter().enumerate() {
        sums[index % channels] = sums[index % channels] + value;
    }
    let pixels = T::from(input.len() / channels).expect("a count fits every float");
    sums.iter_mut().for_each(|sum| *sum = *sum / pixels);
    Tensor::from_shape_vec(vec![channels], sums).expect("as many sums as channels")
}
