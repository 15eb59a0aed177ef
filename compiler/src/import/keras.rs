//! Networks as Keras writes them: `.keras` archives (Keras 3), `.h5` files of whole networks (Keras 1 to 3), and `.json` of
//! `to_json` with a file of weights. Python code that such a file holds is never run.
//!
//! A layer's last node has the layer's name, behind those of the models that it lies in; what is before it is named after it:
//! a `Dense` named `scores` with an activation is `scores/dense` and `scores`. From its second call on a layer's nodes have the
//! call's number behind its name. Weights have one name however often their layer is called.

mod archive;
mod attributes;
mod build;
mod calls;
mod classes;
mod definitions;
mod functional;
mod functions;
mod hdf5;
mod lambda;
mod layer;
mod layers;
mod model;
mod operations;
mod reading;
mod refused;
mod sequential;
mod site;
mod tensors;
mod variable;
mod version;
mod weights;
mod written;

use std::path::Path;
use std::sync::Arc;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Shape};
use frit_passes::legality;
use frit_runtime::map::MappedFile;

use super::budget::Budget;
use super::document::{Document, Value};
use super::files::place;
use super::findings::{Findings, wrong};
use super::limits;
use super::request::Request;
use attributes::Attributes;
use build::Builder;
use hdf5::Container;
use model::{Definition, DefinitionKind, Model};
use reading::Reading;
use tensors::{Tensor, Tensors};
use version::{Version, guessed, stated, version_of};
use weights::Shelf;

/// The network of a `.keras` file, with warnings.
///
/// # Errors
/// The archive, the network or its weights are at fault; all faults of a part are told in one go.
pub(super) fn archive(path: &Path, request: &Request) -> Result<(Graph, Faults), Faults> {
    let file = path.display().to_string();
    let in_file = |fault: Diagnostic| Faults::from(fault.in_file(place(&file)));
    let map = map(path).map_err(in_file)?;
    let archive = archive::open(&map).map_err(in_file)?;
    let shelf = match &request.weights {
        Some(other) => shelf(other)?,
        None => {
            let (owner, range) = archive.weights;
            Container::open(owner, range).and_then(|c| Shelf::new(c, archive::WEIGHTS)).map_err(in_file)?
        }
    };
    let version = stated(&archive.metadata);
    network(&archive.config, &file, Some(shelf), (version, request))
}

/// The network of a `.h5` file, with warnings.
///
/// # Errors
/// As [`archive`].
pub(super) fn whole(path: &Path, request: &Request) -> Result<(Graph, Faults), Faults> {
    let file = path.display().to_string();
    let in_file = |fault: Diagnostic| Faults::from(fault.in_file(place(&file)));
    let container = container(path).map_err(in_file)?;
    let root = container.root().map_err(in_file)?;
    let config = hdf5::text(&root, "model_config").map_err(in_file)?.ok_or_else(|| {
        let message = "the file has no model_config: it holds weights alone";
        let fault = Diagnostic::error(codes::NOT_KERAS, message).help_flag(
            "give them to the network's description",
            format!("frit check network.json --weights {file}"),
            "network.json is what model.to_json() says",
        );
        in_file(fault)
    })?;
    let version = hdf5::text(&root, "keras_version").map_err(in_file)?.and_then(|text| version_of(&text));
    let shelf = match &request.weights {
        Some(other) => shelf(other)?,
        None => Shelf::new(container, &file).map_err(in_file)?,
    };
    network(&config, &file, Some(shelf), (version, request))
}

/// The network of a description that `to_json` wrote, with warnings.
///
/// # Errors
/// All faults of the description, and of the weights that `request` names.
pub fn described(text: &str, file: &str, request: &Request) -> Result<(Graph, Faults), Faults> {
    let shelf = request.weights.as_deref().map(shelf).transpose()?;
    network(text, file, shelf, (stated(text), request))
}

