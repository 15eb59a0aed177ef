//! The faults of a document, told with their places and counted.

use frit_ir::diagnostic::{Code, codes};
use frit_ir::{Diagnostic, Faults, Severity};

use super::document::{Document, Value};
use super::limits;
use super::nearest::nearest;

/// The faults of a document so far.
pub(super) struct Findings<'a> {
    document: &'a Document<'a>,
    faults: Faults,
    errors: usize,
}

impl<'a> Findings<'a> {
    pub(super) fn new(document: &'a Document<'a>) -> Findings<'a> {
        Findings { document, faults: Faults::new(), errors: 0 }
    }

    /// Adds a fault at `value`; past the limit they are counted only.
    pub(super) fn add(&mut self, value: &Value<'a>, diagnostic: Diagnostic) {
        // Counting columns takes its time where all stands in one line, and nobody reads what is past the limit.
        let place = if self.is_full() { self.document.file_alone() } else { self.document.place(value) };
        self.push(diagnostic.in_file(place));
    }

    /// Adds faults that name their layers, and are at no value; those of another file keep it.
    pub(super) fn extend(&mut self, faults: Faults) {
        for fault in faults.iter() {
            let known = !fault.place.file.is_empty();
            let place = if known { fault.place.clone() } else { self.document.file_alone() };
            self.push(fault.clone().in_file(place));
        }
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        if self.errors <= limits::FAULTS {
            self.faults.push(diagnostic);
        }
    }

    /// Whether there is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether further errors are counted only.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= limits::FAULTS
    }

    /// The fault of a name that is none of `known`: `what` says what was looked for. The nearest name takes its time, and nobody
    /// reads what is past the limit.
    pub(super) fn unknown<'k>(
        &self,
        code: Code,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Diagnostic {
        let known = if self.is_full() { None } else { Some(known) };
        unknown(code, what, name, known)
    }

    /// Everything found.
    pub(super) fn finish(mut self) -> Faults {
        if let Some(left_out) = self.errors.checked_sub(limits::FAULTS).filter(|&left_out| left_out > 0) {
            let message = format!("{left_out} more errors are left out");
            self.faults.push(Diagnostic::error(codes::LIMIT, message));
        }
        self.faults
    }
}

/// The fault of a value that is wrong.
pub(super) fn wrong(message: &str) -> Diagnostic {
    Diagnostic::error(codes::BAD_VALUE, message)
}

/// The fault of a name that is none of `known`, with the nearest of these, where any are to be looked through.
pub(super) fn unknown<'k>(
    code: Code,
    what: &str,
    name: &str,
    known: Option<impl Iterator<Item = &'k str> + Clone>,
) -> Diagnostic {
    let shown: String = name.chars().take(limits::NAME_BYTES).collect();
    let fault = Diagnostic::error(code, format!("{what} {shown}"));
    let Some(known) = known else { return fault };
    match nearest(name, known.clone()) {
        Some(near) => fault.help(format!("the nearest is {near}")),
        None => fault.note(format!("known: {}", known.take(40).collect::<Vec<_>>().join(", "))),
    }
}
