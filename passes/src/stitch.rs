//! Several networks as one: each part's result is the next one's input, through an adapter where their shapes differ.

mod adapter;
mod window;

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::ops::Transpose;
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Faults, Graph, Names, NodeId, Op, Shape, Weight};

pub use adapter::{Adapter, adapters};

/// A network with a tensor on each side at which others are joined to it.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its nodes.
    pub graph: Graph,
    /// The input that stands for what the part before hands over; or the node behind that, which turns it into the graph's
    /// order of axes.
    pub entry: Option<NodeId>,
    /// What it hands to the part behind; no output of its own then.
    pub exit: Option<NodeId>,
    /// What stands before its names where a part before has them too.
    pub prefix: String,
}

impl Part {
    /// `graph` with its only input and its first output as what is joined.
    ///
    /// # Errors
    /// It has several inputs, or none.
    pub fn between(graph: Graph, prefix: impl Into<String>) -> Result<Part, Diagnostic> {
        let entry = Some(entrance(&graph)?);
        let exit = graph.outputs().first().copied();
        Ok(Part { graph, entry, exit, prefix: prefix.into() })
    }

    /// The shape that it takes from the part before.
    pub fn takes(&self) -> Option<Shape> {
        self.shape(self.entry)
    }

    /// The shape that it hands to the part behind.
    pub fn gives(&self) -> Option<Shape> {
        self.shape(self.exit)
    }

    fn shape(&self, node: Option<NodeId>) -> Option<Shape> {
        self.graph.shapes().ok()?.remove(&node?)
    }
}

/// The node that stands for the only input of `graph`, with its axes in the graph's order: the input, or the transpose behind
/// one that comes channels first.
///
/// # Errors
/// There are several inputs, or none.
pub fn entrance(graph: &Graph) -> Result<NodeId, Diagnostic> {
    let inputs = graph.inputs();
    let [only] = inputs[..] else {
        let names: Vec<&str> = inputs.iter().map(|&id| graph.node(id).name.as_str()).collect();
        let message = format!("{} has {} inputs: {}", graph.name, names.len(), names.join(", "));
        let fault = Diagnostic::error(codes::NO_CUT, message);
        return Err(fault.help("name the tensor behind which it begins: MODEL@TENSOR"));
    };
    let rows_first =
        |id: NodeId| matches!(&graph.node(id).op, Op::Transpose(Transpose { axes }) if axes[..] == [1, 2, 0]);
    match graph.users(only)[..] {
        [turned] if rows_first(turned) && !graph.outputs().contains(&only) => Ok(turned),
        _ => Ok(only),
    }
}

/// One network of `parts`, each of which takes what the one before gives. Names that a part before has too get the part's
/// prefix; the outputs are those that parts keep to themselves, then those of the last.
///
/// # Errors
/// A part takes another shape than the one before gives, or nothing; weights that must be renamed have no values.
pub fn join(parts: &[Part]) -> Result<Graph, Faults> {
    let mut joined = Joined::default();
    let mut handed: Option<(NodeId, &Part)> = None;
    for (place, part) in parts.iter().enumerate() {
        if let Some((_, before)) = handed {
            check(before, part)?;
        }
        let last = place + 1 == parts.len();
        let exit = joined.add(part, handed.map(|(node, _)| node), last)?;
        handed = exit.map(|exit| (exit, part));
    }
    let mut graph = joined.graph;
    let names: Vec<&str> =
        parts.iter().map(|part| part.graph.name.as_str()).filter(|name| !name.is_empty()).collect();
    graph.name = names.join("+");
    if let Some(first) = parts.first() {
        graph.preprocess.clone_from(&first.graph.preprocess);
    }
    if let Some(last) = parts.last() {
        graph.labels.clone_from(&last.graph.labels);
    }
    Ok(graph)
}

fn check(before: &Part, part: &Part) -> Result<(), Diagnostic> {
    let (gives, takes) = (before.gives(), part.takes());
    if gives.is_some() && gives == takes {
        return Ok(());
    }
    let spelled = |shape: Option<Shape>| shape.map_or("nothing".to_owned(), |shape| shape.to_string());
    let fault =
        Diagnostic::error(codes::NO_ADAPTER, "a part takes another shape than the one before it gives");
    Err(fault.operand("gives", before.graph.name.as_str(), spelled(gives)).operand(
        "takes",
        part.graph.name.as_str(),
        spelled(takes),
    ))
}

/// What was joined so far.
#[derive(Default)]
struct Joined {
    graph: Graph,
    /// Those of its nodes and of its weights.
    names: Names,
    weights: Names,
}

