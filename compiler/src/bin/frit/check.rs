//! `frit check`: is the model legal?

use std::path::PathBuf;

use clap::ValueEnum;
use frit_compiler::report::results::{Summary, Transposes};
use frit_compiler::report::{json, text};
use frit_compiler::{Options, cost};
use frit_ir::{Faults, Graph};
use frit_passes::Legal;
use frit_passes::lint;

use crate::console::{Console, FormatArgs};
use crate::description::Files;
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Find every fault for which a model is refused; one line of summary where there is none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --fix the model as --residual repairs it is written to FILE.json, layer by layer; weights
that are not all drawn from one seed go to FILE.safetensors beside it, labels to FILE.labels.json.
Nothing is written where faults are left.

With --lint what is legal and probably not meant is told too, as part of the result: of the model
as it is written, before --residual repairs it, and of an illegal one after its faults. `frit
explain FR07xx` has a page for each rule. --lint=deny ends with status 1 where anything is found.

Examples:
  frit check model.json
  frit check model.json --lint
  frit check model.json --lint=deny --format json
  frit zoo mobilenet_v2 | frit check -
  frit check model.json --format json 2> diagnostics.jsonl
  frit check model.json --residual drop
  frit check model.json --residual project --fix -o repaired.json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Write the repaired model
    #[arg(long, requires = "output")]
    fix: bool,
    /// Where the repaired model is written to
    #[arg(short, long, value_name = "FILE.json", requires = "fix")]
    output: Option<PathBuf>,
    /// Tell what is legal and probably not meant; with deny, anything found is a failure
    #[arg(long, value_enum, value_name = "LEVEL", num_args = 0..=1, require_equals = true, default_missing_value = "warn")]
    lint: Option<Level>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// What becomes of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Level {
    /// Findings are told.
    Warn,
    /// They also fail the command.
    Deny,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let options = args.model.options()?;
    if args.fix && args.model.repair.policy()?.is_none() {
        let message = "--fix writes what --residual repairs: add --residual drop, project or insert";
        return Err(Failure::Usage(message.to_owned()));
    }
    let (files, model) = match &args.output {
        Some(path) => Files::new(path, &args.model).map(|(files, model)| (Some(files), model))?,
        None => (None, args.model.clone()),
    };
    let read = model.load(console)?;
    let name = read.0.name.clone();
    let findings = args.lint.map(|_| lint::findings(&read.0, options.machine.width().lanes));
    let (legal, summary) = match (checked(&model, read, &options, console), findings) {
        (Err(Failure::Model(faults)), Some(findings)) => {
            console.diagnose(&faults);
            let json = args.format.json();
            console.print(&if json {
                json::findings(&name, &findings)
            } else {
                text::findings(&findings)
            })?;
            return Err(Failure::Told);
        }
        (checked, findings) => checked.map(|(legal, summary)| (legal, Summary { findings, ..summary }))?,
    };
    if let Some(files) = files {
        files.write(&legal)?;
    }
    console.print(&if args.format.json() { json::summary(&summary) } else { text::summary(&summary) })?;
    let found = summary.findings.is_some_and(|findings| !findings.is_empty());
    if found && args.lint == Some(Level::Deny) { Err(Failure::Told) } else { Ok(()) }
}

/// The model as a legal one that can be compiled; warnings go to stderr.
fn checked(
    model: &ModelArgs,
    read: (Graph, Faults),
    options: &Options,
    console: &Console,
) -> Result<(Legal<Graph>, Summary), Failure> {
    let (legal, warnings) = model.repaired(read, console)?.legal(console)?;
    let foreseen = frit_compiler::foresee(&legal, options)?;
    console.diagnose(&foreseen);
    let warnings = warnings + foreseen.iter().count();
    let cost = cost::cost(&legal)?;
    let (layers, transposes) = (cost.layers.len(), Transposes::of(&legal));
    let summary =
        Summary { model: cost.model, layers, totals: cost.totals, transposes, warnings, findings: None };
    Ok((legal, summary))
}
