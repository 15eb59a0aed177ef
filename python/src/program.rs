//! A model as Python holds it.

use std::path::PathBuf;
use std::sync::OnceLock;

use frit_compiler::execute::unrun;
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use frit_runtime::program::Metadata;
use frit_runtime::{Model, Port, RunError, Session, View, ViewMut};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::artifact::Artifact;
use crate::fault::{About, Raise};
use crate::lent::Lent;
use crate::sessions::Sessions;
use crate::source::Source;

/// A compiled network: an artifact, sessions that run it, and its source where this process compiled it.
#[pyclass(frozen, module = "frit._frit")]
#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) metadata: Metadata,
    pub(crate) artifact: Artifact,
    /// Once it was needed; an artifact for another CPU never is.
    loaded: OnceLock<Model>,
    pub(crate) sessions: Sessions,
    pub(crate) source: Option<Source>,
    /// What is odd about the source, and allowed.
    pub(crate) warnings: Faults,
    /// What was repaired of it, a line each.
    pub(crate) repairs: Vec<String>,
}

/// What a call works on.
pub(crate) type Call<'a, 'v> = (&'a mut Session, &'a [View<'v>], &'a mut [ViewMut<'v>], usize);

impl Program {
    /// That of an artifact; of `metadata`, where that is known already.
    ///
    /// # Errors
    /// As [`Artifact::load`], where the artifact has to say what it is.
    pub(crate) fn new(
        artifact: Artifact,
        metadata: Option<Metadata>,
        threads: Option<usize>,
    ) -> Result<Program, Faults> {
        let loaded = OnceLock::new();
        let metadata = match metadata {
            Some(metadata) => metadata,
            None => {
                let model = artifact.load()?;
                loaded.get_or_init(|| model).metadata().clone()
            }
        };
        let threads = threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let (warnings, repairs) = (Faults::new(), Vec::new());
        let sessions = Sessions::new(threads);
        Ok(Program { metadata, artifact, loaded, sessions, source: None, warnings, repairs })
    }

    /// The model, ready to run.
    ///
    /// # Errors
    /// As [`Artifact::load`].
    pub(crate) fn model(&self) -> Result<&Model, Faults> {
        match self.loaded.get() {
            Some(model) => Ok(model),
            None => {
                let model = self.artifact.load()?;
                Ok(self.loaded.get_or_init(|| model))
            }
        }
    }

    /// The source.
    ///
    /// # Errors
    /// FR0406 where an artifact is all that there is.
    pub(crate) fn source(&self) -> Result<&Source, Faults> {
        let missing = || {
            let message = format!("{} was loaded compiled, and holds no source", self.metadata.name);
            Diagnostic::error(codes::ARTIFACT_NO_SOURCE, message)
                .help("take the model that frit.compile made: loading and unpickling keep the artifact alone")
        };
        Ok(self.source.as_ref().ok_or_else(missing)?)
    }

    /// The shape of an output for so many images, or for one that has no axis for them.
    fn axes(&self, port: &Port, batch: Option<usize>, as_file: bool) -> Vec<usize> {
        match batch {
            _ if as_file => port.axes(batch.unwrap_or(1)),
            None => port.shape.clone(),
            Some(batch) => [&[batch], port.shape.as_slice()].concat(),
        }
    }

    /// What `run` makes of the memory that Python lends, and the arrays that it wrote: `outputs`, or new ones. The
    /// interpreter's lock is released meanwhile.
    ///
    /// # Errors
    /// `frit.InputError` for arrays that don't fit; `frit.ResourceError`.
    pub(crate) fn run_on<'py, T: Send>(
        &self,
        inputs: &Bound<'py, PyTuple>,
        outputs: Option<Bound<'py, PyTuple>>,
        as_file: bool,
        run: impl Send + FnOnce(Call<'_, '_>) -> Result<T, RunError>,
    ) -> PyResult<(Bound<'py, PyTuple>, T)> {
        let py = inputs.py();
        let model = self.model().raised(py, About::Artifact)?;
        let Metadata { inputs: takes, outputs: gives, .. } = &self.metadata;
        counted("input", inputs.len(), takes).raised(py, About::Input)?;
        let read: Vec<Lent> = inputs
            .iter()
            .zip(takes)
            .map(|(array, port)| Lent::input(&array, port))
            .collect::<PyResult<_>>()?;
        let batch = same_batch(&read, takes).raised(py, About::Input)?;
        let (arrays, mut written) = match outputs {
            Some(arrays) => {
                counted("output", arrays.len(), gives).raised(py, About::Input)?;
                let lent = arrays.iter().zip(gives).map(|(array, port)| Lent::output(&array, port));
                let written = lent.collect::<PyResult<Vec<Lent>>>()?;
                fitting(&written, gives, (&read, batch)).raised(py, About::Input)?;
                (arrays, written)
            }
            None => {
                let new = |port: &Port| Lent::new_output(py, &self.axes(port, batch, as_file), port);
                let (arrays, written): (Vec<_>, Vec<_>) =
                    gives.iter().map(new).collect::<PyResult<Vec<_>>>()?.into_iter().unzip();
                (PyTuple::new(py, arrays)?, written)
            }
        };
        let result = py.detach(|| {
            let read: Vec<View<'_>> = read.iter().map(Lent::view).collect();
            let mut written: Vec<ViewMut<'_>> = written.iter_mut().map(Lent::view_mut).collect();
            let images = batch.unwrap_or(1);
            self.sessions.with(model, |session| run((session, &read, &mut written, images)))
        });
        let result = result.raised(py, About::Input)?;
        Ok((arrays, result.map_err(|error| unrun(&error)).raised(py, About::Input)?))
    }
}

#[pymethods]
impl Program {
    /// The outputs for `inputs`, in the model's order: `outputs` themselves, where some are given.
    #[pyo3(signature = (inputs, outputs = None, as_file = false))]
    fn run<'py>(
        &self,
        inputs: &Bound<'py, PyTuple>,
        outputs: Option<Bound<'py, PyTuple>>,
        as_file: bool,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let run = |(session, read, written, batch): Call<'_, '_>| session.run(read, written, batch);
        Ok(self.run_on(inputs, outputs, as_file, run)?.0)
    }

    /// Its name.
    #[getter]
    fn name(&self) -> &str {
        &self.metadata.name
    }

    /// What it was compiled for.
    #[getter]
    fn target(&self) -> &str {
        &self.metadata.target.level
    }

    /// Threads of each call.
    #[getter]
    fn threads(&self) -> usize {
        self.sessions.threads
    }

    /// Multiply-accumulates of one image.
    #[getter]
    fn macs(&self) -> u64 {
        self.metadata.source.macs
    }

    /// Inputs in order, each with name, shape of one image and element.
    #[getter]
    fn inputs(&self) -> Vec<(&str, &[usize], &str, bool)> {
        self.metadata.inputs.iter().map(described).collect()
    }

    /// Outputs in order.
    #[getter]
    fn outputs(&self) -> Vec<(&str, &[usize], &str, bool)> {
        self.metadata.outputs.iter().map(described).collect()
    }

    /// Names of the classes, where they are known.
    #[getter]
    fn labels(&self) -> Option<&[String]> {
        self.metadata.source.labels.as_deref()
    }

    /// What was repaired of its source.
    #[getter]
    fn repairs(&self) -> &[String] {
        &self.repairs
    }

    /// The artifact.
    fn artifact<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let bytes = py.detach(|| self.artifact.bytes()).raised(py, About::Artifact)?;
        Ok(PyBytes::new(py, &bytes))
    }

    /// Writes the artifact to `path`.
    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        py.detach(|| self.artifact.save(&path)).raised(py, About::Artifact)
    }
}

