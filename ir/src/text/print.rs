//! Graph → text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{MOST_VALUES, is_plain};
use crate::ops::squeeze_excite::Small;
use crate::ops::{Activation, BatchNorm, Conv2d, Epilogue, Padding, Reshape, SqueezeExcite};
use crate::weights::{Data, Weight};
use crate::{Graph, Node, NodeId, Op, Shape};

/// `graph` as text, with a line break behind each line.
///
/// Nodes stand in topological order; those on a cycle or behind one follow, in the order in which they were added.
pub fn print(graph: &Graph) -> String {
    let (shapes, _) = crate::infer::known(graph);
    let mut lines = vec![format!("model {}", quoted(&graph.name))];
    lines.extend(graph.weights.iter().map(|(name, weight)| weight_line(name, weight)));
    lines.extend(order(graph).into_iter().map(|id| node_line(graph, id, &shapes)));
    if !graph.outputs().is_empty() {
        let outputs = graph.outputs().iter().map(|&id| tensor(graph, id)).collect::<Vec<_>>();
        lines.push(format!("output {}", outputs.join(", ")));
    }
    lines.push(String::new());
    lines.join("\n")
}

fn order(graph: &Graph) -> Vec<NodeId> {
    let mut order = graph.topological();
    let done: BTreeSet<NodeId> = order.iter().copied().collect();
    order.extend(graph.ids().filter(|id| !done.contains(id)));
    order
}

fn weight_line(name: &str, weight: &Weight) -> String {
    let data = match &weight.data {
        Data::Seeded(seed) => format!("seeded({seed})"),
        Data::Values(values) if values.len() <= MOST_VALUES => {
            format!("values({})", values.iter().map(|&value| float(value)).collect::<Vec<_>>().join(", "))
        }
        Data::Values(_) | Data::Digest(_) => format!("digest({:016x})", weight.digest()),
    };
    format!("@{} : {} {data}", quoted(name), weight.shape)
}

fn node_line(graph: &Graph, id: NodeId, shapes: &BTreeMap<NodeId, Shape>) -> String {
    let node = graph.node(id);
    let shape = shapes.get(&id);
    let mut line = format!("%{} = {}", quoted(&node.name), node.op.name());
    let tensors = graph.operands(id).into_iter().map(|operand| tensor(graph, operand));
    let operands: Vec<String> =
        tensors.chain(node.weights.iter().map(|name| format!("@{}", quoted(name)))).collect();
    if !operands.is_empty() {
        write!(line, " {}", operands.join(", ")).expect("a string takes all that is written to it");
    }
    let attributes = attributes(&node.op, shape.is_some());
    if !attributes.is_empty() {
        write!(line, " {{{}}}", attributes.join(", ")).expect("a string takes all that is written to it");
    }
    if let Some(shape) = shape {
        write!(line, " : {shape}").expect("a string takes all that is written to it");
    }
    line + &sources(node)
}

fn sources(node: &Node) -> String {
    let layers: Vec<&str> = node.sources.layers().collect();
    if layers == [node.name.as_str()] {
        return String::new();
    }
    let separator = if layers.is_empty() { "" } else { " " };
    format!(" from{separator}{}", layers.into_iter().map(quoted).collect::<Vec<_>>().join(", "))
}

fn tensor(graph: &Graph, id: NodeId) -> String {
    format!("%{}", quoted(&graph.node(id).name))
}

