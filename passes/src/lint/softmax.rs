//! Probabilities that are taken for logits.

use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure};

/// A softmax of what a softmax made: a loss that takes logits, and a model that ends in one.
pub(super) fn twice(network: &Network<'_>) -> Vec<Found> {
    network.order.iter().filter_map(|&id| second(network, id)).collect()
}

fn second(network: &Network<'_>, id: NodeId) -> Option<Found> {
    let Op::Softmax(_) = network.op(id) else { return None };
    let first = network.back(network.operand(id)?, |at| {
        if matches!(network.op(at), Op::Identity | Op::Reshape(_) | Op::Transpose(_)) {
            network.operand(at)
        } else {
            None
        }
    });
    // The softmax of logarithms of probabilities is these probabilities.
    let Op::Softmax(inner) = network.op(first) else { return None };
    let classes = network.channels(id).filter(|&classes| !inner.log && classes > 1)?;
    let most = std::f64::consts::E / (std::f64::consts::E + (classes - 1) as f64);
    let (first_name, name) = (network.name(first), network.name(id));
    Some(Found {
        layers: vec![("second", id), ("first", first)],
        message: "a softmax of a softmax".to_owned(),
        why: format!(
            "of {classes} numbers between 0 and 1 the second makes a probability of {:.2} % at most, however sure \
             the first is; the order of the classes stays",
            100.0 * most
        ),
        what: format!("take out {name}, or {first_name} where a loss with logits was meant"),
        sure: Sure::Certain,
    })
}
