//! ONNX files.
//!
//! A file is decoded where it is mapped: weights stay there until they are asked for. What is known when it is read is
//! computed (`fold`); everything else becomes a layer of the graph under the name of its node, or of its first result where it
//! has none. Tensors keep the file's order of axes outside, batch, channels, height, width, and have the graph's inside; the
//! two meet in transposes at the border (`layout`).
//!
//! The axis of a batch is none of the graph: it is the first one of an input where that has a symbol, or another number than 1
//! in front of a map or vector. A file for one image is one for any number of them.

mod call;
mod constant;
mod decode;
mod fold;
mod functions;
mod kind;
mod layout;
mod moments;
mod network;
mod ops;
mod order;
mod shapes;
mod signature;
mod symbol;
mod tensors;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Tensor, interpret};
use frit_passes::legality::{self, training};
use frit_runtime::map::MappedFile;

use self::call::{Call, Outcome, Value};
use self::constant::Constant;
use self::decode::Decoded;
use self::functions::Item;
use self::layout::View;
use self::network::Network;
use self::order::{Order, Source, shown};
use self::symbol::Symbol;
use self::tensors::Store;
use super::budget::Budget;
use super::listing::Product;
use super::{Request, limits, place};
use crate::onnx::{Graph as Nodes, Model, Node};

/// The versions of ONNX's operators that are read.
const VERSIONS: std::ops::RangeInclusive<i64> = 7..=24;

/// Elements of the budget that one that is computed by the definition of its layer counts for, which is not made to be fast.
const INTERPRETED: usize = 4;

/// The graph of the ONNX file `model`, with warnings.
///
/// # Errors
/// All faults of the file.
pub(super) fn load(model: &Path, request: &Request) -> Result<(Graph, Faults), Faults> {
    let file = model.display().to_string();
    let in_file = |mut faults: Faults| {
        faults
            .iter_mut()
            .filter(|fault| fault.place.file.is_empty())
            .for_each(|fault| fault.place = place(&file));
        faults
    };
    if request.weights.is_some() {
        let message = "an ONNX file says itself where its weights are";
        let fault = Diagnostic::error(codes::BAD_VALUE, message).help("leave --weights out");
        return Err(in_file(fault.into()));
    }
    let bytes = MappedFile::open(model).map_err(|error| {
        in_file(Diagnostic::error(codes::FILE_UNREADABLE, format!("the file can't be read: {error}")).into())
    })?;
    let name = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match read(Bytes::from_owner(bytes), Some(super::folder(model)), request) {
        Ok((mut graph, warnings)) => {
            graph.name = name;
            Ok((graph, in_file(warnings)))
        }
        Err(faults) => Err(in_file(faults)),
    }
}

/// The graph of the ONNX file that `bytes` are, with warnings. Weights in other files are read in `folder`.
///
/// # Errors
/// All faults of the file.
pub fn read(bytes: Bytes, folder: Option<&Path>, request: &Request) -> Result<(Graph, Faults), Faults> {
    let budget = Arc::new(Budget::of(bytes.len() as u64));
    let Decoded { model, functions } = decode::decode(bytes, &budget)?;
    let Some(nodes) = &model.graph else {
        return Err(Diagnostic::error(codes::ONNX_FILE, "the model has no graph").into());
    };
    let version = version(&model)?;
    let items = functions::written_out(&model, version, (&functions, &budget))?;
    let order = order::order(nodes, &items)?;
    let mut importer = Importer {
        nodes,
        items: &items,
        order: &order,
        values: BTreeMap::new(),
        read: read_by(nodes, &items, &order),
        moments: moments::find(&items, &order),
        missing: BTreeMap::new(),
        unread: BTreeMap::new(),
        budget: &budget,
        network: Network::new(Store::new(folder, &request.written), Arc::clone(&budget)),
    };
    signature::inputs(&mut importer, request);
    for &index in order.nodes.iter().take_while(|_| !budget.is_spent()) {
        importer.node(&items[index]);
    }
    if budget.is_spent() {
        // What is left was not looked at.
        return Err(importer.network.faults);
    }
    importer.tell_missing();
    importer.tell_training();
    importer.tell_unread();
    signature::outputs(&mut importer);
    finish(importer.network)
}

