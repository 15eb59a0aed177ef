//! A file that is being written: its tensors in the forms in which layers read them, and their names.

use frit_ir::weights::Values;
use frit_ir::{Diagnostic, Graph, NodeId, Op, Shape, Tensor};
use ndarray::{ArrayView, IxDyn};

use super::nodes::{Nodes, int, ints};
use super::tensors::{Form, Tensors};
use crate::export::not_expressible;
use crate::onnx;

/// A file that is being written.
pub(super) struct Writer<'g> {
    pub(super) graph: &'g Graph,
    pub(super) tensors: Tensors,
    pub(super) nodes: Nodes,
}

impl Writer<'_> {
    /// The name of the tensor of `id` in `form`, which a transpose makes of the other where nobody has yet.
    pub(super) fn tensor(&mut self, id: NodeId, form: Form) -> String {
        if let Some(name) = self.tensors.get(id, form) {
            return name.to_owned();
        }
        let from = match self.tensors.get(id, form.other()) {
            Some(name) => name.to_owned(),
            None => self.repeated(id),
        };
        if form == Form::Plain && matches!(self.graph.node(id).op, Op::Constant(_)) {
            return from;
        }
        let (order, what) = match form {
            Form::Plain => ([0, 2, 3, 1], "channels_last"),
            Form::ChannelsFirst => ([0, 3, 1, 2], "channels_first"),
        };
        let layer = &self.graph.node(id).name;
        let is_output = form == Form::Plain && self.graph.outputs().contains(&id);
        let to = if is_output { layer.clone() } else { self.nodes.fresh(&format!("{layer}/{what}")) };
        self.nodes.add_named("Transpose", &to, &[&from], vec![ints("perm", &order)]);
        self.tensors.set(id, form, to.clone());
        to
    }

    /// The plain tensor of a constant, repeated for every image of the batch, whose length the first input tells.
    fn repeated(&mut self, id: NodeId) -> String {
        let node = self.graph.node(id);
        let axes: Vec<usize> =
            std::iter::once(1).chain(self.tensors.shape(id).axes().iter().copied()).collect();
        let values = self.graph.weights.values(&node.weights[0]).unwrap_or_default();
        let once = self.nodes.weight(&format!("{}/once", node.name), &axes, &values);
        let Some(&input) = self.graph.inputs().first() else { return once };
        let input = &self.graph.node(input).name;
        let first = vec![int("start", 0), int("end", 1)];
        let batch = self.nodes.add("Shape", &format!("{}/batch", node.name), &[input], first);
        let rest: Vec<i64> = axes[1..].iter().map(|&length| length as i64).collect();
        let rest = self.nodes.integers(&format!("{}/axes", node.name), &rest);
        let along = vec![int("axis", 0)];
        let shape = self.nodes.add("Concat", &format!("{}/shape", node.name), &[&batch, &rest], along);
        self.nodes.add_named("Expand", &node.name, &[&once, &shape], Vec::new());
        self.tensors.set(id, Form::Plain, node.name.clone());
        node.name.clone()
    }

    /// The name of what `id` is in `form`: the layer's, but where an output needs that for the other form.
    pub(super) fn own(&mut self, id: NodeId, form: Form) -> String {
        let layer = &self.graph.node(id).name;
        let is_free = form == Form::Plain || !self.graph.outputs().contains(&id);
        let name = if is_free { layer.clone() } else { self.nodes.fresh(&format!("{layer}/channels_first")) };
        self.tensors.set(id, form, name.clone());
        name
    }

    /// A node that makes what `id` is in `form`.
    pub(super) fn emit(
        &mut self,
        (id, form): (NodeId, Form),
        operator: &str,
        inputs: &[&str],
        attributes: Vec<onnx::Attribute>,
    ) {
        let name = self.own(id, form);
        self.nodes.add_named(operator, &name, inputs, attributes);
    }

    /// Names for the parts of `id` one behind the other, the last of which is what it is in `form`.
    pub(super) fn names(&mut self, (id, form): (NodeId, Form), parts: &[&str]) -> Vec<String> {
        let layer = &self.graph.node(id).name;
        let inner = parts[..parts.len().saturating_sub(1)].iter();
        let mut names: Vec<String> = inner.map(|part| self.nodes.fresh(&format!("{layer}/{part}"))).collect();
        names.push(self.own(id, form));
        names
    }

    /// The only operand.
    pub(super) fn operand(&self, id: NodeId) -> NodeId {
        self.graph.operands(id)[0]
    }

    /// The only operand in the form that it has.
    pub(super) fn operand_as_it_lies(&mut self, id: NodeId) -> (Form, String) {
        let operand = self.operand(id);
        let form = self.tensors.form(operand);
        (form, self.tensor(operand, form))
    }

    /// The form of a layer with several operands: channels first where one of them lies so.
    pub(super) fn common_form(&self, id: NodeId) -> Form {
        let operands = self.graph.operands(id);
        let is_map = self.tensors.shape(id).rank() == 3;
        let form = |operand: &NodeId| self.tensors.form(*operand);
        let first = is_map && operands.iter().any(|operand| form(operand) == Form::ChannelsFirst);
        if first { Form::ChannelsFirst } else { Form::Plain }
    }

    /// The last axis of `id`'s operand in the form that this has.
    pub(super) fn last_axis(&mut self, id: NodeId) -> Result<(Form, String, i64), Diagnostic> {
        let rank = self.tensors.shape(self.operand(id)).rank();
        let last = rank.checked_sub(1).ok_or_else(|| not_expressible("a single number has no last axis"))?;
        let (form, x) = self.operand_as_it_lies(id);
        Ok((form, x, form.axis(last) as i64))
    }

    /// The tensor of `id` with as many axes as `rank` says, in `form`: axes of length 1 are put before it.
    pub(super) fn spread(&mut self, id: NodeId, rank: usize, form: Form) -> String {
        let shape = self.tensors.shape(id).clone();
        if shape.rank() == rank {
            return self.tensor(id, form);
        }
        let plain = self.tensor(id, Form::Plain);
        let axes = padded(&shape, rank);
        let name = format!("{}/spread", self.graph.node(id).name);
        if form == Form::Plain || is_pixel(&Shape::new(&axes)) {
            return self.reshaped(&name, &plain, &form.order(&axes));
        }
        let map = self.reshaped(&name, &plain, &axes);
        self.nodes.add("Transpose", &name, &[&map], vec![ints("perm", &[0, 3, 1, 2])])
    }

    /// A weight of `shape` with as many axes as `rank` says, in `form`.
    pub(super) fn spread_weight(
        &mut self,
        name: &str,
        shape: &Shape,
        rank: usize,
        form: Form,
    ) -> Result<String, Diagnostic> {
        let values = self.graph.weights.values(name)?;
        let axes = padded(shape, rank);
        let plain = ArrayView::from_shape(IxDyn(&axes), &values);
        let plain = plain
            .map_err(|_| not_expressible(format!("the weight {name} has other values than its shape")))?;
        let order: Vec<usize> = form.order(&(0..rank).collect::<Vec<_>>());
        let values: Values = plain.permuted_axes(IxDyn(&order)).iter().copied().collect();
        Ok(self.nodes.weight(name, &form.order(&axes), &values))
    }

    /// `x` with these axes behind the batch.
    pub(super) fn reshaped(&mut self, name: &str, x: &str, axes: &[usize]) -> String {
        let name = self.nodes.fresh(name);
        self.nodes.reshape(&name, x, axes);
        name
    }

    /// Weight `index` of `id`.
    pub(super) fn weight_array(&self, id: NodeId, index: usize) -> Result<Tensor, Diagnostic> {
        let name = &self.graph.node(id).weights[index];
        let values = self.graph.weights.values(name)?;
        let shape =
            self.graph.weights.get(name).map(|weight| weight.shape.axes().to_vec()).unwrap_or_default();
        Tensor::from_shape_vec(shape, values.to_vec())
            .map_err(|_| not_expressible(format!("the weight {name} has other values than its shape")))
    }

    /// `array`, in its order of axes, as an initializer with the name of weight `index` of `id`.
    pub(super) fn array(&mut self, id: NodeId, index: usize, array: Tensor) -> String {
        let values: Values = array.iter().copied().collect();
        self.nodes.weight(&self.graph.node(id).weights[index], array.shape(), &values)
    }
}

/// Whether all axes but the last have length 1.
pub(super) fn is_pixel(shape: &Shape) -> bool {
    shape.axes().iter().rev().skip(1).all(|&length| length == 1)
}

/// The axes of `shape`, with axes of length 1 before them up to `rank`.
fn padded(shape: &Shape, rank: usize) -> Vec<usize> {
    let ones = rank.saturating_sub(shape.rank());
    std::iter::repeat_n(1, ones).chain(shape.axes().iter().copied()).collect()
}
