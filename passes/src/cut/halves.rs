//! The halves of a network, each a network of its own.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::ops::{Input, Transpose};
use frit_ir::{Graph, Names, Node, NodeId, Op, Provenance, Shape};
use smallvec::SmallVec;

use super::{Boundary, Crossing};

/// How a half counts the axes of what crosses, and names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Border {
    /// As the source does: what leaves the head and enters the tail has the source's name and order of axes.
    Source,
    /// As the graph does, to be joined with another graph.
    Graph,
}

/// The network up to `boundary`. Its outputs are what crosses, then those outputs of the whole that the tail has no part in;
/// an input that crosses goes past the head, unless nothing else crosses.
pub fn head(graph: &Graph, boundary: &Boundary, border: Border) -> Graph {
    let behind = behind(graph, &nodes(boundary));
    let past = boundary.crossing.iter().any(|crossing| !is_input(graph, crossing.node));
    let crossing: Vec<&Crossing> =
        boundary.crossing.iter().filter(|crossing| !(past && is_input(graph, crossing.node))).collect();
    let crosses: BTreeSet<NodeId> = crossing.iter().map(|crossing| crossing.node).collect();
    let own = graph.outputs().iter().copied().filter(|id| !behind.contains(id) && !crosses.contains(id));
    let own: Vec<NodeId> = own.collect();
    let ends: Vec<NodeId> = crosses.iter().chain(&own).copied().collect();
    let mut half = Half::new(graph, &ends, &BTreeSet::new(), "head");
    for crossing in crossing {
        half.leave(crossing, border);
    }
    for id in own {
        let id = half.ids[&id];
        half.graph.add_output(id);
    }
    half.graph.preprocess.clone_from(&graph.preprocess);
    let is_last = graph.outputs().last().is_some_and(|last| !behind.contains(last));
    half.finish(graph, is_last)
}

/// The network behind `boundary`, whose inputs are what crosses, and those of the whole that only it reads.
pub fn tail(graph: &Graph, boundary: &Boundary, border: Border) -> Graph {
    let stop = nodes(boundary);
    let behind = behind(graph, &stop);
    let ends: Vec<NodeId> = graph.outputs().iter().copied().filter(|id| behind.contains(id)).collect();
    let mut half = Half::new(graph, &ends, &stop, "tail");
    for crossing in boundary.crossing.iter().filter(|crossing| !is_input(graph, crossing.node)) {
        half.enter(crossing, border);
    }
    for id in ends {
        let id = half.ids[&id];
        half.graph.add_output(id);
    }
    let is_last = graph.outputs().last().is_some_and(|last| behind.contains(last));
    half.finish(graph, is_last)
}

/// The tensors beside `cut` that depend on an input and are read behind it (inputs can be handed to the tail itself), and those
/// of `cut` that nothing behind the others reads.
pub(super) fn misfits(
    graph: &Graph,
    cut: &BTreeSet<NodeId>,
    live: &BTreeSet<NodeId>,
) -> (BTreeSet<NodeId>, BTreeSet<NodeId>) {
    let behind = behind(graph, cut);
    let ends: Vec<NodeId> = graph.outputs().iter().copied().filter(|id| behind.contains(id)).collect();
    let mut missing = BTreeSet::new();
    let needed = needed(graph, &ends, cut);
    for &id in &needed {
        if cut.contains(&id) || !behind.contains(&id) {
            continue;
        }
        let others = graph
            .operands(id)
            .into_iter()
            .filter(|operand| !behind.contains(operand) && !cut.contains(operand) && live.contains(operand));
        missing.extend(others.filter(|&operand| !is_input(graph, operand)));
    }
    (missing, cut.difference(&needed).copied().collect())
}

fn nodes(boundary: &Boundary) -> BTreeSet<NodeId> {
    boundary.crossing.iter().map(|crossing| crossing.node).collect()
}

fn is_input(graph: &Graph, id: NodeId) -> bool {
    matches!(graph.node(id).op, Op::Input(_))
}

/// The nodes that depend on one of `cut` and are none of them.
fn behind(graph: &Graph, cut: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let mut behind = BTreeSet::new();
    let mut waiting: Vec<NodeId> = cut.iter().flat_map(|&id| graph.users(id)).collect();
    while let Some(id) = waiting.pop() {
        if !cut.contains(&id) && behind.insert(id) {
            waiting.extend(graph.users(id));
        }
    }
    behind
}

/// The nodes that `ends` need; of those of `stop` none is looked behind.
fn needed(graph: &Graph, ends: &[NodeId], stop: &BTreeSet<NodeId>) -> BTreeSet<NodeId> {
    let mut needed = BTreeSet::new();
    let mut waiting = ends.to_vec();
    while let Some(id) = waiting.pop() {
        if needed.insert(id) && !stop.contains(&id) {
            waiting.extend(graph.operands(id));
        }
    }
    needed
}

/// A half under construction.
struct Half {
    graph: Graph,
    /// Where the nodes of the whole are in it.
    ids: BTreeMap<NodeId, NodeId>,
    names: Names,
}

