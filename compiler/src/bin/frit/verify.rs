//! `frit verify`: compiled results against the interpreter's, or against known ones.

use std::path::{Path, PathBuf};

use clap::value_parser;
use frit_compiler::execute::Variant;
use frit_compiler::report::{json, text};
use frit_compiler::verify::golden::{self, Golden};
use frit_compiler::verify::{self, Request, TOLERANCE, Verdict};
use frit_compiler::{Options, import};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Tensor};
use frit_runtime::load::Pages;
use frit_runtime::program::Metadata;

use crate::artifact;
use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::images::Input;
use crate::model::ModelArgs;

/// Check compiled results against plain evaluation of the model, or against known results
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The model is evaluated layer by layer in f64 and compared with what is compiled, fused and unfused
(with --no-fuse only unfused), at each number of threads, which must all give the same bits. An
output passes within 1e-4 of its largest magnitude. A difference is a fault of frit (exit status
3). Numbers that f32 does not hold are infinity in both; the first layer that makes one is named.

A golden file holds arrays `input` and `output` (`out.NAME` for each of several outputs), the
batch first; a difference from it is a fault of the model or of the file (exit status 1).

An artifact (.frit) holds no source: it is checked against a golden file, or with --source.

Examples:
  frit verify model.json
  frit verify model.frit --source model.json
  frit verify model.json --samples 4 --threads 1,2,4 --format json
  frit verify model.json --against golden.npz")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Compare with the arrays of this file instead of the interpreter
    #[arg(long, value_name = "GOLDEN.npz", conflicts_with = "samples")]
    against: Option<PathBuf>,
    /// Compare an artifact with plain evaluation of the model that it was compiled from
    #[arg(long, value_name = "MODEL", conflicts_with = "against")]
    source: Option<PathBuf>,
    /// Random images to check with
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=1000))]
    samples: u16,
    /// Numbers of threads, separated by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2", value_parser = value_parser!(u16).range(1..=256))]
    threads: Vec<u16>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Options of compilation that decide what a source means; the others decide only how it is compiled.
const SOURCE_OPTIONS: [&str; 2] = ["--weights", "--residual"];

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let verdict = if args.model.is_artifact() {
        loaded(args, console)?
    } else if args.source.is_some() {
        let message = format!("{} is a source itself: --source is for artifacts", args.model.model.display());
        return Err(Failure::Usage(message));
    } else {
        compiled(args, console)?
    };
    if let Some(overflow) = &verdict.overflow {
        console.diagnose(&overflow.warning().into());
    }
    console.print(&if args.format.json() { json::verdict(&verdict) } else { text::verdict(&verdict) })?;
    match (verdict.passed, &args.against) {
        (true, _) => Ok(()),
        (false, Some(_)) if verdict.runs.iter().all(|run| run.same_bits) => {
            Err(Failure::Model(differs(&verdict)))
        }
        (false, _) => Err(Failure::Internal(differs(&verdict))),
    }
}

/// What is compiled of a model, against the interpreter or a golden file.
fn compiled(args: &Args, console: &Console) -> Result<Verdict, Failure> {
    let options = args.model.options_to_run()?;
    let (legal, _) = args.model.read_legal(console)?;
    if let Some(path) = &args.against {
        let golden = golden::from_arrays(&legal, &import::array::archive(path)?)?;
        note_turned(&golden, console);
        return Ok(verify::against_golden(&legal, &golden, &request(args, options), &mut |_, _| {})?);
    }
    let images = images(args, &legal)?;
    let mut progress = console.progress("verifying");
    let request = request(args, options);
    Ok(verify::against_interpreter(&legal, &images, &request, &mut |done, all| progress.advance(done, all))?)
}

/// An artifact, against the interpreter on its source or a golden file.
fn loaded(args: &Args, console: &Console) -> Result<Verdict, Failure> {
    args.model.refuse_compilation(if args.source.is_some() { &SOURCE_OPTIONS } else { &[] })?;
    if args.source.is_none() && args.against.is_none() {
        let message = "an artifact holds no source: say what to compare it with, --against GOLDEN.npz or --source MODEL";
        return Err(Failure::Usage(message.to_owned()));
    }
    let model = artifact::load(&args.model.model, Pages::Shared)?;
    let golden = match (&args.source, &args.against) {
        (Some(source), _) => interpreted(args, source, model.metadata(), console)?,
        (None, Some(path)) => {
            let metadata = model.metadata();
            let arrays = import::array::archive(path)?;
            golden::for_signature(&metadata.inputs, &metadata.outputs, &arrays)?
        }
        (None, None) => unreachable!("one of them was found above"),
    };
    note_turned(&golden, console);
    let threads = threads(args);
    Ok(verify::model_against(&model.into(), &golden, &threads, &mut |_, _| {})?)
}

/// What the interpreter makes of the model `source`, which must take and give what `metadata` says.
fn interpreted(
    args: &Args,
    source: &Path,
    metadata: &Metadata,
    console: &Console,
) -> Result<Golden, Failure> {
    let (legal, _) = args.model.of(source).read_legal(console)?;
    let (inputs, outputs) = golden::signature(&legal)?;
    if (&inputs, &outputs) != (&metadata.inputs, &metadata.outputs) {
        return Err(other_model(&metadata.name, source).into());
    }
    let images = images(args, &legal)?;
    let mut progress = console.progress("verifying");
    Ok(verify::interpreted(&legal, &images, &mut |done, all| progress.advance(done, all))?)
}

fn other_model(name: &str, source: &Path) -> Diagnostic {
    let message = format!("the artifact was not compiled from {}", source.display());
    Diagnostic::error(codes::ARTIFACT_OTHER_MODEL, message)
        .note(format!("it holds {name}; their inputs or outputs have other names or shapes"))
}

fn images(args: &Args, graph: &Graph) -> Result<Vec<Tensor>, Failure> {
    let batch = Input::of_graph(graph)?.seeded(usize::from(args.samples))?;
    Ok(batch.outer_iter().map(|image| image.to_owned()).collect())
}

fn note_turned(golden: &Golden, console: &Console) {
    if golden.transposed {
        console.note("the golden file has its channels before height and width: it was turned");
    }
}

fn threads(args: &Args) -> Vec<usize> {
    args.threads.iter().copied().map(usize::from).collect()
}

fn request(args: &Args, options: Options) -> Request {
    let variants = if options.fuse { vec![Variant::Fused, Variant::Unfused] } else { vec![Variant::Unfused] };
    Request { options, variants, threads: threads(args) }
}

/// What is wrong with a verdict that did not pass.
pub(crate) fn differs(verdict: &Verdict) -> Faults {
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
            _ if verdict.overflow.is_some() => fault.note("the network leaves what f32 holds before that"),
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
