//! From calls to nodes: shapes are known here, so `same` becomes numbers, and each call of a layer becomes its ops.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Constant, Input, Transpose};
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, NodeId, Op, Shape, Weight};

use smallvec::SmallVec;

use super::Version;
use super::attributes::Axes;
use super::calls::Call;
use super::model::{Definition, Kind, Model, Source};
use super::weights::{Needed, Stored};
use crate::import::budget::Budget;
use crate::import::builder::GraphBuilder;
use crate::import::limits;
use crate::import::listing::Product;
use crate::import::reader::Findings;

/// Elements of the budget that looking at a layer of a model counts for.
const LOOKED_AT: usize = 32;
/// Bytes that a node takes beside its name, about.
const NODE: usize = 512;

/// A tensor of the builder.
pub(super) type Tensor = usize;

/// A tensor as Keras sees it, without the axis of the batch. What is a map with channels first is mostly computed with
/// channels last, and turned where somebody needs it as it is.
struct Made {
    shape: Shape,
    /// The node that makes it as it is.
    plain: Option<NodeId>,
    /// The node that makes it with its first axis last.
    last: Option<NodeId>,
    /// Whose it is.
    layer: String,
}

/// A graph that is being built.
pub(super) struct Builder<'b, 'a> {
    pub(super) network: GraphBuilder,
    version: Version,
    pub(super) needed: Vec<Needed<'a>>,
    pub(super) findings: &'b mut Findings<'a>,
    /// Where weights stand among those that are needed.
    known: BTreeMap<String, usize>,
    tensors: Vec<Made>,
    /// Layers and what was told of them: a layer that is called twice has its faults once.
    told: BTreeSet<(String, String)>,
    calls: usize,
    /// What is built is taken from here.
    budget: Budget,
}

/// The results of a call; none where it could not be built.
type Results = Option<Vec<Tensor>>;

impl<'b, 'a> Builder<'b, 'a> {
    pub(super) fn new(
        name: &str,
        version: Version,
        findings: &'b mut Findings<'a>,
        budget: Budget,
    ) -> Builder<'b, 'a> {
        Builder {
            network: GraphBuilder::new(name),
            version,
            needed: Vec::new(),
            findings,
            known: BTreeMap::new(),
            tensors: Vec::new(),
            told: BTreeSet::new(),
            calls: 0,
            budget,
        }
    }

    /// An input of the network.
    pub(super) fn input(&mut self, definition: &Definition<'a>, shape: Shape) -> Option<Tensor> {
        let op = Op::Input(Input { shape: shape.clone() });
        if let Err(fault) = op.shape(&[]) {
            self.tell(definition, fault);
            return None;
        }
        let name = self.network.names.free(&definition.name);
        let node = self.network.add(name, (op, Vec::new()), &[], shape.clone());
        Some(self.made(shape, Some(node), None, &definition.path))
    }

    /// The results of the calls of `model` on `inputs`, by definition and call; names of nodes begin with `prefix`.
    pub(super) fn model(
        &mut self,
        model: &Model<'a>,
        inputs: &[Option<Tensor>],
        prefix: &str,
    ) -> Vec<Vec<Results>> {
        let mut results: Vec<Vec<Results>> =
            model.definitions.iter().map(|definition| vec![None; definition.calls.len().max(1)]).collect();
        for (&(_, input), tensor) in model.inputs.iter().zip(inputs) {
            results[input][0] = tensor.map(|tensor| vec![tensor]);
            if prefix.is_empty() {
                let name = model.definitions[input].name.clone();
                self.list(&model.definitions[input], prefix, &name, &results[input][0]);
            }
        }
        for &(place, call) in &model.order {
            let definition = &model.definitions[place];
            let Some(Some(arguments)) = definition.calls.get(call) else { continue };
            let name = called(prefix, &definition.name, call);
            if matches!(definition.kind, Some(Kind::Input(_))) || !self.may_go_on(definition, &name) {
                continue;
            }
            let missing =
                arguments.tensors().into_iter().find(|source| self.no_such_result(&results, source));
            if let Some(source) = missing {
                self.tell_missing(model, definition, &results, source);
                continue;
            }
            let arguments = arguments.map(|source| result(&results, source));
            let Some(arguments) = arguments else { continue };
            let name = called(prefix, &definition.name, call);
            results[place][call] = self.call(definition, arguments, name.clone());
            self.list(definition, prefix, &name, &results[place][call]);
        }
        results
    }

    /// Notes where the results of a call are. Layers inside others have no place in the list of layers.
    fn list(&mut self, definition: &Definition<'a>, prefix: &str, name: &str, results: &Results) {
        let Some(results) = results else { return };
        let tensors = results.iter().enumerate().filter_map(|(index, &tensor)| {
            let made = &self.tensors[tensor];
            let (node, first) =
                made.plain.map(|node| (node, false)).or(made.last.map(|node| (node, true)))?;
            let name = if results.len() == 1 { name.to_owned() } else { format!("{name}/{index}") };
            let axes = if first { [2, 0, 1].into_iter().collect() } else { SmallVec::new() };
            Some(Product { name, node, axes })
        });
        let index = definition.index.filter(|_| prefix.is_empty());
        self.network.list(index, name, &definition.class, tensors.collect());
    }

