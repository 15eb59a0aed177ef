//! The result on stdout or in a file; diagnostics, notes and progress on stderr.

use std::io::{ErrorKind, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use frit_compiler::Phase;
use frit_compiler::report::text;
use frit_ir::diagnostic::{codes, render};
use frit_ir::{Diagnostic, Faults};
use frit_passes::report::Edit;
use indicatif::{ProgressBar, ProgressStyle};

use crate::failure::Failure;
use crate::output::Output;

/// For people or for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Tables, for people.
    Text,
    /// JSON, for scripts; diagnostics on stderr become one JSON object a line.
    Json,
}

/// The flag that every command with a report has.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct FormatArgs {
    /// How the result and the diagnostics are written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

impl FormatArgs {
    /// Whether scripts read the result.
    pub(crate) fn json(&self) -> bool {
        self.format == Format::Json
    }
}

/// Writes for one command.
#[derive(Debug)]
pub(crate) struct Console {
    json: bool,
    /// The model that layers in diagnostics belong to, as the user named it.
    model: Option<String>,
    /// Whether the command writes something else to stdout, beside which nothing else may stand there.
    taken: bool,
}

impl Console {
    /// With diagnostics in JSON or in text, and the model that the command is about.
    pub(crate) fn new(json: bool, model: Option<&Path>) -> Console {
        let name = |path: &Path| match path == Path::new("-") {
            true => "standard input".to_owned(),
            false => path.display().to_string(),
        };
        Console { json, model: model.map(name), taken: false }
    }

    /// The same for a command that writes `output`: where that is stdout, what is told of it goes to stderr.
    pub(crate) fn beside(&self, output: &Output) -> Console {
        Console { json: self.json, model: self.model.clone(), taken: output.is_stdout() }
    }

    /// Diagnostics, on stderr. Where that is closed there is nobody to tell.
    pub(crate) fn diagnose(&self, faults: &Faults) {
        let render = |fault: &Diagnostic| match self.json {
            true => render::json(fault),
            false => render::text(fault),
        };
        let mut stderr = std::io::stderr().lock();
        for fault in faults.iter() {
            let _ = writeln!(stderr, "{}", render(&self.placed(fault)).trim_end());
        }
    }

    /// `fault` with the model's file, where it is about a layer and no file is known.
    fn placed(&self, fault: &Diagnostic) -> Diagnostic {
        let mut placed = fault.clone();
        if let Some(model) =
            self.model.as_ref().filter(|_| !fault.layer.is_empty() && fault.place.file.is_empty())
        {
            placed.place.file = model.clone();
        }
        placed
    }

    /// Something worth knowing that is not a fault, on stderr.
    pub(crate) fn note(&self, message: &str) {
        self.note_of(message, &[], &[]);
    }

    /// A repair that was made, on stderr.
    pub(crate) fn repaired(&self, edit: &Edit) {
        let shapes = edit.residual().into_iter().flat_map(|residual| &residual.shapes);
        self.note_of(&text::edit(edit), &edit.layers(), &shapes.map(ToString::to_string).collect::<Vec<_>>());
    }

    /// A note about `layers` with `shapes`.
    fn note_of(&self, message: &str, layers: &[&str], shapes: &[String]) {
        let mut stderr = std::io::stderr().lock();
        let _ = if self.json {
            let note = serde_json::json!({
                "code": null, "severity": "note", "message": message, "layers": layers, "shapes": shapes, "help": [],
            });
            writeln!(stderr, "{note}")
        } else {
            writeln!(stderr, "note: {}", render::escaped(message))
        };
    }

    /// How long each part of the way took, on stderr.
    pub(crate) fn timings(&self, phases: &[Phase]) {
        let total: f64 = phases.iter().map(|phase| phase.milliseconds).sum();
        let mut stderr = std::io::stderr().lock();
        let _ = if self.json {
            let phases: Vec<_> = phases
                .iter()
                .map(|phase| serde_json::json!({"name": phase.name, "milliseconds": phase.milliseconds}))
                .collect();
            writeln!(stderr, "{}", serde_json::json!({"phases": phases, "milliseconds": total}))
        } else {
            let line = |name: &str, time: f64| format!("{time:>9.2} ms  {name}\n");
            let lines: String = phases.iter().map(|phase| line(phase.name, phase.milliseconds)).collect();
            write!(stderr, "{lines}{}", line("in all", total))
        };
    }

    /// The result, on stdout.
    pub(crate) fn print(&self, text: &str) -> Result<(), Failure> {
        if self.taken {
            // Where it is closed there is nobody to tell.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            return Ok(());
        }
        let mut stdout = std::io::stdout().lock();
        let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe => Failure::Closed,
            _ => unwritable(&error),
        })
    }

    /// A bar on a terminal, once the work has taken a second.
    pub(crate) fn progress(&self, what: &'static str) -> Progress {
        Progress {
            what,
            started: Instant::now(),
            bar: None,
            shown: !self.json && std::io::stderr().is_terminal(),
        }
    }
}

fn unwritable(error: &std::io::Error) -> Failure {
    let message = format!("the standard output can't be written: {error}");
    Diagnostic::error(codes::OUTPUT_UNWRITABLE, message).into()
}

/// How far a long piece of work has come.
#[derive(Debug)]
pub(crate) struct Progress {
    what: &'static str,
    started: Instant,
    bar: Option<ProgressBar>,
    shown: bool,
}

impl Progress {
    /// `done` of `all` parts are done.
    pub(crate) fn advance(&mut self, done: usize, all: usize) {
        if !self.shown || self.started.elapsed() < Duration::from_secs(1) {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len} {eta}");
            ProgressBar::new(all as u64)
                .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
                .with_message(self.what)
        });
        bar.set_position(done as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
