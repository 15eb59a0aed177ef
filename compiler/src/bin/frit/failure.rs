//! Why a command fails, and what its exit status says of that.

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};

/// Why a command fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The model or the input is at fault.
    Model(Faults),
    /// The arguments don't go together.
    Usage(String),
    /// Frit is at fault.
    Internal(Faults),
    /// Nobody reads the result any more, which is not a fault.
    Closed,
    /// The model is at fault, and all is said of it.
    Told,
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Failure {
        if faults.iter().any(|fault| fault.code == codes::INTERNAL) {
            Failure::Internal(faults)
        } else {
            Failure::Model(faults)
        }
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Failure {
        Faults::from(diagnostic).into()
    }
}
