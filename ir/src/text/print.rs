//! Graph → text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::written::Written;
use super::{MOST_VALUES, is_plain};
use crate::diagnostic::render::commands;
use crate::weights::{Data, Values, Weight};
use crate::{Graph, Node, NodeId, Type};

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
        Data::Mapped(mapped) if mapped.len() <= MOST_VALUES => values_in_text(&mapped.values()),
        Data::Values(_) | Data::Mapped(_) | Data::Digest(_) => format!("digest({:016x})", weight.digest()),
    };
    format!("@{} : {} {data}", quoted(name), weight.shape)
}

/// Each as the shortest decimal that reads back as it; a NaN by its bits, since they may differ.
fn values_in_text(values: &Values) -> String {
    let texts = values.iter().map(|value| match value.is_nan() {
        true => format!("0x{:08x}", value.to_bits()),
        false => format!("{value:?}"),
    });
    format!("values({})", texts.collect::<Vec<_>>().join(", "))
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
    let mut written = Written::new(shape.is_some());
    node.op.print(&mut written);
    let attributes = written.attributes;
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
