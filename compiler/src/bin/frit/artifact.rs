//! ARTIFACT arguments: models that are compiled already.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use frit_compiler::execute;
use frit_compiler::machine::{Lowering, Machine};
use frit_compiler::report::results;
use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_runtime::artifact::{self, MAGIC};
use frit_runtime::load::Pages;
use frit_runtime::map::MappedFile;
use frit_runtime::program::Metadata;
use frit_runtime::{LoadError, Model, abi, cpu};

use crate::failure::Failure;

/// Whether the file is an artifact by its content, or by its name where it can't be one.
pub(crate) fn is_artifact(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("frit")) || begins_so(path)
}

/// Only files are looked into: what is read from a pipe is gone.
fn begins_so(path: &Path) -> bool {
    let mut begin = [0; MAGIC.len()];
    let is_file = std::fs::metadata(path).is_ok_and(|found| found.is_file());
    is_file
        && File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok()
        && artifact::is_artifact(&begin)
}

/// The model in the artifact `path`.
pub(crate) fn load(path: &Path, pages: Pages) -> Result<Model, Failure> {
    // SAFETY: whoever names an artifact to the command vouches for it as for a program that they run; the help says so.
    #[allow(unsafe_code, reason = "the one place where the user's word is taken")]
    let loaded = unsafe { Model::load(path, pages) };
    Ok(loaded.map_err(|error| execute::refused_in(path, &error))?)
}

/// What the artifact `path` says of itself, whatever CPU it is for.
pub(crate) fn inspect(path: &Path) -> Result<results::Artifact, Failure> {
    let refused = |error: LoadError| execute::refused_in(path, &error);
    let file = MappedFile::open(path).map_err(|error| refused(LoadError::Unreadable(error)))?;
    let found = artifact::decode(&file).map_err(refused)?;
    Ok(results::Artifact {
        file: path.display().to_string(),
        bytes: file.len() as u64,
        code_bytes: found.code.len(),
        weight_bytes: found.weights.len(),
        // No other versions are read.
        format: artifact::VERSION,
        calling_convention: abi::VERSION,
        lacks: cpu::missing(&found.metadata.target.features),
        metadata: found.metadata,
    })
}

/// The machine that a model was compiled for, as far as it says.
pub(crate) fn machine(metadata: &Metadata) -> Machine {
    let machine = metadata.target.level.parse().unwrap_or_else(|_| Machine::native());
    let lowering = [Lowering::Portable, Lowering::Wide];
    let lowering = lowering.into_iter().find(|lowering| lowering.name() == metadata.target.lowering);
    lowering.and_then(|lowering| machine.clone().with_lowering(lowering).ok()).unwrap_or(machine)
}

/// What a command says that needs the source of a model.
pub(crate) fn no_source(path: &Path) -> Failure {
    let message = format!("{} is compiled already, and holds no source", path.display());
    Diagnostic::error(codes::ARTIFACT_NO_SOURCE, message)
        .help("give the model that it was compiled from")
        .help("run, bench and verify take artifacts, and inspect says what is in one")
        .into()
}
