//! The graph that a file becomes, layer by layer, with the shapes of what is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use frit_ir::diagnostic::codes;
use frit_ir::ops::{self, Reshape, Transpose};
use frit_ir::weights::{Data, Spot};
use frit_ir::{Diagnostic, Faults, NodeId, Op, Shape, Weight};
use smallvec::SmallVec;

use super::call::{Call, Value};
use super::constant::Constant;
use super::fault::{Outcome, wrong};
use super::layout::{Axis, Factor, GraphAxis, View, place};
use super::names::shown;
use super::tensors::Store;
use super::training::Training;
use crate::import::budget::Budget;
use crate::import::builder::GraphBuilder;
use crate::import::limits;
use crate::import::listing::Product;

/// Bytes of what is told of a fault: lists that it names may be long.
const MESSAGE: usize = 2_000;

/// Bytes that a layer takes beyond its name, about.
const LAYER: usize = 512;
/// Bytes that each of its operands takes, about.
const OPERAND: usize = 64;

/// A graph under construction.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) built: GraphBuilder,
    pub(super) faults: Faults,
    /// Where the values of tensors are read from.
    pub(super) file: Store,
    /// Images of a batch, where the file fixes another number than one.
    pub(super) batch: Option<usize>,
    /// Tensors in another order of axes or another shape, and back.
    arranged: BTreeMap<(NodeId, Op), NodeId>,
    /// Batch normalisations in training mode. The network goes on as if they were not, so that all of them are found.
    pub(super) training: Training,
    /// The names of weights by where they lie in the file: what several nodes read is one weight.
    mapped: BTreeMap<(Spot, Shape), String>,
    /// What is computed is taken from here.
    pub(super) budget: Arc<Budget>,
}

impl Network {
    /// An empty one, for which the values of tensors are read from `file`, and what that costs taken from `budget`.
    pub(super) fn new(file: Store, budget: Arc<Budget>) -> Network {
        Network { file, budget, ..Network::default() }
    }

    /// `name`, or that with a number where it is taken.
    pub(super) fn name(&mut self, name: &str) -> String {
        self.built.names.free(name)
    }

    /// Tells a fault of `call`.
    pub(super) fn fault(&mut self, call: &Call<'_>, fault: Diagnostic) {
        let label = || format!("{} ({})", shown(&call.name), shown(call.op()));
        self.tell(if fault.layer.is_empty() { fault.at(label()) } else { fault });
    }

    /// Tells a fault, unless enough are told.
    pub(super) fn tell(&mut self, mut fault: Diagnostic) {
        if self.faults.iter().count() < limits::FAULTS {
            let length = fault.message.floor_char_boundary(MESSAGE);
            fault.message.truncate(length);
            self.faults.push(fault);
        }
    }

    /// Adds the layer `name`, whose weights are in the order of their roles. Weights of another shape than the op needs are a
    /// fault that is told.
    pub(super) fn add(
        &mut self,
        name: &str,
        op: Op,
        inputs: &[NodeId],
        weights: Vec<Weight>,
    ) -> Outcome<NodeId> {
        limits::layers(self.built.graph.len() + 1)?;
        self.budget.take_bytes(LAYER + inputs.len().saturating_mul(OPERAND))?;
        let (shape, roles) = self.built.infer(&op, inputs)?;
        let mut names = Vec::with_capacity(roles.len());
        for (role, weight) in roles.iter().zip(weights) {
            let weight_name = format!("{name}.{}", role.role);
            if weight.shape != role.shape {
                let message = format!("the {} has another shape than its layer needs", role.role);
                let fault = Diagnostic::error(codes::WEIGHT_SHAPE, message)
                    .operand("given", weight_name.as_str(), weight.shape.to_string())
                    .operand("needed", weight_name.as_str(), role.shape.to_string());
                return Err(Box::new(fault));
            }
            names.push(self.keep(weight_name, weight));
        }
        Ok(self.built.add(name.to_owned(), (op, names), inputs, shape))
    }

    /// Gives the graph `weight` as `name`, unless it has it under another name; returns that which it has it under.
    fn keep(&mut self, name: String, weight: Weight) -> String {
        if let Data::Mapped(mapped) = &weight.data {
            let key = (mapped.spot(), weight.shape.clone());
            if let Some(other) = self.mapped.get(&key) {
                return other.clone();
            }
            self.mapped.insert(key, name.clone());
        }
        self.built.graph.weights.insert(name.clone(), weight);
        name
    }

