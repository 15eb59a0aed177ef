//! What a network needs, what depends on its inputs, which tensors all paths pass, and which layer comes before which.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use frit_ir::{Graph, NodeId, Op, Shape, SourceLayer, SourceTensor};
use petgraph::algo::dominators;
use petgraph::graph::DiGraph;

/// A place in the order of the layers: the number of the first layer of the framework's list that needs the node, and its place
/// in topological order. Operands always come first.
pub(super) type Key = (usize, usize);

/// The nodes of a network in the order in which its framework lists the layers.
#[derive(Debug)]
pub(super) struct Order<'g> {
    /// The source's list of layers; the nodes themselves where there is none.
    pub(super) layers: Cow<'g, [SourceLayer]>,
    /// The shapes of all nodes.
    pub(super) shapes: BTreeMap<NodeId, Shape>,
    /// Nodes that an output needs.
    pub(super) needed: BTreeSet<NodeId>,
    /// Nodes that depend on an input.
    pub(super) live: BTreeSet<NodeId>,
    /// Where each node stands.
    pub(super) keys: BTreeMap<NodeId, Key>,
    nodes: BTreeMap<&'g str, NodeId>,
    /// The tensors that all paths pass, inputs first, by their place.
    cuts: BTreeMap<NodeId, usize>,
    /// For each node the layer of the list whose result it is.
    owners: BTreeMap<NodeId, usize>,
}

impl<'g> Order<'g> {
    pub(super) fn new(graph: &'g Graph) -> Order<'g> {
        let topological = graph.topological();
        let nodes: BTreeMap<&str, NodeId> =
            topological.iter().map(|&id| (graph.node(id).name.as_str(), id)).collect();
        let layers = layers(graph, &topological);
        let needed = needed(graph);
        let live = live(graph, &topological);
        let keys = keys(graph, &layers, &topological, &nodes);
        let cuts = cuts(graph, &needed, &live).into_iter().enumerate().map(|(at, node)| (node, at)).collect();
        let owners = owners(&layers, &nodes);
        let shapes = graph.shapes().unwrap_or_default();
        Order { layers, shapes, needed, live, keys, nodes, cuts, owners }
    }

    /// The node of this name.
    pub(super) fn node(&self, name: &str) -> Option<NodeId> {
        self.nodes.get(name).copied()
    }

    /// The place of a node among the tensors that all paths pass, if it is one.
    pub(super) fn cut_place(&self, node: NodeId) -> Option<usize> {
        self.cuts.get(&node).copied()
    }

    /// The tensor of the source that the result of `node` is.
    pub(super) fn tensor(&self, node: NodeId) -> Option<&SourceTensor> {
        let layer = &self.layers[*self.owners.get(&node)?];
        layer.results.iter().find(|tensor| self.node(&tensor.node) == Some(node))
    }

    /// The number of the layer whose result `node` is.
    pub(super) fn index(&self, node: NodeId) -> Option<usize> {
        self.layers[*self.owners.get(&node)?].index
    }

    /// Where the layer of a node begins: with the first node that no layer before it needs.
    pub(super) fn begin(&self, (rank, place): Key) -> Key {
        let own = self.keys.values().filter(|key| key.0 == rank && rank != usize::MAX).min();
        own.copied().unwrap_or((rank, place))
    }
}

/// The source's list of layers, or each node as one.
fn layers<'g>(graph: &'g Graph, topological: &[NodeId]) -> Cow<'g, [SourceLayer]> {
    if !graph.source_layers.is_empty() {
        return Cow::Borrowed(&graph.source_layers);
    }
    let layer = |(index, &id): (usize, &NodeId)| {
        let node = graph.node(id);
        let results = vec![SourceTensor::alike(&node.name, &node.name)];
        SourceLayer { index: Some(index), name: node.name.clone(), class: node.op.name().to_owned(), results }
    };
    topological.iter().enumerate().map(layer).collect()
}