/// The version of ONNX's operators that the file is written in.
fn version(model: &Model) -> Result<i64, Diagnostic> {
    let Some(version) = functions::version(&model.opset_import)? else {
        let message = "the file does not say which version of ONNX's operators (opset) it is written in";
        return Err(
            Diagnostic::error(codes::ONNX_VERSION, message).help("export the model again, with an opset")
        );
    };
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    let (first, last) = (VERSIONS.start(), VERSIONS.end());
    let side =
        if version > *last { "newer than any that is known" } else { "older than those that are read" };
    let message =
        format!("the file is written in version {version} of ONNX's operators (opset), which is {side}");
    Err(Diagnostic::error(codes::ONNX_VERSION, message)
        .note(format!("frit reads versions {first} to {last}"))
        .help("convert the model: onnx.version_converter.convert_version(model, 17)"))
}

/// What is left when all layers are there: no layer that nothing needs.
fn finish(mut network: Network) -> Result<(Graph, Faults), Faults> {
    // A file with faults never comes to legality: its joins are told here, so that one run tells all.
    if network.faults.has_errors() {
        network.faults.extend(legality::join_faults(&network.built.graph));
    }
    signature::prune(&mut network.built.graph);
    network.faults.unless_errors(network.built.finish())
}

/// The tensors that a node that is needed or the caller reads.
fn read_by<'a>(nodes: &'a Nodes, items: &'a [Item<'a>], order: &Order<'a>) -> BTreeSet<&'a str> {
    let by_nodes = order.nodes.iter().flat_map(|&index| &items[index].node.input).map(String::as_str);
    by_nodes.chain(nodes.output.iter().map(|output| output.name())).collect()
}

/// A file on its way to a graph.
struct Importer<'a> {
    nodes: &'a Nodes,
    items: &'a [Item<'a>],
    order: &'a Order<'a>,
    /// What is known of each tensor so far.
    values: BTreeMap<&'a str, Value>,
    /// Tensors that a node or the caller reads.
    read: BTreeSet<&'a str>,
    /// The normalisations whose means and variances tensors may be, by these.
    moments: BTreeMap<&'a str, String>,
    /// The nodes of operators that frit has not.
    missing: BTreeMap<String, Vec<String>>,
    /// The nodes with attributes that were not read, by operator and attribute.
    unread: BTreeMap<(&'a str, &'a str), Vec<String>>,
    budget: &'a Budget,
    network: Network,
}

impl<'a> Importer<'a> {
    /// Adds the layers of a node.
    fn node(&mut self, item: &'a Item<'a>) {
        let node = item.node.as_ref();
        let operator = match node.domain() {
            "" | "ai.onnx" => ops::find(node.op_type()),
            _ => None,
        };
        let name = order::name(node).to_owned();
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
        if !network.training().is_empty() {
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
            self.budget.take_bytes(elements.saturating_mul(size_of::<f32>()))?;
            self.budget.take_work(elements.saturating_mul(INTERPRETED))?;
        }
        let tensors = interpret::run::<f32>(&network.built.graph, &[]).map_err(|faults| {
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
            self.network.built.list(item.index, order::name(node), node.op_type(), products);
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
    fn value(&mut self, name: &'a str) -> Outcome<Option<Value>> {
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
    fn tell_unread(&mut self) {
        for ((operator, attribute), layers) in
            std::mem::take(&mut self.unread).into_iter().take(limits::FAULTS)
        {
            let message = format!("the attribute {attribute} of {operator} is not read");
            let warning = Diagnostic::warning(codes::ONNX_NODE, message).at(named(&layers, operator));
            self.network.faults.push(warning.note("frit knows no meaning of it here"));
        }
    }

    /// Tells the batch normalisations in training mode, with their names.
    fn tell_training(&mut self) {
        let layers = self.network.training();
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
    fn tell_missing(&mut self) {
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
