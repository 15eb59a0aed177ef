//! What every pass keeps: a legal graph, its signature, and the names of its layers.

use std::collections::BTreeSet;

use frit_ir::diagnostic::{Severity, codes};
use frit_ir::{Diagnostic, Graph, NodeId, infer};

use crate::legality;

/// Holds `after`, which `pass` made of the legal graph `before`, against what passes keep: shapes, weights and joins that are
/// legal and no cycle; inputs and outputs of the same names and shapes in the same order, with the same preparation of pictures
/// and the same labels; layers with names of their own, and every source layer that an output needs named by one of them.
///
/// # Errors
/// A fault of frit (FR0901) that names the pass, with a note for everything that it broke.
pub fn verify(pass: &str, before: &Graph, after: &Graph) -> Result<(), Diagnostic> {
    told(pass, [illegal(after), signature(before, after), names(before, after)].concat())
}

/// The same of `after` that need not be legal, for a pass that may give an output another name and says so: the same inputs, as
/// many outputs, and no layer without a source.
pub(super) fn border(pass: &str, before: &Graph, after: &Graph) -> Result<(), Diagnostic> {
    let mut broken = compared("inputs", [before, after].map(|graph| described(graph, graph.inputs())));
    let [old, new] = [before, after].map(|graph| graph.outputs().len());
    if old != new {
        broken.push(format!("there were {old} outputs and are {new}"));
    }
    let nameless = after.ids().map(|id| after.node(id)).filter(|node| node.sources.is_empty());
    broken.extend(nameless.map(|node| format!("{} comes from no source layer", node.name)));
    told(pass, broken)
}

/// The fault of a pass that broke something.
fn told(pass: &str, broken: Vec<String>) -> Result<(), Diagnostic> {
    if broken.is_empty() {
        return Ok(());
    }
    let fault = Diagnostic::error(codes::INTERNAL, format!("the pass {pass} broke the network"));
    Err(broken.into_iter().fold(fault, Diagnostic::note))
}

/// Faults of shapes (those of a cycle among them), of weights and of joins.
fn illegal(after: &Graph) -> Vec<String> {
    let Err(faults) = legality::check(after.clone()) else { return Vec::new() };
    let errors = faults.iter().filter(|fault| fault.severity == Severity::Error);
    errors.map(|fault| format!("{}: {}", fault.layer, fault.message)).collect()
}

fn signature(before: &Graph, after: &Graph) -> Vec<String> {
    let borders = |ids: fn(&Graph) -> &[NodeId]| [before, after].map(|graph| described(graph, ids(graph)));
    let mut broken = compared("inputs", borders(Graph::inputs));
    broken.extend(compared("outputs", borders(Graph::outputs)));
    if before.preprocess != after.preprocess || before.labels != after.labels {
        broken.push("the preparation of pictures or the labels are others".to_owned());
    }
    broken
}

/// What is different of two lists.
fn compared(what: &str, [old, new]: [Vec<String>; 2]) -> Vec<String> {
    if old == new {
        return Vec::new();
    }
    vec![format!("the {what} were [{}] and are [{}]", old.join(", "), new.join(", "))]
}

/// Nodes by name and shape; one whose shape can't be known has a fault of its own.
fn described(graph: &Graph, ids: &[NodeId]) -> Vec<String> {
    let (types, _) = infer::known(graph);
    let shape = |id: &NodeId| types.get(id).map_or("?".to_owned(), |known| known.shape.to_string());
    ids.iter().map(|id| format!("{} {}", graph.node(*id).name, shape(id))).collect()
}

fn names(before: &Graph, after: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    let (mut seen, mut covered) = (BTreeSet::new(), BTreeSet::new());
    for node in after.ids().map(|id| after.node(id)) {
        if !seen.insert(node.name.as_str()) {
            broken.push(format!("two layers are named {}", node.name));
        }
        if node.sources.is_empty() {
            broken.push(format!("{} comes from no source layer", node.name));
        }
        covered.extend(node.sources.layers());
    }
    let known = sources(before, before.ids());
    broken.extend(covered.difference(&known).map(|layer| format!("no source layer is named {layer}")));
    let needed = sources(before, before.needed());
    broken.extend(needed.difference(&covered).map(|layer| format!("no layer comes from {layer}")));
    broken
}

/// The source layers of `ids`.
fn sources(graph: &Graph, ids: impl IntoIterator<Item = NodeId>) -> BTreeSet<&str> {
    ids.into_iter().flat_map(|id| graph.node(id).sources.layers()).collect()
}
