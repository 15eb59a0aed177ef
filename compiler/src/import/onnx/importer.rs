//! The nodes of a file, one after the other: each is computed where all that it reads is known, and else becomes layers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Tensor, interpret};
use frit_passes::legality::training;

use super::call::{Call, Value};
use super::constant::Constant;
use super::fault::Outcome;
use super::functions::Item;
use super::layout::View;
use super::names::{self, shown};
use super::network::Network;
use super::order::{Order, Source};
use super::symbol::Symbol;
use super::tensors::Store;
use super::{fold, moments, ops};
use crate::import::budget::Budget;
use crate::import::limits;
use crate::import::listing::Product;
use crate::onnx::{Graph as Nodes, Node};

/// Elements of the budget that one that is computed by the definition of its layer counts for, which is not made to be fast.
const INTERPRETED: usize = 4;

/// The tensors that a node that is needed or the caller reads.
fn read_by<'a>(nodes: &'a Nodes, items: &'a [Item<'a>], order: &Order<'a>) -> BTreeSet<&'a str> {
    let by_nodes = order.nodes.iter().flat_map(|&index| &items[index].node.input).map(String::as_str);
    by_nodes.chain(nodes.output.iter().map(|output| output.name())).collect()
}

/// A file on its way to a graph.
pub(super) struct Importer<'a> {
    pub(super) nodes: &'a Nodes,
    pub(super) items: &'a [Item<'a>],
    pub(super) order: &'a Order<'a>,
    /// What is known of each tensor so far.
    pub(super) values: BTreeMap<&'a str, Value>,
    /// Tensors that a node or the caller reads.
    read: BTreeSet<&'a str>,
    /// The normalisations whose means and variances tensors may be, by these.
    moments: BTreeMap<&'a str, String>,
    /// The nodes of operators that frit has not.
    missing: BTreeMap<String, Vec<String>>,
    /// The nodes with attributes that were not read, by operator and attribute.
    unread: BTreeMap<(&'a str, &'a str), Vec<String>>,
    budget: &'a Budget,
    pub(super) network: Network,
}

