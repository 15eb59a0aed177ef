//! The frit command: arguments to checked options, one call of the library, its report printed.
#![deny(unsafe_code)]

#[cfg(not(unix))]
compile_error!("the command writes files as Unix has them; the library compiles networks on any system");

mod artifact;
mod bench;
mod check;
mod compile;
mod completions;
mod console;
mod convert;
mod cost;
mod cut;
mod description;
mod emit;
mod explain;
mod failure;
mod images;
mod inspect;
mod linker;
mod man;
#[allow(unsafe_code)]
mod memory;
mod model;
mod output;
mod repair;
mod run;
mod schema;
mod signals;
mod stitch;
mod untrained;
mod verify;
mod zoo;

use std::process::ExitCode;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser, Subcommand};

use console::Console;
use failure::Failure;
use model::ModelArgs;

#[global_allocator]
static ALLOCATOR: memory::Allocator = memory::Allocator;

/// A compiler for convolutional networks: from a description to native code for this very network.
#[derive(Debug, Parser)]
#[command(name = "frit", version, about, max_term_width = 100, after_help = AFTER)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER: &str = "\
Exit status: 0 done, 1 the model or the input is at fault, 2 wrong usage, 3 a fault of frit itself,
128 and a signal's number where it ended the command. A file that is written is there whole or not at all.
Only results go to stdout; diagnostics and progress go to stderr.
A .frit file holds machine code: to run one is to trust it like any other program.

Examples:
  frit zoo mobilenet_v2 > model.json
  frit check model.json
  frit run model.json photo.jpg --top 5
  frit compile model.json -o model.frit
  frit convert model.json -o model.onnx
  frit cut model.json --at s3 --keep head -o backbone.onnx
  frit run model.frit photo.jpg --top 5
  frit bench model.json --compare fused,unfused --threads 1,2";

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Args),
    Inspect(inspect::Args),
    Cost(cost::Args),
    Compile(compile::Args),
    Convert(convert::Args),
    Cut(cut::Args),
    Stitch(stitch::Args),
    Run(run::Args),
    Bench(bench::Args),
    Verify(verify::Args),
    Zoo(zoo::Args),
    Explain(explain::Args),
    Schema(schema::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    /// Whether scripts read the result, and the model that the command is about.
    fn subject(&mut self) -> (bool, Option<&mut ModelArgs>) {
        match self {
            Command::Check(args) => (args.format.json(), Some(&mut args.model)),
            Command::Inspect(args) => (args.json(), Some(&mut args.model)),
            Command::Cost(args) => (args.format.json(), Some(&mut args.model)),
            Command::Compile(args) => (args.format.json(), Some(&mut args.model)),
            Command::Convert(args) => (false, Some(&mut args.model)),
            Command::Cut(args) => (args.format.json(), Some(&mut args.model)),
            Command::Stitch(args) => (args.format.json(), Some(&mut args.first)),
            Command::Run(args) => (args.format.json(), Some(&mut args.model)),
            Command::Bench(args) => (args.format.json(), Some(&mut args.model)),
            Command::Verify(args) => (args.format.json(), Some(&mut args.model)),
            Command::Explain(args) => (args.format.json(), None),
            Command::Zoo(_) | Command::Schema(_) | Command::Completions(_) | Command::Man(_) => (false, None),
        }
    }
}

fn main() -> ExitCode {
    signals::watch();
    let matches = Cli::command().get_matches();
    let parsed = Cli::from_arg_matches(&matches);
    let mut command = parsed.unwrap_or_else(|error| error.exit()).command;
    let (json, mut model) = command.subject();
    if let Some(model) = &mut model {
        model.given = compilation(&matches);
    }
    if json {
        memory::tell_in_json();
    }
    let console = Console::new(json, model.map(|model| model.model.as_path()));
    let result = match &command {
        Command::Check(args) => check::run(args, &console),
        Command::Inspect(args) => inspect::run(args, &console),
        Command::Cost(args) => cost::run(args, &console),
        Command::Compile(args) => compile::run(args, &console),
        Command::Convert(args) => convert::run(args, &console),
        Command::Cut(args) => cut::run(args, &console),
        Command::Stitch(args) => stitch::run(args, &console),
        Command::Run(args) => run::run(args, &console),
        Command::Bench(args) => bench::run(args, &console),
        Command::Verify(args) => verify::run(args, &console),
        Command::Zoo(args) => zoo::run(args, &console),
        Command::Explain(args) => explain::run(args, &console),
        Command::Schema(schema::Args {}) => schema::run(&console),
        Command::Completions(args) => completions::run(args, &console),
        Command::Man(args) => man::run(args, &console),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => told(&failure, &console),
    }
}

/// Says on stderr what is wrong, and returns the exit status.
fn told(failure: &Failure, console: &Console) -> ExitCode {
    match failure {
        Failure::Closed => ExitCode::SUCCESS,
        Failure::Told => ExitCode::from(1),
        Failure::Model(faults) => {
            console.diagnose(faults);
            ExitCode::from(1)
        }
        Failure::Usage(message) => {
            let error = Cli::command().error(ErrorKind::ArgumentConflict, message);
            // Where stderr is closed there is nobody to tell.
            let _ = error.print();
            ExitCode::from(2)
        }
        Failure::Internal(faults) => {
            console.diagnose(faults);
            ExitCode::from(3)
        }
    }
}

/// The options of compilation that the user gave.
fn compilation(matches: &ArgMatches) -> Vec<String> {
    let Some((name, given)) = matches.subcommand() else { return Vec::new() };
    let cli = Cli::command();
    let arguments = cli.find_subcommand(name).into_iter().flat_map(|command| command.get_arguments());
    arguments
        .filter(|argument| argument.get_help_heading() == Some(model::COMPILATION))
        .filter(|argument| given.value_source(argument.get_id().as_str()) == Some(ValueSource::CommandLine))
        .filter_map(|argument| Some(format!("--{}", argument.get_long()?)))
        .collect()
}
