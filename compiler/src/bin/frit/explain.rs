//! `frit explain`: what a diagnostic's code means, and what rewrite rules do.

use frit_compiler::explain;
use frit_compiler::report::{json, text};
use frit_passes::egraph::rules;

use crate::console::{Console, FormatArgs};
use crate::failure::Failure;

/// Explain a diagnostic by its code, or list all codes or rewrite rules
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  frit explain
  frit explain FR0201
  frit explain --rules")]
pub(crate) struct Args {
    /// A code as diagnostics have it, such as FR0201
    #[arg(conflicts_with = "rules")]
    code: Option<String>,
    /// List the rewrite rules, each with why it is sound
    #[arg(long)]
    rules: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let json = args.format.json();
    if args.rules {
        return console.print(&if json { json::rules(rules::ALL) } else { text::rules(rules::ALL) });
    }
    let Some(code) = &args.code else {
        return console.print(&if json { json::codes() } else { text::codes() });
    };
    let page = explain::page(code).map_err(|error| Failure::Usage(error.to_string()))?;
    console.print(&if json { json::page(&page) } else { page.text.to_owned() })
}