impl<'a> Importer<'a> {
    /// That of `nodes`, written out as `items`, for a network without a layer.
    pub(super) fn new(
        nodes: &'a Nodes,
        (items, order): (&'a [Item<'a>], &'a Order<'a>),
        network: Network,
        budget: &'a Budget,
    ) -> Importer<'a> {
        Importer {
            nodes,
            items,
            order,
            values: BTreeMap::new(),
            read: read_by(nodes, items, order),
            moments: moments::find(items, order),
            missing: BTreeMap::new(),
            unread: BTreeMap::new(),
            budget,
            network,
        }
    }

    /// Adds the layers of a node.
    pub(super) fn node(&mut self, item: &'a Item<'a>) {
        let node = item.node.as_ref();
        let operator = match node.domain() {
            "" | "ai.onnx" => ops::find(node.op_type()),
            _ => None,
        };
        let name = names::name(node).to_owned();
        let Some(operator) = operator else {
            let domain =
                if node.domain().is_empty() { String::new() } else { format!(" of {}", node.domain()) };
            self.missing.entry(format!("{}{domain}", node.op_type())).or_default().push(name);
            return self.unknown(node);
        };
        let inputs: Outcome<Vec<Option<Value>>> = node.input.iter().map(|input| self.value(input)).collect();
        let mut call = Call::new(name, node, item.version, self.budget);
        call.moment_of = node.output.first().and_then(|result| self.moments.get(result.as_str())).cloned();
        let results = inputs.and_then(|inputs| {
            if inputs.iter().any(|input| matches!(input, Some(Value::Unknown))) {
                return Ok(Vec::new());
            }
            call.inputs = inputs;
            self.translate(&mut call, operator)
        });
        match results {
            Ok(results) if results.is_empty() => self.unknown(node),
            Ok(results) => {
                self.list(item, &results);
                for attribute in call.unread() {
                    let layers = self.unread.entry((call.op(), attribute)).or_default();
                    layers.push(call.name.clone());
                }
                self.keep(&call, results);
            }
            Err(fault) => {
                self.network.fault(&call, *fault);
                self.unknown(node);
            }
        }
    }

    fn translate(&mut self, call: &mut Call<'_>, operator: &ops::Operator) -> Outcome<Vec<Value>> {
        let (op, version) = (call.op(), call.version);
        if version < operator.since || version > operator.until {
            let message = format!("{op} is no operator of version {version}, in which the file is written");
            let known = match operator.until {
                i64::MAX => format!("it is one since version {}", operator.since),
                until => format!("it was one from version {} to {until}", operator.since),
            };
            return Err(Box::new(Diagnostic::error(codes::ONNX_OPERATOR, message).note(known)));
        }
        if let Some(folded) = fold::fold(&mut self.network, call) {
            return folded;
        }
        let Some(translate) = operator.translate else {
            let message = format!("{op} of values that are computed from the input is not supported");
            let fault = Diagnostic::error(codes::ONNX_FORM, message);
            return Err(Box::new(
                fault.note("frit has it for what is known when the file is read: shapes and weights"),
            ));
        };
        let known = |input: &Value| matches!(input, Value::Constant(_));
        if operator.is_cheap() && !call.inputs.is_empty() && call.inputs.iter().flatten().all(known) {
            return self.evaluate(call, translate);
        }
        call.name = self.network.name(&call.name);
        translate(&mut self.network, call)
    }

    /// The results of a node whose operands are all known: what its layers give, by the definition of each.
    fn evaluate(&mut self, call: &Call<'_>, translate: ops::Translate) -> Outcome<Vec<Value>> {
        let mut network = Network::new(Store::default(), Arc::clone(&self.network.budget));
        let results = translate(&mut network, call)?;
        if !network.training.layers().is_empty() {
            return Err(Box::new(training::fault()));
        }
        let mut views = Vec::with_capacity(results.len());
        for result in &results {
            let Value::Tensor(view) = result else { continue };
            let node = network.row_major(view)?;
            network.built.graph.add_output(node);
            views.push(view);
        }
        for id in network.built.graph.ids() {
            let elements = network.shape(id).elements().unwrap_or(usize::MAX);
            self.budget.take_bytes(elements.saturating_mul(frit_ir::Element::F32.bytes()))?;
            self.budget.take_work(elements.saturating_mul(INTERPRETED))?;
        }
        let tensors = interpret::run(&network.built.graph, &[]).map_err(|faults| {
            let first = faults.iter().next().cloned();
            Box::new(first.unwrap_or_else(|| Diagnostic::error(codes::ONNX_NODE, "it can't be computed")))
        })?;
        let constant = |(tensor, view): (Tensor, &View)| {
            let values = tensor.iter().map(|&value| Symbol::Float(f64::from(value)).cast(view.kind));
            Constant::new(self.budget, view.kind, view.lengths(), values).map(Value::Constant)
        };
        tensors.into_iter().zip(views).map(constant).collect()
    }

    /// Notes where the results of a node are. What is known when the file is read is no layer.
    fn list(&mut self, item: &Item<'_>, results: &[Value]) {
        let named = item.node.output.iter().zip(results);
        let products: Vec<Product> =
            named.filter_map(|(name, value)| self.network.product(name, value)).collect();
        if !products.is_empty() {
            let node = item.node.as_ref();
            self.network.built.list(item.index, names::name(node), node.op_type(), products);
        }
    }

    /// Keeps the results of a node.
    fn keep(&mut self, call: &Call<'a>, results: Vec<Value>) {
        let made = results.len();
        let mut results = results.into_iter();
        for output in call.node.output.iter() {
            let value = results.next().unwrap_or(Value::Unknown);
            if output.is_empty() {
                continue;
            }
            if matches!(value, Value::Unknown) && self.read.contains(output.as_str()) {
                let message = format!(
                    "{} has more results than frit computes ({made}), and {output:?} is read",
                    call.op()
                );
                self.network.fault(call, Diagnostic::error(codes::ONNX_FORM, message));
            }
            self.values.insert(output, value);
        }
    }

    fn unknown(&mut self, node: &'a Node) {
        for output in node.output.iter().filter(|output| !output.is_empty()) {
            self.values.insert(output, Value::Unknown);
        }
    }

    /// What the tensor `name` is; none for an operand that is left out. Weights are read when they are first asked for.
    pub(super) fn value(&mut self, name: &'a str) -> Outcome<Option<Value>> {
        if name.is_empty() {
            return Ok(None);
        }
        if let Some(value) = self.values.get(name) {
            return Ok(Some(value.clone()));
        }
        let value = match self.order.sources.get(name) {
            Some(Source::Initializer(index)) => {
                let read = self.network.file.read(self.budget, &self.nodes.initializer[*index], name);
                // Told once.
                self.values.insert(name, Value::Unknown);
                Value::Constant(read.map_err(Box::new)?)
            }
            _ => Value::Unknown,
        };
        self.values.insert(name, value.clone());
        Ok(Some(value))
    }

    /// Tells the attributes that have no effect, with the layers that have them.
    pub(super) fn tell_unread(&mut self) {
        for ((operator, attribute), layers) in
            std::mem::take(&mut self.unread).into_iter().take(limits::FAULTS)
        {
            let message = format!("the attribute {attribute} of {operator} is not read");
            let warning = Diagnostic::warning(codes::ONNX_NODE, message).at(named(&layers, operator));
            self.network.faults.push(warning.note("frit knows no meaning of it here"));
        }
    }

    /// Tells the batch normalisations in training mode, with their names.
    pub(super) fn tell_training(&mut self) {
        let layers = self.network.training.layers();
        if layers.is_empty() {
            return;
        }
        let mut fault = training::fault().at(named(&layers, "batch normalisation"));
        if layers.len() > 1 {
            fault.message = format!("{} batch normalisations are in training mode", layers.len());
        }
        self.network.tell(fault);
    }

    /// Tells the operators that frit has not, with the layers that need them.
    pub(super) fn tell_missing(&mut self) {
        for (operator, layers) in std::mem::take(&mut self.missing) {
            let message = format!("the operator {} is not supported", shown(&operator));
            let fault = Diagnostic::error(codes::ONNX_OPERATOR, message).at(named(&layers, &operator));
            self.network.tell(match operator.as_str() {
                "If" | "Loop" | "Scan" => fault
                    .note("control flow: frit compiles networks whose layers are the same for every input")
                    .help("export the model with fixed sizes, so that the exporter can decide it"),
                quantised if quantised.contains("Linear") || quantised.contains("Integer") => fault
                    .note("it is one of quantised networks; frit computes in float32")
                    .help("export the model before it is quantised"),
                _ => fault.help("replace the layer before the model is exported"),
            });
        }
    }
}

/// Some of the `layers` of `operator` by name, and how many more there are.
fn named(layers: &[String], operator: &str) -> String {
    const NAMED: usize = 8;
    let more = layers.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = layers.iter().take(NAMED).map(|layer| shown(layer)).collect::<Vec<_>>().join(", ");
    format!("{named}{tail} ({})", shown(operator))
}
