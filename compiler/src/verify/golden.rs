//! Known results of a network: arrays `input` and `output` (or `out.NAME` for each output), the batch first.

use std::collections::BTreeMap;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Op, Shape, Tensor};
use frit_runtime::Port;

use super::overflow::Overflow;

/// Inputs, and the outputs that belong to them, in the layout of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    /// The images, dense, one after the other.
    pub inputs: Vec<f32>,
    /// How many they are.
    pub batch: usize,
    /// Each output of the network, in order, dense, the batch first.
    pub expected: Vec<Vec<f64>>,
    /// Whether the arrays came with their channels before height and width, and were turned.
    pub transposed: bool,
    /// For each output which elements plain f32 arithmetic makes infinite or no number; empty where it makes none so.
    pub lost: Vec<Vec<bool>>,
    /// Each output in plain f32 arithmetic, which is as right as `expected`; empty where nobody asked for it.
    pub plain: Vec<Vec<f64>>,
    /// The first layer that leaves what f32 holds.
    pub overflow: Option<Overflow>,
}

impl Golden {
    /// Known results of `batch` images.
    pub(super) fn new(inputs: Vec<f32>, batch: usize, expected: Vec<Vec<f64>>) -> Golden {
        Golden {
            inputs,
            batch,
            expected,
            transposed: false,
            lost: Vec::new(),
            plain: Vec::new(),
            overflow: None,
        }
    }
}

/// The arrays of a golden file as what `graph` takes and should give.
///
/// # Errors
/// Faults of the graph; else as [`for_signature`].
pub fn from_arrays(graph: &Graph, arrays: &BTreeMap<String, Tensor>) -> Result<Golden, Faults> {
    let (inputs, outputs) = signature(graph)?;
    for_signature(&inputs, &outputs, arrays)
}

/// What `graph` takes and what it gives, in order.
///
/// # Errors
/// Faults of the graph.
pub fn signature(graph: &Graph) -> Result<(Vec<Port>, Vec<Port>), Faults> {
    let shapes = graph.shapes()?;
    let port = |&id: &NodeId| Port::new(&graph.node(id).name, shape_of(graph, &shapes, id).axes());
    Ok((graph.inputs().iter().map(port).collect(), graph.outputs().iter().map(port).collect()))
}

/// The arrays of a golden file as what a network with these `inputs` and `outputs` takes and should give.
///
/// Maps may have their channels last, as the network has them, or before height and width; where both would fit, they
/// are taken as last.
///
/// # Errors
/// An array that is missing or whose shape does not fit, all of them in one go.
pub fn for_signature(
    inputs: &[Port],
    outputs: &[Port],
    arrays: &BTreeMap<String, Tensor>,
) -> Result<Golden, Faults> {
    let mut faults = Faults::new();
    let [input] = inputs else {
        let message = format!("a golden file is for one input, the network has {}", inputs.len());
        return Err(Diagnostic::error(codes::INPUT_SHAPE, message).into());
    };
    let input = fit("input", &Shape::new(&input.shape), arrays.get("input"));
    let input = input.map_err(|fault| faults.push(fault));
    let mut fitted = Vec::new();
    for Port { name, shape, .. } in outputs {
        let only = if outputs.len() == 1 { arrays.get("output") } else { None };
        // Names of files hold neither of these.
        let plain = || arrays.get(&format!("out.{}", name.replace(['/', ':'], "_")));
        let array = only.or_else(|| arrays.get(&format!("out.{name}"))).or_else(plain);
        match fit(name, &Shape::new(shape), array) {
            Ok(output) => fitted.push((name, output)),
            Err(fault) => faults.push(fault),
        }
    }
    let Ok(input) = input else { return Err(faults) };
    for (name, output) in &fitted {
        if output.batch != input.batch {
            let message = format!("{name} is of {} images, the input of {}", output.batch, input.batch);
            faults.push(Diagnostic::error(codes::INPUT_SHAPE, message));
        }
    }
    let transposed = input.transposed || fitted.iter().any(|(_, output)| output.transposed);
    let widen = |output: Fitted| output.values.into_iter().map(f64::from).collect();
    let expected = fitted.into_iter().map(|(_, output)| widen(output)).collect();
    faults
        .unless_errors(Golden { transposed, ..Golden::new(input.values, input.batch, expected) })
        .map(|(golden, _)| golden)
}

