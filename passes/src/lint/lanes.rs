//! Channels that don't fill the vectors of the machine.

use frit_ir::NodeId;

use super::network::Network;
use super::{Found, Sure, counted, percent};

/// A layer counts where this share of its lanes is idle, in percent,
const OF_A_LAYER: u64 = 25;
/// and what it idles is at least this share of the network's time, in percent.
const OF_THE_NETWORK: u64 = 2;
/// All of them together must waste so much of it, in percent,
const TOGETHER: u64 = 10;
/// and so many multiply-accumulates: what runs in microseconds is not worth a change.
const LEAST: u64 = 1_000_000;

/// A convolution and what its vectors compute.
struct Work {
    id: NodeId,
    filters: usize,
    macs: u64,
    /// Multiply-accumulates with those of idle lanes.
    slots: u64,
}

impl Work {
    fn idle(&self) -> u64 {
        self.slots - self.macs
    }
}

/// Convolutions that leave a considerable part of the machine idle. Vectors lie along the channels; the last one of a
/// pixel is as long to compute as the others.
pub(super) fn idle(network: &Network<'_>) -> Vec<Found> {
    let works: Vec<Work> = network.order.iter().filter_map(|&id| work(network, id)).collect();
    let total = works.iter().fold(0u64, |sum, work| sum.saturating_add(work.slots));
    let share = |part: u64, whole: u64, percent: u64| {
        u128::from(part) * 100 >= u128::from(whole) * u128::from(percent) && part > 0
    };
    let counts = |work: &&Work| {
        share(work.idle(), work.slots, OF_A_LAYER) && share(work.idle(), total, OF_THE_NETWORK)
    };
    let mut wasteful: Vec<&Work> = works.iter().filter(counts).collect();
    let idle = wasteful.iter().fold(0u64, |sum, work| sum.saturating_add(work.idle()));
    if idle < LEAST || !share(idle, total, TOGETHER) {
        return Vec::new();
    }
    wasteful.sort_by_key(|work| std::cmp::Reverse(work.idle()));
    let worst = wasteful[0];
    let (lanes, filters) = (network.lanes, worst.filters);
    let filled = filters.next_multiple_of(lanes);
    let of_a_filter = |all: u64| all / filters.max(1) as u64 * (filled - filters) as u64;
    let (macs, parameters) = (of_a_filter(worst.macs), of_a_filter(network.parameters(worst.id)));
    vec![Found {
        message: format!(
            "{} {} lanes idle: channels are no multiple of {lanes}",
            counted(wasteful.len(), "convolution"),
            if wasteful.len() == 1 { "leaves" } else { "leave" }
        ),
        layers: wasteful.iter().map(|work| ("idle", work.id)).collect(),
        why: format!(
            "together {} of what the network's vectors compute is thrown away; the most by {}: {filters} channels in \
             vectors of {lanes} leave {} of the lanes idle",
            percent(idle, total),
            network.name(worst.id),
            percent(worst.idle(), worst.slots)
        ),
        what: format!(
            "{filled} channels instead of {filters} cost {macs} multiply-accumulates and {parameters} parameters \
             more there and no time, but for what reads them{}",
            match filters - filters % lanes {
                0 => String::new(),
                fewer => format!("; {fewer} would save a vector a pixel"),
            }
        ),
        sure: Sure::Certain,
    }]
}

/// The work of a convolution whose channels lie in vectors of their own: a plain or a depthwise one.
fn work(network: &Network<'_>, id: NodeId) -> Option<Work> {
    let (conv, _) = network.convolution(id)?;
    if conv.groups != 1 && network.multiplier(id).is_none() {
        return None;
    }
    let (filters, macs) = (conv.filters, network.macs(id));
    let filled = filters.checked_next_multiple_of(network.lanes)?;
    let slots = macs / filters.max(1) as u64 * filled as u64;
    Some(Work { id, filters, macs: macs.min(slots), slots })
}
