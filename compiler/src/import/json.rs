//! frit's own descriptions: a network as a person writes it, layer by layer, with stages as the papers' tables have them.

mod attributes;
mod build;
pub(crate) mod document;
mod fields;
mod layers;
mod order;
pub(crate) mod squeeze;
mod stages;
mod weights;

use std::path::{Path, PathBuf};

use frit_ir::diagnostic::codes;
use frit_ir::graph::Preprocess;
use frit_ir::{Diagnostic, Faults, Graph, Shape};
use frit_passes::legality::{self, multiplier};

use super::{Source, inside, labels, limits};
use attributes::Defaults;
use build::{Built, Entry};
use document::{Content, Document, Value};
use fields::{Findings, Reader, wrong};
use order::Index;

/// The version of the language that is read.
const VERSION: usize = 1;

/// The graph that `text` describes, with warnings.
///
/// # Errors
/// All faults of the description, and of the weights and labels that it names, each with line, column and path.
pub fn read(text: &str, source: &Source) -> Result<(Graph, Faults), Faults> {
    let document = Document::parse(text, &source.file)?;
    let mut findings = Findings::new(&document);
    let graph = describe(&document.root(), source, &mut findings);
    findings.finish().unless_errors(graph.unwrap_or_default())
}

/// What stands around the layers.
struct Header<'a> {
    name: String,
    input: Input,
    weights: Option<WeightSource<'a>>,
    labels: Option<(String, Value<'a>)>,
    defaults: Defaults,
    layers: Vec<Value<'a>>,
    /// The names of the outputs; none where it is the last layer.
    outputs: Option<Vec<(String, Value<'a>)>>,
}

#[derive(Default)]
struct Input {
    name: String,
    shape: Option<Shape>,
    preprocess: Option<Preprocess>,
}

/// Where the weights come from.
enum WeightSource<'a> {
    Seed(u64, Value<'a>),
    /// A file, its name in faults, and where the description names it.
    File(PathBuf, String, Value<'a>),
}

/// Reads the whole document; none where nothing could be made of it.
fn describe<'a>(root: &Value<'a>, source: &Source, findings: &mut Findings<'a>) -> Option<Graph> {
    let header = header(root, source, findings)?;
    let layers = layers::read(&header.layers, &header.input.name, &header.defaults, findings);
    let index = Index::new(&header.input.name, &layers);
    let operands = order::operands(&layers, &index, findings);
    let order = order::order(&layers, &operands, findings);
    let entry = Entry { name: &header.input.name, shape: header.input.shape.clone() };
    let mut built = build::build(&entry, &layers, &operands, &order, findings);
    outputs(&header, &index, &mut built, findings);
    let needed = std::mem::take(&mut built.needed);
    match &header.weights {
        Some(WeightSource::Seed(seed, at)) => weights::seeded(&mut built.graph, needed, *seed, at, findings),
        Some(WeightSource::File(path, name, at)) => {
            let shelf = weights::Shelf { path, name, at };
            let misfits = weights::from_file(&mut built.graph, &needed, &shelf, &layers, findings);
            let given = |name: &str| misfits.get(name).cloned();
            if !misfits.is_empty() {
                findings.extend(multiplier::faults(&built.graph, &built.shapes, &given));
            }
        }
        None => {}
    }
    // A description with faults never comes to legality: its joins are told here, so that one run tells all.
    if findings.has_errors() {
        findings.extend(legality::join_faults(&built.graph));
    }
    built.graph.name = header.name;
    built.graph.preprocess = header.input.preprocess;
    if let Some((name, at)) = &header.labels {
        built.graph.labels = read_labels(name, at, source, &built, findings);
    }
    Some(built.graph)
}

/// Reads what stands around the layers.
fn header<'a>(root: &Value<'a>, source: &Source, findings: &mut Findings<'a>) -> Option<Header<'a>> {
    let mut reader = Reader::open(root, findings)?;
    if reader.has("class_name") && reader.has("config") {
        let message = "this is a network as Keras writes it (to_json), which frit does not read";
        let fault = Diagnostic::error(codes::FILE_UNREADABLE, message);
        reader.fault(
            None,
            fault.help("describe it in frit's own JSON: `frit zoo mobilenet_v2` prints an example"),
        );
        return None;
    }
    version(&mut reader)?;
    let name = match reader.take("name") {
        Some(value) => reader.as_name(&value, "name").unwrap_or_default(),
        None => {
            Path::new(&source.file).file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into())
        }
    };
    let input = reader.need("input").and_then(|value| input(&value, reader.findings)).unwrap_or_default();
    let weights = weight_source(&mut reader, source);
    let labels = reader.take("labels").and_then(|value| Some((reader.as_text(&value, "labels")?, value)));
    let defaults = match reader.take("defaults") {
        Some(value) => Reader::open(&value, reader.findings).map(Defaults::read).unwrap_or_default(),
        None => Defaults::default(),
    };
    let layers = reader.need("layers").and_then(|value| layer_list(&value, &mut reader)).unwrap_or_default();
    let outputs = reader.take("outputs").and_then(|value| {
        let names = reader.as_names(&value, "outputs")?;
        if names.is_empty() {
            reader.fault(Some(&value), wrong("a network has at least one output"));
        }
        Some(names)
    });
    reader.finish();
    Some(Header { name, input, weights, labels, defaults, layers, outputs })
}

