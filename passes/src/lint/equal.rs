//! Weights that stand in the network twice.

use std::collections::BTreeMap;

use frit_ir::weights::{Data, Weight};
use frit_ir::{NodeId, Op, Shape};

use super::network::Network;
use super::{Found, Sure, counted};

/// Layers with equal kernels under different names. Drawn weights are never equal, and one name is one weight on purpose.
pub(super) fn weights(network: &Network<'_>) -> Vec<Found> {
    let mut alike: BTreeMap<(Shape, u64), Vec<(NodeId, &str)>> = BTreeMap::new();
    for &id in &network.order {
        if let Some((name, kernel)) = kernel(network, id) {
            let layers = alike.entry((kernel.shape.clone(), kernel.digest())).or_default();
            if layers.iter().all(|&(_, other)| other != name) {
                layers.push((id, name));
            }
        }
    }
    alike.into_values().filter_map(|layers| found(network, &layers)).collect()
}

/// The kernel of a layer, unless it is drawn or 0 everywhere.
fn kernel<'a>(network: &Network<'a>, id: NodeId) -> Option<(&'a str, &'a Weight)> {
    let (Op::Conv2d(_) | Op::Conv2dTranspose(_) | Op::Dense(_)) = network.op(id) else { return None };
    let name = network.graph.node(id).weights.first()?;
    let weight = network.graph.weights.get(name)?;
    let is_drawn = matches!(weight.data, Data::Seeded(_));
    let is_zero = || network.trained(id, 0).is_some_and(|values| values.iter().all(|&value| value == 0.0));
    (!is_drawn && !is_zero()).then_some((name, weight))
}

fn found(network: &Network<'_>, layers: &[(NodeId, &str)]) -> Option<Found> {
    let [(first, _), (second, _), ..] = *layers else { return None };
    let [first_values, second_values] = [first, second].map(|id| network.trained(id, 0));
    if first_values != second_values {
        return None;
    }
    let weight = &network.graph.node(first).weights[0];
    let numbers = network.graph.weights.get(weight)?.shape.elements()?;
    let same_work =
        network.op(first) == network.op(second) && network.operands(first) == network.operands(second);
    let [a, b] = [first, second].map(|id| network.name(id));
    Some(Found {
        layers: layers.iter().map(|&(id, _)| ("equal", id)).collect(),
        message: format!("{} equal kernels", have(layers.len())),
        why: match same_work {
            true => format!("{a} and {b} read the same and multiply it by the same {numbers} numbers: what differs is at most their biases"),
            false => format!("the {numbers} numbers of {a} are those of {b} too, which training does not bring about"),
        },
        what: match same_work {
            true => format!("let what reads {b} read {a}"),
            false => "if they are meant to be shared, all is well (an artifact holds them once); else one of them got the other's weights when the file was written".to_owned(),
        },
        sure: if same_work { Sure::Likely } else { Sure::Possible },
    })
}

fn have(count: usize) -> String {
    format!("{} have", counted(count, "layer"))
}
