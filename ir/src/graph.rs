//! The graph: nodes are ops, edges are tensors with their operand index.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use petgraph::Direction;
use petgraph::stable_graph::{EdgeIndex, NodeIndex, StableDiGraph};
use petgraph::visit::EdgeRef;

use crate::ops::{Op, Scalar};
use crate::provenance::Provenance;
use crate::source::SourceLayer;
use crate::tensor::{Shape, Type};
use crate::weights::Weights;

/// A node's identity; it stays valid while others are added and removed.
pub type NodeId = NodeIndex<u32>;

/// One layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in the graph.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Names of its weights in [`Graph::weights`], in the order that [`Op::weight_roles`] states.
    pub weights: Vec<String>,
    /// The source layers that it computes.
    pub sources: Provenance,
}

/// How a picture becomes the input of the graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Preprocess {
    /// Whether the picture is first cropped to its centre square.
    pub crop_center_square: bool,
    /// Whether it is resized by a bicubic filter (else bilinear).
    pub bicubic: bool,
    /// The interval onto which 0..=255 is mapped.
    pub range: [Scalar; 2],
    /// Subtracted from each channel after that.
    pub mean: [Scalar; 3],
    /// Divides each channel after that.
    pub std: [Scalar; 3],
}

/// A network: ops, tensors, weights, and what a caller needs to know of it.
///
/// Its signature is an ordered list of inputs, in the order in which they were added, and one of outputs. Edits keep both:
/// none of them loses an input or an output, or moves it to another place.
#[derive(Clone, Default)]
pub struct Graph {
    /// The model's name.
    pub name: String,
    /// The nodes' weights by name.
    pub weights: Weights,
    /// How pictures become inputs.
    pub preprocess: Option<Preprocess>,
    /// Names of the classes, by index.
    pub labels: Option<Vec<String>>,
    /// The source's own list of layers, in its order; empty where the graph came from no file.
    pub source_layers: Vec<SourceLayer>,
    /// Names of outputs that the source gives no axis of a batch: that of one image has its own axes alone.
    pub unbatched: BTreeSet<String>,
    nodes: StableDiGraph<Node, usize, u32>,
    inputs: Vec<NodeId>,
    outputs: Vec<NodeId>,
}

/// Shown as its textual form, so that a failing test prints a graph that can be read, and read back.
impl fmt::Debug for Graph {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::text::print(self))
    }
}

impl Graph {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Graph {
        Graph { name: name.into(), ..Graph::default() }
    }

    /// Adds `node` with `inputs` as its operands, in order; an input is the next one of the signature.
    pub fn add(&mut self, node: Node, inputs: &[NodeId]) -> NodeId {
        let is_input = matches!(node.op, Op::Input(_));
        let id = self.nodes.add_node(node);
        self.inputs.extend(is_input.then_some(id));
        self.connect(id, inputs);
        id
    }

    /// Makes the input `node` a layer that computes `op` of `outside`, an input that is added, the last of the signature.
    ///
    /// # Panics
    /// `node` is no input, or `outside` none.
    pub fn feed(&mut self, node: NodeId, outside: Node, op: Op) -> NodeId {
        assert!(self.inputs.contains(&node), "{} is no input", self.node(node).name);
        assert!(matches!(outside.op, Op::Input(_)), "{} is no input", outside.name);
        let outside = self.add(outside, &[]);
        self.inputs.retain(|&input| input != node);
        self.node_mut(node).op = op;
        self.connect(node, &[outside]);
        outside
    }

    /// Gives `node`, which has none yet, `inputs` as its operands: a document may name layers before it describes them, so
    /// its nodes are added first and connected then. Inference finds the cycles that this allows.
    ///
    /// # Panics
    /// `node` has operands.
    pub fn connect(&mut self, node: NodeId, inputs: &[NodeId]) {
        let connected = self.nodes.edges_directed(node, Direction::Incoming).next().is_some();
        assert!(!connected, "{} has operands already", self.node(node).name);
        for (operand, &input) in inputs.iter().enumerate() {
            self.nodes.add_edge(input, node, operand);
        }
    }

    /// Gives `node` other operands.
    pub fn set_operands(&mut self, node: NodeId, inputs: &[NodeId]) {
        let reads: Vec<EdgeIndex<u32>> =
            self.nodes.edges_directed(node, Direction::Incoming).map(|edge| edge.id()).collect();
        for edge in reads {
            self.nodes.remove_edge(edge);
        }
        self.connect(node, inputs);
    }

