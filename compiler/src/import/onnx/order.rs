//! Where tensors come from, and the nodes that outputs need in the order of the data: files need not keep to it.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};

use super::functions::Item;
use super::names::{label, name, shown};
use crate::import::limits;
use crate::onnx::{Graph, Node, Tensor};

/// Where a tensor comes from, by its index there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Input(usize),
    Initializer(usize),
    Node(usize),
}

/// The network as nodes that read each other.
#[derive(Debug)]
pub(super) struct Order<'a> {
    /// Where each tensor comes from.
    pub(super) sources: BTreeMap<&'a str, Source>,
    /// The nodes that outputs need, those before whose results they read.
    pub(super) nodes: Vec<usize>,
}

/// Finds where all tensors come from and which nodes run when.
///
/// # Errors
/// A tensor that nothing makes or that is made twice, nodes that read each other in a cycle.
pub(super) fn order<'a>(graph: &'a Graph, items: &'a [Item<'_>]) -> Result<Order<'a>, Faults> {
    let mut faults = Faults::new();
    let sources = sources(graph, items, &mut faults);
    if faults.has_errors() {
        return Err(faults);
    }
    let sparse: BTreeSet<&str> = graph
        .sparse_initializer
        .iter()
        .filter_map(|sparse| sparse.values.as_ref())
        .map(Tensor::name)
        .collect();
    let mut operands: Vec<Vec<usize>> = Vec::with_capacity(items.len());
    for item in items {
        let mut makers = Vec::new();
        for input in item.node.input.iter().filter(|input| !input.is_empty()) {
            match sources.get(input.as_str()) {
                Some(Source::Node(maker)) => makers.push(*maker),
                Some(_) => {}
                None if faults.iter().count() < limits::FAULTS => {
                    faults.push(unmade(&item.node, input, sparse.contains(input.as_str())));
                }
                None => {}
            }
        }
        operands.push(makers);
    }
    let nodes = sorted(&operands);
    if nodes.len() < items.len() {
        faults.push(cycle(items, &operands, &nodes));
    }
    let mut outputs = Vec::new();
    for output in &graph.output {
        match sources.get(output.name()) {
            Some(Source::Node(maker)) => outputs.push(*maker),
            None if faults.iter().count() < limits::FAULTS => {
                let message = format!("the output {:?} is made by nothing", shown(output.name()));
                faults.push(Diagnostic::error(codes::ONNX_GRAPH, message));
            }
            _ => {}
        }
    }
    let (nodes, _) = faults.unless_errors(nodes)?;
    let needed = needed(&operands, outputs);
    Ok(Order { sources, nodes: nodes.into_iter().filter(|node| needed.contains(node)).collect() })
}

/// The fault that `node` reads what nothing makes.
fn unmade(node: &Node, input: &str, sparse: bool) -> Diagnostic {
    let input = shown(input);
    let fault = if sparse {
        let message = format!("the weight {input:?} is in a sparse form; frit takes dense ones");
        Diagnostic::error(codes::ONNX_FORM, message)
    } else {
        let message = format!("{} reads {input:?}, which nothing makes", shown(name(node)));
        Diagnostic::error(codes::ONNX_GRAPH, message)
    };
    fault.at(label(node))
}

fn sources<'a>(graph: &'a Graph, items: &'a [Item<'_>], faults: &mut Faults) -> BTreeMap<&'a str, Source> {
    let mut sources: BTreeMap<&str, Source> = BTreeMap::new();
    let mut told = 0;
    let mut twice = |name: &str, how: &dyn Fn() -> String, faults: &mut Faults| {
        told += 1;
        if told < limits::FAULTS {
            faults.push(Diagnostic::error(
                codes::ONNX_GRAPH,
                format!("the tensor {:?} is made twice: {}", shown(name), how()),
            ));
        }
    };
    for (index, initializer) in graph.initializer.iter().enumerate() {
        let (name, source) = (initializer.name(), Source::Initializer(index));
        if sources.insert(name, source).is_some() {
            twice(name, &|| "two weights have its name".to_owned(), faults);
        }
    }
    for (index, input) in graph.input.iter().enumerate() {
        // Old files list weights among the inputs as well.
        match sources.get(input.name()) {
            None => {
                sources.insert(input.name(), Source::Input(index));
            }
            Some(Source::Initializer(_)) => {}
            Some(_) => twice(input.name(), &|| "two inputs have its name".to_owned(), faults),
        }
    }
    for (index, item) in items.iter().enumerate() {
        for output in item.node.output.iter().filter(|output| !output.is_empty()) {
            let other = match sources.insert(output, Source::Node(index)) {
                None => continue,
                Some(other) => other,
            };
            let other = || match other {
                Source::Node(other) => label(&items[other].node),
                Source::Input(_) => "the caller".to_owned(),
                Source::Initializer(_) => "a weight".to_owned(),
            };
            twice(output, &|| format!("by {} and by {}", other(), label(&item.node)), faults);
        }
    }
    sources
}

/// The nodes, operands before users; among those that are ready, the first of the file.
fn sorted(operands: &[Vec<usize>]) -> Vec<usize> {
    let mut users: Vec<Vec<usize>> = vec![Vec::new(); operands.len()];
    let mut waiting: Vec<usize> = operands.iter().map(Vec::len).collect();
    for (user, makers) in operands.iter().enumerate() {
        makers.iter().for_each(|&maker| users[maker].push(user));
    }
    let mut ready: BTreeSet<usize> = (0..operands.len()).filter(|&node| waiting[node] == 0).collect();
    let mut order = Vec::with_capacity(operands.len());
    while let Some(node) = ready.pop_first() {
        order.push(node);
        for &user in &users[node] {
            waiting[user] -= 1;
            if waiting[user] == 0 {
                ready.insert(user);
            }
        }
    }
    order
}

/// The fault of nodes that are not in `done`: one cycle among them.
fn cycle(items: &[Item<'_>], operands: &[Vec<usize>], done: &[usize]) -> Diagnostic {
    let done: BTreeSet<usize> = done.iter().copied().collect();
    let mut path: Vec<usize> = Vec::new();
    let mut places: BTreeMap<usize, usize> = BTreeMap::new();
    let mut next = (0..items.len()).find(|node| !done.contains(node));
    // Whoever waits, waits for a node that waits.
    while let Some(node) = next.filter(|node| !places.contains_key(node)) {
        places.insert(node, path.len());
        path.push(node);
        next = operands[node].iter().copied().find(|maker| !done.contains(maker));
    }
    let start = next.and_then(|node| places.get(&node)).copied().unwrap_or(0);
    let mut names: Vec<&str> =
        path[start..].iter().rev().map(|&node| shown(name(&items[node].node))).collect();
    let more = if names.len() > 8 { " → …" } else { "" };
    names.truncate(8);
    let first = names.first().copied().unwrap_or_default();
    let message = format!("nodes read each other in a cycle: {}{more} → {first}", names.join(" → "));
    Diagnostic::error(codes::CYCLE, message)
}

/// What the nodes `outputs` need, with themselves.
fn needed(operands: &[Vec<usize>], mut waiting: Vec<usize>) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    while let Some(node) = waiting.pop() {
        if needed.insert(node) {
            waiting.extend(&operands[node]);
        }
    }
    needed
}
