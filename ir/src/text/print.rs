//! Graph → text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::{MOST_VALUES, is_plain};
use crate::diagnostic::render::commands;
use crate::ops::squeeze_excite::Small;
use crate::ops::{
    Activation, BatchNorm, Conv2d, Conv2dTranspose, Epilogue, Padding, Pool, PoolKind, Reshape, Resize, Span,
    SqueezeExcite,
};
use crate::weights::{Data, Weight};
use crate::{Graph, Node, NodeId, Op, Type};

/// `graph` as text, with a line break behind each line.
///
/// Nodes stand in topological order; those on a cycle or behind one follow, in the order in which they were added.
pub fn print(graph: &Graph) -> String {
    let (types, _) = crate::infer::known(graph);
    let mut lines = vec![format!("model {}", quoted(&graph.name))];
    lines.extend(graph.weights.iter().map(|(name, weight)| weight_line(name, weight)));
    lines.extend(order(graph).into_iter().map(|id| node_line(graph, id, &types)));
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
        Data::Values(values) if values.len() <= MOST_VALUES => values_in_text(values),
        Data::Lent(lent) if lent.len() <= MOST_VALUES => values_in_text(&lent.values()),
        Data::Values(_) | Data::Lent(_) | Data::Digest(_) => format!("digest({:016x})", weight.digest()),
    };
    format!("@{} : {} {data}", quoted(name), weight.shape)
}

fn values_in_text(values: &[f32]) -> String {
    format!("values({})", values.iter().map(|&value| float(value)).collect::<Vec<_>>().join(", "))
}

fn node_line(graph: &Graph, id: NodeId, types: &BTreeMap<NodeId, Type>) -> String {
    let node = graph.node(id);
    let shape = types.get(&id).map(|known| &known.shape);
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
    let said = |attribute: String, others: Vec<String>| {
        let attribute = if shape_known { None } else { Some(attribute) };
        attribute.into_iter().chain(others).collect()
    };
    match op {
        Op::Input(input) => said(format!("shape={}", input.shape), Vec::new()),
        Op::Constant(constant) => said(format!("shape={}", constant.shape), Vec::new()),
        Op::Conv2d(conv) => {
            said(format!("filters={}", conv.filters), [window(conv), epilogue(&conv.epilogue)].concat())
        }
        Op::Conv2dTranspose(conv) => said(format!("filters={}", conv.filters), transposed(conv)),
        Op::Dense(dense) => said(format!("units={}", dense.units), epilogue(&dense.epilogue)),
        Op::BatchNorm(norm) => batch_norm(norm),
        Op::Activation(activation) => {
            activation.attributes().into_iter().map(|(name, value)| format!("{name}={value}")).collect()
        }
        Op::Prelu(prelu) => vec![format!("slope={}", prelu.slope)],
        Op::Pad(pad) => {
            let value = (pad.value.get() != 0.0).then(|| format!("value={}", pad.value));
            std::iter::once(format!("pad={}", sides(&pad.padding))).chain(value).collect()
        }
        Op::Pool(pool) => self::pool(pool),
        Op::GlobalAveragePool(pool) => flag("keep_dims", pool.keep_dims),
        Op::Reduce(reduce) => {
            [vec![format!("axes={}", joined(&reduce.axes))], flag("keep_dims", reduce.keep_dims)].concat()
        }
        Op::Resize(resize) => {
            let [rows, columns] = resize.size;
            said(format!("size={rows}x{columns}"), self::resize(resize))
        }
        Op::ArgMax(arg_max) => [flag("keep_dims", arg_max.keep_dims), flag("last", arg_max.last)].concat(),
        Op::Concat(concat) => vec![format!("axis={}", concat.axis)],
        Op::Slice(slice) => {
            let of = |part: fn(&Span) -> usize| slice.spans.iter().map(part).collect::<Vec<_>>();
            said(
                format!("count={}", joined(&of(|span| span.count))),
                spans(&of(|span| span.start), &of(|span| span.step)),
            )
        }
        Op::Transpose(transpose) => vec![format!("axes={}", joined(&transpose.axes))],
        Op::Reshape(Reshape::Flatten) => vec!["flatten".to_owned()],
        Op::Reshape(Reshape::To(shape)) => said(format!("to={shape}"), Vec::new()),
        Op::SqueezeExcite(squeeze) => squeeze_excite(squeeze),
        Op::Binary(_) | Op::Softmax(_) | Op::Identity => Vec::new(),
    }
}

fn flag(name: &str, set: bool) -> Vec<String> {
    if set { vec![name.to_owned()] } else { Vec::new() }
}

/// Numbers with colons between them; of a scalar's axes there are none.
fn joined(numbers: &[usize]) -> String {
    if numbers.is_empty() {
        return "scalar".to_owned();
    }
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(":")
}

fn spans(starts: &[usize], steps: &[usize]) -> Vec<String> {
    let steps = steps.iter().any(|&step| step != 1).then(|| format!("step={}", joined(steps)));
    std::iter::once(format!("start={}", joined(starts))).chain(steps).collect()
}

fn resize(resize: &Resize) -> Vec<String> {
    let scale = resize.scale.map(|[down, across]| format!("scale={down}:{across}"));
    let method = format!("method={}", resize.interpolation.name());
    let coordinates = format!("coordinates={}", resize.coordinates.name());
    scale.into_iter().chain([method, coordinates]).collect()
}

fn pair(name: &str, [down, across]: [usize; 2]) -> String {
    format!("{name}={down}x{across}")
}

/// Kernel, stride, padding and dilation of a window, without those that are the usual ones.
fn sliding(kernel: [usize; 2], stride: [usize; 2], padding: &Padding, dilation: [usize; 2]) -> Vec<String> {
    let stride = (stride != [1, 1]).then(|| pair("stride", stride));
    let padding = (*padding != Padding::default()).then(|| format!("pad={}", sides(padding)));
    let dilation = (dilation != [1, 1]).then(|| pair("dilation", dilation));
    std::iter::once(pair("kernel", kernel)).chain(stride).chain(padding).chain(dilation).collect()
}

fn pool(pool: &Pool) -> Vec<String> {
    let mut attributes = sliding(pool.kernel, pool.stride, &pool.padding, pool.dilation);
    if let PoolKind::Average { counted } = pool.kind
        && counted != Padding::default()
    {
        attributes.push(format!("counted={}", sides(&counted)));
    }
    attributes
}

fn window(conv: &Conv2d) -> Vec<String> {
    let mut attributes = sliding(conv.kernel, conv.stride, &conv.padding, conv.dilation);
    attributes.extend(groups(conv.groups));
    attributes.extend(conv.prologue.as_ref().map(|prologue| format!("before={}", function(prologue))));
    if conv.gate {
        attributes.push("gate".to_owned());
    }
    attributes
}

fn transposed(conv: &Conv2dTranspose) -> Vec<String> {
    let mut attributes = sliding(conv.kernel, conv.stride, &conv.padding, conv.dilation);
    attributes.extend(groups(conv.groups));
    if conv.output_padding != [0, 0] {
        attributes.push(pair("output_padding", conv.output_padding));
    }
    attributes.extend(epilogue(&conv.epilogue));
    attributes
}

fn groups(groups: usize) -> Option<String> {
    (groups != 1).then(|| format!("groups={groups}"))
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
    let arguments: Vec<String> =
        activation.attributes().into_iter().map(|(_, value)| value.to_string()).collect();
    if arguments.is_empty() {
        return activation.name().to_owned();
    }
    format!("{}({})", activation.name(), arguments.join(", "))
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
            _ if commands(c) => quoted.extend(c.escape_unicode()),
            _ => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
