//! Numbers that make a layer give NaN for every input: attributes that are none, and variances that have no root to divide by.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, BatchNorm, Epilogue, Scalar};
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Faults, Graph, Node, NodeId, Op};

/// The faults of `layers`: attributes that are NaN, or infinite where only a bound may be (FR0101), and
/// variances that are not above 0 with their epsilon (FR0026). Weights that are NaN or infinite are a warning elsewhere.
pub(super) fn faults<'a>(graph: &Graph, layers: impl IntoIterator<Item = &'a NodeId>) -> Faults {
    let mut faults = Faults::new();
    for &id in layers {
        let node = graph.node(id);
        let found = attributes(&node.op).into_iter().chain(variances(graph, node));
        found.for_each(|fault| faults.push(fault.at(super::described(node))));
    }
    faults
}

/// The faults of the attributes of `op` that are floats.
fn attributes(op: &Op) -> Vec<Diagnostic> {
    let mut faults: Vec<Diagnostic> = if let Op::Activation(activation) = op {
        activation_faults([activation])
    } else if let Op::BatchNorm(norm) = op {
        epsilon(norm).into_iter().collect()
    } else if let Op::Pad(pad) = op {
        nan("value", pad.value).into_iter().collect()
    } else if let Op::Conv2d(conv) = op {
        activation_faults(&conv.prologue)
    } else if let Op::SqueezeExcite(squeeze) = op {
        activation_faults([squeeze.reduce, squeeze.expand].iter().flat_map(|small| &small.activation))
    } else {
        Vec::new()
    };
    let behind = |epilogue: &Epilogue| [epilogue.activation, epilogue.activation_after];
    let behind: Vec<Activation> = op.epilogue().map(behind).into_iter().flatten().flatten().collect();
    faults.extend(activation_faults(&behind));
    faults
}

/// A clamp may have no bound on a side; a line or a slope that is infinite makes NaN of zeros.
fn activation_faults<'a>(activations: impl IntoIterator<Item = &'a Activation>) -> Vec<Diagnostic> {
    let fault = |activation: &Activation| {
        let bounds = matches!(activation, Activation::Clip { .. });
        let attributes = activation.attributes().into_iter();
        attributes
            .filter_map(|(name, value)| if bounds { nan(name, value) } else { finite(name, value) })
            .collect::<Vec<_>>()
    };
    activations.into_iter().flat_map(fault).collect()
}

fn epsilon(norm: &BatchNorm) -> Option<Diagnostic> {
    let value = norm.epsilon;
    let negative =
        || Diagnostic::error(codes::BAD_ATTRIBUTE, format!("an epsilon of {value:?}; the least is 0"));
    finite("epsilon", value).or_else(|| (value.get() < 0.0).then(negative))
}

fn finite(name: &str, value: Scalar) -> Option<Diagnostic> {
    let message = || format!("the {name} is {value:?}, where it takes a finite number");
    (!value.is_finite()).then(|| Diagnostic::error(codes::BAD_ATTRIBUTE, message()))
}

fn nan(name: &str, value: Scalar) -> Option<Diagnostic> {
    let message = || format!("the {name} is NaN, where it takes a number");
    value.is_nan().then(|| Diagnostic::error(codes::BAD_ATTRIBUTE, message()))
}

/// The fault of a batch normalisation that divides by the root of nothing, or of less.
fn variances(graph: &Graph, node: &Node) -> Option<Diagnostic> {
    let Op::BatchNorm(norm) = &node.op else { return None };
    let epsilon = norm.epsilon.get();
    let name = node.weights.last()?;
    if epsilon.is_nan() || !matches!(graph.weights.get(name)?.data, Data::Values(_) | Data::Mapped(_)) {
        return None;
    }
    let values = graph.weights.values(name).ok()?;
    let wrong = || {
        let values = values.iter().copied().enumerate();
        values.filter(|&(_, value)| value.is_finite() && value + epsilon <= 0.0)
    };
    let (channel, value) = wrong().next()?;
    let (what, root) = match value < 0.0 {
        true => ("negative", "the root of a negative number is none"),
        false => ("0", "nothing can be divided by 0"),
    };
    let message = format!("the variance is {what} in {} of {} channels", wrong().count(), values.len());
    Some(
        Diagnostic::error(codes::VARIANCE, message)
            .note(format!("{name} is {value:?} in channel {channel}, with an epsilon of {epsilon:?}: {root}"))
            .help("take the statistics that training left behind; a variance is never below 0"),
    )
}
