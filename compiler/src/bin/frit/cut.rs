//! `frit cut`: where a network can be cut in two, and the halves.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use frit_compiler::cost;
use frit_compiler::import::{chain, part};
use frit_compiler::report::parts::Made;
use frit_compiler::report::{json, text};
use frit_ir::{Faults, Graph};
use frit_passes::cut::{self, Border, Boundary, Cutter, Found, Width};
use frit_passes::legality::{self, Legal};
use frit_passes::stitch::{self, Part};

use crate::console::{Console, FormatArgs};
use crate::convert::Format;
use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::untrained;

/// A half of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Keep {
    /// What is before the cut, and the layer that is named.
    Head,
    /// What is behind it.
    Tail,
}

/// List where a model can be cut in two, write a half, or give it a new head
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A cut is a tensor that every path from the inputs to the outputs passes. --at takes a layer or a
tensor by name, or a layer by its number in the framework's own list (model.layers of Keras, the
nodes of an ONNX file, the layers of a description); what a number means is printed. The head ends
with that layer, the tail begins behind it; each is a network of its own.

With --multi several tensors may cross. --at a layer that is no cut, the tail begins with that
layer, and the halves have as many outputs and inputs as tensors cross; --at given several times
names exactly those that cross.

--head puts new layers behind the cut: a line of ops as descriptions have them (what they count
stands behind their name, other fields as NAME=VALUE), or a description (.json) that takes what
crosses. Their weights are drawn from --seed.

Examples:
  frit cut model.keras
  frit cut model.keras --at 35 --keep head -o backbone.onnx
  frit cut model.onnx --at /features/5/Conv --keep tail -o tail.json
  frit cut model.keras --at concat --keep tail --multi -o tail.onnx
  frit cut mobilenet.keras --at conv_pw_13_relu --head \"global_avg_pool, dense 10, softmax\" -o mine.json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// List every place where one tensor crosses; this is done where nothing else is asked for
    #[arg(long, conflicts_with_all = ["at", "keep", "multi", "head", "output"])]
    list: bool,
    /// Cut behind this layer or tensor (may be given several times, with --multi)
    #[arg(long, value_name = "NAME|INDEX|TENSOR", requires = "output")]
    at: Vec<String>,
    /// Which half to write
    #[arg(long, value_enum, value_name = "HALF", requires = "at", conflicts_with = "head")]
    keep: Option<Keep>,
    /// Let several tensors cross
    #[arg(long, requires = "at", conflicts_with = "head")]
    multi: bool,
    /// Put these layers behind the cut
    #[arg(long, value_name = "LAYERS|FILE.json", requires = "at")]
    head: Option<String>,
    /// Seed of the weights of the new layers
    #[arg(long, value_name = "S", requires = "head", default_value_t = 0)]
    seed: u64,
    /// The file to write; its ending says the format
    #[arg(short, long, value_name = "FILE.onnx|FILE.json", requires = "at")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    args.model.options()?;
    match (&args.output, args.keep, &args.head) {
        (None, ..) => list(args, console),
        (Some(output), Some(keep), _) => write(args, console, output, &|whole, _, _| half(whole, args, keep)),
        (Some(output), None, Some(layers)) => write(args, console, output, &|whole, model, console| {
            headed(whole, args, layers, (model, console))
        }),
        (Some(_), None, None) => {
            let message = "say what to write: --keep head, --keep tail, or --head LAYERS";
            Err(Failure::Usage(message.to_owned()))
        }
    }
}

fn list(args: &Args, console: &Console) -> Result<(), Failure> {
    let (legal, _) = args.model.read_legal(console)?;
    let cuts = cost::cuts(&legal);
    console.print(&if args.format.json() { json::cuts(&cuts) } else { text::cuts(&cuts) })
}

/// A network that was made, with warnings, and what it is.
type Making = Result<(Graph, Faults, String), Failure>;

/// What makes a network of a whole one; `model` is that one, as a command that writes reads it.
type Make<'m> = &'m dyn Fn(&Legal<Graph>, &ModelArgs, &Console) -> Making;

