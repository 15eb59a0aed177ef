//! Operators that a file defines itself, written out where they are called.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use prost::Message;

use super::names::{label, shown};
use crate::import::budget::Budget;
use crate::import::limits;
use crate::onnx::{Attribute, Function, Model, Node, OperatorSet};

/// How deep functions may call each other.
const DEPTH: usize = 64;

/// A node and the version of the operators that it is written in.
#[derive(Debug)]
pub(super) struct Item<'a> {
    pub(super) node: Cow<'a, Node>,
    pub(super) version: i64,
    /// Its place among the nodes of the file; none for one of a function's.
    pub(super) index: Option<usize>,
}

/// The version of ONNX's own operators among `sets`.
///
/// # Errors
/// The version of a set is said twice.
pub(super) fn version<'a>(sets: &'a [OperatorSet]) -> Result<Option<i64>, Diagnostic> {
    // ONNX's own may be called by both of their names.
    let domain = |set: &'a OperatorSet| match set.domain() {
        "ai.onnx" => "",
        domain => domain,
    };
    let mut said: BTreeMap<&str, &OperatorSet> = BTreeMap::new();
    for set in sets {
        let Some(other) = said.insert(domain(set), set) else { continue };
        if other.domain() != set.domain() && other.version() == set.version() {
            continue;
        }
        let (first, second, name) = (other.version(), set.version(), shown(set.domain()));
        let message =
            format!("the version of the operators (opset) of {name:?} is said twice: {first} and {second}");
        let fault = Diagnostic::error(codes::ONNX_VERSION, message);
        return Err(fault.help("export the model again, with one opset"));
    }
    Ok(said.get("").map(|set| set.version()))
}

type Key<'a> = (&'a str, &'a str, &'a str);

/// The nodes of the network in the order of the file, with functions written out: a node of the function `f` that the node `n`
/// calls is called `n/NODE`. Copies of the functions, of which each takes so many bytes, are taken from the budget.
///
/// # Errors
/// Functions that are there twice, call themselves, or become too much.
pub(super) fn written_out<'a>(
    model: &'a Model,
    own: i64,
    (bytes, budget): (&[usize], &Budget),
) -> Result<Vec<Item<'a>>, Faults> {
    let functions = functions(model, bytes)?;
    let mut prefixes = BTreeSet::new();
    let nodes = model.graph.iter().flat_map(|graph| &graph.node).enumerate();
    let item = |(index, node)| Item { node: Cow::Borrowed(node), version: own, index: Some(index) };
    let mut waiting: Vec<(Item<'_>, usize)> = nodes.map(|node| (item(node), 0)).collect();
    waiting.reverse();
    let mut items = Vec::with_capacity(waiting.len());
    while let Some((item, depth)) = waiting.pop() {
        let node = &item.node;
        let Some(&(function, bytes)) = functions.get(&(node.domain(), node.op_type(), node.overload()))
        else {
            items.push(item);
            continue;
        };
        if depth == DEPTH || items.len() + waiting.len() > limits::LAYERS {
            return Err(endless(node).into());
        }
        let version = version(&function.opset_import)?.unwrap_or(item.version);
        let body = Body::new(function, node, prefix(node, &mut prefixes));
        budget.take_bytes(bytes.saturating_add(body.bytes())).map_err(|fault| fault.at(label(node)))?;
        let nodes = body.nodes().into_iter().rev();
        waiting.extend(nodes.map(|node| (Item { node: Cow::Owned(node), version, index: None }, depth + 1)));
    }
    Ok(items)
}

/// The functions by what nodes call them, each with the bytes of a copy.
fn functions<'a>(
    model: &'a Model,
    bytes: &[usize],
) -> Result<BTreeMap<Key<'a>, (&'a Function, usize)>, Diagnostic> {
    let mut functions = BTreeMap::new();
    for (function, &bytes) in model.functions.iter().zip(bytes) {
        let key = (function.domain(), function.name(), function.overload());
        if functions.insert(key, (function, bytes)).is_some() {
            let (name, domain) = (shown(function.name()), shown(function.domain()));
            let message = format!("the file defines the function {name:?} of {domain:?} twice");
            return Err(Diagnostic::error(codes::ONNX_GRAPH, message));
        }
    }
    Ok(functions)
}

