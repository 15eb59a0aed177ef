//! Files that commands write: where they lie, what is refused, and how they come to be there whole or not at all.
//!
//! A link stays what it is, and the file that it leads to is replaced. What is no file, such as a device or a pipe, can't be
//! replaced and is written to. A file is written without a name, in the folder where it will lie, and gets its name when all
//! of it is there ([`Draft`]).

mod draft;

use std::fs::{self, File, Metadata};
use std::io::{Error, ErrorKind, Result as IoResult};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use frit_compiler::import::Identity;
use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use crate::failure::Failure;

pub(crate) use draft::{Draft, keep};

/// Links that are followed from one path; the system follows as many.
const LINKS: usize = 40;

/// Where a command writes to.
#[derive(Debug)]
pub(crate) struct Output {
    /// As the user named it.
    named: PathBuf,
    place: Target,
}

#[derive(Debug)]
enum Target {
    /// A device, a pipe, or a file that has no name any more: open to be written to.
    Stream { file: File, stdout: bool },
    /// A file, behind all links.
    File {
        path: PathBuf,
        /// What it is until it is replaced; none where there is nothing yet.
        replaced: Option<Metadata>,
    },
}

impl Output {
    /// What `path` leads to. To open a pipe is to wait for its reader.
    ///
    /// # Errors
    /// It is `-`, a folder, or something that can't be written to.
    pub(crate) fn new(path: &Path) -> Result<Output, Failure> {
        if path == Path::new("-") {
            let message =
                "- is no name of a file: /dev/stdout is the standard output, ./- a file that is called so";
            return Err(Failure::Usage(message.to_owned()));
        }
        let place = Target::of(path).map_err(|error| Failure::from(unwritable(path, &error)))?;
        Ok(Output { named: path.to_owned(), place })
    }

    /// The same, refused where it is a file whose name does not end in `ending`; `what` is written to such files.
    pub(crate) fn ending(path: &Path, ending: &str, what: &str) -> Result<Output, Failure> {
        let output = Output::new(path)?;
        let ends = path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
        match &output.place {
            Target::File { .. } if !ends => {
                Err(Failure::Usage(format!("{what} written as .{ending}, {} is none", path.display())))
            }
            _ => Ok(output),
        }
    }

    /// Whether it is a file, which has a name and others beside it.
    pub(crate) fn is_file(&self) -> bool {
        matches!(self.place, Target::File { .. })
    }

    /// Whether it goes where reports go.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.place, Target::Stream { stdout: true, .. })
    }

    /// Refuses it where `other` is the same file.
    pub(crate) fn differs_from(&self, other: &Output) -> Result<(), Failure> {
        match (&self.place, &other.place) {
            (Target::File { path, .. }, Target::File { path: same, .. }) if path == same => {
                let message = format!("{} can't be written", self.named.display());
                let fault = Diagnostic::error(codes::OUTPUT_UNWRITABLE, message);
                Err(fault.note(format!("it is the same file as {}", other.named.display())).into())
            }
            _ => Ok(()),
        }
    }

    /// Refuses it where it is `input`, one of the files that the command reads.
    pub(crate) fn is_not(&self, input: &Path) -> Result<(), Failure> {
        let read =
            if input == Path::new("-") { Identity::of_open(std::io::stdin()) } else { Identity::of(input) };
        if read.is_none() || read != self.identity() {
            return Ok(());
        }
        let message = format!("{} can't be written", self.named.display());
        let fault = Diagnostic::error(codes::OUTPUT_UNWRITABLE, message);
        let fault = match input == self.named {
            true => fault.note("it is a file that the command reads"),
            false => fault.note(format!("it is {}, which the command reads", input.display())),
        };
        Err(fault.help("write to another file").into())
    }

    /// The file that it writes to or replaces; none where there is none yet, and of a device or a pipe.
    pub(crate) fn identity(&self) -> Option<Identity> {
        match &self.place {
            Target::Stream { file, .. } => Identity::of_open(file),
            Target::File { path, .. } => Identity::of(path),
        }
    }

    /// Why it can't be written: `error`.
    fn unwritable(&self, error: &Error) -> Failure {
        match &self.place {
            Target::Stream { .. } if error.kind() == ErrorKind::BrokenPipe => Failure::Closed,
            Target::File { replaced: Some(_), .. } if error.kind() == ErrorKind::PermissionDenied => {
                let note = "a file is replaced as a whole, for which its folder must be writable";
                unwritable(&self.named, error).note(note).into()
            }
            _ => unwritable(&self.named, error).into(),
        }
    }
}

impl Target {
    fn of(path: &Path) -> IoResult<Target> {
        if path.as_os_str().as_bytes().ends_with(b"/") {
            return Err(ErrorKind::IsADirectory.into());
        }
        let found = match fs::metadata(path) {
            Ok(found) => found,
            // Nothing is there yet, or a link to something that is not.
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Target::File { path: behind_links(path)?, replaced: None });
            }
            Err(error) => return Err(error),
        };
        let stdout = File::from(std::io::stdout().as_fd().try_clone_to_owned()?);
        if same(&found, &stdout.metadata()?) {
            return Ok(Target::Stream { file: stdout, stdout: true });
        }
        // What may not be written may not be replaced either, though its folder would allow it.
        let file = File::options().write(true).open(path)?;
        if found.is_file() {
            let leads_here = |real: &PathBuf| fs::metadata(real).is_ok_and(|real| same(&found, &real));
            if let Some(path) = behind_links(path).ok().filter(leads_here) {
                return Ok(Target::File { path, replaced: Some(found) });
            }
        }
        Ok(Target::Stream { file, stdout: false })
    }
}

/// Whether both are one file or device.
fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// The path that `path` leads to, whether or not anything is there, in a folder without links.
fn behind_links(path: &Path) -> IoResult<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().ok_or(ErrorKind::IsADirectory)?;
        match fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            Err(_) => return Ok(folder.canonicalize()?.join(name)),
        }
    }
    Err(Error::from(rustix::io::Errno::LOOP))
}

fn unwritable(path: &Path, error: &Error) -> Diagnostic {
    Diagnostic::error(codes::OUTPUT_UNWRITABLE, format!("{} can't be written: {error}", path.display()))
}
