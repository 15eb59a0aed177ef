//! Blocks that end with the shape that they began with, and don't add the one to the other (Sandler et al., 2018).

use frit_ir::ops::Binary;
use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure, counted};
use crate::repair::insert::{self, MissingResidual};

/// Inverted bottlenecks without the residual that they could have.
pub(super) fn missing(network: &Network<'_>) -> Vec<Found> {
    let blocks = insert::blocks(network.graph, &network.shapes);
    let Some(first) = blocks.first() else { return Vec::new() };
    let others = network.order.iter().filter(|&&id| is_residual(network, id)).count();
    // The first block of MnasNet, which expands nothing, has none either.
    let expands = blocks.iter().any(|block| network.multiplier(block.first).is_none());
    let ends = |block: &MissingResidual| [("last", block.last), ("first", block.first)];
    let elsewhere = match others {
        0 => "no block of the network has one, so that gradients pass through all of them".to_owned(),
        1 => "1 other block of this network has one".to_owned(),
        _ => format!("{others} other blocks of this network have one"),
    };
    let none = if blocks.len() == 1 { "has none" } else { "have none" };
    vec![Found {
        layers: blocks.iter().flat_map(ends).collect(),
        message: format!("{} could have a residual and {none}", counted(blocks.len(), "block")),
        why: format!(
            "stride is 1 and {} is the shape of the first one's input as of its output; {elsewhere}",
            first.shape
        ),
        what:
            "if that is an oversight: --residual insert --fix -o FILE adds them; a network that was trained \
               without them must be trained again"
                .to_owned(),
        sure: if others > 0 && expands { Sure::Likely } else { Sure::Possible },
    }]
}

/// Whether it adds two maps of one shape.
fn is_residual(network: &Network<'_>, id: NodeId) -> bool {
    let [a, b] = network.operands(id)[..] else { return false };
    let is_sum = matches!(network.op(id), Op::Binary(Binary::Add));
    is_sum && network.map(a).is_some() && network.map(a) == network.map(b)
}