fn endless(node: &Node) -> Diagnostic {
    let message = format!(
        "the function {} calls functions more than {DEPTH} deep, or becomes more than {} nodes",
        node.op_type(),
        limits::LAYERS
    );
    Diagnostic::error(codes::LIMIT, message).at(label(node))
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

/// A function where a node calls it.
struct Body<'a> {
    function: &'a Function,
    prefix: String,
    /// What the function calls the tensors that it is handed and hands out, and what they are called outside.
    names: BTreeMap<&'a str, &'a str>,
    /// Results that are operands, or other results: what is read outside and what is made.
    passed: Vec<(&'a str, &'a str)>,
    /// The values of its attributes, each with the bytes of a copy.
    attributes: BTreeMap<&'a str, (&'a Attribute, usize)>,
}

impl<'a> Body<'a> {
    fn new(function: &'a Function, call: &'a Node, prefix: String) -> Body<'a> {
        let mut names: BTreeMap<&str, &str> = BTreeMap::new();
        for (index, input) in function.input.iter().enumerate() {
            names.insert(input, call.input.get(index).map_or("", String::as_str));
        }
        let mut passed = Vec::new();
        let results = function.output.iter().zip(&call.output).filter(|(_, wanted)| !wanted.is_empty());
        for (output, wanted) in results {
            match names.get(output.as_str()) {
                Some(&source) => passed.push((source, wanted.as_str())),
                None => {
                    names.insert(output, wanted);
                }
            }
        }
        // Of several the first; the call's before the function's.
        let values = call.attribute.iter().chain(&function.attribute_proto).rev();
        let attributes = values.map(|value| (value.name(), (value, copied(value)))).collect();
        Body { function, prefix, names, passed, attributes }
    }

    /// Bytes of what its nodes have from the call: names of tensors, and attributes.
    fn bytes(&self) -> usize {
        let name = |name: &String| match self.names.get(name.as_str()) {
            Some(outer) => outer.len(),
            None => self.prefix.len() + 1 + name.len(),
        };
        let attribute = |attribute: &Attribute| {
            let value = self.attributes.get(attribute.ref_attr_name());
            value.map_or(0, |&(_, bytes)| bytes)
        };
        let node = |node: &Node| {
            let names = node.input.iter().chain(&node.output).map(name);
            let parts = names.chain(node.attribute.iter().map(attribute));
            parts.fold(self.prefix.len() + node.name().len(), usize::saturating_add)
        };
        self.function.node.iter().map(node).fold(0, usize::saturating_add)
    }

    /// Its nodes, with the tensors and attributes of the node that calls it.
    fn nodes(&self) -> Vec<Node> {
        let prefix = &self.prefix;
        let renamed = |name: &String| match self.names.get(name.as_str()) {
            Some(&outer) => outer.to_owned(),
            None if name.is_empty() => String::new(),
            None => format!("{prefix}/{name}"),
        };
        let nodes = self.function.node.iter().map(|node| Node {
            name: (!node.name().is_empty()).then(|| format!("{prefix}/{}", node.name())),
            input: node.input.iter().map(renamed).collect(),
            output: node.output.iter().map(renamed).collect(),
            attribute: node.attribute.iter().filter_map(|attribute| self.bound(attribute)).collect(),
            op_type: node.op_type.clone(),
            domain: node.domain.clone(),
            overload: node.overload.clone(),
        });
        let passed = self.passed.iter().map(|&(source, wanted)| Node {
            op_type: Some("Identity".to_owned()),
            input: vec![source.to_owned()],
            output: vec![wanted.to_owned()],
            ..Node::default()
        });
        nodes.chain(passed).collect()
    }

    /// An attribute of one of its nodes, with its value from the call or from the function where it refers to one; none where
    /// neither has it.
    fn bound(&self, attribute: &Attribute) -> Option<Attribute> {
        let Some(outer) = attribute.ref_attr_name.as_deref().filter(|name| !name.is_empty()) else {
            return Some(attribute.clone());
        };
        let &(value, _) = self.attributes.get(outer)?;
        Some(Attribute { name: attribute.name.clone(), ..value.clone() })
    }
}