impl Half {
    /// The nodes that `ends` need, with their weights; those of `stop` become inputs.
    fn new(graph: &Graph, ends: &[NodeId], stop: &BTreeSet<NodeId>, which: &str) -> Half {
        let name = if graph.name.is_empty() { which.to_owned() } else { format!("{}_{which}", graph.name) };
        let mut half = Half { graph: Graph::new(name), ids: BTreeMap::new(), names: Names::default() };
        let shapes = graph.shapes().unwrap_or_default();
        let needed = needed(graph, ends, stop);
        for &id in &needed {
            let mut node = graph.node(id).clone();
            if stop.contains(&id) && !is_input(graph, id) {
                node = input(&node.name, shapes.get(&id).cloned().unwrap_or_default());
            }
            for name in &node.weights {
                if let Some(weight) = graph.weights.get(name) {
                    half.graph.weights.insert(name.clone(), weight.clone());
                }
            }
            half.names.take(&node.name);
            let own = half.graph.add(node, &[]);
            half.ids.insert(id, own);
        }
        for id in needed.into_iter().filter(|id| !stop.contains(id)) {
            let operands: Vec<NodeId> = graph.operands(id).iter().map(|operand| half.ids[operand]).collect();
            half.graph.connect(half.ids[&id], &operands);
        }
        half
    }

    /// Makes what crosses an output.
    fn leave(&mut self, crossing: &Crossing, border: Border) {
        let mut node = self.ids[&crossing.node];
        if border == Border::Source {
            if !crossing.axes.is_empty() {
                self.make_room(&crossing.name);
                let op = Op::Transpose(Transpose { axes: crossing.axes.clone() });
                node = self.add(&crossing.name, op, node);
            } else if is_input(&self.graph, node) {
                let name = self.names.free(&format!("{}/identity", crossing.name));
                node = self.add(&name, Op::Identity, node);
            } else {
                self.rename(node, &crossing.name);
            }
        } else if is_input(&self.graph, node) {
            let name = self.names.free(&format!("{}/identity", crossing.name));
            node = self.add(&name, Op::Identity, node);
        }
        self.graph.add_output(node);
    }

    /// Gives the input that stands for what crosses the source's name and order of axes.
    fn enter(&mut self, crossing: &Crossing, border: Border) {
        let node = self.ids[&crossing.node];
        if border == Border::Graph {
            return;
        }
        if crossing.axes.is_empty() {
            self.rename(node, &crossing.name);
            return;
        }
        self.make_room(&crossing.name);
        let lengths: SmallVec<[usize; 4]> =
            crossing.axes.iter().map(|&axis| crossing.shape.axes()[axis]).collect();
        self.names.take(&crossing.name);
        let mut back = crossing.axes.clone();
        crossing.axes.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        let outside = input(&crossing.name, Shape::new(&lengths));
        self.graph.feed(node, outside, Op::Transpose(Transpose { axes: back }));
    }

    /// Gives the node that has an outer name, which stays inside, another.
    fn make_room(&mut self, outer: &str) {
        if let Some(holder) = self.graph.find(outer) {
            let name = self.names.free(&format!("{outer}/channels_last"));
            self.names.release(outer);
            self.set_name(holder, name);
        }
    }

    /// Gives a node at the border the name that the source has for it, unless another has it.
    fn rename(&mut self, node: NodeId, name: &str) {
        if self.names.take(name) {
            let own = self.graph.node(node).name.clone();
            self.names.release(&own);
            self.set_name(node, name.to_owned());
        }
    }

    /// The sources stay: they say which layer of the whole it is.
    fn set_name(&mut self, node: NodeId, name: String) {
        self.graph.node_mut(node).name = name;
    }

    fn add(&mut self, name: &str, op: Op, operand: NodeId) -> NodeId {
        self.names.take(name);
        let sources = Provenance::source(name);
        self.graph.add(Node { name: name.to_owned(), op, weights: Vec::new(), sources }, &[operand])
    }

    /// Keeps what the whole says of the layers that are here, and of the classes where the last output is.
    fn finish(mut self, graph: &Graph, with_labels: bool) -> Graph {
        if with_labels {
            self.graph.labels.clone_from(&graph.labels);
        }
        let kept: BTreeMap<&str, &str> = self
            .ids
            .iter()
            .map(|(&whole, &own)| (graph.node(whole).name.as_str(), self.graph.node(own).name.as_str()))
            .collect();
        let mut layers = graph.source_layers.clone();
        for layer in &mut layers {
            layer.results.retain_mut(|tensor| match kept.get(tensor.node.as_str()) {
                Some(name) => {
                    tensor.node = (*name).to_owned();
                    true
                }
                None => false,
            });
        }
        layers.retain(|layer| !layer.results.is_empty());
        self.graph.source_layers = layers;
        self.graph
    }
}

/// An input of this name and shape.
fn input(name: &str, shape: Shape) -> Node {
    let op = Op::Input(Input { shape });
    Node { name: name.to_owned(), op, weights: Vec::new(), sources: Provenance::source(name) }
}
