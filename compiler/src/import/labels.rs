//! Names of classes: a JSON list of strings, in the order of the output.

use std::fmt;
use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use serde::Deserializer;
use serde::de::{Error, SeqAccess, Visitor};

use super::files::{open, place};
use super::limits;

/// Labels of a file: more than any network has classes.
const LABELS: usize = 1 << 20;

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
    parse(&text).map_err(|error| refuse(format!("no JSON list of strings: {error}")))
}

fn parse(text: &str) -> serde_json::Result<Vec<String>> {
    let mut list = serde_json::Deserializer::from_str(text);
    let labels = list.deserialize_seq(Labels)?;
    list.end()?;
    Ok(labels)
}

/// Reads a list up to its limit.
struct Labels;

impl<'de> Visitor<'de> for Labels {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<String>, A::Error> {
        let mut labels = Vec::new();
        while let Some(label) = list.next_element()? {
            if labels.len() == LABELS {
                return Err(A::Error::custom(format!("there are more than {LABELS} labels")));
            }
            labels.push(label);
        }
        Ok(labels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_strings_is_read_up_to_its_limit() {
        assert_eq!(parse(r#" ["a", "b"] "#).unwrap(), ["a", "b"]);
        for bad in ["{}", "[1]", r#"["a"] x"#, r#"["a""#] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        let list = |labels: usize| format!("[{}\"\"]", "\"\",".repeat(labels - 1));
        assert_eq!(parse(&list(LABELS)).unwrap().len(), LABELS);
        assert!(parse(&list(LABELS + 1)).unwrap_err().to_string().contains("more than"));
    }
}
