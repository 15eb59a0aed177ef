//! The reference interpreter: plain evaluation of every op, the definition of what a network means.

use std::collections::BTreeMap;

use crate::diagnostic::{Diagnostic, codes};
use crate::memory;
use crate::number::Number;
use crate::ops::{Activation, Epilogue, Given, Op};
use crate::tensor::{Shape, Tensor, Type};
use crate::{Faults, Graph, NodeId};

/// Evaluates `graph` on one image and returns its outputs, in order.
///
/// `inputs` are dense, in the order of [`Graph::inputs`].
///
/// # Errors
/// Faults of the graph, a wrong number of inputs, an input of another shape, a join of two shapes, a weight that is missing,
/// of another shape or without values.
pub fn run<T: Number>(graph: &Graph, inputs: &[Tensor<T>]) -> Result<Vec<Tensor<T>>, Faults> {
    run_watched(graph, inputs, |_, _| {})
}

/// The same; `seen` gets the value of every node as soon as it is there, operands first.
///
/// # Errors
/// As [`run`].
pub fn run_watched<T: Number>(
    graph: &Graph,
    inputs: &[Tensor<T>],
    mut seen: impl FnMut(NodeId, &Tensor<T>),
) -> Result<Vec<Tensor<T>>, Faults> {
    let mut readers = Readers::of(graph);
    let mut values = walk(graph, inputs, Kept::Needed, |values, id| {
        seen(id, &values[&id]);
        for operand in readers.done(&graph.operands(id)) {
            values.remove(&operand);
        }
    })?;
    let mut outputs = Vec::new();
    for output in graph.outputs() {
        outputs.push(values.get(output).cloned().ok_or_else(|| unreached(graph, *output))?);
    }
    values.clear();
    Ok(outputs)
}

/// Evaluates `graph` on one image and returns the value of every node.
///
/// # Errors
/// As [`run`].
pub fn run_all<T: Number>(
    graph: &Graph,
    inputs: &[Tensor<T>],
) -> Result<BTreeMap<NodeId, Tensor<T>>, Faults> {
    walk(graph, inputs, Kept::All, |_, _| {})
}

fn unreached(graph: &Graph, id: NodeId) -> Faults {
    Diagnostic::error(codes::CYCLE, format!("the output {} can't be computed", graph.node(id).name)).into()
}

type Values<T> = BTreeMap<NodeId, Tensor<T>>;

/// How many have yet to read each value.
struct Readers(BTreeMap<NodeId, usize>);

impl Readers {
    /// All of them; the caller reads the outputs.
    fn of(graph: &Graph) -> Readers {
        let mut readers: BTreeMap<NodeId, usize> = BTreeMap::new();
        let operands = graph.ids().flat_map(|id| graph.operands(id));
        for value in operands.chain(graph.outputs().iter().copied()) {
            *readers.entry(value).or_default() += 1;
        }
        Readers(readers)
    }

    /// One of them has read `operands`; returns those that nobody needs any more.
    fn done(&mut self, operands: &[NodeId]) -> Vec<NodeId> {
        let mut free = Vec::new();
        for &operand in operands {
            let left = self.0.get_mut(&operand).expect("an operand has a reader");
            *left -= 1;
            if *left == 0 {
                free.push(operand);
            }
        }
        free
    }
}

/// Which values stay until the end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    /// Each until its last reader has it.
    Needed,
    All,
}

/// Copies of a layer's result that its evaluation makes, at most: the sums, in their shape, and what an epilogue makes.
const COPIES: u64 = 3;

/// Elements that are alive at once, at most: an evaluation that would end without memory is refused before it begins.
///
/// # Errors
/// They are more than frit evaluates, or than the system has memory for.
fn room<T>(graph: &Graph, types: &BTreeMap<NodeId, Type>, kept: Kept) -> Result<(), Diagnostic> {
    let elements = |id: &NodeId| types.get(id).and_then(|known| known.shape.elements()).unwrap_or(0) as u64;
    let mut readers = Readers::of(graph);
    let (mut alive, mut most) = (0u64, 0u64);
    for id in graph.topological() {
        let operands = graph.operands(id);
        let weights = graph.node(id).weights.iter().filter_map(|name| graph.weights.get(name));
        let weights: u64 = weights.map(|weight| weight.shape.elements().unwrap_or(0) as u64).sum();
        let read: u64 = operands.iter().map(elements).sum();
        // What stands before a layer, a gate or a clamp, makes a copy of what it reads.
        most = most.max(alive + COPIES * elements(&id) + read + 2 * weights);
        alive += elements(&id);
        if kept == Kept::Needed {
            alive -= readers.done(&operands).iter().map(elements).sum::<u64>();
        }
    }
    if most > MAX_ALIVE {
        let message =
            format!("to evaluate it, {most} values have to be in memory at once; the limit is {MAX_ALIVE}");
        return Err(Diagnostic::error(codes::LIMIT, message));
    }
    memory::room::<T>(most as usize, "the values of all layers that are needed at once")
}

