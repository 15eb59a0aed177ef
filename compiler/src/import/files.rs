//! Files: opened, named in faults, and kept to the folder of the model.

use std::fs::File;
use std::path::{Component, Path, PathBuf};

use frit_ir::Diagnostic;
use frit_ir::diagnostic::{Place, codes};
use frit_runtime::file;

use super::identity::Identity;

/// The file, open for reading; what is none is refused.
pub(super) fn open(path: &Path) -> Result<File, Diagnostic> {
    file::open(path).map_err(|error| {
        Diagnostic::error(codes::FILE_UNREADABLE, format!("the file can't be read: {error}"))
    })
}

/// A whole file as the place of a fault.
pub(super) fn place(file: &str) -> Place {
    Place { file: file.to_owned(), ..Place::default() }
}

/// The file `name` of `folder`, which it must not leave; it is none of those that are `written`.
///
/// # Errors
/// In words, why it is no file that may be read.
pub(super) fn inside(folder: &Path, name: &str, written: &[Identity]) -> Result<PathBuf, String> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !plain || name.contains('\\') {
        return Err("it must be a file in the folder of the model".to_owned());
    }
    let path = folder.join(relative);
    let real = |path: &Path| path.canonicalize().map_err(|error| error.to_string());
    if !real(&path)?.starts_with(real(folder)?) {
        return Err("it is a link that leaves the folder of the model".to_owned());
    }
    if Identity::of(&path).is_some_and(|file| written.contains(&file)) {
        return Err("it is the file that is to be written: write to another one".to_owned());
    }
    Ok(path)
}

/// The folder that a file lies in.
pub(super) fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