/// Reads `frit`; whatever follows another version is not looked at.
fn version(reader: &mut Reader<'_, '_>) -> Option<()> {
    let Some(value) = reader.take("frit") else {
        reader.missing("frit", "a description begins with \"frit\": 1");
        return None;
    };
    let version = reader.as_whole(&value, "frit")?;
    if version != VERSION {
        let message = format!("the description is of version {version}; this frit reads version {VERSION}");
        reader.fault(Some(&value), wrong(&message));
        return None;
    }
    Some(())
}

fn layer_list<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>) -> Option<Vec<Value<'a>>> {
    let list = reader.as_list(value, "layers")?;
    if list.is_empty() {
        reader.fault(Some(value), wrong("a network has at least one layer"));
        return None;
    }
    if list.len() > limits::LAYERS {
        let message = format!("{} layers are above the limit of {}", list.len(), limits::LAYERS);
        reader.fault(Some(value), Diagnostic::error(codes::LIMIT, message));
        return None;
    }
    Some(list)
}

fn input<'a>(value: &Value<'a>, findings: &mut Findings<'a>) -> Option<Input> {
    let mut reader = Reader::open(value, findings)?;
    let name = match reader.take("name") {
        Some(value) => reader.as_name(&value, "name").unwrap_or_default(),
        None => "image".to_owned(),
    };
    reader.of_layer(format!("{name} (input)"));
    let shape = reader.need("shape").and_then(|value| {
        let shape = attributes::shape(&value, &mut reader)?;
        if shape.elements().is_none() {
            let message = format!("an input of {shape} has more than 2^40 elements");
            reader.fault(Some(&value), Diagnostic::error(codes::TENSOR_SIZE, message));
            return None;
        }
        Some(shape)
    });
    let preprocess = reader.take("preprocess").and_then(|value| {
        if shape.as_ref().is_some_and(|shape| shape.map().is_none_or(|[.., channels]| channels != 3)) {
            reader
                .fault(Some(&value), wrong("a picture becomes a map of 3 channels, and this input is none"));
        }
        preprocess(&value, reader.findings)
    });
    reader.finish();
    Some(Input { name, shape, preprocess })
}

fn preprocess<'a>(value: &Value<'a>, findings: &mut Findings<'a>) -> Option<Preprocess> {
    let mut reader = Reader::open(value, findings)?;
    let crop = choice(&mut reader, "crop", &[("center_square", true), ("none", false)], true);
    let bicubic = choice(&mut reader, "resize", &[("bicubic", true), ("bilinear", false)], true);
    let range = reader.need("range").and_then(|value| reader.as_numbers(&value, "range"));
    let mean = reader.take("mean").map_or(Some([0.0; 3]), |value| reader.as_numbers(&value, "mean"));
    let std = reader.take("std").map_or(Some([1.0; 3]), |value| {
        let std: [f32; 3] = reader.as_numbers(&value, "std")?;
        if std.iter().any(|&std| std <= 0.0) {
            reader.fault(Some(&value), wrong("each std must be greater than 0"));
            return None;
        }
        Some(std)
    });
    reader.finish();
    Some(Preprocess { crop_center_square: crop?, bicubic: bicubic?, range: range?, mean: mean?, std: std? })
}