/// An array in the layout of the network.
struct Fitted {
    values: Vec<f32>,
    batch: usize,
    transposed: bool,
}

fn shape_of(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, id: NodeId) -> Shape {
    if let Op::Input(input) = &graph.node(id).op { input.shape.clone() } else { shapes[&id].clone() }
}

fn fit(name: &str, shape: &Shape, array: Option<&Tensor>) -> Result<Fitted, Diagnostic> {
    let Some(array) = array else {
        return Err(Diagnostic::error(
            codes::INPUT_UNREADABLE,
            format!("the golden file has no array for {name}"),
        )
        .help("name the arrays `input` and `output`, or `out.NAME` for each of several outputs"));
    };
    let given = array.shape();
    if given == shape.axes() {
        // One image, of a network whose output has no axis for it.
        let values = array.iter().copied().collect();
        return Ok(Fitted { values, batch: 1, transposed: false });
    }
    let (batch, axes) = given.split_first().ok_or_else(|| misfit(name, shape, given))?;
    let fitted = |values: Vec<f32>, transposed| Fitted { values, batch: *batch, transposed };
    if axes == shape.axes() {
        return Ok(fitted(array.iter().copied().collect(), false));
    }
    match shape.map() {
        Some([height, width, channels]) if axes == [channels, height, width] => {
            let turned = array.view().permuted_axes(ndarray::IxDyn(&[0, 2, 3, 1]));
            Ok(fitted(turned.iter().copied().collect(), true))
        }
        _ => Err(misfit(name, shape, given)),
    }
}

fn misfit(name: &str, shape: &Shape, given: &[usize]) -> Diagnostic {
    Diagnostic::error(
        codes::INPUT_SHAPE,
        format!("the golden array for {name} has another shape than the network"),
    )
    .operand("given", name, Shape::new(given).to_string())
    .operand("needed", name, format!("Nx{shape}"))
}

#[cfg(test)]
mod tests {
    use frit_ir::ops::{Activation, Input};
    use frit_ir::{Node, Provenance};

    use super::*;

    fn relu() -> Graph {
        let mut graph = Graph::new("relu");
        let node = |name: &str, op| Node {
            name: name.into(),
            op,
            weights: Vec::new(),
            sources: Provenance::source(name),
        };
        let input = graph.add(node("image", Op::Input(Input { shape: Shape::new(&[2, 1, 3]) })), &[]);
        let relu = graph.add(node("relu", Op::Activation(Activation::Relu)), &[input]);
        graph.add_output(relu);
        graph
    }

    fn arrays(named: &[(&str, &[usize])]) -> BTreeMap<String, Tensor> {
        let counted = |shape: &[usize]| {
            let count = shape.iter().product::<usize>();
            Tensor::from_shape_vec(shape, (0..count).map(|value| value as f32).collect()).unwrap()
        };
        named.iter().map(|&(name, shape)| (name.to_owned(), counted(shape))).collect()
    }

    #[test]
    fn channels_in_front_are_turned() {
        let golden =
            from_arrays(&relu(), &arrays(&[("input", &[1, 3, 2, 1]), ("output", &[1, 2, 1, 3])])).unwrap();
        assert_eq!(golden.inputs, [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]);
        assert_eq!(golden.expected, [[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]]);
        assert!(golden.transposed);
    }

    #[test]
    fn an_output_may_be_found_by_its_name() {
        let golden =
            from_arrays(&relu(), &arrays(&[("input", &[2, 2, 1, 3]), ("out.relu", &[2, 2, 1, 3])])).unwrap();
        assert_eq!((golden.batch, golden.transposed), (2, false));
    }

    #[test]
    fn all_misfits_are_told_at_once() {
        let faults = from_arrays(&relu(), &arrays(&[("input", &[1, 9])])).unwrap_err();
        let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, [codes::INPUT_SHAPE, codes::INPUT_UNREADABLE]);
    }

    #[test]
    fn batches_must_agree() {
        let named = arrays(&[("input", &[1, 2, 1, 3]), ("output", &[2, 2, 1, 3])]);
        assert!(from_arrays(&relu(), &named).is_err());
    }
}