/// Whether a JSON text is a network of Keras.
pub(super) fn is_description(root: &Value<'_>) -> bool {
    use super::document::Content;
    let Ok(Content::Object(members)) = root.content() else { return false };
    ["class_name", "config"].iter().all(|name| members.iter().any(|member| member.name == *name))
}

/// The file, mapped.
fn map(path: &Path) -> Result<Arc<MappedFile>, Diagnostic> {
    MappedFile::open(path).map(Arc::new).map_err(|error| {
        Diagnostic::error(codes::FILE_UNREADABLE, format!("the file can't be read: {error}"))
    })
}

fn container(path: &Path) -> Result<Container, Diagnostic> {
    let map = map(path)?;
    let length = map.len();
    Container::open(map, 0..length)
}

/// A file of weights: an HDF5 file, or the archive that holds one.
fn shelf(path: &Path) -> Result<Shelf, Faults> {
    let file = path.display().to_string();
    let packed = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("keras"));
    let container = || {
        if !packed {
            return container(path);
        }
        let (owner, range) = archive::open(&map(path)?)?.weights;
        Container::open(owner, range)
    };
    container()
        .and_then(|container| Shelf::new(container, &file))
        .map_err(|fault| fault.in_file(place(&file)).into())
}

/// The network that `text` describes, with the weights of `shelf`.
fn network(
    text: &str,
    file: &str,
    shelf: Option<Shelf>,
    (version, request): (Option<Version>, &Request),
) -> Result<(Graph, Faults), Faults> {
    let document = Document::parse(text, file)?;
    let mut findings = Findings::new(&document);
    if let Some(depth) = too_deep(text) {
        let message = format!("the JSON is nested {depth} levels deep, the limit is {}", limits::KERAS_DEPTH);
        findings.add(&document.root(), Diagnostic::error(codes::LIMIT, message));
        return Err(findings.finish());
    }
    let version = version.unwrap_or_else(|| guessed(text));
    let graph = read(&document.root(), version, (shelf, request), &mut findings);
    findings.finish().unless_errors(graph.unwrap_or_default())
}

/// How deep a JSON text is nested, where that is more than any network is.
fn too_deep(text: &str) -> Option<usize> {
    let (mut depth, mut most, mut inside, mut escaped) = (0usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = inside,
            b'"' => inside = !inside,
            b'[' | b'{' if !inside => {
                depth += 1;
                most = most.max(depth);
            }
            b']' | b'}' if !inside => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    (most > limits::KERAS_DEPTH).then_some(most)
}

fn read<'a>(
    root: &Value<'a>,
    version: Version,
    (shelf, request): (Option<Shelf>, &Request),
    findings: &mut Findings<'a>,
) -> Option<Graph> {
    if !is_description(root) {
        let fault = Diagnostic::error(codes::NOT_KERAS, "this is JSON, but no network of Keras");
        findings.add(root, fault.note("that has a class_name and a config"));
        return None;
    }
    let mut attributes = Attributes::open(root, "", version, findings)?;
    let class = attributes.needed("class_name")?;
    let word = attributes.values().as_text(&class, "class_name")?;
    if !["Functional", "Model", "Sequential"].contains(&word.as_str()) {
        let message = format!(
            "{word} is no Functional or Sequential model: what it computes is code, which is not in the file"
        );
        let fault = Diagnostic::error(codes::NOT_KERAS, message);
        findings.add(&class, fault.help("build it with keras.Model(inputs, outputs), or export it to ONNX"));
        return None;
    }
    let mut reading = Reading::new(version, findings, Budget::of(root.spelling().len() as u64));
    let model = reading.model(root, &word, "", 0);
    let Reading { refused, lambdas, budget, .. } = reading;
    refused.tell(findings);
    lambda::tell(&lambdas, findings);
    let model = model?;
    let mut tensors = Tensors::new(&model.name, version, findings);
    let inputs = inputs(&model, request, &mut tensors);
    let mut builder = Builder::new(tensors, budget);
    let results = builder.model(&model, &inputs, "");
    let outputs = builder.outputs(&model, &results);
    let Builder { mut tensors, .. } = builder;
    for ((name, source), tensor) in model.outputs.iter().zip(outputs) {
        match tensor {
            Some(tensor) => _ = tensors.output(tensor, name),
            None if tensors.findings.has_errors() => {}
            None => {
                let message = format!("the output {name} reads an input that the model does not list");
                tensors.findings.add(&source.at, Diagnostic::error(codes::UNKNOWN_LAYER, message));
            }
        }
    }
    if !model.complete && !tensors.findings.has_errors() {
        tensors.findings.add(root, Diagnostic::error(codes::MISSING_FIELD, "the model has no output"));
    }
    weights::fill(&mut tensors, &model, shelf, root);
    let Tensors { network, findings, .. } = tensors;
    let graph = network.finish();
    // A network with faults never comes to legality: its joins are told here, so that one run tells all.
    if findings.has_errors() {
        findings.extend(legality::join_faults(&graph));
    }
    Some(graph)
}

