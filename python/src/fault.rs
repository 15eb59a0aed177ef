//! Faults as exceptions of Python's.

use frit_ir::Faults;
use frit_ir::diagnostic::render;
use pyo3::prelude::*;

/// A diagnostic as Python takes it: as JSON, and as text.
pub(crate) type Told = (String, String);

/// Of what a fault is where its code does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// The source of a model.
    Model,
    /// An artifact.
    Artifact,
    /// What a model is given.
    Input,
}

impl About {
    fn name(self) -> &'static str {
        match self {
            About::Model => "model",
            About::Artifact => "artifact",
            About::Input => "input",
        }
    }
}

/// Turns faults into the exception that tells them.
pub(crate) trait Raise<T> {
    /// The value, or a `frit.FritError` of the class that belongs to the first fault's code.
    fn raised(self, py: Python<'_>, about: About) -> PyResult<T>;
}

impl<T, E: Into<Faults>> Raise<T> for Result<T, E> {
    fn raised(self, py: Python<'_>, about: About) -> PyResult<T> {
        self.map_err(|faults| exception(py, &faults.into(), about).unwrap_or_else(|error| error))
    }
}

fn exception(py: Python<'_>, faults: &Faults, about: About) -> PyResult<PyErr> {
    let value = py.import("frit._errors")?.call_method1("exception", (told(faults), about.name()))?;
    Ok(PyErr::from_value(value))
}

/// All faults as Python takes them.
pub(crate) fn told(faults: &Faults) -> Vec<Told> {
    faults.iter().map(|fault| (render::json(fault), render::text(fault))).collect()
}