fn write(args: &Args, console: &Console, output: &Path, make: Make<'_>) -> Result<(), Failure> {
    let (format, model) = Format::of(output, &args.model)?;
    let (legal, _) = model.read_legal(console)?;
    let mut progress = console.progress("cutting");
    progress.advance(1, 3);
    let (graph, warnings, what) = make(&legal, &model, console)?;
    console.diagnose(&warnings);
    let (graph, more) = legality::check(graph)?;
    console.diagnose(&more);
    progress.advance(2, 3);
    format.write(&graph)?;
    drop(progress);
    let made = Made::new(&graph, what, output.display().to_string())?;
    console.print(&if args.format.json() { json::made(&made) } else { text::made(&made) })
}

/// Where to cut.
fn boundary(cutter: &Cutter<'_>, args: &Args) -> Result<(Boundary, Faults, Vec<Found>), Failure> {
    let width = if args.multi { Width::Multi } else { Width::Single };
    if args.at.len() > 1 && !args.multi {
        return Err(Failure::Usage("several tensors cross only with --multi".to_owned()));
    }
    let found: Vec<Found> = args.at.iter().map(|at| part::find(cutter, at)).collect::<Result<_, _>>()?;
    let (boundary, warnings) = cutter.cut(&found, width)?;
    Ok((boundary, warnings, found))
}

/// The half of `whole` that is kept.
fn half(whole: &Legal<Graph>, args: &Args, keep: Keep) -> Making {
    let cutter = Cutter::new(whole);
    let (boundary, warnings, found) = boundary(&cutter, args)?;
    let place = place(&boundary, &found, cutter.layers());
    let (half, which) = match keep {
        Keep::Head => (cut::head(whole, &boundary, Border::Source), "head"),
        Keep::Tail => (cut::tail(whole, &boundary, Border::Source), "tail"),
    };
    Ok((half, warnings, format!("the {which} of {}, cut {place}", whole.name)))
}

/// The place of a cut in words, with what a number was found to mean.
fn place(boundary: &Boundary, found: &[Found], layers: usize) -> String {
    let named = |found: &Found| match found.index {
        Some(index) => format!("{} (layer {index} of {layers}, {})", found.name, found.class),
        None => format!("{} ({})", found.name, found.class),
    };
    let all = found.iter().map(named).collect::<Vec<_>>().join(", ");
    let own = |found: &Found| {
        let mut tensors = found.tensors.iter();
        tensors.all(|tensor| boundary.crossing.iter().any(|crossing| crossing.name == tensor.name))
    };
    match boundary.crossing.len() {
        1 if found.iter().all(own) => format!("behind {all}"),
        count if found.iter().all(own) => format!("behind {all}, where {count} tensors cross"),
        1 => format!("in front of {all}, where 1 tensor crosses"),
        count => format!("in front of {all}, where {count} tensors cross"),
    }
}

/// `whole` up to the cut, with new layers behind it.
fn headed(
    whole: &Legal<Graph>,
    args: &Args,
    layers: &str,
    (model, console): (&ModelArgs, &Console),
) -> Making {
    let [at] = args.at.as_slice() else {
        return Err(Failure::Usage("--head takes one tensor: give --at once".to_owned()));
    };
    let cutter = Cutter::new(whole);
    let found = part::find(&cutter, at)?;
    let (boundary, mut warnings) = cutter.end(&found)?;
    let place = place(&boundary, std::slice::from_ref(&found), cutter.layers());
    let body = cut::head(whole, &boundary, Border::Graph);
    let exit = body.outputs().first().copied();
    let body = Part { graph: body, entry: None, exit, prefix: whole.name.clone() };
    let (head, more) = match Path::new(layers).extension().is_some_and(|ending| ending == "json") {
        true => model.reading(layers.as_ref())?.load(console)?,
        false => chain::chain(layers, &body.gives().unwrap_or_default(), args.seed)?,
    };
    warnings.extend(more);
    warnings.extend(untrained::warning(&head, "the new head"));
    let head = Part::between(head, "head")?;
    let mut graph = stitch::join(&[body, head])?;
    graph.name = format!("{}_headed", whole.name);
    Ok((graph, warnings, format!("{}, cut {place}, with a new head", whole.name)))
}