/// The attributes of `op`, without those that a printed shape says.
fn attributes(op: &Op, shape_known: bool) -> Vec<String> {
    let unless_known = |attribute: String| if shape_known { None } else { Some(attribute) };
    match op {
        Op::Input(input) => unless_known(format!("shape={}", input.shape)).into_iter().collect(),
        Op::Conv2d(conv) => {
            let filters = unless_known(format!("filters={}", conv.filters));
            filters.into_iter().chain(window(conv)).chain(epilogue(&conv.epilogue)).collect()
        }
        Op::Dense(dense) => {
            let units = unless_known(format!("units={}", dense.units));
            units.into_iter().chain(epilogue(&dense.epilogue)).collect()
        }
        Op::BatchNorm(norm) => batch_norm(norm),
        Op::Activation(Activation::Clip { low, high }) => vec![format!("low={low}"), format!("high={high}")],
        Op::Pad(padding) => vec![format!("pad={}", sides(padding))],
        Op::GlobalAveragePool(pool) if pool.keep_dims => vec!["keep_dims".to_owned()],
        Op::Reshape(Reshape::Flatten) => vec!["flatten".to_owned()],
        Op::Reshape(Reshape::To(shape)) => unless_known(format!("to={shape}")).into_iter().collect(),
        Op::SqueezeExcite(squeeze) => squeeze_excite(squeeze),
        Op::Activation(_) | Op::Binary(_) | Op::GlobalAveragePool(_) | Op::Softmax(_) => Vec::new(),
    }
}

fn window(conv: &Conv2d) -> Vec<String> {
    let pair = |name: &str, [down, across]: [usize; 2]| format!("{name}={down}x{across}");
    let mut attributes = vec![pair("kernel", conv.kernel)];
    if conv.stride != [1, 1] {
        attributes.push(pair("stride", conv.stride));
    }
    if conv.padding != Padding::default() {
        attributes.push(format!("pad={}", sides(&conv.padding)));
    }
    if conv.dilation != [1, 1] {
        attributes.push(pair("dilation", conv.dilation));
    }
    if conv.groups != 1 {
        attributes.push(format!("groups={}", conv.groups));
    }
    if conv.gate {
        attributes.push("gate".to_owned());
    }
    attributes
}

fn sides(padding: &Padding) -> String {
    format!("{}:{}:{}:{}", padding.top, padding.bottom, padding.left, padding.right)
}

fn epilogue(epilogue: &Epilogue) -> Vec<String> {
    let mut attributes = Vec::new();
    if epilogue.bias {
        attributes.push("bias".to_owned());
    }
    attributes.extend(epilogue.activation.as_ref().map(|activation| format!("act={}", function(activation))));
    if epilogue.residual {
        attributes.push("add".to_owned());
    }
    attributes.extend(epilogue.activation_after.as_ref().map(|after| format!("after={}", function(after))));
    attributes
}

fn squeeze_excite(squeeze: &SqueezeExcite) -> Vec<String> {
    let layer = |name: &str, layer: &Small| {
        let bias = layer.bias.then(|| format!("{name}_bias"));
        let activation = layer.activation.map(|activation| format!("{name}_act={}", function(&activation)));
        bias.into_iter().chain(activation).collect::<Vec<_>>()
    };
    let scales = squeeze.scales.then(|| "scales".to_owned());
    let layers = [layer("reduce", &squeeze.reduce), layer("expand", &squeeze.expand)].concat();
    std::iter::once(format!("squeezed={}", squeeze.squeezed)).chain(layers).chain(scales).collect()
}

fn function(activation: &Activation) -> String {
    match activation {
        Activation::Clip { low, high } => format!("clip({low}, {high})"),
        _ => activation.name().to_owned(),
    }
}

fn batch_norm(norm: &BatchNorm) -> Vec<String> {
    let mut attributes = vec![format!("eps={}", norm.epsilon)];
    if !norm.scale {
        attributes.push("no_scale".to_owned());
    }
    if !norm.center {
        attributes.push("no_center".to_owned());
    }
    attributes
}

/// The shortest decimal that reads back as `value`; a NaN by its bits, since they may differ.
fn float(value: f32) -> String {
    if value.is_nan() { format!("0x{:08x}", value.to_bits()) } else { format!("{value:?}") }
}

/// `name`, in quotes where it is not plain.
fn quoted(name: &str) -> String {
    if !name.is_empty() && name.chars().all(is_plain) {
        return name.to_owned();
    }
    let mut quoted = String::from("\"");
    for c in name.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            _ if c.is_control() => quoted.extend(c.escape_unicode()),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
