//! Graph → ONNX, as its operators of version 20 have it: what other runtimes read.
//!
//! Maps lie channels first there, so that a tensor has two forms: *plain*, its axes in the graph's order behind the batch, and
//! *channels first*. A layer reads the form that it needs, and the transpose that makes it is written once, where nobody has
//! made it before. A transpose of the graph from one order to the other is no node at all, so that a network which came
//! channels first leaves so. What was fused into a layer is written as layers of its own behind it.
//!
//! Layers keep their names: a node has that of its layer, and the plain form of a layer's result has it as a tensor.

mod functions;
mod layer;
mod nodes;
mod sums;
mod tensors;

use std::collections::BTreeSet;

use bytes::Bytes;
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Op, Shape};
use prost::Message;

use super::not_expressible;
use crate::onnx;
use nodes::Nodes;
use tensors::{Form, Tensors};

/// The version of the file format, and that of the operators.
const IR_VERSION: i64 = 9;
const OPERATORS: i64 = 20;

/// The number of f32 in ONNX.
const FLOAT: i32 = 1;

/// What an open length of the batch is called.
const BATCH: &str = "batch";

/// The most bytes of weights: a protobuf message must be shorter than 2 GiB.
const WEIGHT_BYTES: usize = (1 << 31) - (64 << 20);

/// The ONNX file of `graph`, with an open batch.
///
/// # Errors
/// All faults of the graph's shapes; every layer that ONNX can't hold; weights without values, or of 2 GiB and more.
pub fn write(graph: &Graph) -> Result<Vec<u8>, Faults> {
    // Before any of them is drawn or read.
    let weights =
        graph.ids().flat_map(|id| &graph.node(id).weights).filter_map(|name| graph.weights.get(name));
    let values = weights.filter_map(|weight| weight.shape.elements()).fold(0, usize::saturating_add);
    check_bytes(values.saturating_mul(4))?;
    let shapes = graph.shapes()?;
    let mut writer = Writer { graph, tensors: Tensors::new(graph, shapes), nodes: Nodes::new(graph) };
    let (mut faults, mut missing) = (Faults::new(), BTreeSet::new());
    for id in graph.topological() {
        if graph.operands(id).iter().any(|operand| missing.contains(operand)) {
            missing.insert(id);
        } else if let Err(fault) = writer.layer(id) {
            faults.push(fault.at(graph.node(id).name.clone()));
            missing.insert(id);
        }
    }
    if faults.has_errors() {
        return Err(faults);
    }
    let outputs = graph.outputs().iter().map(|&id| writer.output(id)).collect::<Vec<_>>();
    check_bytes(writer.nodes.weight_bytes())?;
    Ok(writer.model(outputs).encode_to_vec())
}

/// That a file can hold as many bytes of weights.
fn check_bytes(weights: usize) -> Result<(), Diagnostic> {
    if weights > WEIGHT_BYTES {
        let message = "the weights have 2 GiB or more, which no ONNX file can hold";
        return Err(not_expressible(message));
    }
    Ok(())
}

/// A file that is being written.
struct Writer<'g> {
    graph: &'g Graph,
    tensors: Tensors,
    nodes: Nodes,
}

impl Writer<'_> {
    /// The name of an output: its layer's, which another node may have to give it.
    fn output(&mut self, id: NodeId) -> onnx::ValueInfo {
        let name = self.graph.node(id).name.clone();
        let plain = self.tensor(id, Form::Plain);
        if plain != name {
            self.nodes.add_named("Identity", &name, &[&plain], Vec::new());
            self.tensors.set(id, Form::Plain, name.clone());
        }
        value_info(&name, self.tensors.shape(id))
    }

    fn model(self, output: Vec<onnx::ValueInfo>) -> onnx::Model {
        let inputs = self.graph.inputs().iter().copied();
        let input = inputs.map(|id| value_info(&self.graph.node(id).name, self.tensors.shape(id))).collect();
        let (node, initializer) = self.nodes.finish();
        let name = if self.graph.name.is_empty() { "network" } else { &self.graph.name };
        let name = Some(name.to_owned());
        let graph = onnx::Graph { node, name, initializer, input, output, ..onnx::Graph::default() };
        onnx::Model {
            ir_version: Some(IR_VERSION),
            producer_name: Some("frit".to_owned()),
            producer_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            graph: Some(graph),
            opset_import: vec![onnx::OperatorSet { domain: None, version: Some(OPERATORS) }],
            ..onnx::Model::default()
        }
    }

    /// The name of the tensor of `id` in `form`, which a transpose makes of the other where nobody has yet.
    fn tensor(&mut self, id: NodeId, form: Form) -> String {
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
        self.nodes.add_named("Transpose", &to, &[&from], vec![nodes::ints("perm", &order)]);
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
        let first = vec![nodes::int("start", 0), nodes::int("end", 1)];
        let batch = self.nodes.add("Shape", &format!("{}/batch", node.name), &[input], first);
        let rest: Vec<i64> = axes[1..].iter().map(|&length| length as i64).collect();
        let rest = self.nodes.integers(&format!("{}/axes", node.name), &rest);
        let along = vec![nodes::int("axis", 0)];
        let shape = self.nodes.add("Concat", &format!("{}/shape", node.name), &[&batch, &rest], along);
        self.nodes.add_named("Expand", &node.name, &[&once, &shape], Vec::new());
        self.tensors.set(id, Form::Plain, node.name.clone());
        node.name.clone()
    }

    /// The name of what `id` is in `form`: the layer's, but where an output needs that for the other form.
    fn own(&mut self, id: NodeId, form: Form) -> String {
        let layer = &self.graph.node(id).name;
        let is_free = form == Form::Plain || !self.graph.outputs().contains(&id);
        let name = if is_free { layer.clone() } else { self.nodes.fresh(&format!("{layer}/channels_first")) };
        self.tensors.set(id, form, name.clone());
        name
    }

    /// A node that makes what `id` is in `form`.
    fn emit(
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
    fn names(&mut self, (id, form): (NodeId, Form), parts: &[&str]) -> Vec<String> {
        let layer = &self.graph.node(id).name;
        let inner = parts[..parts.len().saturating_sub(1)].iter();
        let mut names: Vec<String> = inner.map(|part| self.nodes.fresh(&format!("{layer}/{part}"))).collect();
        names.push(self.own(id, form));
        names
    }
}

/// A tensor at the border, behind an open batch.
fn value_info(name: &str, shape: &Shape) -> onnx::ValueInfo {
    let open = onnx::Dimension { dim_param: Some(BATCH.to_owned()), ..onnx::Dimension::default() };
    let axes = shape
        .axes()
        .iter()
        .map(|&length| onnx::Dimension { dim_value: Some(length as i64), ..onnx::Dimension::default() });
    let shape = onnx::Shape { dim: std::iter::once(open).chain(axes).collect() };
    let tensor = onnx::TensorType { elem_type: Some(FLOAT), shape: Some(shape) };
    let r#type = Some(onnx::Type { tensor_type: Some(tensor) });
    onnx::ValueInfo { name: Some(name.to_owned()), r#type }
}

/// `values` as little-endian bytes.
fn bytes_of(values: &[f32]) -> Bytes {
    values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into()
}
