//! A width multiplier (Howard et al., MobileNets, 2017) that went into the depthwise convolutions.

use frit_ir::NodeId;

use super::network::Network;
use super::{Found, Sure};

/// The same depth multiplier on every depthwise convolution.
pub(super) fn everywhere(network: &Network<'_>) -> Vec<Found> {
    let depthwise: Vec<(NodeId, usize)> =
        network.order.iter().filter_map(|&id| Some((id, network.multiplier(id)?))).collect();
    let [(first, multiplier), _, ..] = depthwise[..] else { return Vec::new() };
    if multiplier < 2 || depthwise.iter().any(|&(_, other)| other != multiplier) {
        return Vec::new();
    }
    let count = depthwise.len();
    let made = network.channels(first).unwrap_or_default();
    let macs = depthwise.iter().fold(0u64, |sum, &(id, _)| sum.saturating_add(network.macs(id)));
    let once = macs / multiplier as u64;
    vec![Found {
        layers: depthwise.iter().map(|&(id, _)| ("depthwise", id)).collect(),
        message: format!("all {count} depthwise convolutions have a depth multiplier of {multiplier}"),
        why: format!(
            "each makes {multiplier} channels of one ({made} of {} the first), {macs} multiply-accumulates instead \
             of {once}, and the layers between them are as narrow as before; a width multiplier widens those",
            made / multiplier
        ),
        what: format!(
            "multiply the filters of the other convolutions by {multiplier} and give depthwise ones a multiplier of \
             1; in Keras that is alpha, not depth_multiplier"
        ),
        sure: Sure::Likely,
    }]
}
