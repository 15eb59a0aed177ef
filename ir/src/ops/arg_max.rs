//! Where the largest element stands along the last axis.
//!
//! In text: `arg_max {keep_dims, last}`.

use super::{Given, Page};
use crate::diagnostic::Diagnostic;
use crate::element::Element;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written};

/// Attributes of an arg max; its result is a whole number in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArgMax {
    /// Whether the axis stays, with length 1.
    pub keep_dims: bool,
    /// Whether the last of several equal ones is meant instead of the first.
    pub last: bool,
}

impl Page for ArgMax {
    fn name(&self) -> &'static str {
        "arg_max"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let mut axes = operands[0].axes().to_vec();
        axes.pop();
        if self.keep_dims {
            axes.push(1);
        }
        Ok(Shape::new(&axes))
    }

    fn element(&self, _: &[Element]) -> Element {
        Element::I64
    }

    fn print(&self, to: &mut Written) {
        to.flag("keep_dims", self.keep_dims);
        to.flag("last", self.last);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<ArgMax>, Diagnostic> {
        if name != "arg_max" {
            return Ok(None);
        }
        Ok(Some(ArgMax { keep_dims: from.flag("keep_dims")?, last: from.flag("last")? }))
    }

    /// The index in each vector along the last axis; NaN is larger than all.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let length = input.shape().last().copied().unwrap_or(1);
        let dense = input.as_slice().expect("tensors of the interpreter are dense");
        let indices = dense.chunks_exact(length).map(|vector| {
            let mut best = 0;
            for (index, &x) in vector.iter().enumerate() {
                let most = vector[best];
                let larger = x > most || (x.is_nan() && !most.is_nan());
                let equal = x == most || (x.is_nan() && most.is_nan());
                if larger || (self.last && equal) {
                    best = index;
                }
            }
            T::from(best).expect("an index fits every float")
        });
        Ok(ndarray::Array1::from_iter(indices).into_dyn())
    }
}