    /// The shape of what `node` makes.
    pub(super) fn shape(&self, node: NodeId) -> Shape {
        self.built.shape(node)
    }

    /// A function of each element of `view`, as the layer `name`.
    pub(super) fn elementwise(&mut self, name: &str, op: Op, view: &View) -> Outcome<View> {
        Ok(view.with(self.add(name, op, &[view.node], Vec::new())?))
    }

    /// The tensor `name` of the file; none where it is known already. Where its axes are not those of the graph's tensor one by
    /// one, it is listed as the graph has it.
    pub(super) fn product(&self, name: &str, value: &Value) -> Option<Product> {
        let Value::Tensor(view) = value else { return None };
        let order = view.order().filter(|order| order.len() == self.shape(view.node).rank());
        let lengths =
            |order: &Vec<usize>| order.iter().map(|&axis| view.axes[axis].length()).collect::<Vec<_>>();
        let order = order.filter(|order| lengths(order) == self.shape(view.node).axes());
        let place = |axis: &usize| order.as_ref()?.iter().position(|other| other == axis);
        let axes: Option<SmallVec<[usize; 4]>> = view.within().iter().map(place).collect();
        let moved = axes.filter(|axes| !axes.is_sorted());
        Some(Product { name: name.to_owned(), node: view.node, axes: moved.unwrap_or_default() })
    }

    /// The tensor of `view` with the axes of the graph that `groups` names: each is made of axes of the file, the outer one
    /// first. All axes within an image that have more than one element are named.
    pub(super) fn arrange(&mut self, view: &View, groups: &[&[usize]]) -> Outcome<NodeId> {
        let wanted: Vec<Factor> =
            groups.iter().copied().flatten().flat_map(|&axis| view.axes[axis].factors()).copied().collect();
        let lengths: Vec<usize> =
            groups.iter().map(|group| group.iter().map(|&axis| view.axes[axis].length()).product()).collect();
        let shape = Shape::new(&lengths);
        let mut lying = wanted.clone();
        lying.sort_by_key(|factor| std::cmp::Reverse(factor.stride));
        if lying == wanted {
            return self.in_shape(view.node, &shape);
        }
        let axes =
            wanted.iter().filter_map(|factor| lying.iter().position(|other| other == factor)).collect();
        let fine = Shape::new(&lying.iter().map(|factor| factor.length).collect::<Vec<_>>());
        let from = self.in_shape(view.node, &fine)?;
        let turned = self.transposed(from, axes)?;
        self.in_shape(turned, &shape)
    }

    /// The elements of `view` along one axis, as they lie.
    pub(super) fn flat(&mut self, view: &View) -> Outcome<NodeId> {
        self.in_shape(view.node, &Shape::new(&[view.elements()]))
    }

    /// `node`, or its elements in `shape`.
    fn in_shape(&mut self, node: NodeId, shape: &Shape) -> Outcome<NodeId> {
        let own = self.shape(node);
        if own == *shape {
            return Ok(node);
        }
        let op = Op::Reshape(Reshape::To(shape.clone()));
        self.rearranged(node, op, Op::Reshape(Reshape::To(own)), "reshape")
    }

    fn transposed(&mut self, node: NodeId, axes: Vec<usize>) -> Outcome<NodeId> {
        let mut back = axes.clone();
        axes.iter().enumerate().for_each(|(to, &from)| back[from] = to);
        let [op, back] =
            [axes, back].map(|axes| Op::Transpose(Transpose { axes: axes.into_iter().collect() }));
        self.rearranged(node, op, back, "transpose")
    }

    /// What `op` makes of `node`, made once; `back` of that is `node` again.
    fn rearranged(&mut self, node: NodeId, op: Op, back: Op, suffix: &str) -> Outcome<NodeId> {
        if let Some(&made) = self.arranged.get(&(node, op.clone())) {
            return Ok(made);
        }
        let name = self.name(&format!("{}/{suffix}", self.built.graph.node(node).name));
        let made = self.add(&name, op.clone(), &[node], Vec::new())?;
        self.arranged.insert((node, op), made);
        self.arranged.insert((made, back), node);
        Ok(made)
    }

