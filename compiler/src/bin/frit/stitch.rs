//! `frit stitch`: parts of several networks as one.

use std::path::{Path, PathBuf};

use frit_compiler::export;
use frit_compiler::export::json::Beside;
use frit_compiler::import::part::{self, Piece, Range, Sides};
use frit_compiler::import::{Source, json as description};
use frit_compiler::report::parts::{Joint, Made, Port};
use frit_compiler::report::{json, text};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Graph};
use frit_passes::cut::Found;
use frit_passes::legality;
use frit_passes::stitch::{self, Adapter, Part};

use crate::console::{Console, FormatArgs};
use crate::convert::Format;
use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::untrained;

/// Join parts of models to one, with an adapter where their shapes differ
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A part is a model, or MODEL@CUT: the first part ends with that layer or tensor, the last begins
behind it, and one between two others is MODEL@FROM..UNTIL, either of which may be left out. `frit
cut MODEL` lists where a model can be cut. Formats and frameworks may differ. Names that a part
before has too get the part's file name in front.

Where shapes differ, --adapter list prints what can stand between them, the best first: what loses
least, then what computes least. auto takes the first; else name one, or give its number. Weights
are drawn from --seed, or come from --adapter-weights, a .safetensors file with the tensors that
the warning names.

Examples:
  frit stitch backbone.keras@conv_pw_5_relu tail.onnx@block5 --adapter list
  frit stitch backbone.keras@35 tail.onnx@block5 --adapter auto -o both.onnx
  frit stitch a.json@s3 b.json@s4..s6 c.json@s7 -o all.json
  frit stitch backbone.onnx head.json -o whole.onnx")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) first: ModelArgs,
    /// The parts behind it
    #[arg(required = true, value_name = "MODEL[@CUT]")]
    parts: Vec<String>,
    /// What stands between parts of other shapes: list, auto, or the name or number of one (for several places, several times)
    #[arg(long, value_name = "list|auto|ADAPTER")]
    adapter: Vec<String>,
    /// The weights of the adapter
    #[arg(long, value_name = "FILE.safetensors", requires = "adapter")]
    adapter_weights: Option<PathBuf>,
    /// Seed of the adapter's weights
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// The file to write; its ending says the format
    #[arg(short, long, value_name = "FILE.onnx|FILE.json", required_unless_present = "adapter")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// A part as it is named.
#[derive(Debug)]
struct Named<'s> {
    file: &'s str,
    range: Range<'s>,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    args.first.options()?;
    if args.first.given.iter().any(|option| option == "--weights") {
        let message = "--weights is for one model: write the parts that need it as models of their own first";
        return Err(Failure::Usage(message.to_owned()));
    }
    let lists = args.adapter.iter().any(|adapter| adapter == "list");
    let (format, model) = match (&args.output, lists) {
        (_, true) => (None, args.first.clone()),
        (Some(output), false) => {
            let (format, model) = Format::of(output, &args.first)?;
            (Some((format, output)), model)
        }
        (None, false) => return Err(Failure::Usage("say where to write it: -o FILE".to_owned())),
    };
    let first = args.first.model.to_string_lossy().into_owned();
    let names: Vec<&str> =
        std::iter::once(first.as_str()).chain(args.parts.iter().map(String::as_str)).collect();
    let all = names.len();
    let mut progress = console.progress("stitching");
    let mut pieces = Vec::with_capacity(all);
    for (place, name) in names.iter().enumerate() {
        progress.advance(place, all + 1);
        pieces.push(piece(&named(name, place, all)?, (place, all), &model, console)?);
    }
    let joints: Vec<Joint> = pieces.windows(2).map(|pair| joint(&pair[0], &pair[1], args.seed)).collect();
    let Some((format, output)) = format else {
        drop(progress);
        let tables = || joints.iter().map(text::adapters).collect::<Vec<_>>().join("\n");
        return console.print(&if args.format.json() { json::adapters(&joints) } else { tables() });
    };
    let chosen = chosen(&joints, args)?;
    let (graph, what) = joined(pieces, chosen, args, console)?;
    let (graph, warnings) = legality::check(graph)?;
    console.diagnose(&warnings);
    progress.advance(all, all + 1);
    format.write(&graph)?;
    drop(progress);
    let made = Made::new(&graph, what, output.display().to_string())?;
    console.print(&if args.format.json() { json::made(&made) } else { text::made(&made) })
}

