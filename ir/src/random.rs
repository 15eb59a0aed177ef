//! Random legal graphs for property tests: connected, every op, weights from a seed.
//!
//! A graph grows from a list of bytes, so that a failing one shrinks to fewer and simpler layers. Any bytes make a legal graph:
//! a layer that would not be one is left out.

mod arrangements;
mod blocks;
mod choices;
mod growing;
mod layers;
mod motifs;

use proptest::prelude::*;

use crate::Graph;
pub use blocks::{BlockSizes, blocks};
use choices::Choices;
use growing::Growing;
pub use motifs::{Composed, Drawn, Motif, Off, composed};

/// Graphs as a front end makes them: layers carry a bias at most. One input, one or more outputs, up to 12 layers, all small.
pub fn graphs() -> impl Strategy<Value = Graph> {
    grown(false)
}

/// Graphs as rewriting makes them: layers also carry activations and residuals.
pub fn fused_graphs() -> impl Strategy<Value = Graph> {
    grown(true)
}

fn grown(fused: bool) -> impl Strategy<Value = Graph> {
    let layer = prop::collection::vec(any::<u8>(), 24);
    (prop::array::uniform3(any::<u8>()), any::<u8>(), prop::collection::vec(layer, 1..12)).prop_map(
        move |(input, seed, layers)| {
            let mut growing = Growing::new(input, u64::from(seed), fused);
            layers.iter().for_each(|bytes| growing.grow(&mut Choices(bytes.iter())));
            growing.finish()
        },
    )
}

#[cfg(test)]
mod tests;