    /// Makes every layer that reads `from` read `to` instead, and `to` the outputs that `from` is, each in its place: a layer
    /// may be several outputs. `to` keeps its own operands.
    pub fn redirect(&mut self, from: NodeId, to: NodeId) {
        let reads = self.nodes.edges_directed(from, Direction::Outgoing).filter(|edge| edge.target() != to);
        let reads: Vec<(EdgeIndex<u32>, NodeId, usize)> =
            reads.map(|edge| (edge.id(), edge.target(), *edge.weight())).collect();
        for (edge, user, operand) in reads {
            self.nodes.remove_edge(edge);
            self.nodes.add_edge(to, user, operand);
        }
        self.outputs.iter_mut().filter(|output| **output == from).for_each(|output| *output = to);
    }

    /// Removes `node`, which is neither input nor output, with all that it reads and all that is read of it.
    ///
    /// # Panics
    /// `node` is an input or an output.
    pub fn remove(&mut self, node: NodeId) {
        let mut signature = self.inputs.iter().chain(&self.outputs);
        assert!(signature.all(|&id| id != node), "{} is in the signature", self.node(node).name);
        self.nodes.remove_node(node);
    }

    /// Marks `node` as the next output.
    pub fn add_output(&mut self, node: NodeId) {
        self.outputs.push(node);
    }

    /// The inputs, in order.
    pub fn inputs(&self) -> &[NodeId] {
        &self.inputs
    }

    /// The outputs, in order; a layer stands there as often as it is one.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// The node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    /// The node, to be changed; what is an input stays one.
    pub fn node_mut(&mut self, id: NodeId) -> &mut Node {
        &mut self.nodes[id]
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.nodes.node_count()
    }

