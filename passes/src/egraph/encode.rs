//! A graph as an e-graph.

use std::collections::BTreeMap;

use egg::{Id, Language};
use frit_ir::weights::Distinct;
use frit_ir::{Graph, NodeId, Op};

use super::analysis::{EGraph, Meaning};
use super::language::{ENode, Operator};

/// A network in an e-graph, and how the two belong together.
pub(crate) struct Encoding {
    pub(crate) egraph: EGraph,
    /// The class of [`Operator::Outputs`].
    pub(crate) root: Id,
    /// The layers that an output needs, operands first.
    pub(crate) layers: Vec<EncodedLayer>,
    /// The inputs, needed or not: they are the network's signature.
    pub(crate) inputs: Vec<NodeId>,
    /// The distinct outputs by the index of their barrier: places in `layers`.
    pub(crate) outputs: Vec<usize>,
    /// Names of the weights by index.
    pub(crate) weights: Vec<String>,
    /// Layers that no output needs, by name.
    pub(crate) unreached: Vec<String>,
}

/// A layer and what stands for it.
pub(crate) struct EncodedLayer {
    pub(crate) id: NodeId,
    pub(crate) enode: ENode,
    /// The class of its value, before the barrier where it is an output.
    pub(crate) class: Id,
}

/// Encodes a legal graph. The e-graph is ready to be searched.
pub(crate) fn encode(graph: &Graph) -> Encoding {
    let mut order = graph.topological();
    let needed = graph.needed();
    let inputs = graph.inputs().to_vec();
    let unreached = order.iter().filter(|id| !needed.contains(id) && !inputs.contains(id));
    let unreached = unreached.map(|&id| graph.node(id).name.clone()).collect();
    order.retain(|id| needed.contains(id));
    let mut encoder = Encoder::new(graph, &inputs);
    let layers: Vec<EncodedLayer> = order.into_iter().map(|id| encoder.layer(id)).collect();
    let mut outputs: Vec<(u32, usize)> = (0..layers.len())
        .filter_map(|place| Some((*encoder.outputs.get(&layers[place].id)?, place)))
        .collect();
    outputs.sort_unstable();
    let barriers: Vec<Id> = outputs.iter().map(|&(_, place)| encoder.read[&layers[place].id]).collect();
    let mut egraph = encoder.egraph;
    let root = egraph.add(ENode::new(Operator::Outputs, &barriers));
    egraph.rebuild();
    let outputs = outputs.into_iter().map(|(_, place)| place).collect();
    Encoding { egraph, root, layers, inputs, outputs, weights: encoder.weights, unreached }
}

struct Encoder<'a> {
    graph: &'a Graph,
    egraph: EGraph,
    inputs: BTreeMap<NodeId, u32>,
    /// Each output with the index of its barrier.
    outputs: BTreeMap<NodeId, u32>,
    /// The class that users of a node read.
    read: BTreeMap<NodeId, Id>,
    weights: Vec<String>,
    weight_classes: BTreeMap<&'a str, Id>,
    distinct: Distinct<'a>,
}

impl<'a> Encoder<'a> {
    fn new(graph: &'a Graph, inputs: &[NodeId]) -> Encoder<'a> {
        let mut outputs = BTreeMap::new();
        for &id in graph.outputs() {
            let next = index(outputs.len());
            outputs.entry(id).or_insert(next);
        }
        let shapes = inputs.iter().map(|&id| {
            let Op::Input(input) = &graph.node(id).op else { unreachable!("inputs are input nodes") };
            input.shape.clone()
        });
        let meaning = Meaning { inputs: shapes.collect(), ..Meaning::default() };
        Encoder {
            graph,
            egraph: EGraph::new(meaning),
            inputs: inputs.iter().enumerate().map(|(place, &id)| (id, index(place))).collect(),
            outputs,
            read: BTreeMap::new(),
            weights: Vec::new(),
            weight_classes: BTreeMap::new(),
            distinct: Distinct::default(),
        }
    }

    fn layer(&mut self, id: NodeId) -> EncodedLayer {
        let graph = self.graph;
        let node = graph.node(id);
        let enode = match self.inputs.get(&id) {
            Some(&input) => ENode::new(Operator::Input(input), &[]),
            None => {
                let mut children: Vec<Id> =
                    graph.operands(id).iter().map(|operand| self.read[operand]).collect();
                children.extend(node.weights.iter().map(|name| self.weight(name)));
                if let Op::Constant(_) | Op::Prelu(_) = node.op {
                    self.show(&node.weights[0]);
                }
                ENode::layer(node.op.clone(), &children)
            }
        };
        let class = self.egraph.add(enode.clone());
        let read = match self.outputs.get(&id) {
            Some(&output) => self.egraph.add(ENode::new(Operator::Barrier(output), &[class])),
            None => class,
        };
        self.read.insert(id, read);
        EncodedLayer { id, enode, class }
    }

    /// Lets rules see the values of a weight; one that has none to show is like any other tensor.
    fn show(&mut self, name: &str) {
        let Operator::Weight(index) = self.egraph[self.weight_classes[name]].nodes[0].op else { return };
        if let Ok(values) = self.graph.weights.values(name) {
            self.egraph.analysis.values.insert(index, values);
        }
    }

    /// The class of a weight, one for all names of the same values: layers that differ in nothing else become one.
    fn weight(&mut self, name: &'a str) -> Id {
        if let Some(&class) = self.weight_classes.get(name) {
            return class;
        }
        let weight = self.graph.weights.get(name).expect("legality found every weight");
        let first = self.distinct.first(name, weight);
        if let Some(&class) = self.weight_classes.get(first) {
            self.weight_classes.insert(name, class);
            return class;
        }
        self.egraph.analysis.weights.push(weight.shape.clone());
        let class = self.egraph.add(ENode::new(Operator::Weight(index(self.weights.len())), &[]));
        self.weights.push(name.to_owned());
        self.weight_classes.insert(name, class);
        class
    }
}

fn index(place: usize) -> u32 {
    u32::try_from(place).expect("node ids are u32, and no node has more than a few weights")
}

impl Encoding {
    /// Brings classes and e-nodes of the layers into line with the e-graph after saturation.
    pub(crate) fn refresh(&mut self) {
        for layer in &mut self.layers {
            layer.class = self.egraph.find(layer.class);
            layer.enode.update_children(|child| self.egraph.find(child));
        }
    }
}
