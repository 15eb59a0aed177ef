//! The extracted e-nodes as a graph: one node for each, under the name of the source layer whose value it
//! computes.

use std::collections::{BTreeMap, BTreeSet};

use egg::Id;
use frit_ir::ops::Reshape;
use frit_ir::{Graph, Node, NodeId, Op, Provenance};

use super::Fault;
use super::derivation::Derivations;
use super::encode::{EncodedLayer, Encoding};
use super::extract::Selection;
use super::fold::Folder;
use super::language::{ENode, Operator};
use crate::report;

/// A node to be.
struct Kernel {
    /// The source layer that gives its name, by its place in the encoding; inputs that nothing needs have
    /// none.
    named: Option<usize>,
    op: Op,
    /// Other kernels, by index.
    operands: Vec<usize>,
    /// Its weights: role and class.
    weights: Vec<(&'static str, Id)>,
    /// Source layers that it computes, by their place in the encoding.
    layers: BTreeSet<usize>,
    rules: Vec<&'static str>,
    cost: u64,
}

/// What extraction chose, as a graph, with what is to be told of each kernel.
pub(crate) fn decode(
    source: &Graph,
    encoding: &Encoding,
    derivations: &Derivations,
    selection: &Selection,
) -> Result<Decoded, Fault> {
    let mut decoder = Decoder::new(source, encoding, derivations, selection);
    for (class, node, cost) in &selection.picks {
        decoder.pick(*class, node, *cost)?;
    }
    decoder.cover();
    Ok(Decoded { kernels: decoder.kernels, outputs: decoder.outputs })
}

/// Kernels that refer to each other, not yet in order.
pub(crate) struct Decoded {
    kernels: Vec<Kernel>,
    /// The kernel of each distinct output, by the index of its barrier.
    outputs: BTreeMap<u32, usize>,
}

struct Decoder<'a> {
    source: &'a Graph,
    encoding: &'a Encoding,
    derivations: &'a Derivations,
    /// The source layers in each class.
    members: BTreeMap<Id, Vec<usize>>,
    /// The output that gives a class its name.
    owners: BTreeMap<Id, u32>,
    kernels: Vec<Kernel>,
    /// The kernel that computes each class.
    made: BTreeMap<Id, usize>,
    outputs: BTreeMap<u32, usize>,
}

impl<'a> Decoder<'a> {
    fn new(
        source: &'a Graph,
        encoding: &'a Encoding,
        derivations: &'a Derivations,
        selection: &Selection,
    ) -> Decoder<'a> {
        let mut members: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
        for (place, layer) in encoding.layers.iter().enumerate() {
            members.entry(layer.class).or_default().push(place);
        }
        let mut owners: BTreeMap<Id, u32> = BTreeMap::new();
        for (_, node, _) in &selection.picks {
            if let Operator::Barrier(output) = node.op {
                let owner = owners.entry(encoding.egraph.find(node.children[0])).or_insert(output);
                *owner = output.min(*owner);
            }
        }
        let places: BTreeMap<NodeId, usize> =
            encoding.layers.iter().enumerate().map(|(place, layer)| (layer.id, place)).collect();
        let kernels =
            encoding.inputs.iter().map(|id| Kernel::input(source, *id, places.get(id).copied())).collect();
        let (made, outputs) = (BTreeMap::new(), BTreeMap::new());
        Decoder { source, encoding, derivations, members, owners, kernels, made, outputs }
    }

    /// Adds the kernel that an extracted e-node stands for.
    fn pick(&mut self, class: Id, node: &ENode, cost: u64) -> Result<(), Fault> {
        let kernel = match &node.op {
            Operator::Input(input) => {
                let kernel = *input as usize;
                self.kernels[kernel].layers.extend(self.members.get(&class).into_iter().flatten());
                kernel
            }
            Operator::Barrier(output) => {
                let kernel = self.output(*output, self.made_by(node.children[0]));
                self.outputs.insert(*output, kernel);
                kernel
            }
            Operator::Layer(op) => self.layer(class, node, op, cost)?,
            _ => return Ok(()),
        };
        self.made.insert(class, kernel);
        Ok(())
    }

    fn made_by(&self, class: Id) -> usize {
        self.made[&self.encoding.egraph.find(class)]
    }

    fn layer(&mut self, class: Id, node: &ENode, op: &Op, cost: u64) -> Result<usize, Fault> {
        let members = self.members.get(&class).map_or(&[][..], Vec::as_slice);
        let owner = self.owners.get(&class).map(|&output| self.encoding.outputs[output as usize]);
        let named = owner.or(members.first().copied()).ok_or(Fault::Nameless { op: op.name() })?;
        let origin = self.derivations.origin(class, node);
        let rules = self.derivations.rules(&origin);
        let mut layers = origin.layers;
        layers.extend(members);
        let operands = node.operands().iter().map(|&operand| self.made_by(operand)).collect();
        let weights = self.weights(node, op);
        self.kernels.push(Kernel {
            named: Some(named),
            op: op.clone(),
            operands,
            weights,
            layers,
            rules,
            cost,
        });
        Ok(self.kernels.len() - 1)
    }

    fn weights(&self, node: &ENode, op: &Op) -> Vec<(&'static str, Id)> {
        let egraph = &self.encoding.egraph;
        let shape = |&id: &Id| egraph[id].data.shape.clone().unwrap_or_default();
        let roles = op.weight_roles(&node.operands().iter().map(shape).collect::<Vec<_>>());
        roles.iter().zip(node.weights()).map(|(role, &weight)| (role.role, egraph.find(weight))).collect()
    }

    /// The kernel that makes an output under its name. Where the value is another input's or output's as
    /// well, that is a view of it: every output keeps a node of its own.
    fn output(&mut self, output: u32, value: usize) -> usize {
        let named = self.encoding.outputs[output as usize];
        if self.kernels[value].named == Some(named) {
            return value;
        }
        let layer = &self.encoding.layers[named];
        let shape = self.encoding.egraph[layer.class].data.shape.clone().unwrap_or_default();
        self.kernels.push(Kernel {
            named: Some(named),
            op: Op::Reshape(Reshape::To(shape)),
            operands: vec![value],
            weights: Vec::new(),
            layers: BTreeSet::from([named]),
            rules: Vec::new(),
            cost: 0,
        });
        self.kernels.len() - 1
    }

    /// Gives layers that no kernel names so far to the kernels that compute their users: they were
    /// identities, or are contained in what a rule matched under another name.
    fn cover(&mut self) {
        let places: BTreeMap<NodeId, usize> =
            self.encoding.layers.iter().enumerate().map(|(place, layer)| (layer.id, place)).collect();
        let mut covering: Vec<BTreeSet<usize>> = vec![BTreeSet::new(); places.len()];
        for (index, kernel) in self.kernels.iter().enumerate() {
            for &place in &kernel.layers {
                covering[place].insert(index);
            }
        }
        for place in (0..covering.len()).rev().filter(|&place| covering[place].is_empty()).collect::<Vec<_>>()
        {
            let users = self.source.users(self.encoding.layers[place].id);
            let users = users.iter().filter_map(|user| places.get(user));
            let kernels: BTreeSet<usize> = users.flat_map(|&user| covering[user].iter().copied()).collect();
            for &kernel in &kernels {
                self.kernels[kernel].layers.insert(place);
            }
            covering[place] = kernels;
        }
    }
}

