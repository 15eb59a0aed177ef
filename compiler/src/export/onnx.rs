//! Graph → ONNX, as its operators of version 20 have it: what other runtimes read.
//!
//! Maps lie channels first there, so that a tensor has two forms: *plain*, its axes in the graph's order behind the batch, and
//! *channels first*. A layer reads the form that it needs, and the transpose that makes it is written once, where nobody has
//! made it before. A transpose of the graph from one order to the other is no node at all, so that a network which came
//! channels first leaves so. What was fused into a layer is written as layers of its own behind it.
//!
//! Layers keep their names: a node has that of its layer, and the plain form of a layer's result has it as a tensor.

mod arrange;
mod elementwise;
mod functions;
mod layer;
mod nodes;
mod pad;
mod pool;
mod reduce;
mod resize;
mod sums;
mod tensors;
mod writer;

use std::collections::BTreeSet;

use frit_ir::{Diagnostic, Faults, Graph, NodeId, Shape};
use prost::Message;

use super::not_expressible;
use crate::onnx;
use nodes::{FLOAT, Nodes};
use tensors::{Form, Tensors};
use writer::Writer;

/// The version of the file format, and that of the operators.
const IR_VERSION: i64 = 9;
const OPERATORS: i64 = 20;

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
        } else if let Err(fault) = layer::write(&mut writer, id) {
            faults.push(fault.at(graph.node(id).name.clone()));
            missing.insert(id);
        }
    }
    if faults.has_errors() {
        return Err(faults);
    }
    let outputs = graph.outputs().iter().map(|&id| output(&mut writer, id)).collect::<Vec<_>>();
    check_bytes(writer.nodes.weight_bytes())?;
    Ok(model(writer, outputs).encode_to_vec())
}

/// That a file can hold as many bytes of weights.
fn check_bytes(weights: usize) -> Result<(), Diagnostic> {
    if weights > WEIGHT_BYTES {
        let message = "the weights have 2 GiB or more, which no ONNX file can hold";
        return Err(not_expressible(message));
    }
    Ok(())
}

/// The name of an output: its layer's, which another node may have to give it.
fn output(writer: &mut Writer<'_>, id: NodeId) -> onnx::ValueInfo {
    let name = writer.graph.node(id).name.clone();
    let plain = writer.tensor(id, Form::Plain);
    if plain != name {
        writer.nodes.add_named("Identity", &name, &[&plain], Vec::new());
        writer.tensors.set(id, Form::Plain, name.clone());
    }
    value_info(&name, writer.tensors.shape(id))
}

fn model(writer: Writer<'_>, output: Vec<onnx::ValueInfo>) -> onnx::Model {
    let inputs = writer.graph.inputs().iter().copied();
    let input = inputs.map(|id| value_info(&writer.graph.node(id).name, writer.tensors.shape(id))).collect();
    let (node, initializer) = writer.nodes.finish();
    let name = if writer.graph.name.is_empty() { "network" } else { &writer.graph.name };
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
