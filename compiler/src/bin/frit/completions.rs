//! `frit completions`: what a shell needs to complete the command's arguments.

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::console::Console;
use crate::failure::Failure;

/// Print a script that completes frit's arguments in a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  frit completions bash > ~/.local/share/bash-completion/completions/frit
  frit completions fish > ~/.config/fish/completions/frit.fish")]
pub(crate) struct Args {
    /// The shell
    shell: ShellName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ShellName {
    Bash,
    Zsh,
    Fish,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let shell = match args.shell {
        ShellName::Bash => Shell::Bash,
        ShellName::Zsh => Shell::Zsh,
        ShellName::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut crate::Cli::command(), "frit", &mut script);
    console.print(&String::from_utf8_lossy(&script))
}
