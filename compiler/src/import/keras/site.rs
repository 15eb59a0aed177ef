//! One call of a layer on its way to nodes.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Constant, Transpose};
use frit_ir::weights::{Data, Values};
use frit_ir::{Diagnostic, NodeId, Op, Shape, Weight};

use super::attributes::Axes;
use super::calls::Call;
use super::tensors::{Described, Tensor, Tensors};
use super::variable::{Needed, Stored};
use super::version::Version;

/// How a tensor was turned for one of its axes to be the last.
pub(super) enum Turned {
    /// Not, or from channels first to channels last.
    As(Axes),
    /// So that each axis is this one of the tensor's.
    By(Vec<usize>),
}

/// One call of a layer: what it is handed, and where its nodes go.
pub(super) struct Site<'s, 'b, 'a> {
    tensors: &'s mut Tensors<'b, 'a>,
    layer: &'s Described<'a>,
    name: String,
    /// All tensors that the call hands over, in order.
    pub(super) inputs: Vec<Tensor>,
    /// What it hands over, as it is written.
    pub(super) call: Call<Tensor>,
    added: Vec<NodeId>,
    /// The part of the layer that is called; empty for the layer itself.
    pub(super) owner: &'static str,
}

impl<'s, 'b, 'a> Site<'s, 'b, 'a> {
    /// The call of `layer`, whose nodes are named after `name`.
    pub(super) fn new(
        tensors: &'s mut Tensors<'b, 'a>,
        layer: &'s Described<'a>,
        (name, call): (String, Call<Tensor>),
    ) -> Site<'s, 'b, 'a> {
        let inputs = call.tensors().into_iter().copied().collect();
        Site { tensors, layer, name, inputs, call, added: Vec::new(), owner: "" }
    }

    /// The nodes that were added, and the name of the call.
    pub(super) fn finish(self) -> (Vec<NodeId>, String) {
        (self.added, self.name)
    }

    /// Tells a fault of the layer.
    pub(super) fn fault(&mut self, fault: Diagnostic) {
        self.tensors.tell(self.layer, fault);
    }

    /// Which Keras wrote the file.
    pub(super) fn version(&self) -> Version {
        self.tensors.version
    }

    /// The only tensor that is handed over.
    pub(super) fn only(&mut self) -> Option<Tensor> {
        if let [only] = self.inputs.as_slice() {
            return Some(*only);
        }
        let message = format!("it takes one tensor, not {}", self.inputs.len());
        self.fault(Diagnostic::error(codes::OPERANDS, message));
        None
    }

    /// The shape of a tensor, without the batch.
    pub(super) fn shape(&self, tensor: Tensor) -> Shape {
        self.tensors.get(tensor).shape.clone()
    }

    /// Height, width and channels of a tensor that must be a map.
    pub(super) fn map_of(&mut self, tensor: Tensor, axes: Axes) -> Option<[usize; 3]> {
        let shape = self.shape(tensor);
        let Some(map) = shape.map() else {
            let message = format!("it takes a map (height x width x channels), not {shape}");
            self.fault(Diagnostic::error(codes::RANK, message));
            return None;
        };
        let [first, second, third] = map;
        Some(if axes == Axes::ChannelsFirst { [second, third, first] } else { map })
    }

    /// The node that makes `tensor` as it is.
    pub(super) fn plain(&mut self, tensor: Tensor) -> Option<NodeId> {
        self.tensors.plain(tensor)
    }

    /// The node that makes `tensor`, a map whose axes lie as `axes` says, with channels last.
    pub(super) fn map(&mut self, tensor: Tensor, axes: Axes) -> Option<NodeId> {
        match axes {
            Axes::ChannelsLast => self.tensors.plain(tensor),
            Axes::ChannelsFirst => self.tensors.last(tensor),
        }
    }

    /// How a tensor is there already: with channels last where it is only so.
    pub(super) fn form(&self, tensor: Tensor) -> Axes {
        if self.tensors.get(tensor).plain.is_some() { Axes::ChannelsLast } else { Axes::ChannelsFirst }
    }

    /// The tensor that `node` makes, with channels last where `axes` says that they come first.
    pub(super) fn made(&mut self, node: NodeId, axes: Axes) -> Tensor {
        let shape = self.shape_of(node);
        let name = self.name.clone();
        match (axes, shape.map()) {
            (Axes::ChannelsFirst, Some([height, width, channels])) => {
                self.tensors.made(Shape::new(&[channels, height, width]), None, Some(node), &name)
            }
            _ => self.tensors.made(shape, Some(node), None, &name),
        }
    }

    /// The shape of what `node` makes.
    pub(super) fn shape_of(&self, node: NodeId) -> Shape {
        self.tensors.network.shape(node)
    }

    /// Adds an op.
    pub(super) fn add(&mut self, op: Op, operands: &[NodeId]) -> Option<NodeId> {
        self.add_with(op, operands, &[])
    }

    /// Adds an op on one tensor that is the same for every order of axes.
    pub(super) fn each(&mut self, activation: Activation, tensor: Tensor) -> Option<Tensor> {
        let form = self.form(tensor);
        let operand = self.map(tensor, form)?;
        let node = self.add(Op::Activation(activation), &[operand])?;
        Some(self.made(node, form))
    }

    /// Adds an op on two tensors, element by element.
    pub(super) fn both(&mut self, binary: Binary, a: Tensor, b: Tensor) -> Option<Tensor> {
        let maps = [a, b].iter().all(|&tensor| self.shape(tensor).rank() == 3);
        let turned = [a, b].iter().any(|&tensor| self.form(tensor) == Axes::ChannelsFirst);
        let form = if maps && turned { Axes::ChannelsFirst } else { Axes::ChannelsLast };
        let operands = [self.map(a, form)?, self.map(b, form)?];
        let node = self.add(Op::Binary(binary), &operands)?;
        Some(self.made(node, form))
    }

    /// Adds a constant.
    pub(super) fn constant(&mut self, shape: Shape, values: Values) -> Option<NodeId> {
        self.tensors.network.count_constant(values.len()).map_err(|fault| self.fault(fault)).ok()?;
        let network = &mut self.tensors.network;
        let name = network.names.free(&format!("{}/constant", self.name));
        let weight = format!("{name}.value");
        let value = Weight::new(shape.clone(), Data::Values(values));
        network.graph.weights.insert(weight.clone(), value);
        let op = Op::Constant(Constant { shape: shape.clone() });
        Some(network.add(name, (op, vec![weight]), &[], shape))
    }

    /// Adds an op with weights, which lie in the file as `stored` says, in the order of the op's roles.
    pub(super) fn add_with(&mut self, op: Op, operands: &[NodeId], stored: &[Stored]) -> Option<NodeId> {
        let name = format!("{}/{}", self.name, op.name());
        self.add_named(&name, op, operands, stored)
    }

    /// The same under a name.
    pub(super) fn add_named(
        &mut self,
        name: &str,
        op: Op,
        operands: &[NodeId],
        stored: &[Stored],
    ) -> Option<NodeId> {
        let inferred = self.tensors.network.infer(&op, operands);
        let (shape, roles) = inferred.map_err(|fault| self.fault(fault)).ok()?;
        let mut weights = Vec::with_capacity(stored.len());
        for (role, stored) in roles.into_iter().zip(stored) {
            weights.push(self.weight(role.shape, stored)?);
        }
        let network = &mut self.tensors.network;
        let name = network.names.free(name);
        let id = network.add(name, (op, weights), operands, shape);
        self.added.push(id);
        Some(id)
    }

    /// The name of a weight, which several calls may need.
    fn weight(&mut self, shape: Shape, stored: &Stored) -> Option<String> {
        let name = format!("{}{}", self.layer.path, stored.name);
        if shape.elements().is_none() {
            let message = format!(
                "its {} of {shape} has no elements or more than 2^40",
                stored.name.trim_start_matches('.')
            );
            self.fault(Diagnostic::error(codes::TENSOR_SIZE, message));
            return None;
        }
        match self.tensors.known.get(&name).map(|&place| &self.tensors.needed[place]) {
            Some(needed) if needed.shape != shape => {
                let message = "it is called on tensors that need weights of different shapes";
                let fault = Diagnostic::error(codes::WEIGHT_SHAPE, message)
                    .operand("first", name.as_str(), needed.shape.to_string())
                    .operand("other", name.as_str(), shape.to_string());
                self.fault(fault);
                None
            }
            Some(_) => Some(name),
            None => {
                self.tensors.known.insert(name.clone(), self.tensors.needed.len());
                self.tensors.needed.push(Needed {
                    name: name.clone(),
                    shape,
                    layer: self.layer.path.clone(),
                    label: self.layer.label(),
                    value: self.layer.value.clone(),
                    owner: self.owner,
                    stored: stored.clone(),
                });
                Some(name)
            }
        }
    }

    /// Adds an op under the layer's name and that of a step inside it.
    pub(super) fn step(
        &mut self,
        step: &str,
        op: Op,
        operands: &[NodeId],
        stored: &[Stored],
    ) -> Option<NodeId> {
        let name = format!("{}/{step}", self.name);
        self.add_named(&name, op, operands, stored)
    }

    /// The index of an axis that Keras counts with that of the batch, which is none that may be meant.
    pub(super) fn axis(&mut self, tensor: Tensor, axis: i64) -> Option<usize> {
        let rank = self.shape(tensor).rank();
        let from_end = i64::try_from(rank + 1).ok().and_then(|rank| rank.checked_add(axis));
        let index = if axis < 0 { from_end } else { Some(axis) };
        let index = index.and_then(|index| usize::try_from(index).ok()).filter(|&index| index <= rank);
        match index {
            Some(0) => {
                self.fault(Diagnostic::error(codes::KERAS_ARGUMENT, "it works along the axis of the batch"));
                None
            }
            Some(index) => Some(index - 1),
            None => {
                let message = format!(
                    "there is no axis {axis}: the tensor has {} axes, that of the batch among them",
                    rank + 1
                );
                self.fault(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
                None
            }
        }
    }

    /// The node that makes `tensor` with `axis` as its last, and how it was turned for that.
    pub(super) fn axis_last(&mut self, tensor: Tensor, axis: usize) -> Option<(NodeId, Turned)> {
        let rank = self.shape(tensor).rank();
        if axis + 1 == rank {
            return Some((self.plain(tensor)?, Turned::As(Axes::ChannelsLast)));
        }
        if axis == 0 && rank == 3 {
            return Some((self.tensors.last(tensor)?, Turned::As(Axes::ChannelsFirst)));
        }
        let axes: Vec<usize> = (0..rank).filter(|&other| other != axis).chain([axis]).collect();
        let operand = self.plain(tensor)?;
        let node = self.add(Op::Transpose(Transpose { axes: axes.iter().copied().collect() }), &[operand])?;
        Some((node, Turned::By(axes)))
    }

    /// The tensor that `node` makes, turned back.
    pub(super) fn turned_back(&mut self, node: NodeId, turned: Turned) -> Option<Tensor> {
        let axes = match turned {
            Turned::As(axes) => return Some(self.made(node, axes)),
            Turned::By(axes) => axes,
        };
        let back = (0..axes.len()).filter_map(|axis| axes.iter().position(|&from| from == axis)).collect();
        let node = self.add(Op::Transpose(Transpose { axes: back }), &[node])?;
        Some(self.made(node, Axes::ChannelsLast))
    }

    /// Adds an op under the layer's name and a number, one of several results.
    pub(super) fn part(&mut self, index: usize, op: Op, operand: NodeId) -> Option<NodeId> {
        let name = format!("{}/{index}", self.name);
        self.add_named(&name, op, &[operand], &[])
    }
}
