//! The border of a network: what the caller hands in and gets, in the file's names and order of axes.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::diagnostic::codes;
use frit_ir::ops::Input;
use frit_ir::{Diagnostic, Graph, Names, NodeId, Op, Provenance, Shape};

use super::call::{Value, single_precision};
use super::constant::Constant;
use super::data_type::DataType;
use super::fault::{Outcome, mixes, ranked};
use super::importer::Importer;
use super::layout::{GraphAxis, View};
use super::network::Network;
use super::ops;
use super::order::Source;
use crate::import::request::{GivenShape, Request};
use crate::onnx::{Dimension, ValueInfo};

/// Adds the inputs: what the graph lists and no weight has the name of.
pub(super) fn inputs(importer: &mut Importer<'_>, request: &Request) {
    let nodes = importer.nodes;
    let inputs: Vec<&ValueInfo> = nodes
        .input
        .iter()
        .filter(|input| !matches!(importer.order.sources.get(input.name()), Some(Source::Initializer(_))))
        .collect();
    let demands = ops::demands(importer.items, importer.order);
    for fault in unknown(&inputs, request) {
        importer.network.tell(fault);
    }
    // All inputs have their batch before any layer is added.
    for &input in &inputs {
        let given = given(&inputs, input.name(), request);
        let added = add(&mut importer.network, input, given);
        let value = match added {
            Ok(view) => Value::Tensor(view),
            Err(fault) => {
                importer.network.tell(fault.at(format!("{} (input)", input.name())));
                Value::Unknown
            }
        };
        let product = importer.network.product(input.name(), &value);
        importer.network.built.list(None, input.name(), "input", product.into_iter().collect());
        importer.values.insert(input.name(), value);
    }
    for &input in &inputs {
        let (Some(Value::Tensor(view)), Some(demand)) =
            (importer.values.get(input.name()), demands.get(input.name()))
        else {
            continue;
        };
        let (view, order) = (view.clone(), demand.to_vec());
        if view.rank() != order.len() + 1 || view.within() != [1, 2, 3] {
            continue;
        }
        if let Ok(node) = importer.network.ordered(&view, &order) {
            let turned = importer.network.view(node, &view, &order);
            importer.values.insert(input.name(), Value::Tensor(turned));
        }
    }
}

/// The shape that the caller gives the input `name`.
fn given<'a>(inputs: &[&ValueInfo], name: &str, request: &'a Request) -> Option<&'a GivenShape> {
    request.shapes.iter().find(|shape| match &shape.input {
        Some(input) => input == name,
        None => inputs.len() == 1,
    })
}

/// Faults of shapes that are given to no input.
fn unknown(inputs: &[&ValueInfo], request: &Request) -> Vec<Diagnostic> {
    let names = || inputs.iter().map(|input| input.name()).collect::<Vec<_>>().join(", ");
    let fault = |message: String| {
        Diagnostic::error(codes::BAD_VALUE, message).note(format!("its inputs are {}", names()))
    };
    request
        .shapes
        .iter()
        .filter_map(|shape| match &shape.input {
            Some(name) if !inputs.iter().any(|input| input.name() == name) => {
                Some(fault(format!("the model has no input {name}, to which --shape gives a shape")))
            }
            None if inputs.len() != 1 => {
                Some(fault("--shape says for which input it is: NAME=1x3x224x224".to_owned()))
            }
            _ => None,
        })
        .collect()
}

/// An axis of an input.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Axis {
    Length(usize),
    /// A symbol, or nothing.
    Open(String),
}

