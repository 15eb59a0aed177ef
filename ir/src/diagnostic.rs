//! Diagnostics: a stable code, the place, the layers by their source names, both shapes, and what to do about it.

pub mod codes;
pub mod render;

pub use codes::Code;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The model is accepted and right; it could do with less.
    Hint,
    /// The model is accepted.
    Warning,
    /// The model is refused.
    Error,
}

/// Where in a file: line and column from 1, and the path inside the document (`/layers/3/stride`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The file as the user named it, empty where unknown.
    pub file: String,
    /// Line from 1, where known.
    pub line: Option<usize>,
    /// Column from 1, where known.
    pub column: Option<usize>,
    /// Path inside the document, empty where there is none.
    pub path: String,
}

/// One operand of the faulty layer: what it is to the layer, which layer made it, and its shape in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operand {
    /// Its part, such as `main path` or `shortcut`.
    pub role: String,
    /// The layer that made it, by its source name.
    pub layer: String,
    /// Its shape, with how it came about: `128x128x16 → stride 2 → 64x64x24`.
    pub shape: String,
}

/// A way out; `flag` is what to type, where one flag does it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Help {
    /// What to do.
    pub text: String,
    /// The command-line flag that does it.
    pub flag: Option<String>,
    /// A remark behind the flag, such as `what MobileNetV2 and V3 do`.
    pub remark: Option<String>,
}

/// One fault or warning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// The stable code.
    pub code: Code,
    /// Error or warning.
    pub severity: Severity,
    /// One line: what is wrong.
    pub message: String,
    /// The layer at fault, by its source name, with its kind: `add_1 (Add)`; empty where no layer is.
    pub layer: String,
    /// Where in the file.
    pub place: Place,
    /// The shapes that meet.
    pub operands: Vec<Operand>,
    /// Why it is wrong.
    pub notes: Vec<String>,
    /// The ways out.
    pub help: Vec<Help>,
}

impl Diagnostic {
    /// An error with `code`; the builder methods below add to it.
    pub fn error(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            code,
            severity: Severity::Error,
            message: message.into(),
            layer: String::new(),
            place: Place::default(),
            operands: Vec::new(),
            notes: Vec::new(),
            help: Vec::new(),
        }
    }

    /// A warning with `code`.
    pub fn warning(code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, message) }
    }

    /// Names the layer at fault.
    pub fn at(mut self, layer: impl Into<String>) -> Diagnostic {
        self.layer = layer.into();
        self
    }

    /// Says where in the file.
    pub fn in_file(mut self, place: Place) -> Diagnostic {
        self.place = place;
        self
    }

    /// Adds an operand.
    pub fn operand(
        mut self,
        role: impl Into<String>,
        layer: impl Into<String>,
        shape: impl Into<String>,
    ) -> Diagnostic {
        self.operands.push(Operand { role: role.into(), layer: layer.into(), shape: shape.into() });
        self
    }

    /// Says why.
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Offers a way out in words.
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.help.push(Help { text: text.into(), flag: None, remark: None });
        self
    }

    /// Offers a way out by a flag.
    pub fn help_flag(
        mut self,
        text: impl Into<String>,
        flag: impl Into<String>,
        remark: impl Into<String>,
    ) -> Diagnostic {
        self.help.push(Help { text: text.into(), flag: Some(flag.into()), remark: Some(remark.into()) });
        self
    }
}

/// All diagnostics of one walk, in the order found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults(Vec<Diagnostic>);

impl Faults {
    /// None yet.
    pub fn new() -> Faults {
        Faults::default()
    }

    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// Adds all of `other`.
    pub fn extend(&mut self, other: Faults) {
        self.0.extend(other.0);
    }

    /// All, in the order found.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }

    /// All, to be changed: an importer adds the file to each.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Diagnostic> {
        self.0.iter_mut()
    }

    /// All as of `file`, but those whose file is known.
    pub fn from_file(mut self, file: &str) -> Faults {
        for fault in self.0.iter_mut().filter(|fault| fault.place.file.is_empty()) {
            file.clone_into(&mut fault.place.file);
        }
        self
    }

    /// Whether any is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|d| d.severity == Severity::Error)
    }

    /// Whether there is none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `value` with the warnings, unless there is an error.
    pub fn unless_errors<T>(self, value: T) -> Result<(T, Faults), Faults> {
        if self.has_errors() { Err(self) } else { Ok((value, self)) }
    }
}

impl From<Diagnostic> for Faults {
    fn from(diagnostic: Diagnostic) -> Faults {
        Faults(vec![diagnostic])
    }
}
