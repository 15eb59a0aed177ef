//! Layers that change no output.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure, counted};

/// What no output needs, and what ends at weights that are all 0.
pub(super) fn layers(network: &Network<'_>) -> Vec<Found> {
    let mut found: Vec<Found> = unread(network).into_iter().collect();
    let (mut zeros, mut dead) = (BTreeMap::new(), BTreeSet::new());
    // From the end on, so that what leads to zeros alone is told once.
    for &id in network.order.iter().rev() {
        if !dead.contains(&id) && scales_by_zero(network, id, &mut zeros) {
            let leading = leading_only_to(network, id);
            dead.extend(leading.iter().copied());
            found.push(without_effect(network, id, &leading));
        }
    }
    found
}

fn unread(network: &Network<'_>) -> Option<Found> {
    let needed = network.graph.needed();
    let counts = |id: &&NodeId| !needed.contains(id) && !matches!(network.op(**id), Op::Constant(_));
    let dead: Vec<NodeId> = network.order.iter().filter(counts).copied().collect();
    let last = dead.iter().copied().find(|&id| network.graph.users(id).is_empty())?;
    let (macs, parameters) = cost(network, &dead);
    Some(Found {
        message: format!("{} no effect on any output", have(dead.len())),
        layers: dead.iter().map(|&id| ("without effect", id)).collect(),
        why: format!(
            "no output reads {} or what leads there alone: {macs} multiply-accumulates and {parameters} parameters \
             that frit leaves out",
            network.name(last)
        ),
        what: "name it as an output, read it, or take the layers out".to_owned(),
        sure: Sure::Certain,
    })
}

fn have(count: usize) -> String {
    format!("{} {}", counted(count, "layer"), if count == 1 { "has" } else { "have" })
}

fn cost(network: &Network<'_>, layers: &[NodeId]) -> (u64, u64) {
    layers.iter().fold((0u64, 0u64), |(macs, parameters), &id| {
        (macs.saturating_add(network.macs(id)), parameters.saturating_add(network.parameters(id)))
    })
}

/// Whether it multiplies by 0 alone; `known` are the weights of which that is known, by name.
fn scales_by_zero<'a>(network: &Network<'a>, id: NodeId, known: &mut BTreeMap<&'a str, bool>) -> bool {
    let op = network.op(id);
    let scales = matches!(op, Op::BatchNorm(norm) if norm.scale)
        || matches!(op, Op::Conv2d(_) | Op::Conv2dTranspose(_) | Op::Dense(_));
    let Some(name) = network.graph.node(id).weights.first().filter(|_| scales) else { return false };
    *known.entry(name).or_insert_with(|| network.is_zero(id, 0))
}

/// A layer whose result is the same for every picture, and what only leads there.
fn without_effect(network: &Network<'_>, id: NodeId, dead: &[NodeId]) -> Found {
    let weight = if matches!(network.op(id), Op::BatchNorm(_)) { "gamma" } else { "kernel" };
    let (macs, parameters) = cost(network, dead);
    Found {
        layers: [("zero", id)].into_iter().chain(dead.iter().map(|&id| ("without effect", id))).collect(),
        message: format!("the {weight} is 0 everywhere: what comes in has no effect"),
        why: format!(
            "its result is the same for every picture, so that {} before it ({macs} multiply-accumulates, \
             {parameters} parameters) {} nothing",
            counted(dead.len(), "layer"),
            if dead.len() == 1 { "does" } else { "do" }
        ),
        what: "take it out with what leads there, or train it: weights may begin at 0, as a residual's last \
               gamma"
            .to_owned(),
        sure: Sure::Certain,
    }
}

/// The layers that only `id` reads, through others or at once, in the order of the data.
fn leading_only_to(network: &Network<'_>, id: NodeId) -> Vec<NodeId> {
    let mut dead = BTreeSet::from([id]);
    let mut waiting = network.graph.operands(id);
    while let Some(at) = waiting.pop() {
        let is_output = network.graph.outputs().contains(&at);
        let is_input = matches!(network.op(at), Op::Input(_));
        let alone = network.graph.users(at).iter().all(|user| dead.contains(user));
        if alone && !is_output && !is_input && dead.insert(at) {
            waiting.extend(network.graph.operands(at));
        }
    }
    dead.remove(&id);
    dead.into_iter().collect()
}