fn add(network: &mut Network, input: &ValueInfo, given: Option<&GivenShape>) -> Result<View, Diagnostic> {
    let name = input.name();
    let tensor = input.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let Some(tensor) = tensor else {
        let message = format!("the input {name} is no tensor, or its type is not said");
        return Err(Diagnostic::error(codes::ONNX_TYPE, message));
    };
    single_precision(DataType(tensor.elem_type()), &format!("the input {name}")).map_err(|fault| *fault)?;
    ranked(tensor.shape.as_ref().map_or(0, |shape| shape.dim.len())).map_err(|fault| *fault)?;
    let axes = match (&tensor.shape, given) {
        (None, None) => return Err(no_shape(name)),
        (None, Some(given)) => given.axes.iter().copied().map(Axis::Length).collect(),
        (Some(shape), given) => agreed(name, shape.dim.iter().map(axis).collect(), given)?,
    };
    let batch = batch(&axes);
    if let (Some(()), Some(Axis::Length(images))) = (batch, axes.first()) {
        network.batch = Some(*images);
    }
    let within = if batch.is_some() { &axes[1..] } else { &axes[..] };
    let open: Vec<&str> = within
        .iter()
        .filter_map(|axis| match axis {
            Axis::Open(symbol) => Some(symbol.as_str()),
            Axis::Length(_) => None,
        })
        .collect();
    if !open.is_empty() {
        return Err(open_sizes(name, &axes, &open));
    }
    let lengths: Vec<usize> =
        axes.iter().map(|axis| if let Axis::Length(length) = axis { *length } else { 1 }).collect();
    // The axis of one image is none of the graph, as that of a batch.
    let front = usize::from(batch.is_some() || (lengths.len() > 1 && lengths[0] == 1));
    let shape = Shape::new(&lengths[front..]);
    let unique = network.name(name);
    let node = network
        .add(&unique, Op::Input(Input { shape: shape.clone() }), &[], Vec::new())
        .map_err(|fault| *fault)?;
    let place = |index: usize| match index.checked_sub(front) {
        Some(axis) => GraphAxis::At(axis),
        None if batch.is_some() => GraphAxis::Batch,
        None => GraphAxis::One,
    };
    Ok(View::new(node, &shape, &(0..lengths.len()).map(place).collect::<Vec<_>>()))
}

fn axis(dimension: &Dimension) -> Axis {
    match (&dimension.dim_value, &dimension.dim_param) {
        (Some(value), _) => match usize::try_from(*value) {
            Ok(length) => Axis::Length(length),
            // Some exporters write -1 for what they leave open.
            Err(_) => Axis::Open(value.to_string()),
        },
        (None, Some(symbol)) if !symbol.is_empty() => Axis::Open(symbol.clone()),
        (None, _) => Axis::Open("?".to_owned()),
    }
}

/// The axes of the file, with those that it leaves open from the caller.
fn agreed(name: &str, axes: Vec<Axis>, given: Option<&GivenShape>) -> Result<Vec<Axis>, Diagnostic> {
    let Some(given) = given else { return Ok(axes) };
    let fits = axes.len() == given.axes.len()
        && axes.iter().zip(&given.axes).enumerate().all(|(index, (axis, given))| match axis {
            Axis::Length(length) => length == given || (index == 0 && counts_images(&axes)),
            Axis::Open(_) => true,
        });
    if !fits {
        let message = format!("--shape gives the input {name} other axes than its file");
        let fault = Diagnostic::error(codes::BAD_VALUE, message)
            .operand("given", name, Shape::new(&given.axes).to_string())
            .operand("file", name, spelled(&axes));
        return Err(fault);
    }
    // How many images a batch has is a matter of each run.
    let axis = |(index, (axis, &given)): (usize, (&Axis, &usize))| match index {
        0 if counts_images(&axes) => axis.clone(),
        _ => Axis::Length(given),
    };
    Ok(axes.iter().zip(&given.axes).enumerate().map(axis).collect())
}

fn spelled(axes: &[Axis]) -> String {
    let word = |axis: &Axis| match axis {
        Axis::Length(length) => length.to_string(),
        Axis::Open(symbol) => symbol.clone(),
    };
    axes.iter().map(word).collect::<Vec<_>>().join("x")
}

/// Whether the first axis is that of a batch: an open one, or in front of a map or vector another number than 1.
fn batch(axes: &[Axis]) -> Option<()> {
    let is_batch = match axes.first()? {
        Axis::Open(_) => axes.len() > 1,
        Axis::Length(length) => *length > 1 && matches!(axes.len(), 2 | 4),
    };
    is_batch.then_some(())
}

/// Whether the first axis says of how many images a tensor is: that of a batch, or of one image.
fn counts_images(axes: &[Axis]) -> bool {
    batch(axes).is_some() || (axes.len() > 1 && axes[0] == Axis::Length(1))
}

fn no_shape(name: &str) -> Diagnostic {
    Diagnostic::error(
        codes::ONNX_OPEN_SIZE,
        format!("the file does not say which shape the input {name} has"),
    )
    .help_flag("say it", format!("--shape {name}=1x3x224x224"), "with the sizes of your images")
}

fn open_sizes(name: &str, axes: &[Axis], open: &[&str]) -> Diagnostic {
    let count = if open.len() == 1 { "an axis" } else { "axes" };
    let message = format!("the file leaves {count} of the input {name} open: {}", open.join(", "));
    let example = axes.iter().enumerate().map(|(index, axis)| match axis {
        Axis::Length(length) => length.to_string(),
        Axis::Open(_) if index == 0 => "1".to_owned(),
        Axis::Open(_) => "224".to_owned(),
    });
    let example = example.collect::<Vec<_>>().join("x");
    Diagnostic::error(codes::ONNX_OPEN_SIZE, message)
        .note(format!("it is {}; frit compiles for one size of images", spelled(axes)))
        .help_flag("say it", format!("--shape {name}={example}"), "with the sizes of your images")
}