    /// Whether there is no node.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes, in the order in which they were added.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + '_ {
        self.nodes.node_indices()
    }

    /// The node of this name; linear in the number of nodes.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.ids().find(|&id| self.node(id).name == name)
    }

    /// The operands of `id`, in order.
    pub fn operands(&self, id: NodeId) -> Vec<NodeId> {
        let mut edges: Vec<(usize, NodeId)> =
            self.nodes.edges_directed(id, Direction::Incoming).map(|e| (*e.weight(), e.source())).collect();
        edges.sort_unstable();
        edges.into_iter().map(|(_, source)| source).collect()
    }

    /// The nodes that read `id`, sorted, each once.
    pub fn users(&self, id: NodeId) -> Vec<NodeId> {
        let mut users: Vec<NodeId> = self.nodes.neighbors_directed(id, Direction::Outgoing).collect();
        users.sort_unstable();
        users.dedup();
        users
    }

    /// All nodes, operands before users; among those that are ready, the one added first comes first.
    ///
    /// Nodes on a cycle, and those behind one, are missing: an importer compares the length with [`Graph::len`].
    pub fn topological(&self) -> Vec<NodeId> {
        let mut waiting: BTreeMap<NodeId, usize> =
            self.ids().map(|id| (id, self.operands(id).len())).collect();
        let mut ready: BTreeSet<NodeId> =
            waiting.iter().filter(|&(_, &count)| count == 0).map(|(&id, _)| id).collect();
        let mut order = Vec::with_capacity(self.len());
        while let Some(id) = ready.pop_first() {
            order.push(id);
            for edge in self.nodes.edges_directed(id, Direction::Outgoing) {
                let count = waiting.get_mut(&edge.target()).expect("every node is in the map");
                *count -= 1;
                if *count == 0 {
                    ready.insert(edge.target());
                }
            }
        }
        order
    }

    /// The nodes that an output needs, the outputs among them.
    pub fn needed(&self) -> BTreeSet<NodeId> {
        let mut needed: BTreeSet<NodeId> = self.outputs.iter().copied().collect();
        let mut pending: Vec<NodeId> = needed.iter().copied().collect();
        while let Some(id) = pending.pop() {
            for operand in self.operands(id) {
                if needed.insert(operand) {
                    pending.push(operand);
                }
            }
        }
        needed
    }

    /// The type of every node, as [`crate::infer::infer`] finds it.
    ///
    /// # Errors
    /// All faults of the graph.
    pub fn types(&self) -> Result<BTreeMap<NodeId, Type>, crate::Faults> {
        crate::infer::infer(self)
    }

    /// The shape of every node, for those that need no more of its type.
    ///
    /// # Errors
    /// As [`Graph::types`].
    pub fn shapes(&self) -> Result<BTreeMap<NodeId, Shape>, crate::Faults> {
        Ok(self.types()?.into_iter().map(|(id, found)| (id, found.shape)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Binary, Input};

    fn node(graph: &mut Graph, op: Op, inputs: &[NodeId]) -> NodeId {
        let name = format!("n{}", graph.len());
        graph.add(Node { sources: Provenance::source(&name), name, op, weights: Vec::new() }, inputs)
    }

    fn input() -> Op {
        Op::Input(Input { shape: Shape::new(&[2]) })
    }

    #[test]
    fn operands_keep_their_order_and_may_repeat() {
        let mut graph = Graph::new("test");
        let a = node(&mut graph, input(), &[]);
        let b = node(&mut graph, input(), &[]);
        let sum = node(&mut graph, Op::Binary(Binary::Add), &[b, a]);
        let twice = node(&mut graph, Op::Binary(Binary::Add), &[sum, sum]);
        assert_eq!(graph.operands(sum), [b, a]);
        assert_eq!(graph.operands(twice), [sum, sum]);
        assert_eq!(graph.users(sum), [twice]);
        assert_eq!(graph.inputs(), [a, b]);
        assert_eq!(graph.find("n3"), Some(twice));
    }

    #[test]
    fn what_is_ready_comes_in_the_order_of_addition() {
        let mut graph = Graph::new("test");
        let early = node(&mut graph, Op::Activation(Activation::Relu), &[]);
        let other = node(&mut graph, input(), &[]);
        let x = node(&mut graph, input(), &[]);
        graph.connect(early, &[x]);
        assert_eq!(graph.topological(), [other, x, early]);
    }

    #[test]
    fn a_cycle_and_what_is_behind_it_are_not_in_topological_order() {
        let mut graph = Graph::new("test");
        let x = node(&mut graph, input(), &[]);
        let a = node(&mut graph, Op::Binary(Binary::Add), &[]);
        let b = node(&mut graph, Op::Activation(Activation::Relu), &[a]);
        node(&mut graph, Op::Activation(Activation::Relu), &[b]);
        graph.connect(a, &[x, b]);
        assert_eq!(graph.topological(), [x]);
    }

    #[test]
    fn a_layer_can_be_taken_out_of_the_way_of_the_data() {
        let mut graph = Graph::new("test");
        let x = node(&mut graph, input(), &[]);
        let relu = node(&mut graph, Op::Activation(Activation::Relu), &[x]);
        let sum = node(&mut graph, Op::Binary(Binary::Add), &[relu, x]);
        let twice = node(&mut graph, Op::Binary(Binary::Add), &[sum, sum]);
        graph.add_output(sum);
        graph.add_output(twice);
        graph.redirect(sum, relu);
        graph.remove(sum);
        assert_eq!((graph.operands(twice), graph.outputs()), (vec![relu, relu], &[relu, twice][..]));
        graph.set_operands(twice, &[x, relu]);
        assert_eq!((graph.operands(twice), graph.users(x)), (vec![x, relu], vec![relu, twice]));
    }

    #[test]
    fn edits_keep_every_input_and_output_in_its_place() {
        let mut graph = Graph::new("test");
        let x = node(&mut graph, input(), &[]);
        let y = node(&mut graph, input(), &[]);
        let sum = node(&mut graph, Op::Binary(Binary::Add), &[x, y]);
        let relu = node(&mut graph, Op::Activation(Activation::Relu), &[sum]);
        [sum, relu, x].into_iter().for_each(|id| graph.add_output(id));
        graph.redirect(relu, sum);
        graph.remove(relu);
        assert_eq!((graph.inputs(), graph.outputs()), (&[x, y][..], &[sum, sum, x][..]));
        let outside = Node { name: "outside".into(), ..graph.node(x).clone() };
        let outside = graph.feed(x, outside, Op::Identity);
        assert_eq!((graph.inputs(), graph.operands(x)), (&[y, outside][..], vec![outside]));
    }

    #[test]
    #[should_panic(expected = "is in the signature")]
    fn an_input_is_not_removed() {
        let mut graph = Graph::new("test");
        let x = node(&mut graph, input(), &[]);
        graph.remove(x);
    }

    #[test]
    #[should_panic(expected = "has operands already")]
    fn operands_are_given_once() {
        let mut graph = Graph::new("test");
        let x = node(&mut graph, input(), &[]);
        let y = node(&mut graph, Op::Activation(Activation::Relu), &[x]);
        graph.connect(y, &[x]);
    }
}
