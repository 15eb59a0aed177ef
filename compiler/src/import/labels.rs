//! Names of classes: a JSON list of strings, in the order of the output.

use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};

use super::{limits, open, place};

/// The labels in the file `path`.
///
/// # Errors
/// The file can't be read, or is no list of strings.
pub fn load(path: &Path) -> Result<Vec<String>, Faults> {
    let place = place(&path.display().to_string());
    let refuse = |reason: String| {
        let fault = Diagnostic::error(codes::LABELS, "these labels can't be read");
        Faults::from(fault.in_file(place.clone()).note(reason))
    };
    let text = open(path)
        .and_then(|file| limits::text(file, limits::LABELS_BYTES))
        .map_err(|fault| refuse(fault.message))?;
    serde_json::from_str(&text).map_err(|error| refuse(format!("no JSON list of strings: {error}")))
}
