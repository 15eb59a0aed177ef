//! Artifacts as open files: what is compiled lies in one that has no name, so that every model is run, saved and pickled alike.

use std::fs::File;
use std::io::{BufWriter, ErrorKind, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use frit_compiler::{Built, execute};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, memory};
use frit_runtime::load::Pages;
use frit_runtime::{LoadError, Model, cpu, file};
use tempfile::NamedTempFile;

/// An artifact, open for reading.
#[derive(Debug)]
pub(crate) struct Artifact {
    file: File,
    /// Where it was found; nowhere, where it was made in this process.
    path: Option<PathBuf>,
    /// On which pages the weights of its model lie.
    pages: Pages,
}

impl Artifact {
    /// That of a network that was just compiled.
    ///
    /// # Errors
    /// The system has no memory for it; FR0901 for a program that no artifact can hold.
    pub(crate) fn of(built: &Built) -> Result<Artifact, Faults> {
        Artifact::made(|file| built.write(file))
    }

    /// That which `bytes` are, as [`Artifact::bytes`] gave them.
    ///
    /// # Errors
    /// The system has no memory for it.
    pub(crate) fn of_bytes(bytes: &[u8]) -> Result<Artifact, Faults> {
        Artifact::made(|file| file.write_all(bytes))
    }

    fn made(write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) -> Result<Artifact, Faults> {
        let made = nameless().and_then(|file| {
            let mut buffered = BufWriter::new(file);
            write(&mut buffered)?;
            Ok(buffered.into_inner()?)
        });
        let refused = |error: std::io::Error| {
            let code = match error.kind() {
                ErrorKind::InvalidData => codes::INTERNAL,
                _ => codes::SYSTEM_REFUSES,
            };
            Diagnostic::error(code, format!("the artifact can't be written: {error}"))
        };
        // No other process shares a file without a name.
        Ok(Artifact { file: made.map_err(refused)?, path: None, pages: Pages::Huge })
    }

    /// That in the file `path`.
    ///
    /// # Errors
    /// The file can't be read.
    pub(crate) fn open(path: &Path, pages: Pages) -> Result<Artifact, Faults> {
        let opened = file::open(path).map_err(LoadError::Unreadable);
        let path = Some(path.to_owned());
        match opened {
            Ok(file) => Ok(Artifact { file, path, pages }),
            Err(error) => Err(refused(&error, path.as_deref())),
        }
    }

    /// The model in it.
    ///
    /// # Errors
    /// It is no artifact, damaged, of another version, or for another CPU.
    pub(crate) fn load(&self) -> Result<Model, Faults> {
        if !cpu::runs_code() {
            let message =
                "frit's code runs under Linux: here a model can be compiled and saved, and not be run";
            return Err(Diagnostic::error(codes::ARTIFACT_CPU, message).into());
        }
        let opened = PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()));
        // SAFETY: one without a name was written by frit, in this process or in the one that pickled it, and nobody else can
        // reach it; whoever loads or unpickles one vouches for it as for a module that they import: their documentation says so.
        let loaded = unsafe { Model::load(&opened, self.pages) };
        loaded.map_err(|error| refused(&error, self.path.as_deref()))
    }

    /// All of it.
    ///
    /// # Errors
    /// The file can't be read; no memory for it.
    pub(crate) fn bytes(&self) -> Result<Vec<u8>, Faults> {
        let unreadable = |error| refused(&LoadError::Unreadable(error), self.path.as_deref());
        let length = self.file.metadata().map_err(unreadable)?.len();
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let mut bytes = memory::reserved(length, "the artifact")?;
        bytes.resize(length, 0);
        self.file.read_exact_at(&mut bytes, 0).map_err(unreadable)?;
        Ok(bytes)
    }

    /// Writes it to `path`: what is there is replaced as a whole, or left as it is.
    ///
    /// # Errors
    /// The file can't be written.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Faults> {
        let bytes = self.bytes()?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let written = NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).and_then(|mut draft| {
            draft.write_all(&bytes)?;
            readable(draft.as_file())?;
            draft.persist(path).map_err(std::io::Error::from)
        });
        let unwritable = |error| {
            let message = format!("{} can't be written: {error}", path.display());
            Diagnostic::error(codes::OUTPUT_UNWRITABLE, message)
        };
        Ok(written.map(drop).map_err(unwritable)?)
    }
}

/// Gives a draft, which its owner alone may read, the rights that an artifact has to be shared with.
fn readable(file: &File) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(std::fs::Permissions::from_mode(0o644))
}

/// A file in memory. Those of a folder may be on a disk whose files are not executed.
#[cfg(target_os = "linux")]
fn nameless() -> std::io::Result<File> {
    Ok(rustix::fs::memfd_create("frit", rustix::fs::MemfdFlags::CLOEXEC)?.into())
}

#[cfg(not(target_os = "linux"))]
fn nameless() -> std::io::Result<File> {
    tempfile::tempfile()
}

fn refused(error: &LoadError, path: Option<&Path>) -> Faults {
    path.map_or_else(|| execute::refused(error), |path| execute::refused_in(path, error))
}
