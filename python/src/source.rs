//! The source of a model: read, repaired, and kept for what is asked of it later.

use std::path::PathBuf;

use bytes::Bytes;
use frit_compiler::Options;
use frit_compiler::import::{self, GivenShape, Request};
use frit_compiler::machine::Machine;
use frit_ir::{Faults, Graph};
use frit_passes::egraph::rules;
use frit_passes::legality::{self, Legal};
use frit_passes::pipeline::{self, Optimised, Repaired};
use frit_passes::repair::{Policy, ProjectionWeights};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;

/// Where a model comes from.
#[derive(Debug, FromPyObject)]
pub(crate) enum Given {
    /// The bytes of an ONNX file.
    #[pyo3(transparent)]
    Onnx(PyBackedBytes),
    /// A file of any kind.
    #[pyo3(transparent)]
    File(PathBuf),
}

/// How a model is read and compiled, by the names of `frit.compile`.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Wishes {
    weights: Option<PathBuf>,
    shapes: Vec<(Option<String>, Vec<usize>)>,
    preprocess: Option<PathBuf>,
    residual: Option<String>,
    target: String,
    disable: Vec<String>,
    fuse: bool,
}

/// A model that was read, and how it is compiled.
#[derive(Debug)]
pub(crate) struct Source {
    /// As its file says, before any repair.
    pub(crate) imported: Graph,
    /// What is odd about the file, and allowed.
    pub(crate) warnings: Faults,
    /// How it is compiled.
    pub(crate) options: Options,
    repair: Option<Policy>,
}

/// How a model is read and compiled, found to make sense.
#[derive(Debug)]
pub(crate) struct Checked {
    request: Request,
    preprocess: Option<PathBuf>,
    options: Options,
    repair: Option<Policy>,
}

impl Wishes {
    /// The same as values of the compiler.
    ///
    /// # Errors
    /// `ValueError` for a name that means nothing.
    pub(crate) fn checked(self) -> PyResult<Checked> {
        let machine: Machine = self.target.parse().map_err(meaningless)?;
        if let Some(rule) = self.disable.iter().find(|name| rules::ALL.iter().all(|rule| rule.name != **name))
        {
            return Err(meaningless(format!("there is no rule {rule}: `frit explain --rules` lists all")));
        }
        let repair = match self.residual.as_deref() {
            None | Some("error") => None,
            Some("drop") => Some(Policy::Drop),
            Some("project") => Some(Policy::Project(ProjectionWeights::Seeded)),
            Some("insert") => Some(Policy::Insert),
            Some(other) => {
                let message = format!("there is no residual {other}: choose from drop, project and insert");
                return Err(meaningless(message));
            }
        };
        if self.shapes.iter().any(|(_, axes)| axes.contains(&0)) {
            return Err(meaningless("a shape has whole numbers above 0, the batch first"));
        }
        let shapes = self.shapes.into_iter().map(|(input, axes)| GivenShape { input, axes }).collect();
        let options = Options { machine, fuse: self.fuse, disabled_rules: self.disable, ..Options::native() };
        let request = Request { weights: self.weights, shapes, written: Vec::new() };
        Ok(Checked { request, preprocess: self.preprocess, options, repair })
    }
}

/// An argument that means nothing.
pub(crate) fn meaningless(message: impl std::fmt::Display) -> PyErr {
    PyValueError::new_err(message.to_string())
}

impl Source {
    /// Reads a model.
    ///
    /// # Errors
    /// All faults of the file.
    pub(crate) fn read(given: Given, checked: Checked) -> Result<Source, Faults> {
        let Checked { request, preprocess, options, repair } = checked;
        let (mut imported, warnings) = match given {
            Given::File(path) => import::load(&path, &request)?,
            Given::Onnx(bytes) => import::onnx::read(Bytes::from_owner(bytes), None, &request)?,
        };
        if imported.name.is_empty() {
            "model".clone_into(&mut imported.name);
        }
        if let Some(preprocess) = preprocess {
            imported.preprocess = Some(import::preprocess(&preprocess)?);
        }
        Ok(Source { imported, warnings, options, repair })
    }

    /// The model as it is repaired; itself where nothing is to be.
    ///
    /// # Errors
    /// A fault of frit itself.
    pub(crate) fn repaired(&self) -> Result<Repaired, Faults> {
        let options = pipeline::Options { repair: self.repair, ..pipeline::Options::default() };
        Ok(pipeline::repaired(self.imported.clone(), &options)?)
    }

    /// The model as a legal one, with what is odd about it.
    ///
    /// # Errors
    /// All faults of the network.
    pub(crate) fn legal(&self) -> Result<(Legal<Graph>, Faults), Faults> {
        let repaired = self.repaired()?;
        let (legal, more) = legality::check(repaired.graph)?;
        let mut warnings = repaired.warnings;
        warnings.extend(more);
        Ok((legal, warnings))
    }

    /// The model as the passes leave it.
    ///
    /// # Errors
    /// All faults of the network.
    pub(crate) fn optimised(&self) -> Result<Optimised, Faults> {
        frit_compiler::optimise(self.repaired()?.graph, &self.options)
    }
}
