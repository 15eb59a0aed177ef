//! Nodes, attributes and initializers of a file that is being written.

use bytes::Bytes;
use frit_ir::ops::{Padding, Scalar};
use frit_ir::weights::Values;
use frit_ir::{Graph, Names, Window};

use crate::onnx;

/// The number of f32 in ONNX.
pub(super) const FLOAT: i32 = 1;

/// The number of 64-bit integers in ONNX.
const INT64: i32 = 7;

/// Types of attributes.
const TYPE_FLOAT: i32 = 1;
const TYPE_INT: i32 = 2;
const TYPE_STRING: i32 = 3;
const TYPE_INTS: i32 = 7;

/// What was written so far.
pub(super) struct Nodes {
    nodes: Vec<onnx::Node>,
    weights: Vec<onnx::Tensor>,
    /// Names of tensors that are given already; those of layers are from the begin.
    names: Names,
    weight_bytes: usize,
}

impl Nodes {
    /// Nothing yet.
    pub(super) fn new(graph: &Graph) -> Nodes {
        let names = graph.ids().map(|id| graph.node(id).name.as_str()).collect();
        Nodes { nodes: Vec::new(), weights: Vec::new(), names, weight_bytes: 0 }
    }

    /// `name`, or it with a number behind it where that is taken.
    pub(super) fn fresh(&mut self, name: &str) -> String {
        self.names.free(name)
    }

    /// Adds a node whose result is `name`, which is also the node's.
    pub(super) fn add_named(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: Vec<onnx::Attribute>,
    ) {
        self.nodes.push(onnx::Node {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.to_owned()],
            name: Some(name.to_owned()),
            op_type: Some(operator.to_owned()),
            attribute: attributes,
            ..onnx::Node::default()
        });
    }

    /// Adds a node with a name of its own that begins with `name`, and returns that of its result.
    pub(super) fn add(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        attributes: Vec<onnx::Attribute>,
    ) -> String {
        let name = self.fresh(name);
        self.add_named(operator, &name, inputs, attributes);
        name
    }

    /// Adds an initializer, and returns its name.
    pub(super) fn weight(&mut self, name: &str, axes: &[usize], values: &Values) -> String {
        let bytes: Bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>().into();
        self.weight_bytes = self.weight_bytes.saturating_add(bytes.len());
        let axes: Vec<i64> = axes.iter().map(|&length| length as i64).collect();
        self.initializer(name, axes, FLOAT, bytes)
    }

    /// One value as an initializer.
    pub(super) fn scalar(&mut self, name: &str, value: Scalar) -> String {
        self.weight(name, &[], &Values::from([value.get()]))
    }

    /// Whole numbers as an initializer.
    pub(super) fn integers(&mut self, name: &str, values: &[i64]) -> String {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initializer(name, vec![values.len() as i64], INT64, bytes.into())
    }

    /// Adds a node whose result is `name`: `x` with these axes behind the batch.
    pub(super) fn reshape(&mut self, name: &str, x: &str, axes: &[usize]) {
        // A 0 takes the length of the batch over.
        let shape: Vec<i64> = std::iter::once(0).chain(axes.iter().map(|&length| length as i64)).collect();
        let shape = self.integers(&format!("{name}/shape"), &shape);
        self.add_named("Reshape", name, &[x, &shape], vec![]);
    }

    fn initializer(&mut self, name: &str, dims: Vec<i64>, data_type: i32, raw_data: Bytes) -> String {
        let name = self.fresh(name);
        self.weights.push(onnx::Tensor {
            dims,
            data_type: Some(data_type),
            name: Some(name.clone()),
            raw_data: Some(raw_data),
            ..onnx::Tensor::default()
        });
        name
    }

    /// Bytes of all weights.
    pub(super) fn weight_bytes(&self) -> usize {
        self.weight_bytes
    }

    /// All nodes and initializers.
    pub(super) fn finish(self) -> (Vec<onnx::Node>, Vec<onnx::Tensor>) {
        (self.nodes, self.weights)
    }
}

fn attribute(name: &str, r#type: i32) -> onnx::Attribute {
    onnx::Attribute { name: Some(name.to_owned()), r#type: Some(r#type), ..onnx::Attribute::default() }
}

/// A whole number.
pub(super) fn int(name: &str, value: i64) -> onnx::Attribute {
    onnx::Attribute { i: Some(value), ..attribute(name, TYPE_INT) }
}

/// Whole numbers.
pub(super) fn ints(name: &str, values: &[i64]) -> onnx::Attribute {
    onnx::Attribute { ints: values.to_vec(), ..attribute(name, TYPE_INTS) }
}

/// A number.
pub(super) fn float(name: &str, value: Scalar) -> onnx::Attribute {
    onnx::Attribute { f: Some(value.get()), ..attribute(name, TYPE_FLOAT) }
}

/// A word.
pub(super) fn text(name: &str, value: &'static str) -> onnx::Attribute {
    onnx::Attribute { s: Some(Bytes::from_static(value.as_bytes())), ..attribute(name, TYPE_STRING) }
}

/// The attributes of a window.
pub(super) fn window(window: &Window) -> Vec<onnx::Attribute> {
    let pair = |name: &str, pair: [usize; 2]| ints(name, &pair.map(|number| number as i64));
    let Padding { top, bottom, left, right } = window.padding;
    vec![
        pair("kernel_shape", window.kernel),
        pair("strides", window.stride),
        pair("dilations", window.dilation),
        ints("pads", &[top, left, bottom, right].map(|side| side as i64)),
    ]
}
