//! Graph → frit's own description: a layer a line, each with its name, its inputs and all of its attributes as numbers.
//!
//! What is written reads back as the same graph: the same layers in the same order, with the same names, attributes and
//! values of weights. Weights that are all drawn from one seed stay a seed; others become a safetensors file.

mod layer;

use std::collections::BTreeMap;

use frit_ir::ops::{Input, Scalar};
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Op, Preprocess, Shape, memory};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::Serialize;
use serde_json::{Value, json};

use super::not_expressible;
use crate::import::limits;

/// The names of the files beside the description, as it will spell them; both lie in its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Beside<'n> {
    /// The weights.
    pub weights: &'n str,
    /// The names of the classes.
    pub labels: &'n str,
}

/// The files of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The description.
    pub description: String,
    /// The safetensors file, where the weights are not all drawn from one seed.
    pub weights: Option<Vec<u8>>,
    /// The labels, where the graph has some.
    pub labels: Option<String>,
}

/// The files that describe `graph`.
///
/// # Errors
/// Every layer that a description can't hold (something was fused into it, its name is too long), a graph with several
/// inputs, weights without values.
pub fn write(graph: &Graph, beside: &Beside<'_>) -> Result<Written, Faults> {
    let mut faults = Faults::new();
    let input = input(graph).map_err(|fault| faults.push(fault)).ok();
    let layers = layers(graph, &mut faults);
    if !graph.name.is_empty() {
        faults.extend(check_name(&graph.name).err().map(Faults::from).unwrap_or_default());
    }
    let Some(input) = input.filter(|_| !faults.has_errors()) else { return Err(faults) };
    let roles = roles(graph)?;
    let seed = common_seed(graph, &roles);
    let weights = if seed.is_none() { Some(tensors(graph, &roles)?) } else { None };
    let name =
        if graph.name.is_empty() { String::new() } else { format!(", \"name\": {}", spelled(&graph.name)) };
    let mut fields = vec![format!("\"frit\": 1{name}"), format!("\"input\": {input}")];
    fields.push(match seed {
        Some(seed) => format!("\"weights\": {{\"seed\": {seed}}}"),
        None => format!("\"weights\": {}", spelled(beside.weights)),
    });
    if graph.labels.is_some() {
        fields.push(format!("\"labels\": {}", spelled(beside.labels)));
    }
    fields.push(format!("\"layers\": [\n   {}]", layers.join(",\n   ")));
    fields.push(format!("\"outputs\": {}", spelled(&outputs(graph))));
    let description = format!("{{{}}}\n", fields.join(",\n "));
    let labels = graph.labels.as_ref().map(|labels| spelled(labels) + "\n");
    Ok(Written { description, weights, labels })
}

/// `value` in JSON.
fn spelled<T: Serialize + ?Sized>(value: &T) -> String {
    serde_json::to_string(value).expect("strings and numbers always serialise")
}

fn outputs(graph: &Graph) -> Vec<&str> {
    graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect()
}

#[derive(Serialize)]
struct Entry<'g> {
    name: &'g str,
    shape: &'g [usize],
    #[serde(skip_serializing_if = "Option::is_none")]
    preprocess: Option<Picture>,
}

#[derive(Serialize)]
struct Picture {
    crop: &'static str,
    resize: &'static str,
    range: Value,
    mean: Value,
    std: Value,
}

impl Picture {
    fn new(preprocess: &Preprocess) -> Picture {
        Picture {
            crop: if preprocess.crop_center_square { "center_square" } else { "none" },
            resize: if preprocess.bicubic { "bicubic" } else { "bilinear" },
            range: json!(preprocess.range.map(Scalar::get)),
            mean: json!(preprocess.mean.map(Scalar::get)),
            std: json!(preprocess.std.map(Scalar::get)),
        }
    }
}

