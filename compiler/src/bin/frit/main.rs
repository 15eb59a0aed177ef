//! The frit command: arguments to checked options, one call of the library, its report printed.

mod bench;
mod check;
mod completions;
mod console;
mod cost;
mod explain;
mod failure;
mod images;
mod inspect;
mod model;
mod run;
mod schema;
mod verify;
mod zoo;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use console::Console;

/// A compiler for convolutional networks: from a description to native code for this very network.
#[derive(Debug, Parser)]
#[command(name = "frit", version, about, max_term_width = 100, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Exit status: 0 done, 1 the model or the input is at fault, 2 wrong usage, 3 a fault of frit itself.
Only results go to stdout; diagnostics and progress go to stderr.

Examples:
  frit zoo mobilenet_v2 > model.json
  frit check model.json
  frit run model.json photo.jpg --top 5
  frit bench model.json --compare fused,unfused --threads 1,2";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Inspect(inspect::Args),
    Cost(cost::Args),
    Run(run::Args),
    Bench(bench::Args),
    Verify(verify::Args),
    Zoo(zoo::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Completions(completions::Args),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let (json, model) = match &command {
        Command::Check(args) => (args.format.json(), Some(&args.model)),
        Command::Inspect(args) => (args.json(), Some(&args.model)),
        Command::Cost(args) => (args.format.json(), Some(&args.model)),
        Command::Run(args) => (args.format.json(), Some(&args.model)),
        Command::Bench(args) => (args.format.json(), Some(&args.model)),
        Command::Verify(args) => (args.format.json(), Some(&args.model)),
        Command::Explain(args) => (args.format.json(), None),
        Command::Zoo(_) | Command::Schema(_) | Command::Completions(_) => (false, None),
    };
    let console = Console::new(json, model.map(|model| model.model.as_path()));
    let result = match &command {
        Command::Check(args) => check::run(args, &console),
        Command::Inspect(args) => inspect::run(args, &console),
        Command::Cost(args) => cost::run(args, &console),
        Command::Run(args) => run::run(args, &console),
        Command::Bench(args) => bench::run(args, &console),
        Command::Verify(args) => verify::run(args, &console),
        Command::Zoo(args) => zoo::run(args, &console),
        Command::Explain(args) => explain::run(args, &console),
        Command::Schema(schema::Args {}) => schema::run(&console),
        Command::Completions(args) => completions::run(args, &console),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(&console),
    }
}