/// Bytes of a copy of `attribute`, at most about: what is a byte in the file can be a number, and two can be a message.
fn copied(attribute: &Attribute) -> usize {
    let shared = attribute.t.as_ref().map_or(0, |tensor| {
        tensor.raw_data().len() + tensor.float_data.iter().map(|part| part.len()).sum::<usize>()
    });
    let larger = if attribute.g.is_some() { 128 } else { 16 };
    let own = attribute.encoded_len().saturating_sub(shared);
    size_of::<Attribute>().saturating_add(own.saturating_mul(larger))
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

    fn expanded(model: &Model) -> Result<Vec<Item<'_>>, Faults> {
        written_out(model, 17, (&vec![1000; model.functions.len()], &Budget::default()))
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
        let items = expanded(&model).unwrap();
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
        let items = expanded(&model).unwrap();
        let values: Vec<(&str, i64)> =
            items[0].node.attribute.iter().map(|attribute| (attribute.name(), attribute.i())).collect();
        assert_eq!(values, [("axis", 7), ("start", 2)]);
    }

    #[test]
    fn functions_that_call_themselves_or_grow_without_end_are_refused() {
        let endless = function("f", vec![node("f", "f", &["x"], &["y"])]);
        let faults = expanded(&model(vec![node("f", "c", &["image"], &["out"])], vec![endless])).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
        let double = |level: usize| {
            let inner = format!("f{}", level + 1);
            let nodes = vec![node(&inner, "a", &["x"], &["t"]), node(&inner, "b", &["t"], &["y"])];
            function(&format!("f{level}"), nodes)
        };
        let model = model(vec![node("f0", "c", &["image"], &["out"])], (0..40).map(double).collect());
        assert!(expanded(&model).is_err());
    }

    #[test]
    fn what_is_copied_from_a_call_is_counted() {
        let refers = |index: usize| Attribute {
            name: Some(format!("a{index}")),
            ref_attr_name: Some("ints".to_owned()),
            ..Attribute::default()
        };
        let reader = Node { attribute: (0..1000).map(refers).collect(), ..node("Relu", "r", &["x"], &["y"]) };
        let ints = Attribute { name: Some("ints".to_owned()), ints: vec![7; 20_000], ..Attribute::default() };
        let call = Node { attribute: vec![ints], ..node("f", "c", &["image"], &["out"]) };
        let faults = expanded(&model(vec![call], vec![function("f", vec![reader])])).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
        let readers = (0..2000).map(|index| node("Relu", "r", &["x"], &[&format!("{index}")])).collect();
        let call = node("f", "c", &[&"x".repeat(100_000)], &["out"]);
        let faults = expanded(&model(vec![call], vec![function("f", readers)])).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
    }

    #[test]
    fn functions_and_versions_are_said_once() {
        let twice = vec![function("f", Vec::new()), function("f", Vec::new())];
        let faults = expanded(&model(Vec::new(), twice)).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::ONNX_GRAPH);
        let set = |domain: &str, version: i64| OperatorSet {
            domain: Some(domain.to_owned()),
            version: Some(version),
        };
        assert_eq!(version(&[set("a", 1), set("ai.onnx", 17), set("", 17)]).unwrap(), Some(17));
        for (domain, other) in [("", 17), ("", 13), ("ai.onnx", 13)] {
            let fault = version(&[set("", 17), set(domain, other)]).unwrap_err();
            assert_eq!(fault.code, codes::ONNX_VERSION);
        }
        assert!(version(&[set("a", 1), set("a", 1)]).is_err());
    }
}
