//! Layer by layer: a stage or more a layer, each tensor written to the arena and read back.

use crate::plan::Way;
use crate::schedule::network::Network;
use crate::schedule::subgraph::{Candidate, Subgraph};

/// Layer by layer.
pub const WHOLE: Way = Way { name: "whole", about: "Layer by layer" };

pub(super) fn candidate(net: &Network<'_>, subgraph: &Subgraph<'_>) -> Option<Candidate> {
    let cost = match &subgraph.block {
        Some(blueprint) => net.predicted(|predictor| blueprint.whole(predictor)),
        None => {
            let layers: Vec<_> = subgraph.layers.iter().map(|&id| net.layer(id)).collect();
            net.predicted(|predictor| layers.iter().map(|layer| predictor.alone(layer)).sum())
        }
    };
    Some(Candidate { way: WHOLE, cost, place: None })
}