    /// The outputs of `model`, whose calls gave `results`.
    pub(super) fn outputs(&mut self, model: &Model<'a>, results: &[Vec<Results>]) -> Vec<Option<Tensor>> {
        let mut found = Vec::new();
        for (_, source) in &model.outputs {
            if self.no_such_result(results, source) {
                self.tell_missing(model, &model.definitions[source.definition], results, source);
            }
            found.push(result(results, source));
        }
        found
    }

    fn no_such_result(&self, results: &[Vec<Results>], source: &Source<'a>) -> bool {
        let made = results[source.definition].get(source.call).and_then(Option::as_ref);
        made.is_some_and(|made| made.len() <= source.result)
    }

    fn tell_missing(
        &mut self,
        model: &Model<'a>,
        reader: &Definition<'a>,
        results: &[Vec<Results>],
        source: &Source<'a>,
    ) {
        let count = results[source.definition][source.call].as_ref().map_or(0, Vec::len);
        let name = &model.definitions[source.definition].name;
        let message = format!("there is no output {} of {name}, which has {count}", source.result);
        let fault = Diagnostic::error(codes::UNKNOWN_LAYER, message).at(reader.label());
        self.findings.add(&source.at, fault);
    }

    /// Whether the network is still of a size that may be; where it is not, it is told once.
    fn may_go_on(&mut self, definition: &Definition<'a>, name: &str) -> bool {
        // A model looks at all of its layers each time that it is called, and each node keeps its name in some places.
        let (size, before) = (definition.kind.as_ref().map_or(0, Kind::definitions), self.budget.is_spent());
        let taken = self
            .budget
            .take_work(size.saturating_mul(LOOKED_AT))
            .and_then(|()| self.budget.take_bytes(NODE.saturating_add(4 * name.len())));
        if let Err(fault) = taken {
            if !before {
                self.tell(definition, fault);
            }
            return false;
        }
        if self.calls > limits::LAYERS {
            return false;
        }
        self.calls += 1;
        limits::layers(self.calls).map_err(|fault| self.tell(definition, fault)).is_ok()
    }

    /// One call of a definition, whose nodes are named after `name`.
    fn call(&mut self, definition: &Definition<'a>, call: Call<Tensor>, name: String) -> Results {
        match definition.kind.as_ref()? {
            Kind::Input(_) => None,
            Kind::Model(model) => {
                let inputs = self.inputs_of(definition, model, &call)?;
                let results = self.model(model, &inputs, &format!("{name}/"));
                self.outputs(model, &results).into_iter().collect::<Results>().filter(|_| model.complete)
            }
            Kind::Layer(layer) => {
                let inputs = call.tensors().into_iter().copied().collect();
                let mut site =
                    Site { builder: self, definition, name, inputs, call, added: Vec::new(), owner: "" };
                let results = layer.call(&mut site);
                let Site { added, name, .. } = site;
                let results = results?;
                if let [only] = results.as_slice() {
                    self.finish(*only, &added, &name);
                }
                Some(results)
            }
        }
    }

    /// What a call hands to the inputs of a model, in their order.
    fn inputs_of(
        &mut self,
        definition: &Definition<'a>,
        model: &Model<'a>,
        call: &Call<Tensor>,
    ) -> Option<Vec<Option<Tensor>>> {
        use super::calls::Argument::{Named, Tensor};
        if let [Named(items)] = call.positional.as_slice() {
            let by_name = |name: &Option<String>| {
                items.iter().find_map(|(known, item)| match item {
                    Tensor(tensor) if name.as_ref() == Some(known) => Some(*tensor),
                    _ => None,
                })
            };
            let found: Vec<_> = model.inputs.iter().map(|(name, _)| by_name(name)).collect();
            if found.iter().all(Option::is_some) {
                return Some(found);
            }
        }
        let tensors: Vec<_> = call.tensors().into_iter().map(|&tensor| Some(tensor)).collect();
        if tensors.len() != model.inputs.len() {
            let message = format!("the model takes {} inputs, not {}", model.inputs.len(), tensors.len());
            self.tell(definition, Diagnostic::error(codes::OPERANDS, message));
            return None;
        }
        Some(tensors)
    }

