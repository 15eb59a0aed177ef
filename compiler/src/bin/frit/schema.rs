//! `frit schema`: the JSON Schema of descriptions.

use frit_compiler::import::json;

use crate::console::Console;
use crate::failure::Failure;

/// Print the JSON Schema (draft 2020-12) of descriptions, for editors and validators
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The schema holds fields, their kinds and their defaults. What only the whole network shows (names,
shapes, files) is what `frit check` finds.

Examples:
  frit schema > frit.schema.json
  frit schema | jq '.\"$defs\" | keys'")]
pub(crate) struct Args {}

/// Runs the command.
pub(crate) fn run(console: &Console) -> Result<(), Failure> {
    console.print(&format!("{:#}\n", json::schema()))
}
