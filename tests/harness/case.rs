//! File tests: a head that says what runs, a body in text, and the answer below a line.
//!
//! ```text
//! // An activation becomes part of the convolution before it.
//! // run: egraph
//! BODY
//! ----
//! ANSWER
//! ```
//!
//! A head line `// key: value` whose key is one word is a directive; other head lines are for the reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use similar::{ChangeTag, TextDiff};

/// The line between body and answer.
const SEPARATOR: &str = "----";

/// One file test.
pub struct Case {
    /// Where it is.
    pub path: PathBuf,
    /// The directives of its head.
    pub directives: BTreeMap<String, String>,
    /// What is tested.
    pub body: String,
    /// Lines up to and with the separator.
    kept: String,
    /// What stands below it.
    expected: String,
}

impl Case {
    /// Reads a file test.
    ///
    /// # Panics
    /// If the file can't be read.
    pub fn read(path: &Path) -> Case {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Case::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Case {
        let (mut directives, mut body) = (BTreeMap::new(), String::new());
        let (mut kept, mut expected) = (String::new(), String::new());
        let (mut in_head, mut in_answer) = (true, false);
        for line in text.lines() {
            if in_answer {
                expected += &format!("{line}\n");
                continue;
            }
            kept += &format!("{line}\n");
            let head = line.strip_prefix("//").filter(|_| in_head);
            if line == SEPARATOR {
                in_answer = true;
            } else if let Some(head) = head {
                if let Some((key, value)) = head.trim().split_once(": ").filter(|(key, _)| !key.contains(' '))
                {
                    directives.insert(key.to_owned(), value.trim().to_owned());
                }
            } else {
                in_head = false;
                body += &format!("{line}\n");
            }
        }
        if !in_answer {
            kept += &format!("{SEPARATOR}\n");
        }
        Case { path: path.to_owned(), directives, body, kept, expected }
    }

    /// The value of a directive, empty where there is none.
    pub fn directive(&self, key: &str) -> &str {
        self.directives.get(key).map_or("", String::as_str)
    }

    /// Compares `answer` with what the file holds; with `bless` it is written there.
    ///
    /// # Errors
    /// The diff, with the command that writes the answer.
    pub fn settle(&self, answer: &str, bless: bool) -> Result<(), String> {
        self.check_errors(answer)?;
        let answer = if answer.is_empty() || answer.ends_with('\n') {
            answer.to_owned()
        } else {
            format!("{answer}\n")
        };
        if answer == self.expected {
            return Ok(());
        }
        if bless {
            let written = fs::write(&self.path, format!("{}{answer}", self.kept));
            return written.map_err(|error| format!("{}: {error}", self.path.display()));
        }
        Err(format!(
            "{}\n{}\nif this is right: FRIT_BLESS=1 cargo test -p frit-tests --test files",
            self.path.display(),
            diff(&self.expected, &answer)
        ))
    }

    /// An answer has an error exactly where `// error:` says so, and then begins with it: what is blessed in haste is
    /// noticed.
    fn check_errors(&self, answer: &str) -> Result<(), String> {
        let wanted = self.directive("error");
        let found = answer.contains("error[");
        let right = if wanted.is_empty() { !found } else { answer.contains(&format!("error[{wanted}]")) };
        if right {
            return Ok(());
        }
        let wanted = if wanted.is_empty() { "no error" } else { wanted };
        Err(format!("{}: the head promises {wanted}, the answer is:\n{answer}", self.path.display()))
    }
}

/// The lines that differ, with three around each.
pub fn diff(expected: &str, actual: &str) -> String {
    let diff = TextDiff::from_lines(expected, actual);
    let mut text = String::new();
    for group in diff.grouped_ops(3) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            text += &format!("{sign} {}\n", change.value().trim_end_matches('\n'));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "// Two things.\n// run: text\n// error: FR0011\nbody\n// not head\n----\nerror[FR0011]: no\n";

    #[test]
    fn a_case_is_split_into_head_body_and_answer() {
        let case = Case::parse(Path::new("a.test"), TEXT);
        assert_eq!(case.directive("run"), "text");
        assert_eq!(case.directive("input"), "");
        assert_eq!(case.body, "body\n// not head\n");
        assert_eq!(case.expected, "error[FR0011]: no\n");
    }

    #[test]
    fn an_answer_that_differs_is_refused_with_a_diff_and_the_way_to_bless() {
        let case = Case::parse(Path::new("a.test"), TEXT);
        assert_eq!(case.settle("error[FR0011]: no\n", false), Ok(()));
        let refusal = case.settle("error[FR0011]: yes\n", false).unwrap_err();
        assert!(refusal.contains("- error[FR0011]: no\n+ error[FR0011]: yes"), "{refusal}");
        assert!(refusal.contains("FRIT_BLESS=1"), "{refusal}");
    }

    #[test]
    fn an_error_that_the_head_does_not_promise_is_refused() {
        let case = Case::parse(Path::new("a.test"), TEXT);
        assert!(case.settle("fine", false).unwrap_err().contains("promises FR0011"));
        let case = Case::parse(Path::new("a.test"), "// run: text\nbody\n----\n");
        assert!(case.settle("error[FR0011]: no", false).unwrap_err().contains("promises no error"));
    }
}