impl Joined {
    /// Adds `part` behind `before`; returns where what it hands over is.
    fn add(&mut self, part: &Part, before: Option<NodeId>, last: bool) -> Result<Option<NodeId>, Faults> {
        let source = &part.graph;
        let mut ids: BTreeMap<NodeId, NodeId> = BTreeMap::new();
        let entry = part.entry.filter(|_| before.is_some());
        if let (Some(entry), Some(before)) = (entry, before) {
            ids.insert(entry, before);
        }
        // The input itself goes where the node behind it is what stands for it.
        let input = entry.and_then(|entry| source.operands(entry).first().copied());
        let kept: Vec<NodeId> = source.ids().filter(|id| Some(*id) != entry && Some(*id) != input).collect();
        let own = kept.iter().map(|&id| source.node(id).name.as_str());
        let names = renamed(&mut self.names, own, &part.prefix);
        let weights = self.weights(part)?;
        for &id in &kept {
            let mut node = source.node(id).clone();
            node.name.clone_from(&names[&node.name]);
            node.weights.iter_mut().for_each(|name| name.clone_from(&weights[name]));
            let added = self.graph.add(node, &[]);
            ids.insert(id, added);
        }
        for &id in &kept {
            let operands: Vec<NodeId> = source.operands(id).iter().map(|operand| ids[operand]).collect();
            self.graph.connect(ids[&id], &operands);
        }
        self.list(part, &ids, last);
        let exit = part.exit.filter(|_| !last);
        for &output in source.outputs().iter().filter(|output| Some(**output) != exit) {
            self.graph.add_output(ids[&output]);
        }
        Ok(exit.map(|exit| ids[&exit]))
    }

    /// Adds the part's list of layers. Numbers are those of the last part: one network has one list.
    fn list(&mut self, part: &Part, ids: &BTreeMap<NodeId, NodeId>, last: bool) {
        let source = &part.graph;
        let nodes: BTreeMap<&str, NodeId> =
            source.ids().map(|id| (source.node(id).name.as_str(), id)).collect();
        for layer in &source.source_layers {
            let mut layer = layer.clone();
            layer.index = layer.index.filter(|_| last);
            layer.results.retain_mut(|tensor| {
                let Some(id) = nodes.get(tensor.node.as_str()).and_then(|id| ids.get(id)) else {
                    return false;
                };
                tensor.node.clone_from(&self.graph.node(*id).name);
                true
            });
            self.graph.source_layers.push(layer);
        }
    }

    /// Adds the weights of `part`; returns the name of each here. One that is drawn by its name keeps its values where the name
    /// is taken.
    fn weights(&mut self, part: &Part) -> Result<BTreeMap<String, String>, Faults> {
        let own = part.graph.weights.iter().map(|(name, _)| name);
        let names = renamed(&mut self.weights, own, &part.prefix);
        for (name, weight) in part.graph.weights.iter() {
            let free = &names[name];
            let data = match &weight.data {
                Data::Seeded(_) if free != name => Data::Values(part.graph.weights.values(name)?),
                other => other.clone(),
            };
            self.graph.weights.insert(free, Weight { data, ..weight.clone() });
        }
        Ok(names)
    }
}

/// The names that `own` get among those that are `taken`: themselves, or behind the prefix where they are taken.
fn renamed<'n>(
    taken: &mut Names,
    own: impl Iterator<Item = &'n str>,
    prefix: &str,
) -> BTreeMap<String, String> {
    // What stays as it is comes first: nothing takes its name away.
    let (free, clashing): (Vec<&str>, Vec<&str>) = own.partition(|name| taken.take(name));
    let kept = free.into_iter().map(|name| (name.to_owned(), name.to_owned())).collect::<Vec<_>>();
    let moved = clashing.into_iter().map(|name| (name.to_owned(), taken.free(&format!("{prefix}/{name}"))));
    kept.into_iter().chain(moved).collect()
}

/// How many names of `parts` are those of a part before too, by part.
pub fn clashes(parts: &[Part]) -> Vec<(String, usize)> {
    let mut names: BTreeSet<&str> = BTreeSet::new();
    let mut clashes = Vec::new();
    for part in parts {
        let own: Vec<&str> = part
            .graph
            .ids()
            .filter(|id| Some(*id) != part.entry || names.is_empty())
            .map(|id| part.graph.node(id).name.as_str())
            .collect();
        let count = own.iter().filter(|name| names.contains(*name)).count();
        if count > 0 {
            clashes.push((part.prefix.clone(), count));
        }
        names.extend(own);
    }
    clashes
}
