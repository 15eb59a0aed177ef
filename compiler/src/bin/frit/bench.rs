//! `frit bench`: variants of a model, timed against each other.

use clap::value_parser;
use frit_compiler::bench::{self, Request};
use frit_compiler::execute::{Entrant, Variant, Workers};
use frit_compiler::machine::Machine;
use frit_compiler::report::results::Measured;
use frit_compiler::report::{distinct, json, text};
use frit_compiler::{Options, probe};
use frit_runtime::load::Pages;

use crate::artifact;
use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::images::Input;
use crate::model::ModelArgs;

/// Time a model, and variants of it against each other
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Variants: fused (what run compiles), unfused (a kernel for every source layer), portable and wide
(fused, lowered at 128 bits or at the full width), whole, bands and groups (fused, all blocks
scheduled in this way). They take turns; ratios are of medians, each variant against the first. An
artifact (.frit) is one variant.

Examples:
  frit bench model.json
  frit bench model.json --compare fused,unfused --threads 1,2
  frit bench model.json --profile --compare whole,bands,groups
  frit bench model.frit --threads 1,2
  frit bench model.frit --threads 1 --streams 1,2 --batch 16
  frit bench model.json --batch 8 --runs 200 --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Variants to time, separated by commas [default: fused]
    #[arg(long, value_name = "VARIANTS", value_delimiter = ',', conflicts_with = "no_fuse")]
    compare: Vec<Variant>,
    /// Numbers of threads, separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = value_parser!(u16).range(1..=256))]
    threads: Vec<u16>,
    /// Images that are computed at the same time, each by --threads threads; numbers separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1", value_parser = value_parser!(u16).range(1..=256))]
    streams: Vec<u16>,
    /// Images of one run [default: the batch that --shape gives, else one for each stream]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    batch: Option<u16>,
    /// Timed runs of each variant
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Time each step too, with its rate, its share of the peak, its bytes and its predicted time
    #[arg(long)]
    profile: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let (entrants, machine) = if args.model.is_artifact() { loaded(args)? } else { compiled(args, console)? };
    let metadata = entrants[0].model.metadata();
    let input = Input::of_program(metadata)?.in_batch_of(&args.model);
    let workers = workers(args);
    let most = workers.iter().map(|workers| workers.streams).max().unwrap_or(1);
    let images = input.seeded(args.batch.map_or(input.batch().unwrap_or(most), usize::from))?;
    let request = Request { workers, runs: args.runs as usize, profile: args.profile };
    let mut progress = console.progress("timing");
    let bench = bench::bench(&entrants, &images, &request, &mut |done, all| progress.advance(done, all))?;
    drop(progress);
    let measured = Measured {
        model: metadata.name.clone(),
        isa: isa(&machine),
        machine: cpu(),
        bench,
        probe: probe::measure(&machine),
    };
    console.print(&if args.format.json() { json::bench(&measured) } else { text::bench(&measured) })
}

/// Each number of streams with each number of threads.
fn workers(args: &Args) -> Vec<Workers> {
    let threads = distinct(args.threads.iter().copied().map(usize::from));
    let streams = distinct(args.streams.iter().copied().map(usize::from));
    let all = |&streams: &usize| {
        threads.iter().map(move |&threads| Workers { streams, threads }).collect::<Vec<_>>()
    };
    streams.iter().flat_map(all).collect()
}

/// The variants of a model, and the machine that they were compiled for.
fn compiled(args: &Args, console: &Console) -> Result<(Vec<Entrant>, Machine), Failure> {
    let options = args.model.options_to_run()?;
    let variants = variants(args, &options)?;
    let (legal, _) = args.model.read_legal(console)?;
    Ok((bench::compile(&legal, &variants, &options)?, options.machine))
}

/// The only variant that an artifact is.
fn loaded(args: &Args) -> Result<(Vec<Entrant>, Machine), Failure> {
    args.model.refuse_compilation(&[])?;
    if !args.compare.is_empty() {
        let message = "an artifact is one variant: --compare needs the model that it was compiled from";
        return Err(Failure::Usage(message.to_owned()));
    }
    let model = artifact::load(&args.model.model, Pages::Huge)?;
    let machine = artifact::machine(model.metadata());
    Ok((vec![model.into()], machine))
}

fn variants(args: &Args, options: &Options) -> Result<Vec<Variant>, Failure> {
    let default = if args.model.no_fuse { Variant::Unfused } else { Variant::Fused };
    let variants =
        if args.compare.is_empty() { vec![default] } else { distinct(args.compare.iter().copied()) };
    for variant in &variants {
        variant.options(options).map_err(|error| Failure::Usage(error.to_string()))?;
    }
    Ok(variants)
}

/// Instruction sets, lowering and vector width: `x86-64-v3, wide, 256 bits`.
pub(crate) fn isa(machine: &Machine) -> String {
    let lowering = machine.lowering.name();
    format!("{}, {lowering}, {} bits", machine.level, 32 * machine.width().lanes)
}

/// The CPU and how many threads it runs at once.
pub(crate) fn cpu() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH, |(_, name)| name.trim());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {threads} hardware thread{}", if threads == 1 { "" } else { "s" })
}