/// What `text`, the part at `place`, names. A file's name may hold an @ too: the first that leaves a file counts.
fn named(text: &str, place: usize, all: usize) -> Result<Named<'_>, Failure> {
    let is_file = |name: &str| Path::new(name).is_file();
    let mut splits = text.match_indices('@').map(|(at, _)| (&text[..at], &text[at + 1..]));
    let split =
        if is_file(text) { None } else { splits.clone().find(|(file, _)| is_file(file)).or(splits.next()) };
    let Some((file, cut)) = split else { return Ok(Named { file: text, range: Range::default() }) };
    let given = |name| Some(name).filter(|name: &&str| !name.is_empty());
    let range = match cut.split_once("..") {
        Some((from, until)) => Range { from: given(from), until: given(until) },
        None if place == 0 => Range { from: None, until: given(cut) },
        None if place + 1 == all => Range { from: given(cut), until: None },
        None => {
            let message = format!("{text} stands between two others: write {file}@FROM..UNTIL");
            return Err(Failure::Usage(message));
        }
    };
    Ok(Named { file, range })
}

/// Reads a part.
fn piece(
    named: &Named<'_>,
    (place, all): (usize, usize),
    model: &ModelArgs,
    console: &Console,
) -> Result<Piece, Failure> {
    let graph = model.reading(named.file.as_ref())?.read(console)?;
    let sides = Sides { before: place > 0, behind: place + 1 < all };
    let stem = Path::new(named.file).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let piece = part::part(graph, named.range, sides, &stem.unwrap_or_else(|| "part".to_owned()));
    let piece = piece.map_err(|faults| faults.from_file(named.file))?;
    console.diagnose(&piece.warnings.clone().from_file(named.file));
    Ok(piece)
}

fn joint(before: &Piece, behind: &Piece, seed: u64) -> Joint {
    let from = Port { name: exit(before), shape: before.part.gives().unwrap_or_default() };
    let to = Port { name: entry(behind), shape: behind.part.takes().unwrap_or_default() };
    let adapters = stitch::adapters(&from.shape, &to.shape, seed);
    Joint { from, to, adapters }
}

fn exit(piece: &Piece) -> String {
    let node = piece.part.exit.map(|exit| piece.part.graph.node(exit).name.clone());
    let end = piece.until.as_ref().map(|until| until.name.clone()).or(node).unwrap_or_default();
    format!("{} of {}", end, piece.part.graph.name)
}

fn entry(piece: &Piece) -> String {
    let node = piece.part.entry.map(|entry| piece.part.graph.node(entry).name.clone());
    let begin = piece.from.as_ref().map(|from| from.name.clone()).or(node).unwrap_or_default();
    format!("{} of {}", begin, piece.part.graph.name)
}

/// The adapter of each place, where one is needed.
fn chosen(joints: &[Joint], args: &Args) -> Result<Vec<Option<Adapter>>, Failure> {
    let differ = |joint: &Joint| joint.from.shape != joint.to.shape;
    let needed = joints.iter().filter(|joint| differ(joint)).count();
    if args.adapter.len() > 1 && args.adapter.len() != needed {
        let given = args.adapter.len();
        let message = format!("--adapter is given {given} times, for {needed} places that need one");
        return Err(Failure::Usage(message));
    }
    let mut asked = args.adapter.iter().map(String::as_str).cycle();
    let mut chosen = Vec::with_capacity(joints.len());
    for joint in joints {
        chosen.push(if differ(joint) { Some(choose(joint, asked.next())?) } else { None });
    }
    Ok(chosen)
}

