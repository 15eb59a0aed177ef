//! `frit man`: the manual's pages.

use clap::{Command, CommandFactory};
use clap_mangen::Man;
use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use crate::console::Console;
use crate::failure::Failure;

/// Print a page of the manual, as man reads it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  frit man > ~/.local/share/man/man1/frit.1
  frit man compile | man -l -")]
pub(crate) struct Args {
    /// The command that it is about; frit itself where none is named
    #[arg(value_name = "COMMAND")]
    command: Option<String>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let mut page = Vec::new();
    let unwritten = |error: std::io::Error| Diagnostic::error(codes::INTERNAL, error.to_string());
    Man::new(subject(args.command.as_deref())?).render(&mut page).map_err(unwritten)?;
    console.print(&String::from_utf8_lossy(&page))
}

/// The command that the page is about, under its whole name.
fn subject(name: Option<&str>) -> Result<Command, Failure> {
    let frit = crate::Cli::command();
    let Some(name) = name else { return Ok(frit) };
    let Some(found) = frit.find_subcommand(name) else {
        let names: Vec<&str> = frit.get_subcommands().map(Command::get_name).collect();
        return Err(Failure::Usage(format!("there is no command {name}: choose from {}", names.join(", "))));
    };
    Ok(found.clone().display_name(format!("frit-{name}")).bin_name(format!("frit {name}")))
}
