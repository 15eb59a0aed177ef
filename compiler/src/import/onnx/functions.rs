//! Operators that a file defines itself, written out where they are called.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};

use crate::import::limits;
use crate::onnx::{Attribute, Function, Model, Node, OperatorSet};

/// How deep functions may call each other.
const DEPTH: usize = 64;

/// A node and the version of the operators that it is written in.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) node: Cow<'a, Node>,
    pub(super) version: i64,
}

/// The version of ONNX's own operators among `sets`.
pub(super) fn version(sets: &[OperatorSet]) -> Option<i64> {
    sets.iter().find(|set| matches!(set.domain(), "" | "ai.onnx")).map(OperatorSet::version)
}

type Key<'a> = (&'a str, &'a str, &'a str);

/// The nodes of the network in the order of the file, with functions written out: a node of the function `f` that the node `n`
/// calls is called `n/NODE`.
///
/// # Errors
/// Functions that call themselves, or become too many nodes.
pub(super) fn written_out(model: &Model, own: i64) -> Result<Vec<Item<'_>>, Faults> {
    let functions: BTreeMap<Key<'_>, &Function> = model
        .functions
        .iter()
        .map(|function| ((function.domain(), function.name(), function.overload()), function))
        .collect();
    let mut prefixes = BTreeSet::new();
    let nodes = model.graph.iter().flat_map(|graph| &graph.node).rev();
    let mut waiting: Vec<(Item<'_>, usize)> =
        nodes.map(|node| (Item { node: Cow::Borrowed(node), version: own }, 0)).collect();
    let mut items = Vec::with_capacity(waiting.len());
    while let Some((item, depth)) = waiting.pop() {
        let node = &item.node;
        let Some(function) = functions.get(&(node.domain(), node.op_type(), node.overload())) else {
            items.push(item);
            continue;
        };
        if depth == DEPTH || items.len() + waiting.len() > limits::LAYERS {
            return Err(endless(node).into());
        }
        let version = version(&function.opset_import).unwrap_or(item.version);
        let body = body(function, node, &prefix(node, &mut prefixes));
        let body = body.into_iter().rev().map(|node| (Item { node: Cow::Owned(node), version }, depth + 1));
        waiting.extend(body);
    }
    Ok(items)
}

fn endless(node: &Node) -> Diagnostic {
    let message = format!(
        "the function {} calls functions more than {DEPTH} deep, or becomes more than {} nodes",
        node.op_type(),
        limits::LAYERS
    );
    Diagnostic::error(codes::LIMIT, message).at(format!("{} ({})", node.name(), node.op_type()))
}

/// What stands before the names of a call's nodes and tensors; no two calls have the same.
fn prefix(node: &Node, taken: &mut BTreeSet<String>) -> String {
    let name = match node.name() {
        "" => node.output.first().map_or("", String::as_str),
        name => name,
    };
    let mut prefix = name.to_owned();
    if !taken.insert(prefix.clone()) {
        prefix = format!("{name}_{}", taken.len());
        taken.insert(prefix.clone());
    }
    prefix
}

/// The nodes of `function` with the tensors and attributes of the node that calls it.
fn body(function: &Function, call: &Node, prefix: &str) -> Vec<Node> {
    let mut names: BTreeMap<&str, String> = BTreeMap::new();
    for (index, input) in function.input.iter().enumerate() {
        names.insert(input, call.input.get(index).cloned().unwrap_or_default());
    }
    let mut passed = Vec::new();
    for (output, wanted) in function.output.iter().zip(&call.output).filter(|(_, wanted)| !wanted.is_empty())
    {
        match names.get(output.as_str()) {
            // An operand, or a result that is handed out twice.
            Some(source) => passed.push(Node {
                op_type: Some("Identity".to_owned()),
                input: vec![source.clone()],
                output: vec![wanted.clone()],
                ..Node::default()
            }),
            None => {
                names.insert(output, wanted.clone());
            }
        }
    }
    let renamed = |name: &String| match names.get(name.as_str()) {
        Some(outer) => outer.clone(),
        None if name.is_empty() => String::new(),
        None => format!("{prefix}/{name}"),
    };
    let nodes = function.node.iter().map(|node| Node {
        name: (!node.name().is_empty()).then(|| format!("{prefix}/{}", node.name())),
        input: node.input.iter().map(renamed).collect(),
        output: node.output.iter().map(renamed).collect(),
        attribute: node.attribute.iter().filter_map(|attribute| bound(attribute, function, call)).collect(),
        ..node.clone()
    });
    nodes.chain(passed).collect()
}