/// The adapter of `joint` that is asked for.
fn choose(joint: &Joint, asked: Option<&str>) -> Result<Adapter, Diagnostic> {
    let fault = |message: String| {
        Diagnostic::error(codes::NO_ADAPTER, message)
            .operand("gives", joint.from.name.as_str(), joint.from.shape.to_string())
            .operand("takes", joint.to.name.as_str(), joint.to.shape.to_string())
    };
    let Some(best) = joint.adapters.first() else {
        let fault = fault("no adapter makes one shape of the other".to_owned());
        return Err(fault.help(
            "cut where the shapes are maps on both sides, or vectors on both: `frit cut MODEL` lists them",
        ));
    };
    let Some(asked) = asked else {
        return Err(fault("the shapes differ".to_owned())
            .help_flag(
                "put the best adapter between",
                "--adapter auto",
                format!("{}: {}", best.name, best.loses.join(", ")),
            )
            .help_flag("see all", "--adapter list", String::new()));
    };
    let numbered = asked.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
    let found = match (asked, numbered) {
        ("auto", _) => Some(best),
        (_, Some(index)) => joint.adapters.get(index),
        (name, None) => joint.adapters.iter().find(|adapter| adapter.name == name),
    };
    found.cloned().ok_or_else(|| {
        let names: Vec<&str> = joint.adapters.iter().map(|adapter| adapter.name.as_str()).collect();
        fault(format!("there is no adapter {asked} here")).note(format!("there are {}", names.join(", ")))
    })
}

/// The parts with their adapters as one network, and what it is made of.
fn joined(
    pieces: Vec<Piece>,
    chosen: Vec<Option<Adapter>>,
    args: &Args,
    console: &Console,
) -> Result<(Graph, String), Failure> {
    let mut adapters = chosen.into_iter();
    let with_weights = adapters.clone().flatten().filter(|adapter| adapter.parameters > 0).count();
    if args.adapter_weights.is_some() && with_weights != 1 {
        let message = format!("--adapter-weights is for one adapter with weights, here are {with_weights}");
        return Err(Failure::Usage(message));
    }
    let mut parts: Vec<Part> = Vec::new();
    let mut words = Vec::new();
    let name = pieces.iter().map(|piece| piece.part.graph.name.clone()).collect::<Vec<_>>().join("+");
    for piece in pieces {
        words.push(described(&piece));
        parts.push(piece.part);
        let Some(adapter) = adapters.next().flatten() else { continue };
        words.push(adapter.name.clone());
        let graph = match &args.adapter_weights {
            Some(file) if adapter.parameters > 0 => trained(&adapter, file, console)?,
            _ => adapter.graph,
        };
        console.diagnose(&untrained::warning(&graph, &format!("the adapter {}", adapter.name)));
        parts.push(Part::between(graph, "adapter")?);
    }
    for (prefix, count) in stitch::clashes(&parts).into_iter().filter(|(prefix, _)| prefix != "adapter") {
        console.note(&format!("{count} names that a part before has too begin with {prefix}/ now"));
    }
    let mut graph = stitch::join(&parts)?;
    graph.name = name;
    Ok((graph, words.join(", then ")))
}

/// A part in words.
fn described(piece: &Piece) -> String {
    let end = |found: &Found| match found.index {
        Some(index) => format!("{} (layer {index})", found.name),
        None => found.name.clone(),
    };
    let from = piece.from.as_ref().map(|from| format!(" behind {}", end(from))).unwrap_or_default();
    let until = piece.until.as_ref().map(|until| format!(" up to {}", end(until))).unwrap_or_default();
    format!("{}{from}{until}", piece.part.graph.name)
}

/// The layers of `adapter` with weights from a file: it is read as a description that names it.
fn trained(adapter: &Adapter, file: &Path, console: &Console) -> Result<Graph, Failure> {
    let beside = Beside { weights: "adapter.safetensors", labels: "adapter.labels.json" };
    let written = export::json::write(&adapter.graph, &beside)?;
    let source =
        Source { file: file.display().to_string(), weights: Some(file.to_owned()), ..Source::default() };
    let (graph, warnings) = description::read(&written.description, &source)?;
    console.diagnose(&warnings);
    Ok(graph)
}
