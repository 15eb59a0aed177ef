//! From a source to a program, and from an artifact.

use std::path::PathBuf;

use frit_compiler::report::text;
use frit_ir::Faults;
use frit_runtime::load::Pages;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::artifact::Artifact;
use crate::fault::{About, Raise};
use crate::program::Program;
use crate::source::{Checked, Given, Source, Wishes};

/// Parts of the way, after which progress is told: what is read, what is prepared, the code.
const PARTS: usize = 3;

/// Compiles a model. `progress` is called with the number of parts that are done, and of all.
#[pyfunction]
pub(crate) fn compile(
    py: Python<'_>,
    model: Given,
    wishes: Wishes,
    threads: Option<usize>,
    progress: Option<Py<PyAny>>,
) -> PyResult<Program> {
    let checked = wishes.checked()?;
    let mut progress = Progress { callback: progress, raised: None };
    let program = py.detach(|| compiled(model, checked, threads, &mut progress));
    match progress.raised {
        Some(error) => Err(error),
        None => program.raised(py, About::Model),
    }
}

fn compiled(
    model: Given,
    checked: Checked,
    threads: Option<usize>,
    progress: &mut Progress,
) -> Result<Program, Faults> {
    let mut source = Source::read(model, checked)?;
    progress.tell(1);
    let repaired = source.repaired()?;
    let repairs = repaired.reports.iter().flat_map(|report| &report.changed).map(text::edit).collect();
    let built = frit_compiler::build(repaired.graph, &source.options, &mut |_, _| progress.tell(2))?;
    let mut warnings = std::mem::take(&mut source.warnings);
    warnings.extend(repaired.warnings);
    warnings.extend(built.warnings.clone());
    let artifact = Artifact::of(&built)?;
    let mut program = Program::new(artifact, Some(built.metadata), threads)?;
    (program.source, program.warnings, program.repairs) = (Some(source), warnings, repairs);
    progress.tell(PARTS);
    Ok(program)
}

/// Loads the artifact in the file `path`.
#[pyfunction]
pub(crate) fn load(
    py: Python<'_>,
    path: PathBuf,
    threads: Option<usize>,
    huge_pages: bool,
) -> PyResult<Program> {
    let pages = if huge_pages { Pages::Huge } else { Pages::Shared };
    let program = py.detach(|| Program::new(Artifact::open(&path, pages)?, None, threads));
    program.raised(py, About::Artifact)
}

/// Takes the artifact out of a pickle.
#[pyfunction]
pub(crate) fn restore(py: Python<'_>, artifact: &Bound<'_, PyBytes>, threads: usize) -> PyResult<Program> {
    let bytes = artifact.as_bytes();
    let program = py.detach(|| Program::new(Artifact::of_bytes(bytes)?, None, Some(threads)));
    program.raised(py, About::Artifact)
}

/// Who is told of progress.
struct Progress {
    callback: Option<Py<PyAny>>,
    /// What it raised: it is not called again then.
    raised: Option<PyErr>,
}

impl Progress {
    fn tell(&mut self, done: usize) {
        let Some(callback) = self.callback.as_ref().filter(|_| self.raised.is_none()) else { return };
        self.raised = Python::attach(|py| callback.call1(py, (done, PARTS))).err();
    }
}
