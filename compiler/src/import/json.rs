//! frit's own descriptions: a network as a person writes it, layer by layer, with stages as the papers' tables have them.

mod build;
mod defaults;
mod entry;
mod header;
mod kinds;
mod layer;
mod layers;
mod ops;
mod order;
mod schema;
mod section;
mod split;
pub(crate) mod squeeze;
mod stages;
mod tensors;
mod weights;

use std::collections::BTreeSet;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Preprocess, Shape};
use frit_passes::legality::{self, multiplier};
use frit_passes::stitch::{self, Part};

use super::builder::GraphBuilder;
use super::document::{Document, Value};
use super::findings::Findings;
use super::labels;
use super::listing::Product;
use super::request::Source;
use build::{Built, Entry};
use header::{Header, WeightSource};
use layer::WrittenLayer;
use order::{Index, Target};
pub use schema::schema;

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

/// How a picture becomes an input, as `text`, the object that a description has under `preprocess`, says it.
///
/// # Errors
/// All faults of the text, each with line, column and path.
pub fn preprocess(text: &str, file: &str) -> Result<Preprocess, Faults> {
    let document = Document::parse(text, file)?;
    let mut findings = Findings::new(&document);
    let preprocess = header::preprocess(&document.root(), &mut findings);
    let none =
        || Diagnostic::error(codes::BAD_VALUE, "it does not say how a picture becomes an input").into();
    findings.finish().unless_errors(preprocess)?.0.ok_or_else(none)
}

/// Reads the whole document; none where nothing could be made of it.
fn describe<'a>(root: &Value<'a>, source: &Source, findings: &mut Findings<'a>) -> Option<Graph> {
    let header = header::read(root, source, findings)?;
    let layers = layers::read(&header.layers, &header.input.name, &header.defaults, findings);
    let index = Index::new(&header.input.name, &layers);
    let operands = order::operands(&layers, &index, findings);
    let order = order::order(&layers, &operands, findings);
    let entry = Entry { name: &header.input.name, shape: header.input.shape.clone() };
    let mut built = build::build(&entry, &layers, &operands, &order, findings);
    outputs(&header, &layers, &mut built, findings);
    list(&layers, &mut built);
    let needed = std::mem::take(&mut built.needed);
    let network = &mut built.network;
    match &header.weights {
        Some(WeightSource::Seed(seed, at)) => {
            weights::seeded(&mut network.graph, needed, *seed, at, findings);
        }
        Some(WeightSource::File(path, name, at)) => {
            let shelf = weights::Shelf { path, name, at };
            let misfits = weights::from_file(&mut network.graph, &needed, &shelf, &layers, findings);
            let given = |name: &str| misfits.get(name).cloned();
            if !misfits.is_empty() {
                findings.extend(multiplier::faults(&network.graph, &network.shapes, &given));
            }
        }
        None => {}
    }
    // A description with faults never comes to legality: its joins are told here, so that one run tells all.
    if findings.has_errors() {
        findings.extend(legality::join_faults(&network.graph));
    }
    let labels = header.labels.as_ref();
    let labels = labels.and_then(|(name, at)| read_labels(name, at, source, network, findings));
    let entry = built.input();
    let mut graph = built.network.finish();
    graph.name = header.name;
    graph.preprocess = header.input.preprocess.clone();
    graph.labels = labels;
    behind(graph, entry, header.model, findings)
}

/// The network `graph`, whose input is `entry`, behind the part of a model that makes its input, where it names one.
fn behind<'a>(
    graph: Graph,
    entry: Option<NodeId>,
    before: Option<Part>,
    findings: &mut Findings<'a>,
) -> Option<Graph> {
    let Some(mut before) = before else { return Some(graph) };
    if findings.has_errors() {
        return None;
    }
    let (name, preprocess) = (graph.name.clone(), graph.preprocess.clone());
    before.graph.preprocess = preprocess.or(before.graph.preprocess);
    let prefix = if name.is_empty() { "layers".to_owned() } else { name.clone() };
    let own = Part { entry, exit: None, prefix, graph };
    match stitch::join(&[before, own]) {
        Ok(mut graph) => {
            graph.name = name;
            Some(graph)
        }
        Err(faults) => {
            findings.extend(faults);
            None
        }
    }
}

