//! The faults that nodes of a file are most often at.

use std::fmt;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use crate::import::limits;

/// A fault of a node.
pub(super) type Outcome<T> = Result<T, Box<Diagnostic>>;

/// The fault that an operator comes in a form that frit does not have.
pub(super) fn unsupported(what: impl fmt::Display) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(codes::ONNX_FORM, what.to_string()))
}

/// The fault that a node makes no sense.
pub(super) fn wrong(what: impl fmt::Display) -> Box<Diagnostic> {
    Box::new(Diagnostic::error(codes::ONNX_NODE, what.to_string()))
}

/// The fault that a layer mixes images.
pub(super) fn mixes(what: impl fmt::Display) -> Box<Diagnostic> {
    let fault = Diagnostic::error(codes::ONNX_BATCH, what.to_string());
    Box::new(fault.note("frit runs the images of a batch one by one, so that no layer may join or part them"))
}

/// That a tensor may have so many axes.
pub(super) fn ranked(axes: usize) -> Outcome<()> {
    if axes <= limits::RANK {
        return Ok(());
    }
    let message = format!("a tensor of {axes} axes; frit takes at most {}", limits::RANK);
    Err(Box::new(Diagnostic::error(codes::LIMIT, message)))
}