/// Makes the outputs, each a layer under its own name.
pub(super) fn outputs(importer: &mut Importer<'_>) {
    let nodes = importer.nodes;
    if nodes.output.is_empty() {
        importer.network.tell(Diagnostic::error(codes::ONNX_GRAPH, "the graph has no output"));
    }
    let mut made: BTreeMap<NodeId, &str> = BTreeMap::new();
    let mut order = Vec::with_capacity(nodes.output.len());
    let mut names = BTreeSet::new();
    for output in &nodes.output {
        let name = output.name();
        if !names.insert(name) {
            let message = format!("the output {name:?} is given twice");
            importer.network.tell(Diagnostic::error(codes::ONNX_GRAPH, message));
            continue;
        }
        let result = importer.value(name).and_then(|value| match value {
            Some(Value::Unknown) | None => Ok(None),
            Some(value) => self::output(&mut importer.network, name, &value, &made).map(Some),
        });
        match result {
            Ok(node) => {
                made.extend(node.map(|node| (node, name)));
                order.extend(node);
            }
            Err(fault) => importer.network.tell(fault.at(format!("{name} (output)"))),
        }
    }
    name_outputs(&mut importer.network.built.graph, &made);
    for node in order {
        importer.network.built.graph.add_output(node);
    }
}

/// The node of an output, in the file's order of axes; no other output is the same node.
fn output(
    network: &mut Network,
    name: &str,
    value: &Value,
    made: &BTreeMap<NodeId, &str>,
) -> Outcome<NodeId> {
    let (value, kind) = match value {
        Value::Constant(constant) if constant.kind != DataType::F32 => {
            let values = constant.iter();
            let plain = Constant::new(&network.budget, DataType::F32, constant.dims.clone(), values)?;
            (&Value::Constant(plain), constant.kind)
        }
        Value::Tensor(view) => (value, view.kind),
        Value::Constant(_) | Value::Unknown => (value, DataType::F32),
    };
    if kind != DataType::F32 {
        let message = format!("the output {name} is of {kind}; frit gives it as float32");
        network.tell(Diagnostic::warning(codes::ONNX_TYPE, message));
    }
    let view = network.tensor(value, name)?;
    if view.batch().is_some_and(|batch| batch != 0) {
        return Err(mixes(format!(
            "the output {name} has the images of a batch along another axis than the first"
        )));
    }
    if view.within().len() == view.rank() {
        network.built.graph.unbatched.insert(name.to_owned());
    }
    let before = network.built.graph.len();
    let node = network.row_major(&view)?;
    let fresh = network.built.graph.len() > before;
    let named = network.built.graph.node(node).name == name;
    if !made.contains_key(&node) && (fresh || named) {
        return Ok(node);
    }
    let unique = network.name(name);
    network.add(&unique, Op::Identity, &[node], Vec::new())
}

/// Gives each output its own name; a layer that has it gets another.
fn name_outputs(graph: &mut Graph, made: &BTreeMap<NodeId, &str>) {
    let names: BTreeSet<&str> = made.values().copied().collect();
    let mut taken: Names = graph.ids().map(|id| graph.node(id).name.as_str()).collect();
    let ids: Vec<NodeId> = graph.ids().collect();
    for id in ids {
        let name = match made.get(&id) {
            Some(name) => (*name).to_owned(),
            None if names.contains(graph.node(id).name.as_str()) => {
                let node = graph.node(id);
                taken.free(&format!("{}/{}", node.name, node.op.name()))
            }
            None => continue,
        };
        let node = graph.node_mut(id);
        if node.sources == Provenance::source(&node.name) {
            node.sources = Provenance::source(&name);
        }
        node.name = name;
    }
}

/// Takes out the layers that no output needs; inputs stay.
pub(super) fn prune(graph: &mut Graph) {
    let mut needed: BTreeSet<NodeId> = BTreeSet::new();
    let mut waiting: Vec<NodeId> = graph.outputs().to_vec();
    while let Some(id) = waiting.pop() {
        if needed.insert(id) {
            waiting.extend(graph.operands(id));
        }
    }
    let idle: Vec<NodeId> = graph
        .ids()
        .filter(|id| !needed.contains(id) && !matches!(graph.node(*id).op, Op::Input(_)))
        .collect();
    idle.into_iter().for_each(|id| graph.remove(id));
}