impl Kernel {
    fn input(source: &Graph, id: NodeId, place: Option<usize>) -> Kernel {
        Kernel {
            named: place,
            op: source.node(id).op.clone(),
            operands: Vec::new(),
            weights: Vec::new(),
            layers: place.into_iter().collect(),
            rules: Vec::new(),
            cost: 0,
        }
    }
}

impl Decoded {
    /// Writes the kernels as a graph, with the weights that `folder` makes.
    pub(crate) fn write(
        self,
        source: &Graph,
        encoding: &Encoding,
        mut folder: Folder<'_>,
    ) -> Result<(Graph, Vec<report::Kernel>), Fault> {
        let mut graph = Graph::new(source.name.clone());
        graph.preprocess.clone_from(&source.preprocess);
        graph.labels.clone_from(&source.labels);
        let mut ids: Vec<Option<NodeId>> = vec![None; self.kernels.len()];
        let mut told = Vec::new();
        for index in self.order(encoding.inputs.len()) {
            let kernel = &self.kernels[index];
            let layer = match kernel.named {
                Some(place) => source.node(encoding.layers[place].id),
                None => source.node(encoding.inputs[index]),
            };
            let node = kernel.node(layer, source, &encoding.layers, &mut folder)?;
            let operand = |&operand: &usize| ids[operand].expect("operands come first");
            let operands: Vec<NodeId> = kernel.operands.iter().map(operand).collect();
            told.push(report::Kernel {
                name: node.name.clone(),
                sources: node.sources.clone(),
                rules: kernel.rules.clone(),
                picoseconds: kernel.cost,
            });
            ids[index] = Some(graph.add(node, &operands));
        }
        let distinct: BTreeMap<NodeId, usize> = self
            .outputs
            .iter()
            .map(|(&output, &kernel)| (encoding.layers[encoding.outputs[output as usize]].id, kernel))
            .collect();
        for id in source.outputs() {
            graph.add_output(ids[distinct[id]].expect("every output was extracted"));
        }
        graph.weights = folder.finish();
        Ok((graph, told))
    }

    /// The kernels, operands first: the inputs, then among those that are ready the one whose layer came
    /// first.
    fn order(&self, inputs: usize) -> Vec<usize> {
        let mut users: Vec<Vec<usize>> = vec![Vec::new(); self.kernels.len()];
        let mut waiting: Vec<usize> = self.kernels.iter().map(|kernel| kernel.operands.len()).collect();
        for (index, kernel) in self.kernels.iter().enumerate() {
            for &operand in &kernel.operands {
                users[operand].push(index);
            }
        }
        // Inputs come first whatever they are named after.
        let rank = |index: usize| {
            (index >= inputs, if index < inputs { None } else { self.kernels[index].named }, index)
        };
        let mut ready: BTreeSet<_> =
            (0..waiting.len()).filter(|&index| waiting[index] == 0).map(rank).collect();
        let mut order = Vec::with_capacity(waiting.len());
        while let Some((_, _, index)) = ready.pop_first() {
            order.push(index);
            for &user in &users[index] {
                waiting[user] -= 1;
                if waiting[user] == 0 {
                    ready.insert(rank(user));
                }
            }
        }
        order
    }
}

impl Kernel {
    /// The node, named after `layer`, with its weights in `folder`.
    fn node(
        &self,
        layer: &Node,
        source: &Graph,
        layers: &[EncodedLayer],
        folder: &mut Folder<'_>,
    ) -> Result<Node, Fault> {
        let mut weights = Vec::with_capacity(self.weights.len());
        for &(role, class) in &self.weights {
            weights.push(match folder.keep(class) {
                Some(name) => name.to_owned(),
                None => folder.fold(class, &layer.name, role)?,
            });
        }
        // An input that nothing needs computes no layer, but is one.
        let mut sources = if self.layers.is_empty() { layer.sources.clone() } else { Provenance::default() };
        for &place in &self.layers {
            sources.merge(&source.node(layers[place].id).sources);
        }
        Ok(Node { name: layer.name.clone(), op: self.op.clone(), weights, sources })
    }
}