/// The most values that are evaluated at once.
const MAX_ALIVE: u64 = 1 << 32;

fn walk<T: Number>(
    graph: &Graph,
    inputs: &[Tensor<T>],
    kept: Kept,
    mut after: impl FnMut(&mut Values<T>, NodeId),
) -> Result<Values<T>, Faults> {
    let types = graph.types()?;
    let mut faults = Faults::new();
    crate::infer::check_weights(graph, &types, &mut faults);
    let wanted = graph.inputs().len();
    if inputs.len() != wanted {
        let message = format!("the network takes {wanted} inputs, not {}", inputs.len());
        faults.push(Diagnostic::error(codes::INPUT_SHAPE, message));
    }
    let (types, _) = faults.unless_errors(types)?;
    room::<T>(graph, &types, kept)?;
    let mut inputs = inputs.iter();
    let mut values: Values<T> = BTreeMap::new();
    for id in graph.topological() {
        let node = graph.node(id);
        let operands = graph.operands(id);
        let value = if let Op::Input(input) = &node.op {
            given(&input.shape, inputs.next())
        } else {
            let tensors: Vec<&Tensor<T>> = operands.iter().map(|operand| &values[operand]).collect();
            weights(graph, id).and_then(|weights| {
                let given = Given { operands: &tensors, weights: &weights, result: &types[&id].shape };
                evaluate(&node.op, &given)
            })
        };
        let value = value.map_err(|fault| fault.at(format!("{} ({})", node.name, node.op.name())))?;
        values.insert(id, value);
        after(&mut values, id);
    }
    Ok(values)
}

fn given<T: Number>(shape: &Shape, input: Option<&Tensor<T>>) -> Result<Tensor<T>, Diagnostic> {
    match input {
        Some(tensor) if tensor.shape() == shape.axes() => Ok(tensor.clone()),
        Some(tensor) => Err(Diagnostic::error(
            codes::INPUT_SHAPE,
            format!("the input is {:?}, the network takes {shape}", tensor.shape()),
        )),
        None => Err(Diagnostic::error(codes::INPUT_SHAPE, "an input is missing")),
    }
}

fn weights<T: Number>(graph: &Graph, id: NodeId) -> Result<Vec<Vec<T>>, Diagnostic> {
    let values = |name: &String| Ok(graph.weights.values(name)?.iter().map(|&value| T::of(value)).collect());
    graph.node(id).weights.iter().map(values).collect()
}

/// The value of one op.
fn evaluate<T: Number>(op: &Op, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
    let output = op.evaluate(given)?;
    let shaped =
        output.to_shape(given.result.axes()).expect("an op makes as many elements as its shape rule says");
    let shaped = shaped.into_owned();
    match op.epilogue() {
        Some(epilogue) => finish(epilogue, shaped, op.residual().map(|residual| given.operands[residual])),
        None => Ok(shaped),
    }
}

/// What follows the biased sum.
fn finish<T: Number>(
    epilogue: &Epilogue,
    mut value: Tensor<T>,
    residual: Option<&Tensor<T>>,
) -> Result<Tensor<T>, Diagnostic> {
    let activate = |value: &mut Tensor<T>, activation: Option<Activation>| {
        if let Some(activation) = activation {
            value.mapv_inplace(|x| activation.apply(x));
        }
    };
    activate(&mut value, epilogue.activation);
    if let Some(residual) = residual {
        if value.shape() != residual.shape() {
            let message = format!("add joins {:?} and {:?}", value.shape(), residual.shape());
            return Err(Diagnostic::error(codes::JOIN_SHAPES, message));
        }
        value = value + residual;
    }
    activate(&mut value, epilogue.activation_after);
    Ok(value)
}

#[cfg(test)]
mod tests;