/// An attribute of a node in a function, with its value from the call or from the function where it refers to one; none where
/// neither has it.
fn bound(attribute: &Attribute, function: &Function, call: &Node) -> Option<Attribute> {
    let Some(outer) = attribute.ref_attr_name.as_deref().filter(|name| !name.is_empty()) else {
        return Some(attribute.clone());
    };
    let mut values = call.attribute.iter().chain(&function.attribute_proto);
    let value = values.find(|value| value.name() == outer)?;
    Some(Attribute { name: attribute.name.clone(), ..value.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::onnx::Graph;

    fn node(op: &str, name: &str, input: &[&str], output: &[&str]) -> Node {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Node {
            op_type: Some(op.to_owned()),
            name: Some(name.to_owned()),
            input: names(input),
            output: names(output),
            ..Node::default()
        }
    }

    fn function(name: &str, node: Vec<Node>) -> Function {
        Function {
            name: Some(name.to_owned()),
            input: vec!["x".to_owned()],
            output: vec!["y".to_owned()],
            node,
            ..Function::default()
        }
    }

    fn model(nodes: Vec<Node>, functions: Vec<Function>) -> Model {
        Model { graph: Some(Graph { node: nodes, ..Graph::default() }), functions, ..Model::default() }
    }

    fn spelled(items: &[Item<'_>]) -> Vec<String> {
        let item = |item: &Item<'_>| {
            format!("{}: {:?} -> {:?}", item.node.name(), item.node.input, item.node.output)
        };
        items.iter().map(item).collect()
    }

    #[test]
    fn a_function_is_its_nodes_under_names_of_the_call() {
        let inner = function("inner", vec![node("Relu", "r", &["x"], &["y"])]);
        let outer =
            function("outer", vec![node("inner", "i", &["x"], &["t"]), node("Neg", "n", &["t"], &["y"])]);
        let calls = vec![node("outer", "a", &["image"], &["u"]), node("outer", "a", &["u"], &["out"])];
        let model = model(calls, vec![inner, outer]);
        let items = written_out(&model, 17).unwrap();
        assert_eq!(
            spelled(&items),
            [
                r#"a/i/r: ["image"] -> ["a/t"]"#,
                r#"a/n: ["a/t"] -> ["u"]"#,
                r#"a_2/i/r: ["u"] -> ["a_2/t"]"#,
                r#"a_2/n: ["a_2/t"] -> ["out"]"#,
            ]
        );
    }

    #[test]
    fn attributes_come_from_the_call_or_the_function() {
        let refers = |name: &str, outer: &str| Attribute {
            name: Some(name.to_owned()),
            ref_attr_name: Some(outer.to_owned()),
            ..Attribute::default()
        };
        let int = |name: &str, i: i64| Attribute {
            name: Some(name.to_owned()),
            i: Some(i),
            ..Attribute::default()
        };
        let attributes = vec![refers("axis", "a"), refers("start", "b"), refers("end", "c")];
        let body = Node { attribute: attributes, ..node("Shape", "s", &["x"], &["y"]) };
        let function =
            Function { attribute_proto: vec![int("a", 1), int("b", 2)], ..function("f", vec![body]) };
        let call = Node { attribute: vec![int("a", 7)], ..node("f", "c", &["image"], &["out"]) };
        let model = model(vec![call], vec![function]);
        let items = written_out(&model, 17).unwrap();
        let values: Vec<(&str, i64)> =
            items[0].node.attribute.iter().map(|attribute| (attribute.name(), attribute.i())).collect();
        assert_eq!(values, [("axis", 7), ("start", 2)]);
    }

    #[test]
    fn functions_that_call_themselves_or_grow_without_end_are_refused() {
        let endless = function("f", vec![node("f", "f", &["x"], &["y"])]);
        let faults =
            written_out(&model(vec![node("f", "c", &["image"], &["out"])], vec![endless]), 17).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
        let double = |level: usize| {
            let inner = format!("f{}", level + 1);
            let nodes = vec![node(&inner, "a", &["x"], &["t"]), node(&inner, "b", &["t"], &["y"])];
            function(&format!("f{level}"), nodes)
        };
        let model = model(vec![node("f0", "c", &["image"], &["out"])], (0..40).map(double).collect());
        assert!(written_out(&model, 17).is_err());
    }
}
