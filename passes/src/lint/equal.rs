//! Weights that stand in the network twice.

use std::collections::BTreeMap;

use frit_ir::weights::Data;
use frit_ir::{NodeId, Op, Shape};

use super::network::Network;
use super::{Found, Sure, counted};

/// Layers with equal kernels under different names. Drawn weights are never equal, and one name is one weight on purpose.
pub(super) fn weights(network: &Network<'_>) -> Vec<Found> {
    let mut named: BTreeMap<&str, NodeId> = BTreeMap::new();
    for &id in &network.order {
        if let (Op::Conv2d(_) | Op::Conv2dTranspose(_) | Op::Dense(_), Some(name)) =
            (network.op(id), network.graph.node(id).weights.first())
        {
            named.entry(name).or_insert(id);
        }
    }
    let mut alike: BTreeMap<(&Shape, u64), Vec<NodeId>> = BTreeMap::new();
    for (name, id) in named {
        let given = network.graph.weights.get(name).filter(|kernel| !matches!(kernel.data, Data::Seeded(_)));
        if let Some(kernel) = given.filter(|_| !network.is_zero(id, 0)) {
            alike.entry((&kernel.shape, kernel.digest())).or_default().push(id);
        }
    }
    alike.into_values().filter_map(|layers| found(network, layers)).collect()
}

fn found(network: &Network<'_>, mut layers: Vec<NodeId>) -> Option<Found> {
    layers.sort_unstable();
    let [first, second, ..] = layers[..] else { return None };
    if network.trained(first, 0) != network.trained(second, 0) {
        return None;
    }
    let numbers = network.graph.weights.get(&network.graph.node(first).weights[0])?.shape.elements()?;
    let same_work =
        network.op(first) == network.op(second) && network.operands(first) == network.operands(second);
    let [a, b] = [first, second].map(|id| network.name(id));
    Some(Found {
        layers: layers.iter().map(|&id| ("equal", id)).collect(),
        message: format!("{} equal kernels", have(layers.len())),
        why: match same_work {
            true => format!(
                "{a} and {b} read the same and multiply it by the same {numbers} numbers: what differs \
                             is at most their biases"
            ),
            false => format!(
                "the {numbers} numbers of {a} are those of {b} too, which training does not bring about"
            ),
        },
        what: match same_work {
            true => format!("let what reads {b} read {a}"),
            false => {
                "if they are meant to be shared, all is well (an artifact holds them once); else one of them \
                      got the other's weights when the file was written"
                    .to_owned()
            }
        },
        sure: if same_work { Sure::Likely } else { Sure::Possible },
    })
}

fn have(count: usize) -> String {
    format!("{} have", counted(count, "layer"))
}
