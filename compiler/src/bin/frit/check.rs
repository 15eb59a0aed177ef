//! `frit check`: is the model legal?

use frit_compiler::cost;
use frit_compiler::report::results::Summary;
use frit_compiler::report::{json, text};

use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Find every fault of a model; one line of summary where there is none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  frit check model.json
  frit zoo mobilenet_v2 | frit check -
  frit check model.json --format json 2> diagnostics.jsonl")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    args.model.options()?;
    let (legal, warnings) = args.model.read_legal(console)?;
    let cost = cost::cost(&legal)?;
    let summary = Summary { model: cost.model, layers: cost.layers.len(), totals: cost.totals, warnings };
    console.print(&if args.format.json() { json::summary(&summary) } else { text::summary(&summary) })
}