    /// The tensor of `view` with its axes in their own order, each an axis of the graph.
    pub(super) fn row_major(&mut self, view: &View) -> Outcome<NodeId> {
        let within = view.within();
        let groups: Vec<&[usize]> = within.iter().map(std::slice::from_ref).collect();
        self.arrange(view, &groups)
    }

    /// The tensor of `view` with an axis of the graph for each of the file's, in the order in which they lie where each is in
    /// one piece, else in the usual one; and that order.
    pub(super) fn natural(&mut self, view: &View) -> Outcome<(NodeId, Vec<usize>)> {
        let order = view.order().unwrap_or_else(|| view.usual());
        self.ordered(view, &order).map(|node| (node, order))
    }

    /// The tensor of `view` with an axis of the graph for each of the file's, in this order.
    pub(super) fn ordered(&mut self, view: &View, order: &[usize]) -> Outcome<NodeId> {
        let groups: Vec<&[usize]> = order.iter().map(std::slice::from_ref).collect();
        self.arrange(view, &groups)
    }

    /// The view of `node`, whose axes are those of `order` of a tensor with as many axes as `like`.
    pub(super) fn view(&self, node: NodeId, like: &View, order: &[usize]) -> View {
        let places: Vec<GraphAxis> =
            (0..like.rank()).map(|axis| place(&like.axes[axis], axis, order)).collect();
        View::new(node, &self.shape(node), &places)
    }

    /// A tensor of the graph with known values, as the layer `name`: its axes are those of the file that `order` names.
    pub(super) fn constant(&mut self, name: &str, constant: &Constant, order: &[usize]) -> Outcome<View> {
        super::call::single_precision(constant.kind, "a tensor that layers compute with")?;
        let lengths: Vec<usize> = order.iter().map(|&axis| constant.dims[axis]).collect();
        let left: Vec<usize> = (0..constant.dims.len()).filter(|axis| !order.contains(axis)).collect();
        let shape = Shape::new(&lengths);
        let weight = constant
            .weight(&self.budget, (&constant.dims, &[left.as_slice(), order].concat()), shape.clone())?
            .ok_or_else(|| wrong("a constant depends on the number of images of a batch"))?;
        let node = self.add(name, Op::Constant(ops::Constant { shape: shape.clone() }), &[], vec![weight])?;
        let axes: Vec<GraphAxis> =
            (0..constant.dims.len()).map(|axis| place(&Axis::one(), axis, order)).collect();
        Ok(View::new(node, &shape, &axes))
    }

    /// The operand as a tensor of the graph; a constant becomes a layer.
    pub(super) fn tensor(&mut self, value: &Value, name: &str) -> Outcome<View> {
        match value {
            Value::Tensor(view) => Ok(view.clone()),
            Value::Constant(constant) => {
                let name = self.name(name);
                let order: Vec<usize> = (0..constant.dims.len()).collect();
                self.constant(&name, constant, &order)
            }
            Value::Unknown => Err(wrong("an operand is unknown")),
        }
    }

    /// `view` with axes of other lengths, as many elements as it has; none is the batch.
    pub(super) fn reshaped(&mut self, view: &View, lengths: &[Option<usize>]) -> Outcome<View> {
        if let Some(reshaped) = view.reshaped(lengths) {
            return Ok(reshaped);
        }
        let dense = self.row_major(view)?;
        // Elements along one axis can be cut anywhere.
        let flat = View::new(dense, &Shape::new(&[view.elements()]), &[GraphAxis::At(0)]);
        let flat = View { kind: view.kind, ..flat };
        flat.reshaped(lengths)
            .ok_or_else(|| wrong(format!("{:?} can't be reshaped to {lengths:?}", view.lengths())))
    }

    /// A layer that makes no new values: those of `view` with its axes as they lie.
    pub(super) fn renamed(&mut self, name: &str, view: &View) -> Outcome<View> {
        let Some(order) = view.order() else { return self.elementwise(name, Op::Identity, view) };
        let shape = Shape::new(&order.iter().map(|&axis| view.axes[axis].length()).collect::<Vec<_>>());
        let op = if self.shape(view.node) == shape { Op::Identity } else { Op::Reshape(Reshape::To(shape)) };
        let node = self.add(name, op, &[view.node], Vec::new())?;
        Ok(View { kind: view.kind, ..self.view(node, view, &order) })
    }
}
