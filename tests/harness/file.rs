//! Models that went through a file.

use std::path::Path;

use frit_ir::Graph;
use frit_runtime::load::Pages;
use frit_runtime::{LoadError, Model};
use tempfile::NamedTempFile;

use crate::compare::Way;

/// Compiles `graph` this way to an artifact, and loads that for this CPU.
///
/// # Errors
/// What the compiler, the system or the runtime says, in words.
pub fn model(graph: &Graph, way: Way) -> Result<Model, String> {
    let built = frit_compiler::build(graph.clone(), &way.options(), &mut |_, _| {})
        .map_err(|faults| format!("{faults:?}"))?;
    let mut file = NamedTempFile::new().map_err(|error| error.to_string())?;
    built.write(&mut file).map_err(|error| error.to_string())?;
    // SAFETY: the file was written just now by the compiler. Its name is gone when this function returns, so that nobody
    // can change what the model keeps mapped.
    unsafe { Model::load(file.path(), Pages::Shared) }.map_err(|error| error.to_string())
}

/// Loads the artifact `path`, whose head and metadata may be anything.
///
/// # Errors
/// What the runtime says.
pub fn altered(path: &Path) -> Result<Model, LoadError> {
    // SAFETY: code and weights are the compiler's own, and nobody changes the file while the model lives; that nothing else
    // of a file can lead them astray is what the caller tests.
    unsafe { Model::load(path, Pages::Shared) }
}
