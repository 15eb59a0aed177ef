//! The network's tensors as Keras sees them: each is there with its axes as the file has them, with its channels last, or both.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::ops::{Input, Transpose};
use frit_ir::{Diagnostic, NodeId, Op, Shape};

use super::variable::Needed;
use super::version::Version;
use crate::import::builder::GraphBuilder;
use crate::import::document::Value;
use crate::import::findings::Findings;

/// A layer where the file describes it.
pub(super) struct Described<'a> {
    /// Its name behind those of the models that it lies in.
    pub(super) path: String,
    pub(super) class: String,
    pub(super) value: Value<'a>,
}

impl Described<'_> {
    /// The layer as faults name it.
    pub(super) fn label(&self) -> String {
        format!("{} ({})", self.path, self.class)
    }
}

/// A tensor, by its place among all of them.
pub(super) type Tensor = usize;

/// A tensor as Keras sees it, without the axis of the batch. What is a map with channels first is mostly computed with
/// channels last, and turned where somebody needs it as it is.
pub(super) struct Made {
    pub(super) shape: Shape,
    /// The node that makes it as it is.
    pub(super) plain: Option<NodeId>,
    /// The node that makes it with its first axis last.
    pub(super) last: Option<NodeId>,
    /// Whose it is.
    layer: String,
}

/// The tensors that were made so far, and the graph that makes them.
pub(super) struct Tensors<'b, 'a> {
    pub(super) network: GraphBuilder,
    pub(super) version: Version,
    pub(super) needed: Vec<Needed<'a>>,
    pub(super) findings: &'b mut Findings<'a>,
    /// Where weights stand among those that are needed.
    pub(super) known: BTreeMap<String, usize>,
    tensors: Vec<Made>,
    /// Layers and what was told of them: a layer that is called twice has its faults once.
    told: BTreeSet<(String, String)>,
}

impl<'b, 'a> Tensors<'b, 'a> {
    pub(super) fn new(name: &str, version: Version, findings: &'b mut Findings<'a>) -> Tensors<'b, 'a> {
        Tensors {
            network: GraphBuilder::new(name),
            version,
            needed: Vec::new(),
            findings,
            known: BTreeMap::new(),
            tensors: Vec::new(),
            told: BTreeSet::new(),
        }
    }

    pub(super) fn get(&self, tensor: Tensor) -> &Made {
        &self.tensors[tensor]
    }

    /// An input of the network.
    pub(super) fn input(&mut self, (name, layer): (&str, &Described<'a>), shape: Shape) -> Option<Tensor> {
        let op = Op::Input(Input { shape: shape.clone() });
        if let Err(fault) = op.shape(&[]) {
            self.tell(layer, fault);
            return None;
        }
        let name = self.network.names.free(name);
        let node = self.network.add(name, (op, Vec::new()), &[], shape.clone());
        Some(self.made(shape, Some(node), None, &layer.path))
    }

    /// Makes `tensor` the next output, under `name` if that can be.
    pub(super) fn output(&mut self, tensor: Tensor, name: &str) -> Option<()> {
        let node = self.plain(tensor)?;
        let graph = &self.network.graph;
        let same = graph.node(node).name == name;
        let is_input = matches!(graph.node(node).op, Op::Input(_));
        if graph.outputs().contains(&node) || (is_input && !same) {
            self.make_room(name);
            let name = self.network.names.free(name);
            let shape = self.network.shape(node);
            let copy = self.network.add(name, (Op::Identity, Vec::new()), &[node], shape);
            self.network.graph.add_output(copy);
            return Some(());
        }
        if !same {
            self.make_room(name);
            self.network.rename(node, name);
        }
        self.network.graph.add_output(node);
        Some(())
    }

    /// Names the inner node that has the name of an output after its op.
    fn make_room(&mut self, name: &str) {
        let GraphBuilder { graph, names, .. } = &mut self.network;
        let Some(holder) = graph.find(name).filter(|holder| !graph.outputs().contains(holder)) else {
            return;
        };
        if !matches!(graph.node(holder).op, Op::Input(_)) {
            let other = names.free(&format!("{name}/{}", graph.node(holder).op.name()));
            names.release(&other);
            self.network.rename(holder, &other);
            self.network.names.release(name);
        }
    }
    /// Tells a fault of a layer, once.
    pub(super) fn tell(&mut self, layer: &Described<'a>, fault: Diagnostic) {
        if self.told.insert((layer.path.clone(), fault.message.clone())) {
            let fault = if fault.layer.is_empty() { fault.at(layer.label()) } else { fault };
            self.findings.add(&layer.value, fault);
        }
    }

    pub(super) fn made(
        &mut self,
        shape: Shape,
        plain: Option<NodeId>,
        last: Option<NodeId>,
        layer: &str,
    ) -> Tensor {
        self.tensors.push(Made { shape, plain, last, layer: layer.to_owned() });
        self.tensors.len() - 1
    }

    /// The node that makes `tensor` as it is.
    pub(super) fn plain(&mut self, tensor: Tensor) -> Option<NodeId> {
        let made = &self.tensors[tensor];
        if let Some(node) = made.plain {
            return Some(node);
        }
        let (node, shape) = (made.last?, made.shape.clone());
        let name = self.network.names.free(&format!("{}/channels_first", self.tensors[tensor].layer));
        let turned = self.turn(node, &[2, 0, 1], shape, name);
        self.tensors[tensor].plain = Some(turned);
        Some(turned)
    }

    /// The node that makes `tensor`, a map with channels first, with channels last.
    pub(super) fn last(&mut self, tensor: Tensor) -> Option<NodeId> {
        let made = &self.tensors[tensor];
        if let Some(node) = made.last {
            return Some(node);
        }
        let [channels, height, width] = made.shape.map()?;
        let node = made.plain?;
        let name = self.network.names.free(&format!("{}/channels_last", self.tensors[tensor].layer));
        let turned = self.turn(node, &[1, 2, 0], Shape::new(&[height, width, channels]), name);
        self.tensors[tensor].last = Some(turned);
        Some(turned)
    }

    fn turn(&mut self, node: NodeId, axes: &[usize], shape: Shape, name: String) -> NodeId {
        let op = Op::Transpose(Transpose { axes: axes.iter().copied().collect() });
        self.network.add(name, (op, Vec::new()), &[node], shape)
    }
}
