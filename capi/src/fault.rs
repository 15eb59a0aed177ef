//! What a function returns, and the sentence about the last fault of a thread.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, CString};
use std::panic::{AssertUnwindSafe, catch_unwind};

use frit_runtime::{LoadError, RunError};

/// `enum frit_status` of the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Status {
    /// All is well.
    Ok = 0,
    /// An argument that makes no sense.
    Argument = 1,
    /// The file can't be read.
    File = 2,
    /// The file is no artifact, or damaged, or of another version.
    Artifact = 3,
    /// The artifact is for another CPU.
    Cpu = 4,
    /// The system refuses memory or threads.
    System = 5,
    /// The session is in use.
    InUse = 6,
    /// A fault of frit.
    Internal = 7,
}

/// The statuses in words, and at the end what is said of any other number.
const MESSAGES: [&CStr; 9] = [
    c"no error",
    c"an argument is wrong",
    c"the file can't be read",
    c"the file is no artifact that this library reads",
    c"the artifact is for another CPU",
    c"the system refuses memory or threads",
    c"the session is in use: every caller needs a session of its own",
    c"this is a fault of frit",
    c"an unknown status",
];

/// A status in words.
pub fn message(status: i32) -> &'static CStr {
    let index = usize::try_from(status).unwrap_or(usize::MAX);
    MESSAGES[index.min(MESSAGES.len() - 1)]
}

/// Why a function fails.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it returns.
    pub status: Status,
    /// The sentence.
    pub reason: String,
}

impl Fault {
    /// An argument makes no sense, and why.
    pub fn argument(reason: impl Into<String>) -> Fault {
        Fault { status: Status::Argument, reason: reason.into() }
    }
}

impl From<LoadError> for Fault {
    fn from(error: LoadError) -> Fault {
        let status = match &error {
            LoadError::Unreadable(_) => Status::File,
            LoadError::NotAnArtifact
            | LoadError::Version { .. }
            | LoadError::Damaged(_)
            | LoadError::Inconsistent(_) => Status::Artifact,
            LoadError::Architecture { .. } | LoadError::MissingFeatures(_) => Status::Cpu,
            LoadError::Refused(_) => Status::System,
        };
        Fault { status, reason: error.to_string() }
    }
}

impl From<RunError> for Fault {
    fn from(error: RunError) -> Fault {
        let status =
            if matches!(error, RunError::Refused { .. }) { Status::System } else { Status::Argument };
        Fault { status, reason: error.to_string() }
    }
}

thread_local! {
    /// About the last fault of this thread.
    static LAST: RefCell<CString> = RefCell::default();
}

/// Runs `body`; a fault or a panic becomes a status, and the thread keeps the sentence.
pub fn guarded(body: impl FnOnce() -> Result<(), Fault>) -> i32 {
    // Whatever a panic leaves is the session's memory, which the next run writes before it reads it.
    let result = catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|panic| Err(Fault { status: Status::Internal, reason: told(&*panic) }));
    let Err(Fault { status, reason }) = result else { return Status::Ok as i32 };
    LAST.with_borrow_mut(|last| *last = text(&reason));
    status as i32
}

/// The sentence about the last fault of this thread, empty where there was none; it stays until the next one.
pub fn last() -> *const std::ffi::c_char {
    LAST.with_borrow(|last| last.as_ptr())
}

fn told(panic: &dyn Any) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic").to_owned()
}

/// `text` as C has it, which ends at the first zero.
pub fn text(text: &str) -> CString {
    CString::new(text.replace('\0', "\u{fffd}")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_status_with_its_words() {
        assert_eq!(guarded(|| Ok(())), 0);
        assert_eq!(guarded(|| panic!("of {}", 1)), Status::Internal as i32);
        assert_eq!(LAST.with_borrow(CString::clone), text("of 1"));
        assert_eq!(guarded(|| Err(Fault::argument("a\0b"))), Status::Argument as i32);
        assert_eq!(LAST.with_borrow(CString::clone), text("a\u{fffd}b"));
    }

    #[test]
    fn every_status_has_a_message() {
        assert_eq!(message(Status::Ok as i32), c"no error");
        assert_eq!(message(Status::Internal as i32), c"this is a fault of frit");
        for unknown in [-1, 8, i32::MAX, i32::MIN] {
            assert_eq!(message(unknown), c"an unknown status");
        }
    }
}
