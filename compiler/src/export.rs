//! From graphs to model files that others read, frit itself among them.

pub mod json;
pub mod onnx;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

/// The fault that a format can't hold something.
fn not_expressible(message: impl Into<String>) -> Diagnostic {
    Diagnostic::error(codes::NOT_EXPRESSIBLE, message)
}
