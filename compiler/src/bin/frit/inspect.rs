//! `frit inspect`: a model at one stage of its way through the compiler.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use frit_compiler::emit::dump::{Dump, dump};
use frit_compiler::machine::Machine;
use frit_compiler::plan::Plan;
use frit_compiler::report::{Listing, Stage, dot, json, text};
use frit_ir::diagnostic::codes;
use frit_ir::text::print;
use frit_ir::{Diagnostic, Graph};

use crate::artifact;
use crate::console::Console;
use crate::failure::Failure;
use crate::model::{ModelArgs, Reading};
use crate::output::{Draft, Output};

/// Show a model before, between and after the stages of the compiler
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Examples:
  frit inspect model.json --stage legal
  frit inspect model.json --format dot | dot -Tsvg > model.svg
  frit inspect model.json --stage scheduled --format json -o plan.json
  frit inspect model.json --passes
  frit inspect model.json --dump plan --schedule bands
  frit inspect model.json --dump asm --target x86-64-v4
  frit inspect model.frit")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The stage; `optimized` where none is named
    #[arg(long, value_enum)]
    stage: Option<StageName>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = Picture::Text)]
    format: Picture,
    /// Write to this file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show what each pass did and how long it took, instead of the model
    #[arg(long, conflicts_with = "stage")]
    passes: bool,
    /// Show a level of code generation, from the plan to machine code, instead of the model
    #[arg(long, value_enum, value_name = "LEVEL", conflicts_with_all = ["stage", "passes", "format"])]
    dump: Option<Level>,
}

/// A level of code generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Level {
    /// The plan: steps, calls, and where each argument lies.
    Plan,
    /// Vector programs, as the kernels are written.
    Vector,
    /// Cranelift IR, which the portable lowering makes of them.
    Clif,
    /// Machine code, disassembled.
    Asm,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum StageName {
    /// As the file says, before any repair.
    Imported,
    /// Found legal.
    Legal,
    /// Fused and folded.
    Optimized,
    /// As steps that call kernels.
    Scheduled,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Picture {
    /// A line a node; a table for the schedule.
    Text,
    /// For Graphviz.
    Dot,
    /// For scripts.
    Json,
}

impl Args {
    /// Whether scripts read the result.
    pub(crate) fn json(&self) -> bool {
        self.format == Picture::Json
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let Some(path) = &args.output else { return console.print(&shown(args, console)?) };
    let output = Output::new(path)?;
    let args = Args { model: args.model.writing([&output])?, ..args.clone() };
    let mut draft = Draft::new(output)?;
    let text = shown(&args, console)?;
    draft.write(|file| file.write_all(text.as_bytes()))?;
    draft.keep()
}

fn shown(args: &Args, console: &Console) -> Result<String, Failure> {
    if args.model.is_artifact() {
        return compiled(args);
    }
    match args.dump {
        Some(level) => dumped(args, level, console),
        None if args.passes => passes(args, console),
        None => stage(args, console),
    }
}

/// What an artifact says of itself. It may be for another CPU: nothing of it is executed.
fn compiled(args: &Args) -> Result<String, Failure> {
    args.model.refuse_compilation(&[])?;
    if args.stage.is_some() || args.passes || args.dump.is_some() || args.format == Picture::Dot {
        return Err(artifact::no_source(&args.model.model));
    }
    let found = artifact::inspect(&args.model.model)?;
    Ok(if args.json() { json::artifact(&found) } else { text::artifact(&found) })
}

fn dumped(args: &Args, level: Level, console: &Console) -> Result<String, Failure> {
    let options = args.model.options()?;
    let optimised = frit_compiler::optimise(args.model.read(console)?, &options)?;
    console.diagnose(&optimised.warnings);
    let plan = frit_compiler::schedule(&optimised.graph, &options)?;
    level.dump(&plan, &options.machine)
}

impl Level {
    /// `plan` or all of its kernels at this level.
    pub(crate) fn dump(self, plan: &Plan, machine: &Machine) -> Result<String, Failure> {
        let level = match self {
            Level::Plan => return Ok(plan.to_string()),
            Level::Vector => Dump::Vector,
            Level::Clif => Dump::Clif,
            Level::Asm => Dump::Asm,
        };
        dump(plan, machine, level)
            .map_err(|error| Diagnostic::error(codes::INTERNAL, error.to_string()).into())
    }
}

fn passes(args: &Args, console: &Console) -> Result<String, Failure> {
    if args.format == Picture::Dot {
        return Err(Failure::Usage("--passes is a table: it can't be drawn with --format dot".into()));
    }
    let options = args.model.options()?;
    let Reading { graph, mut reports, .. } = args.model.read_and_repair(console)?;
    let optimised = frit_compiler::optimise(graph, &options)?;
    console.diagnose(&optimised.warnings);
    reports.extend(optimised.reports);
    Ok(if args.json() { json::passes(&reports) } else { text::passes(&reports) })
}

fn stage(args: &Args, console: &Console) -> Result<String, Failure> {
    let options = args.model.options()?;
    let stage = args.stage.unwrap_or(StageName::Optimized);
    if stage == StageName::Imported {
        let graph = args.model.import(console)?;
        return Ok(write(args.format, &graph, &Listing::graph(Stage::Imported, &graph, &graph)));
    }
    if stage == StageName::Legal {
        let (legal, _) = args.model.read_legal(console)?;
        return Ok(write(args.format, &legal, &Listing::graph(Stage::Legal, &legal, &legal)));
    }
    let optimised = frit_compiler::optimise(args.model.read(console)?, &options)?;
    console.diagnose(&optimised.warnings);
    if stage == StageName::Optimized {
        let listing = Listing::graph(Stage::Optimized, &optimised.graph, &optimised.legal);
        return Ok(write(args.format, &optimised.graph, &listing));
    }
    let plan = frit_compiler::schedule(&optimised.graph, &options)?;
    let listing = Listing::schedule(&plan, &optimised.graph, &optimised.legal);
    Ok(match args.format {
        Picture::Text => text::schedule(&listing),
        _ => write(args.format, &optimised.graph, &listing),
    })
}

fn write(format: Picture, graph: &Graph, listing: &Listing) -> String {
    match format {
        Picture::Text => print(graph),
        Picture::Dot => dot::listing(listing),
        Picture::Json => json::listing(listing),
    }
}
