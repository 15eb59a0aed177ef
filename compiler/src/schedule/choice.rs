//! Which way a block takes: the one whose larger loss, with 1 and with 2 workers, is least.

use super::predict::{Layer, Predictor};
use super::ring::Turns;
use crate::kernels::window::Axis;
use crate::machine::Machine;
use crate::plan::Way;

/// Numbers of workers that a choice is made for: the same schedule serves all, so that results are the same bits.
pub(super) const WORKERS: [usize; 2] = [1, 2];

/// Output rows of a band, the preferred one first.
const HEIGHTS: [usize; 2] = [2, 1];

/// A block, as predictions see it.
pub(super) struct Blueprint<'a> {
    pub(super) machine: &'a Machine,
    /// The convolution before, where the block has one.
    pub(super) expand: Option<Layer>,
    /// The depthwise convolution.
    pub(super) depthwise: Layer,
    /// The pointwise convolution behind it, where the block has one.
    pub(super) project: Option<Layer>,
    /// The vertical axis of the depthwise convolution's window.
    pub(super) rows: Axis,
}

impl Blueprint<'_> {
    /// Output rows of a band: the most whose memory stays near.
    pub(super) fn height(&self) -> usize {
        let predictor = Predictor { machine: self.machine, workers: 1 };
        let fits = |height: &usize| self.scratch(*height) <= predictor.near();
        HEIGHTS.into_iter().find(fits).unwrap_or(1)
    }

    fn turns(&self, height: usize) -> Turns {
        Turns::new(self.rows, height, self.expand.is_some())
    }

    /// Bytes of a band's scratch memory.
    fn scratch(&self, height: usize) -> usize {
        let per_row = |layer: &Layer| layer.bytes / layer.rows;
        let ring = self.expand.as_ref().map_or(0, |expand| per_row(expand) * self.turns(height).ring.rows);
        ring + if self.project.is_some() { per_row(&self.depthwise) * height } else { 0 }
    }

    /// The ways that the block can take, each with its predicted milliseconds with 1 and with 2 workers.
    pub(super) fn costs(&self) -> Vec<(Way, [f64; 2])> {
        let ways = Way::ALL.into_iter().filter(|&way| way != Way::Groups || self.expand.is_some());
        ways.map(|way| (way, WORKERS.map(|workers| self.cost(way, workers)))).collect()
    }

    fn cost(&self, way: Way, workers: usize) -> f64 {
        let predictor = Predictor { machine: self.machine, workers };
        match way {
            Way::Whole => self.whole(&predictor),
            Way::Groups => self.pairs(&predictor) + self.behind(&predictor),
            Way::Bands => self.bands(&predictor),
        }
    }

    fn whole(&self, predictor: &Predictor<'_>) -> f64 {
        let expand = self.expand.as_ref().map_or(0.0, |layer| predictor.alone(layer) + predictor.barrier());
        expand + predictor.alone(&self.depthwise) + self.behind(predictor)
    }

    /// The projection as a step of its own.
    fn behind(&self, predictor: &Predictor<'_>) -> f64 {
        self.project.as_ref().map_or(0.0, |layer| predictor.barrier() + predictor.alone(layer))
    }

    /// Expansion and depthwise convolution, panel by panel.
    pub(super) fn pairs(&self, predictor: &Predictor<'_>) -> f64 {
        let Some(expand) = &self.expand else { return predictor.alone(&self.depthwise) };
        let panels = expand.blocks.div_ceil(expand.panel);
        let between = 3.0 * predictor.far(expand.bytes / expand.blocks * expand.panel);
        // A panel reads the whole input, however many workers there are.
        let alone = Predictor { workers: 1, ..*predictor };
        predictor.compute(expand, panels)
            + predictor.compute(&self.depthwise, panels)
            + predictor.share(panels) as f64 * (between + alone.reads(expand) / panels as f64)
            + 2.0 * predictor.far(self.depthwise.bytes / predictor.workers)
    }

    pub(super) fn bands(&self, predictor: &Predictor<'_>) -> f64 {
        let height = self.height();
        let turns = self.turns(height);
        let bands = self.depthwise.rows.div_ceil(height);
        let layers: Vec<&Layer> = self.expand.iter().chain([&self.depthwise]).chain(&self.project).collect();
        let compute: f64 = layers.iter().map(|layer| predictor.compute(layer, turns.count())).sum();
        let weights = layers.iter().map(|layer| layer.weight_bytes).sum();
        let scratch = self.scratch(height);
        let own = predictor.share(bands);
        compute
            + self.halo(predictor, &turns)
            + predictor.again(weights, scratch, bands)
            + own as f64 * 3.0 * predictor.far(scratch)
            + predictor.calls(2 * own)
            + predictor.far(layers[0].input_bytes / predictor.workers)
            + 2.0 * predictor.far(layers[layers.len() - 1].bytes / predictor.workers)
    }

    /// What each worker but the first expands before its first band.
    fn halo(&self, predictor: &Predictor<'_>, turns: &Turns) -> f64 {
        let Some(expand) = self.expand.as_ref().filter(|_| predictor.workers > 1) else { return 0.0 };
        let alone = Predictor { workers: 1, ..*predictor };
        let rows = turns.halo(turns.count() / 2).len();
        alone.compute(expand, 1) * rows as f64 / expand.rows as f64
    }
}

/// The way with the least of the larger losses; the first of equals.
pub(super) fn choose(costs: &[(Way, [f64; 2])]) -> Way {
    let least = |index: usize| costs.iter().map(|(_, cost)| cost[index]).fold(f64::INFINITY, f64::min);
    let least = [least(0), least(1)];
    let loss = |cost: &[f64; 2]| (cost[0] / least[0]).max(cost[1] / least[1]);
    let best = costs.iter().min_by(|(_, a), (_, b)| loss(a).total_cmp(&loss(b)));
    best.map_or(Way::Whole, |&(way, _)| way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_of_the_larger_losses_wins() {
        let costs = [(Way::Whole, [1.0, 1.0]), (Way::Bands, [0.8, 0.9]), (Way::Groups, [0.9, 0.6])];
        // Losses 1.67, 1.5 and 1.125.
        assert_eq!(choose(&costs), Way::Groups);
        assert_eq!(choose(&costs[..2]), Way::Bands);
        assert_eq!(choose(&[]), Way::Whole);
    }
}