    /// Gives the node of a call's only result the call's name.
    fn finish(&mut self, result: Tensor, added: &[NodeId], name: &str) {
        let made = &self.tensors[result];
        let Some(node) = made.plain.or(made.last).filter(|node| added.contains(node)) else { return };
        self.network.rename(node, name);
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
    pub(super) fn tell(&mut self, definition: &Definition<'a>, fault: Diagnostic) {
        if self.told.insert((definition.path.clone(), fault.message.clone())) {
            let fault = if fault.layer.is_empty() { fault.at(definition.label()) } else { fault };
            self.findings.add(&definition.value, fault);
        }
    }

    fn made(&mut self, shape: Shape, plain: Option<NodeId>, last: Option<NodeId>, layer: &str) -> Tensor {
        self.tensors.push(Made { shape, plain, last, layer: layer.to_owned() });
        self.tensors.len() - 1
    }

    /// The node that makes `tensor` as it is.
    fn plain(&mut self, tensor: Tensor) -> Option<NodeId> {
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
    fn last(&mut self, tensor: Tensor) -> Option<NodeId> {
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

/// The name of a call: the definition's, with a number from the second on.
fn called(prefix: &str, name: &str, call: usize) -> String {
    if call == 0 { format!("{prefix}{name}") } else { format!("{prefix}{name}/{}", call + 1) }
}

fn result(results: &[Vec<Results>], source: &Source<'_>) -> Option<Tensor> {
    results[source.definition].get(source.call)?.as_ref()?.get(source.result).copied()
}

/// How a tensor was turned for one of its axes to be the last.
pub(super) enum Turned {
    /// Not, or from channels first to channels last.
    As(Axes),
    /// So that each axis is this one of the tensor's.
    By(Vec<usize>),
}

/// One call of a layer: what it is handed, and where its nodes go.
pub(super) struct Site<'s, 'b, 'a> {
    builder: &'s mut Builder<'b, 'a>,
    definition: &'s Definition<'a>,
    name: String,
    /// All tensors that the call hands over, in order.
    pub(super) inputs: Vec<Tensor>,
    /// What it hands over, as it is written.
    pub(super) call: Call<Tensor>,
    added: Vec<NodeId>,
    /// The part of the layer that is called; empty for the layer itself.
    pub(super) owner: &'static str,
}

impl Site<'_, '_, '_> {
    /// Tells a fault of the layer.
    pub(super) fn fault(&mut self, fault: Diagnostic) {
        self.builder.tell(self.definition, fault);
    }

    /// Which Keras wrote the file.
    pub(super) fn version(&self) -> Version {
        self.builder.version
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
        self.builder.tensors[tensor].shape.clone()
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
        self.builder.plain(tensor)
    }

    /// The node that makes `tensor`, a map whose axes lie as `axes` says, with channels last.
    pub(super) fn map(&mut self, tensor: Tensor, axes: Axes) -> Option<NodeId> {
        match axes {
            Axes::ChannelsLast => self.builder.plain(tensor),
            Axes::ChannelsFirst => self.builder.last(tensor),
        }
    }

    /// How a tensor is there already: with channels last where it is only so.
    pub(super) fn form(&self, tensor: Tensor) -> Axes {
        if self.builder.tensors[tensor].plain.is_some() { Axes::ChannelsLast } else { Axes::ChannelsFirst }
    }

    /// The tensor that `node` makes, with channels last where `axes` says that they come first.
    pub(super) fn made(&mut self, node: NodeId, axes: Axes) -> Tensor {
        let shape = self.shape_of(node);
        let name = self.name.clone();
        match (axes, shape.map()) {
            (Axes::ChannelsFirst, Some([height, width, channels])) => {
                self.builder.made(Shape::new(&[channels, height, width]), None, Some(node), &name)
            }
            _ => self.builder.made(shape, Some(node), None, &name),
        }
    }

    /// The shape of what `node` makes.
    pub(super) fn shape_of(&self, node: NodeId) -> Shape {
        self.builder.network.shape(node)
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
    pub(super) fn constant(&mut self, shape: Shape, values: Vec<f32>) -> Option<NodeId> {
        self.builder.network.count_constant(values.len()).map_err(|fault| self.fault(fault)).ok()?;
        let network = &mut self.builder.network;
        let name = network.names.free(&format!("{}/constant", self.name));
        let weight = format!("{name}.value");
        let value = Weight { shape: shape.clone(), data: Data::Values(values.into()) };
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
        let inferred = self.builder.network.infer(&op, operands);
        let (shape, roles) = inferred.map_err(|fault| self.fault(fault)).ok()?;
        let mut weights = Vec::with_capacity(stored.len());
        for (role, stored) in roles.into_iter().zip(stored) {
            weights.push(self.weight(role.shape, stored)?);
        }
        let network = &mut self.builder.network;
        let name = network.names.free(name);
        let id = network.add(name, (op, weights), operands, shape);
        self.added.push(id);
        Some(id)
    }

    /// The name of a weight, which several calls may need.
    fn weight(&mut self, shape: Shape, stored: &Stored) -> Option<String> {
        let name = format!("{}{}", self.definition.path, stored.name);
        if shape.elements().is_none() {
            let message = format!(
                "its {} of {shape} has no elements or more than 2^40",
                stored.name.trim_start_matches('.')
            );
            self.fault(Diagnostic::error(codes::TENSOR_SIZE, message));
            return None;
        }
        match self.builder.known.get(&name).map(|&place| &self.builder.needed[place]) {
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
                self.builder.known.insert(name.clone(), self.builder.needed.len());
                self.builder.needed.push(Needed {
                    name: name.clone(),
                    shape,
                    layer: self.definition.path.clone(),
                    label: self.definition.label(),
                    value: self.definition.value.clone(),
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
            return Some((self.builder.last(tensor)?, Turned::As(Axes::ChannelsFirst)));
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
