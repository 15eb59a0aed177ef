//! `frit check`: is the model legal?

use std::path::PathBuf;

use frit_compiler::cost;
use frit_compiler::report::results::{Summary, Transposes};
use frit_compiler::report::{json, text};

use crate::console::{Console, FormatArgs};
use crate::description::Files;
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Find every fault for which a model is refused; one line of summary where there is none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --fix the model as --residual repairs it is written to FILE.json, layer by layer; weights that are not all drawn from
one seed go to FILE.safetensors beside it, labels to FILE.labels.json. Nothing is written where faults are left.

Examples:
  frit check model.json
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
    #[command(flatten)]
    pub(crate) format: FormatArgs,
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
    let (legal, warnings) = model.read_legal(console)?;
    let foreseen = frit_compiler::foresee(&legal, &options)?;
    console.diagnose(&foreseen);
    let warnings = warnings + foreseen.iter().count();
    let cost = cost::cost(&legal)?;
    if let Some(files) = files {
        files.write(&legal)?;
    }
    let (layers, transposes) = (cost.layers.len(), Transposes::of(&legal));
    let summary = Summary { model: cost.model, layers, totals: cost.totals, transposes, warnings };
    console.print(&if args.format.json() { json::summary(&summary) } else { text::summary(&summary) })
}