fn described(port: &Port) -> (&str, &[usize], &str, bool) {
    (&port.name, &port.shape, port.element.name(), port.is_unbatched)
}

fn counted(kind: &'static str, got: usize, ports: &[Port]) -> Result<(), Diagnostic> {
    match ports.len() {
        expected if expected == got => Ok(()),
        expected => {
            let names: Vec<&str> = ports.iter().map(|port| port.name.as_str()).collect();
            let fault = unrun(&RunError::Count { kind, got, expected });
            Err(fault.note(format!("its {kind}s are {}", names.join(", "))))
        }
    }
}

/// How many images all inputs hold; none where each is one image without an axis for them.
fn same_batch(read: &[Lent], ports: &[Port]) -> Result<Option<usize>, Diagnostic> {
    let Some(first) = read.first() else { return Ok(Some(1)) };
    let images = |lent: &Lent| lent.batch.unwrap_or(1);
    match read.iter().zip(ports).find(|(lent, _)| images(lent) != images(first)) {
        None => Ok(read.iter().find_map(|lent| lent.batch)),
        Some((lent, port)) => {
            let message = format!("inputs are of {} and of {} images", images(first), images(lent));
            let fault = Diagnostic::error(codes::INPUT_SHAPE, message);
            let given = |lent: &Lent| format!("{} images", images(lent));
            let fault = fault.operand("first", &ports[0].name, given(first));
            Err(fault.operand("other", &port.name, given(lent)))
        }
    }
}

/// Whether outputs hold as many images as the inputs, and share memory with nothing else of the call.
fn fitting(
    written: &[Lent],
    ports: &[Port],
    (read, batch): (&[Lent], Option<usize>),
) -> Result<(), Diagnostic> {
    let wanted = batch.unwrap_or(1);
    for (index, (lent, port)) in written.iter().zip(ports).enumerate() {
        let found = lent.batch.unwrap_or(1);
        if found != wanted {
            let message =
                format!("output {} has room for {found} images, the inputs are of {wanted}", port.name);
            return Err(Diagnostic::error(codes::INPUT_SHAPE, message));
        }
        if read.iter().chain(&written[..index]).any(|other| lent.meets(other)) {
            let message = format!("output {} shares memory with another array of the call", port.name);
            return Err(Diagnostic::error(codes::INPUT_SHAPE, message).help("give it memory of its own"));
        }
    }
    Ok(())
}
