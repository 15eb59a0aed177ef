//! Why a program can't be loaded or run.

use thiserror::Error;

/// Why a program can't be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The code uses instructions that this CPU has not.
    #[error("this CPU lacks {}, which the program was compiled for: compile it for a lower target", .0.join(", "))]
    MissingFeatures(Vec<&'static str>),
    /// The system gives no more memory or threads.
    #[error("the system refuses memory or threads: {0}")]
    System(#[from] std::io::Error),
}

/// Why a program can't be run.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum RunError {
    /// Another number of tensors than the signature has.
    #[error("{got} {kind}s were given, the model has {expected}")]
    Count {
        /// `input` or `output`.
        kind: &'static str,
        /// How many were given.
        got: usize,
        /// How many the model has.
        expected: usize,
    },
    /// A tensor of another length than the signature has.
    #[error("{kind} {name} has {got} values, the model takes {expected} ({batch} images)")]
    Length {
        /// `input` or `output`.
        kind: &'static str,
        /// The tensor's name.
        name: String,
        /// Values given.
        got: usize,
        /// Values needed.
        expected: usize,
        /// Images in the batch.
        batch: usize,
    },
}
