//! The operand, as it is: what a network says of a layer that does nothing when it runs, a dropout for example.
//!
//! In text: `identity`.

use super::{Given, Page};
use crate::diagnostic::Diagnostic;
use crate::element::Element;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written};

/// The page of [`Op::Identity`](super::Op::Identity), which has no attributes.
pub(super) struct Identity;

impl Page for Identity {
    fn name(&self) -> &'static str {
        "identity"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        Ok(operands[0].clone())
    }

    fn element(&self, operands: &[Element]) -> Element {
        Element::joined(operands)
    }

    fn print(&self, _: &mut Written) {}

    fn parse(name: &str, _: &mut Attributes<'_>) -> Result<Option<Identity>, Diagnostic> {
        Ok((name == "identity").then_some(Identity))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        Ok(given.first().clone())
    }
}
