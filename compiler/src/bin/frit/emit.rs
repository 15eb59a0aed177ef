//! What `frit compile` writes: an artifact for frit's runtime, or an object, a library and a header for C programs.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use frit_compiler::emit::archive::archive;
use frit_compiler::emit::header::header;
use frit_compiler::emit::interface::{Interface, identifier};
use frit_compiler::{Built, Options};
use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use crate::failure::Failure;
use crate::linker::Linker;
use crate::output::{self, Draft, Output};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Emit {
    /// An artifact, for frit's runtime (.frit)
    Frit,
    /// An object that C programs are linked with, and its header (.o)
    Object,
    /// The object as a static library, and its header (.a)
    Static,
    /// The object as a shared library, and its header (.so)
    Shared,
    /// The header alone (.h)
    Header,
}

impl Emit {
    /// How names of such files end.
    fn ending(self) -> &'static str {
        match self {
            Emit::Frit => "frit",
            Emit::Object => "o",
            Emit::Static => "a",
            Emit::Shared => "so",
            Emit::Header => "h",
        }
    }

    /// What is said of a file that is called otherwise.
    fn are(self) -> &'static str {
        match self {
            Emit::Frit => "artifacts are",
            Emit::Object => "objects are",
            Emit::Static => "static libraries are",
            Emit::Shared => "shared libraries are",
            Emit::Header => "headers are",
        }
    }

    /// The kind that `path` is called by.
    fn of(path: &Path) -> Option<Emit> {
        let ending = path.extension()?;
        Emit::value_variants().iter().copied().find(|kind| ending.eq_ignore_ascii_case(kind.ending()))
    }

    /// Whether a header is written beside it.
    fn has_header(self) -> bool {
        matches!(self, Emit::Object | Emit::Static | Emit::Shared)
    }
}

/// What is to be written, where, and what it is called in C.
#[derive(Debug)]
pub(crate) struct Files {
    kind: Emit,
    path: PathBuf,
    pub(crate) output: Output,
    /// The header beside it.
    pub(crate) header: Option<(PathBuf, Output)>,
}

impl Files {
    /// The file `path` of the kind that was asked for, or of the one that its name says.
    ///
    /// # Errors
    /// It is called otherwise, or can't be written.
    pub(crate) fn new(asked: Option<Emit>, path: &Path) -> Result<Files, Failure> {
        let named = Emit::of(path);
        let kind = asked.or(named).unwrap_or(Emit::Frit);
        let are = match (asked, named) {
            (None, None) => {
                "without --emit, objects are written as .o, libraries as .a and .so, headers as .h; artifacts are"
            }
            _ => kind.are(),
        };
        let output = Output::ending(path, kind.ending(), are)?;
        let header = match kind.has_header() && output.is_file() {
            true => {
                let path = beside(path);
                Some((path.clone(), Output::new(&path)?))
            }
            false => None,
        };
        Ok(Files { kind, path: path.to_owned(), output, header })
    }

    /// Whether it is a shared library, which a linker makes.
    pub(crate) fn is_shared(&self) -> bool {
        self.kind == Emit::Shared
    }

    /// Whether it is an artifact.
    pub(crate) fn is_artifact(&self) -> bool {
        self.kind == Emit::Frit
    }

    /// Nothing written yet.
    pub(crate) fn draft(self) -> Result<Drafts, Failure> {
        let Files { kind, path, output, header } = self;
        let header =
            header.map(|(path, output)| Draft::new(output).map(|draft| (path, draft))).transpose()?;
        Ok(Drafts { kind, path, file: Draft::new(output)?, header })
    }
}

/// Where the header of a library lies: beside it, without the `lib` that libraries begin with.
fn beside(path: &Path) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let is_library = path.extension().is_some_and(|ending| !ending.eq_ignore_ascii_case("o"));
    match stem.strip_prefix("lib").filter(|rest| is_library && !rest.is_empty()) {
        Some(name) => path.with_file_name(format!("{name}.h")),
        None => path.with_extension("h"),
    }
}

/// What has been written of them.
#[derive(Debug)]
pub(crate) struct Drafts {
    kind: Emit,
    path: PathBuf,
    pub(crate) file: Draft,
    header: Option<(PathBuf, Draft)>,
}

impl Drafts {
    /// Writes what was built; all names begin with `symbol`.
    pub(crate) fn write(
        &mut self,
        built: &Built,
        options: &Options,
        (symbol, linker): (Option<&str>, &Linker),
    ) -> Result<(), Failure> {
        let interface = Interface::new(symbol, &built.metadata);
        let object = || built.object(&interface, options).map_err(Failure::from);
        let bytes = match self.kind {
            Emit::Frit => return artifact(built, &mut self.file),
            Emit::Header => header(&interface).into_bytes(),
            Emit::Object => object()?,
            Emit::Static => archive(&interface.symbol, &object()?, &interface.functions()),
            Emit::Shared => linker.shared(&object()?, &self.path)?,
        };
        self.file.write(|file| file.write_all(&bytes))?;
        match &mut self.header {
            Some((_, draft)) => draft.write(|file| file.write_all(header(&interface).as_bytes())),
            None => Ok(()),
        }
    }

    /// Where the header will be.
    pub(crate) fn header(&self) -> Option<&Path> {
        self.header.as_ref().map(|(path, _)| path.as_path())
    }

    /// Lets them be there.
    pub(crate) fn keep(self) -> Result<(), Failure> {
        output::keep(self.header.map(|(_, draft)| draft).into_iter().chain([self.file]).collect())
    }
}

/// Writes the artifact.
pub(crate) fn artifact(built: &Built, draft: &mut Draft) -> Result<(), Failure> {
    let mut unfit = None;
    draft.write(|file| {
        let mut buffered = BufWriter::new(file);
        match built.write(&mut buffered) {
            // Contents that no artifact can hold are not the file's fault.
            Err(error) if error.kind() == ErrorKind::InvalidData => unfit = Some(error.to_string()),
            written => written?,
        }
        buffered.flush()
    })?;
    match unfit {
        Some(reason) => Err(Diagnostic::error(codes::INTERNAL, reason).into()),
        None => Ok(()),
    }
}

/// An identifier that names in C may begin with.
pub(crate) fn symbol(given: &str) -> Result<String, String> {
    match identifier(given, "model") {
        free if free == given => Ok(free),
        free => Err(format!("no name in C that is free begins so; {free} is one")),
    }
}
