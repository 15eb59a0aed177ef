//! `frit cost`: parameters, multiply-accumulates and bytes.

use frit_compiler::cost;
use frit_compiler::report::{json, text};

use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Count parameters, multiply-accumulates and bytes of a model, by layer and by block
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Parameters are those that training changes; statistics of batch normalisations are counted apart.

Examples:
  frit cost model.json
  frit zoo mobilenet_v2 --width 0.5 | frit cost - --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    args.model.options()?;
    let (legal, _) = args.model.read_legal(console)?;
    let cost = cost::cost(&legal)?;
    console.print(&if args.format.json() { json::cost(&cost) } else { text::cost(&cost) })
}