/// The inputs of the network, with the shapes that the caller gives where the file leaves them open.
fn inputs<'a>(model: &Model<'a>, request: &Request, tensors: &mut Tensors<'_, 'a>) -> Vec<Option<Tensor>> {
    let names: Vec<&str> =
        model.inputs.iter().map(|(_, input)| model.definitions[*input].name.as_str()).collect();
    for given in &request.shapes {
        let name = given.input.as_deref();
        let known = name.map_or(names.len() == 1, |name| names.contains(&name));
        if !known && let Some((_, first)) = model.inputs.first() {
            let what = name.map_or("--shape names no input".to_owned(), |name| {
                format!("--shape names {name}, which is no input")
            });
            let fault = wrong(&what).note(format!("the inputs are {}", names.join(", ")));
            tensors.tell(&model.definitions[*first].at, fault);
        }
    }
    model
        .inputs
        .iter()
        .map(|(_, input)| {
            let definition = &model.definitions[*input];
            let Some(DefinitionKind::Input(axes)) = &definition.kind else { return None };
            let shape = shape(definition, axes, request, tensors)?;
            tensors.input((&definition.name, &definition.at), shape)
        })
        .collect()
}

/// The shape of an input; its open axes are those that the caller gives.
fn shape<'a>(
    definition: &Definition<'a>,
    axes: &[Option<usize>],
    request: &Request,
    tensors: &mut Tensors<'_, 'a>,
) -> Option<Shape> {
    let name = definition.name.as_str();
    let given = request.shapes.iter().find(|given| given.input.as_deref().is_none_or(|input| input == name));
    let given = given.and_then(|given| given.axes.get(1..));
    let spelled = |axis: &Option<usize>| axis.map_or("?".to_owned(), |axis| axis.to_string());
    let file: Vec<String> = axes.iter().map(spelled).collect();
    match given {
        Some(given) => {
            let fits = given.len() == axes.len()
                && given.iter().zip(axes).all(|(given, axis)| axis.is_none_or(|axis| axis == *given));
            if !fits {
                let given = given.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
                let fault = Diagnostic::error(codes::INPUT_SHAPE, "--shape contradicts the file")
                    .operand("given", name, given)
                    .operand("in the file", name, file.join("x"));
                tensors.tell(&definition.at, fault);
                return None;
            }
            Some(Shape::new(given))
        }
        None => {
            let known: Option<Vec<usize>> = axes.iter().copied().collect();
            if known.is_none() {
                let message = format!("the input {name} has an open size: {}", file.join("x"));
                let example: Vec<String> = axes.iter().map(|axis| axis.unwrap_or(224).to_string()).collect();
                let fault = Diagnostic::error(codes::OPEN_SIZE, message).help_flag(
                    "give it, the batch included",
                    format!("--shape {name}=1x{}", example.join("x")),
                    "a network is compiled for one size",
                );
                tensors.tell(&definition.at, fault);
            }
            known.map(|axes| Shape::new(&axes))
        }
    }
}

#[cfg(test)]
mod tests;