/// Lists the layers. A layer's name means its result there, as among the inputs of another; the layers inside a stage stand
/// behind it.
fn list(layers: &[WrittenLayer<'_>], built: &mut Built) {
    let mut inside: BTreeSet<NodeId> = built.network.graph.ids().collect();
    let product = |graph: &Graph, node: NodeId| Product::alike(graph.node(node).name.clone(), node);
    for (index, layer) in layers.iter().enumerate() {
        let nodes = built.results_of(index, layer);
        nodes.iter().for_each(|node| _ = inside.remove(node));
        let products = nodes.into_iter().map(|node| product(&built.network.graph, node)).collect();
        built.network.list(Some(index), &layer.name, &layer.word, products);
    }
    let names: BTreeSet<&str> = layers.iter().map(|layer| layer.name.as_str()).collect();
    for node in inside {
        let product = product(&built.network.graph, node);
        let class = built.network.graph.node(node).op.name();
        if !names.contains(product.name.as_str()) {
            built.network.list(None, &product.name.clone(), class, vec![product]);
        }
    }
}

/// Marks the outputs: those that are named, else the last layer.
fn outputs<'a>(
    header: &Header<'a>,
    layers: &[WrittenLayer<'a>],
    built: &mut Built,
    findings: &mut Findings<'a>,
) {
    let index = Index::new(&header.input.name, layers);
    let Some(names) = &header.outputs else {
        if let Some(last) = layers.last()
            && let Some(fault) = last.several()
        {
            findings.add(&last.value, fault);
        } else if let Some(last) = built.last() {
            built.network.graph.add_output(last);
        }
        return;
    };
    for (name, at) in names {
        let Some(target) = index.find(name) else {
            findings.add(at, index.unknown(name, findings));
            continue;
        };
        if let Target::Layer(layer) = target
            && let Some(fault) = layers[layer].several()
        {
            findings.add(at, fault);
            continue;
        }
        match built.node(&target) {
            Some(node) if built.network.graph.outputs().contains(&node) => {
                let message = format!("the output {name} is given twice");
                findings.add(at, Diagnostic::error(codes::DUPLICATE_NAME, message));
            }
            Some(node) => built.network.graph.add_output(node),
            None if built.has_layer(&target) => findings.add(at, index.unknown(name, findings)),
            None => {}
        }
    }
}

/// The labels, which should be as many as the last output has channels.
fn read_labels<'a>(
    name: &str,
    at: &Value<'a>,
    source: &Source,
    network: &GraphBuilder,
    findings: &mut Findings<'a>,
) -> Option<Vec<String>> {
    let fault = |reason: String| {
        let message = format!("the labels {name} can't be read");
        Diagnostic::error(codes::LABELS, message).note(reason)
    };
    let path = source.file(name).map_err(|reason| findings.add(at, fault(reason))).ok()?;
    let labels = labels::load(&path).map_err(|found| {
        let reasons = found.iter().flat_map(|found| std::iter::once(&found.message).chain(&found.notes));
        findings.add(at, fault(reasons.cloned().collect::<Vec<_>>().join(": ")));
    });
    let labels = labels.ok()?;
    let classes =
        network.graph.outputs().last().and_then(|output| network.shapes.get(output)).map(Shape::channels);
    if let Some(classes) = classes.filter(|&classes| classes != labels.len()) {
        let message = format!("{name} has {} labels, the output {classes} classes", labels.len());
        findings.add(at, Diagnostic::warning(codes::LABELS, message));
    }
    Some(labels)
}

#[cfg(test)]
mod tests;