/// The only input.
fn input(graph: &Graph) -> Result<String, Diagnostic> {
    let inputs = graph.inputs();
    let [only] = inputs[..] else {
        return Err(not_expressible(format!(
            "a description has one input, this network has {}",
            inputs.len()
        )));
    };
    let node = graph.node(only);
    let Op::Input(Input { shape }) = &node.op else { unreachable!("inputs are input nodes") };
    check_name(&node.name)?;
    let preprocess = graph.preprocess.as_ref().map(Picture::new);
    Ok(spelled(&Entry { name: &node.name, shape: shape.axes(), preprocess }))
}

/// A line for each layer, operands before users.
fn layers(graph: &Graph, faults: &mut Faults) -> Vec<String> {
    let mut lines = Vec::with_capacity(graph.len());
    for id in graph.topological() {
        let node = graph.node(id);
        if matches!(node.op, Op::Input(_)) {
            continue;
        }
        let operands = graph.operands(id);
        let inputs = operands.iter().map(|&operand| graph.node(operand).name.as_str()).collect();
        match check_name(&node.name).and_then(|()| layer::layer(node, inputs)) {
            Ok(layer) => lines.push(spelled(&layer)),
            Err(fault) => faults.push(fault.at(format!("{} ({})", node.name, node.op.name()))),
        }
    }
    lines
}

/// As the importer reads names.
fn check_name(name: &str) -> Result<(), Diagnostic> {
    if name.is_empty() || name.len() > limits::NAME_BYTES || name.chars().any(char::is_control) {
        let most = limits::NAME_BYTES;
        let message = format!("a name in a description has 1 to {most} bytes and no control characters");
        return Err(not_expressible(message));
    }
    Ok(())
}

/// Where the values of a weight of the description are in the graph.
struct ExportedWeight<'g> {
    /// The weight's name in the graph.
    name: &'g str,
    shape: Shape,
}

/// The weights by their names in the description, `LAYER.role`.
fn roles(graph: &Graph) -> Result<BTreeMap<String, ExportedWeight<'_>>, Faults> {
    let shapes = graph.shapes()?;
    let mut roles = BTreeMap::new();
    for id in graph.ids() {
        let node = graph.node(id);
        let operands: Vec<Shape> =
            graph.operands(id).iter().map(|operand: &NodeId| shapes[operand].clone()).collect();
        for (role, name) in node.op.weight_roles(&operands).into_iter().zip(&node.weights) {
            roles.insert(format!("{}.{}", node.name, role.role), ExportedWeight { name, shape: role.shape });
        }
    }
    Ok(roles)
}

/// The seed of all weights, where they are drawn from one by the names that they will have.
fn common_seed(graph: &Graph, roles: &BTreeMap<String, ExportedWeight<'_>>) -> Option<u64> {
    let mut seeds = roles.iter().map(|(name, place)| match graph.weights.get(place.name)?.data {
        Data::Seeded(seed) if name == place.name => Some(seed),
        _ => None,
    });
    let first = seeds.next().unwrap_or(Some(0))?;
    seeds.all(|seed| seed == Some(first)).then_some(first)
}

/// All weights as a safetensors file.
fn tensors(graph: &Graph, roles: &BTreeMap<String, ExportedWeight<'_>>) -> Result<Vec<u8>, Faults> {
    // Each value is there twice: as a tensor, and in the file.
    let values = roles.values().filter_map(|place| place.shape.elements()).fold(0, usize::saturating_add);
    memory::room::<[u8; 8]>(values, "the weights' file")?;
    let mut bytes: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    for (name, place) in roles {
        let values = graph.weights.values(place.name)?;
        bytes.insert(name, values.iter().flat_map(|value| value.to_le_bytes()).collect());
    }
    let fault = |error: safetensors::SafeTensorError| {
        not_expressible(format!("the weights can't be written: {error}"))
    };
    let mut views = Vec::with_capacity(roles.len());
    for (name, place) in roles {
        let view = TensorView::new(Dtype::F32, place.shape.axes().to_vec(), &bytes[name.as_str()]);
        views.push((name.as_str(), view.map_err(fault)?));
    }
    Ok(safetensors::serialize(views, None).map_err(fault)?)
}

#[cfg(test)]
mod tests;