fn choice(
    reader: &mut Reader<'_, '_>,
    name: &'static str,
    choices: &[(&'static str, bool)],
    default: bool,
) -> Option<bool> {
    match reader.take(name) {
        Some(value) => reader.as_choice(&value, name, choices),
        None => Some(default),
    }
}

/// Where the weights come from; the file that the caller names comes first.
fn weight_source<'a>(reader: &mut Reader<'_, 'a>, source: &Source) -> Option<WeightSource<'a>> {
    let value = reader.take("weights");
    if let Some(given) = &source.weights {
        let at = value.unwrap_or_else(|| reader.owner().clone());
        return Some(WeightSource::File(given.clone(), given.display().to_string(), at));
    }
    let Some(value) = value else {
        reader.missing("weights", "name a .safetensors file, or write \"weights\": {\"seed\": 7}");
        return None;
    };
    if let Content::Object(_) = reader.content(&value)? {
        let mut seed = Reader::open(&value, reader.findings)?;
        let number = seed.need("seed").and_then(|value| seed.as_seed(&value));
        seed.finish();
        return number.map(|number| WeightSource::Seed(number, value));
    }
    let name = reader.as_text(&value, "weights")?;
    match file(source, &name) {
        Ok(path) => Some(WeightSource::File(path, name, value)),
        Err(reason) => {
            let message = format!("the weights {name} can't be read");
            let fault = Diagnostic::error(codes::WEIGHTS_UNREADABLE, message).note(reason);
            reader.fault(Some(&value), fault.help_flag("name the file", "--weights FILE", "wherever it is"));
            None
        }
    }
}

/// A file that the description names.
fn file(source: &Source, name: &str) -> Result<PathBuf, String> {
    match &source.folder {
        Some(folder) => inside(folder, name),
        None => Err("a description without a folder can't name files".to_owned()),
    }
}

/// Marks the outputs: those that are named, else the last layer.
fn outputs<'a>(header: &Header<'a>, index: &Index<'_>, built: &mut Built, findings: &mut Findings<'a>) {
    let Some(names) = &header.outputs else {
        if let Some(last) = built.last() {
            built.graph.add_output(last);
        }
        return;
    };
    for (name, at) in names {
        let target = match index.find(name) {
            Ok(target) => target,
            Err(fault) => {
                findings.add(at, *fault);
                continue;
            }
        };
        match built.node(&target) {
            Some(node) if built.graph.outputs().contains(&node) => {
                let message = format!("the output {name} is given twice");
                findings.add(at, Diagnostic::error(codes::DUPLICATE_NAME, message));
            }
            Some(node) => built.graph.add_output(node),
            None if built.has_layer(&target) => findings.add(at, index.unknown(name)),
            None => {}
        }
    }
}

/// The labels, which should be as many as the last output has channels.
fn read_labels<'a>(
    name: &str,
    at: &Value<'a>,
    source: &Source,
    built: &Built,
    findings: &mut Findings<'a>,
) -> Option<Vec<String>> {
    let fault = |reason: String| {
        let message = format!("the labels {name} can't be read");
        Diagnostic::error(codes::LABELS, message).note(reason)
    };
    let path = file(source, name).map_err(|reason| findings.add(at, fault(reason))).ok()?;
    let labels = labels::load(&path).map_err(|found| {
        let reasons = found.iter().flat_map(|found| std::iter::once(&found.message).chain(&found.notes));
        findings.add(at, fault(reasons.cloned().collect::<Vec<_>>().join(": ")));
    });
    let labels = labels.ok()?;
    let classes =
        built.graph.outputs().last().and_then(|output| built.shapes.get(output)).map(Shape::channels);
    if let Some(classes) = classes.filter(|&classes| classes != labels.len()) {
        let message = format!("{name} has {} labels, the output {classes} classes", labels.len());
        findings.add(at, Diagnostic::warning(codes::LABELS, message));
    }
    Some(labels)
}

#[cfg(test)]
mod tests;
