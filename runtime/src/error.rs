//! Why a program can't be loaded or run.

use thiserror::Error;

/// Why a program can't be loaded.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The file can't be opened or mapped.
    #[error("the file can't be read: {0}")]
    Unreadable(std::io::Error),
    /// The file is something else.
    #[error("this is no artifact: it does not begin as frit's artifacts do")]
    NotAnArtifact,
    /// An artifact of another version.
    #[error("the artifact has version {found} of the {what}, this program reads version {expected}")]
    Version {
        /// `format` or `calling convention`.
        what: &'static str,
        /// The artifact's.
        found: u32,
        /// The only one that is read.
        expected: u32,
    },
    /// The file is not as it was written.
    #[error("the artifact is damaged: {0}")]
    Damaged(String),
    /// The file is as it was written, and its parts contradict each other.
    #[error("the artifact contradicts itself: {0}")]
    Inconsistent(String),
    /// The code is for CPUs of another architecture.
    #[error("the program was compiled for {needed}, and this CPU is {found}")]
    Architecture {
        /// The program's.
        needed: String,
        /// This CPU's.
        found: &'static str,
    },
    /// The code uses instructions that this CPU has not.
    #[error("this CPU lacks {}, which the program was compiled for", .0.join(", "))]
    MissingFeatures(Vec<String>),
    /// The system gives no more memory or threads, or executes no code of the file.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// Something that the system does not give.
#[derive(Debug, Error)]
#[error("the system refuses {what}: {reason}")]
pub struct Refusal {
    /// What was asked for, with how much of it.
    pub what: String,
    /// The system's words.
    pub reason: std::io::Error,
}

/// Why a program can't be run.
#[derive(Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
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
    /// A tensor that does not lie as it says, or not as the signature wants.
    #[error("{kind} {name} {how}")]
    View {
        /// `input` or `output`.
        kind: &'static str,
        /// The tensor's name.
        name: String,
        /// What is wrong, with both values.
        how: String,
    },
    /// The system has no memory for a dense copy of a tensor that lies otherwise.
    #[error("the system refuses {what}: {reason}")]
    Refused {
        /// What was asked for, with how much of it.
        what: String,
        /// The system's words.
        reason: String,
    },
}

impl From<Refusal> for RunError {
    fn from(Refusal { what, reason }: Refusal) -> RunError {
        RunError::Refused { what, reason: reason.to_string() }
    }
}
