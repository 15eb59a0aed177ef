//! The first step: for each subgraph that may be scheduled as a whole, the ways in which it can go through the caches, each
//! with what it is predicted to cost, and the choice among them.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::{Faults, NodeId};

use super::Policy;
use super::block;
use super::blueprint::Blueprint;
use super::network::Network;
use super::subgraph::{Candidate, PlaceSubgraph, Subgraph};
use super::ways::{TABLE, WHOLE, WINOGRAD};
use crate::plan::{Choice, Way};

/// What was chosen for the subgraphs of a network.
pub(super) struct Candidates {
    /// What places those subgraphs that don't go layer by layer, by their last layer.
    places: BTreeMap<NodeId, Box<dyn PlaceSubgraph>>,
    /// Layers of them that are placed with a later one.
    inner: BTreeSet<NodeId>,
    /// The last layer of the block that a layer is in.
    block_of: BTreeMap<NodeId, NodeId>,
    /// What was decided for each block, in order.
    pub(super) choices: Vec<Choice>,
}

impl Candidates {
    /// Finds the subgraphs of `net` and chooses a way for each: that which `policy` asks for where it is possible, layer by
    /// layer where it is not, the best by its cost where none is asked for.
    ///
    /// # Errors
    /// A window too large for the kernels' addressing (FR0010).
    pub(super) fn choose(net: &Network<'_>, policy: Policy) -> Result<Candidates, Faults> {
        let mut chosen = Candidates {
            places: BTreeMap::new(),
            inner: BTreeSet::new(),
            block_of: BTreeMap::new(),
            choices: Vec::new(),
        };
        for subgraph in subgraphs(net)? {
            let allowed = TABLE.iter().filter(|entry| policy.winograd || entry.way != WINOGRAD);
            let candidates = allowed.filter_map(|entry| (entry.candidate)(net, &subgraph)).collect();
            chosen.take(net, subgraph, candidates, policy.way);
        }
        Ok(chosen)
    }

    fn take(
        &mut self,
        net: &Network<'_>,
        subgraph: Subgraph<'_>,
        candidates: Vec<Candidate>,
        asked: Option<Way>,
    ) {
        let costs: Vec<(Way, [f64; 2])> = candidates.iter().map(|one| (one.way, one.cost)).collect();
        let (way, refused) = match asked {
            None => (best(&costs), None),
            Some(way) if costs.iter().any(|&(possible, _)| possible == way) => (way, None),
            Some(way) => (WHOLE, Some(way)),
        };
        let last = subgraph.last();
        if let Some(place) = candidates.into_iter().find(|one| one.way == way).and_then(|one| one.place) {
            self.inner.extend(subgraph.layers.iter().filter(|&&id| id != last));
            self.places.insert(last, place);
        }
        if subgraph.block.is_some() {
            self.block_of.extend(subgraph.layers.iter().map(|&id| (id, last)));
            let layers = subgraph.layers.iter().map(|&id| net.name(id).to_owned()).collect();
            self.choices.push(Choice { layers, way, refused, costs });
        }
    }

    /// Whether `id` is placed with a later layer.
    pub(super) fn is_inner(&self, id: NodeId) -> bool {
        self.inner.contains(&id)
    }

    /// What places the subgraph that ends with `id`, where it is more than that layer by itself.
    pub(super) fn place(&self, id: NodeId) -> Option<&dyn PlaceSubgraph> {
        self.places.get(&id).map(|place| &**place)
    }

    /// The last layer of the block that `id` is in; itself where it is in none.
    pub(super) fn block_of(&self, id: NodeId) -> NodeId {
        self.block_of.get(&id).copied().unwrap_or(id)
    }
}

/// The blocks of `net`, then the convolutions that are in none.
fn subgraphs<'a>(net: &Network<'a>) -> Result<Vec<Subgraph<'a>>, Faults> {
    let (mut subgraphs, mut taken) = (Vec::new(), BTreeSet::new());
    for block in block::find(net) {
        let blueprint = Blueprint::new(net, block);
        let blueprint = blueprint.map_err(|fault| fault.at(net.name(block.depthwise).to_owned()))?;
        taken.extend(block.layers());
        subgraphs.push(Subgraph { layers: block.layers(), block: Some(blueprint) });
    }
    let alone = net.graph.ids().filter(|id| net.convolution(*id).is_some() && !taken.contains(id));
    subgraphs.extend(alone.map(|id| Subgraph { layers: vec![id], block: None }));
    Ok(subgraphs)
}

/// The way with the least of the larger losses, with 1 and with 2 workers; the first of equals.
fn best(costs: &[(Way, [f64; 2])]) -> Way {
    let least = |index: usize| costs.iter().map(|(_, cost)| cost[index]).fold(f64::INFINITY, f64::min);
    let least = [least(0), least(1)];
    let loss = |cost: &[f64; 2]| (cost[0] / least[0]).max(cost[1] / least[1]);
    let best = costs.iter().min_by(|(_, a), (_, b)| loss(a).total_cmp(&loss(b)));
    best.map_or(WHOLE, |&(way, _)| way)
}

#[cfg(test)]
mod tests {
    use super::super::ways::{BANDS, GROUPS};
    use super::*;

    #[test]
    fn the_least_of_the_larger_losses_wins() {
        let costs = [(WHOLE, [1.0, 1.0]), (BANDS, [0.8, 0.9]), (GROUPS, [0.9, 0.6])];
        // Losses 1.67, 1.5 and 1.125.
        assert_eq!(best(&costs), GROUPS);
        assert_eq!(best(&costs[..2]), BANDS);
        assert_eq!(best(&[]), WHOLE);
    }
}
