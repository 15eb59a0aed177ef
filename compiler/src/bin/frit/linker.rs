//! The linker that makes shared libraries: the C compiler's.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use frit_compiler::machine::{Level, Machine};
use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use crate::failure::Failure;
use crate::signals;

/// Lines of what a linker says that are passed on.
const TOLD: usize = 8;

/// A command that links, with what always stands behind it.
#[derive(Debug, Clone)]
pub(crate) struct Linker {
    words: Vec<String>,
}

impl Linker {
    /// The one that was given, that `$CC` names, or `cc`.
    pub(crate) fn new(given: Option<&str>) -> Linker {
        let named = given.map(str::to_owned).or_else(|| std::env::var("CC").ok());
        let words: Vec<String> = named.unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        Linker { words }
    }

    /// Refuses to link for another architecture with the compiler of this one.
    pub(crate) fn can_link(&self, machine: &Machine, path: &Path) -> Result<(), Failure> {
        let own = match machine.level {
            Level::Aarch64 => cfg!(target_arch = "aarch64"),
            Level::V2 | Level::V3 | Level::V4 => cfg!(target_arch = "x86_64"),
        };
        if own || !self.words.is_empty() {
            return Ok(());
        }
        let architecture = if machine.level == Level::Aarch64 { "aarch64" } else { "x86_64" };
        Err(unlinked(path, &format!("cc links for this machine, and this is for {architecture}"))
            .help(format!("name a cross linker: --linker {architecture}-linux-gnu-gcc, or in CC"))
            .help("write a static library (.a), which needs none")
            .into())
    }

    /// The shared library that `object` becomes, which will lie at `path`.
    pub(crate) fn shared(&self, object: &[u8], path: &Path) -> Result<Vec<u8>, Failure> {
        let words: Vec<&str> = match self.words.as_slice() {
            [] => vec!["cc"],
            words => words.iter().map(String::as_str).collect(),
        };
        let failed = |reason: String| Failure::from(unlinked(path, &reason));
        let folder = folder().map_err(|error| failed(format!("a folder for it: {error}")))?;
        let [from, to] = ["model.o", "model.so"].map(|name| folder.path().join(name));
        std::fs::write(&from, object).map_err(|error| failed(format!("{}: {error}", from.display())))?;
        let name = path.file_name().unwrap_or_default();
        let run = Command::new(words[0])
            .args(&words[1..])
            .args([
                "-shared",
                "-pthread",
                "-Wl,--gc-sections",
                "-Wl,-z,noexecstack",
                "-Xlinker",
                "-soname",
                "-Xlinker",
            ])
            .arg(name)
            .arg("-o")
            .args([&to, &from])
            .output();
        match run {
            Ok(run) if run.status.success() => {
                std::fs::read(&to).map_err(|error| failed(format!("{} has made nothing: {error}", words[0])))
            }
            Ok(run) => {
                let fault = unlinked(path, &format!("{} has failed ({})", words[0], run.status));
                let told = String::from_utf8_lossy(&run.stderr).into_owned();
                Err(told.lines().take(TOLD).fold(fault, |fault, line| fault.note(line)).into())
            }
            Err(error) => {
                let reason = match error.kind() {
                    ErrorKind::NotFound => format!("there is no {}", words[0]),
                    _ => format!("{} can't be run: {error}", words[0]),
                };
                Err(unlinked(path, &reason)
                    .help("install a C compiler, or name one: --linker COMMAND, or in CC")
                    .help("write a static library (.a), which needs none")
                    .into())
            }
        }
    }
}

/// A folder that goes with its value, or when a signal ends the process.
fn folder() -> std::io::Result<tempfile::TempDir> {
    let mut unfinished = signals::hold();
    let folder = tempfile::Builder::new().prefix(".frit-").tempdir()?;
    unfinished.push(folder.path().to_owned());
    Ok(folder)
}

fn unlinked(path: &Path, reason: &str) -> Diagnostic {
    Diagnostic::error(codes::UNLINKED, format!("{} can't be linked: {reason}", path.display()))
}
