//! `frit verify`: compiled results against the interpreter's, or against known ones.

use std::path::PathBuf;

use clap::value_parser;
use frit_compiler::execute::Variant;
use frit_compiler::report::{json, text};
use frit_compiler::verify::{self, Request, TOLERANCE, Verdict, golden};
use frit_compiler::{Options, import};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Tensor};

use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::images;
use crate::model::ModelArgs;

/// Check compiled results against plain evaluation of the model, or against known results
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The model is evaluated layer by layer in f64 and compared with what is compiled, fused and unfused (with --no-fuse
only unfused), at each number of threads, which must all give the same bits. An output passes within 1e-4 of its
largest magnitude. A difference is a fault of frit (exit status 3).

A golden file holds arrays `input` and `output` (`out.NAME` for each of several outputs), the batch first; a
difference from it is a fault of the model or of the file (exit status 1).

Examples:
  frit verify model.json
  frit verify model.json --samples 4 --threads 1,2,4 --format json
  frit verify model.json --against golden.npz")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Compare with the arrays of this file instead of the interpreter
    #[arg(long, value_name = "GOLDEN.npz", conflicts_with = "samples")]
    against: Option<PathBuf>,
    /// Random images to check with
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=1000))]
    samples: u16,
    /// Numbers of threads, separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2", value_parser = value_parser!(u16).range(1..=256))]
    threads: Vec<u16>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let options = args.model.options_to_run()?;
    let (legal, _) = args.model.read_legal(console)?;
    let verdict = match &args.against {
        Some(path) => {
            let arrays = import::array::archive(path)?;
            let golden = golden::from_arrays(&legal, &arrays)?;
            if golden.transposed {
                console.note("the golden file has its channels before height and width: it was turned");
            }
            verify::against_golden(&legal, &golden, &request(args, options), &mut |_, _| {})?
        }
        None => interpreted(args, &legal, options, console)?,
    };
    console.print(&if args.format.json() { json::verdict(&verdict) } else { text::verdict(&verdict) })?;
    match (verdict.passed, &args.against) {
        (true, _) => Ok(()),
        (false, Some(_)) if verdict.runs.iter().all(|run| run.same_bits) => {
            Err(Failure::Model(differs(&verdict)))
        }
        (false, _) => Err(Failure::Internal(differs(&verdict))),
    }
}

fn interpreted(args: &Args, graph: &Graph, options: Options, console: &Console) -> Result<Verdict, Failure> {
    let batch = images::seeded(graph, usize::from(args.samples))?;
    let images: Vec<Tensor> = batch.outer_iter().map(|image| image.to_owned()).collect();
    let mut progress = console.progress("verifying");
    let request = request(args, options);
    Ok(verify::against_interpreter(graph, &images, &request, &mut |done, all| progress.advance(done, all))?)
}

fn request(args: &Args, options: Options) -> Request {
    let variants = if options.fuse { vec![Variant::Fused, Variant::Unfused] } else { vec![Variant::Unfused] };
    Request { options, variants, threads: args.threads.iter().copied().map(usize::from).collect() }
}

fn differs(verdict: &Verdict) -> Faults {
    let mut faults = Faults::new();
    let off = verdict.outputs.iter().filter(|output| output.difference.max_rel > TOLERANCE);
    for output in off {
        let message = format!(
            "{} is {:.2e} of its largest magnitude away from what it should be",
            output.name, output.difference.max_rel
        );
        let worst = verdict.regions.iter().max_by(|a, b| a.added.total_cmp(&b.added));
        let fault = Diagnostic::error(codes::VERIFY_DIFFERS, message).at(output.name.clone());
        faults.push(match worst {
            Some(region) if region.difference.max_rel > TOLERANCE => {
                fault.note(format!("rewriting already moved {}", region.name))
            }
            Some(_) => fault.note("the rewritten graph agrees: the schedule or the code is at fault"),
            None => fault,
        });
    }
    for run in verdict.runs.iter().filter(|run| !run.same_bits) {
        let message = format!("{} gives other bits with {} threads", run.variant, run.threads);
        faults.push(Diagnostic::error(codes::VERIFY_DIFFERS, message));
    }
    faults
}