/// The first layer that names each node its result; one that is in the framework's list, where there is one.
fn owners(layers: &[SourceLayer], nodes: &BTreeMap<&str, NodeId>) -> BTreeMap<NodeId, usize> {
    let mut owners: BTreeMap<NodeId, usize> = BTreeMap::new();
    for (place, layer) in layers.iter().enumerate() {
        for node in layer.results.iter().filter_map(|tensor| nodes.get(tensor.node.as_str())) {
            let owner = owners.entry(*node).or_insert(place);
            if layers[*owner].index.is_none() && layer.index.is_some() {
                *owner = place;
            }
        }
    }
    owners
}

/// The nodes that an output needs.
fn needed(graph: &Graph) -> BTreeSet<NodeId> {
    let mut needed = BTreeSet::new();
    let mut waiting = graph.outputs().to_vec();
    while let Some(id) = waiting.pop() {
        if needed.insert(id) {
            waiting.extend(graph.operands(id));
        }
    }
    needed
}

/// The nodes that depend on an input.
fn live(graph: &Graph, topological: &[NodeId]) -> BTreeSet<NodeId> {
    let mut live = BTreeSet::new();
    for &id in topological {
        let is_input = matches!(graph.node(id).op, Op::Input(_));
        if is_input || graph.operands(id).iter().any(|operand| live.contains(operand)) {
            live.insert(id);
        }
    }
    live
}

/// The key of each node. Those that no layer of the list needs come last.
fn keys(
    graph: &Graph,
    layers: &[SourceLayer],
    topological: &[NodeId],
    nodes: &BTreeMap<&str, NodeId>,
) -> BTreeMap<NodeId, Key> {
    let mut ranks: BTreeMap<NodeId, usize> = BTreeMap::new();
    let mut listed: Vec<&SourceLayer> = layers.iter().filter(|layer| layer.index.is_some()).collect();
    listed.sort_by_key(|layer| layer.index);
    for layer in listed {
        let rank = layer.index.unwrap_or(usize::MAX);
        let results = layer.results.iter().filter_map(|tensor| nodes.get(tensor.node.as_str()));
        let mut waiting: Vec<NodeId> = results.copied().collect();
        while let Some(id) = waiting.pop() {
            if let std::collections::btree_map::Entry::Vacant(entry) = ranks.entry(id) {
                entry.insert(rank);
                waiting.extend(graph.operands(id));
            }
        }
    }
    let key = |(place, &id): (usize, &NodeId)| (id, (ranks.get(&id).copied().unwrap_or(usize::MAX), place));
    topological.iter().enumerate().map(key).collect()
}

/// The tensors that every path from an input to an output passes, in the order of the data. One behind which no other output
/// is does not count.
fn cuts(graph: &Graph, needed: &BTreeSet<NodeId>, live: &BTreeSet<NodeId>) -> Vec<NodeId> {
    let mut paths: DiGraph<Option<NodeId>, ()> = DiGraph::new();
    let [entry, exit] = [paths.add_node(None), paths.add_node(None)];
    let places: BTreeMap<NodeId, _> =
        needed.intersection(live).map(|&id| (id, paths.add_node(Some(id)))).collect();
    for (&id, &place) in &places {
        if matches!(graph.node(id).op, Op::Input(_)) {
            paths.add_edge(entry, place, ());
        }
        for operand in graph.operands(id) {
            if let Some(&from) = places.get(&operand) {
                paths.add_edge(from, place, ());
            }
        }
    }
    let ends: Vec<NodeId> = graph.outputs().iter().copied().filter(|output| live.contains(output)).collect();
    ends.iter().for_each(|output| _ = paths.add_edge(places[output], exit, ()));
    let dominators = dominators::simple_fast(&paths, entry);
    let all = dominators.strict_dominators(exit).into_iter().flatten().filter_map(|place| paths[place]);
    let mut cuts: Vec<NodeId> = all.filter(|node| ends.iter().any(|output| output != node)).collect();
    cuts.reverse();
    cuts
}
