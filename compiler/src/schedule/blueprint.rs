//! What the ways of a block are predicted to take.

use frit_ir::diagnostic::Diagnostic;

use super::block::Block;
use super::network::Network;
use super::predict::{Predictor, Workload};
use super::ring::Turns;
use super::windows;
use crate::kernels::window::Axis;
use crate::machine::Machine;

/// Output rows of a band, the preferred one first.
const HEIGHTS: [usize; 2] = [2, 1];

/// A block, as predictions see it.
pub(super) struct Blueprint<'a> {
    pub(super) block: Block,
    machine: &'a Machine,
    /// The convolution before, where the block has one.
    expand: Option<Workload>,
    /// The depthwise convolution.
    depthwise: Workload,
    /// The pointwise convolution behind it, where the block has one.
    project: Option<Workload>,
    /// The vertical axis of the depthwise convolution's window.
    rows: Axis,
}

impl<'a> Blueprint<'a> {
    /// What is known of `block`.
    ///
    /// # Errors
    /// A window too large for the kernels' addressing (FR0010).
    pub(super) fn new(net: &Network<'a>, block: Block) -> Result<Blueprint<'a>, Diagnostic> {
        let conv = net.convolution(block.depthwise).expect("a block is made of convolutions");
        let [rows, _] = windows::axes(net, block.depthwise, conv.window())?;
        let layer = |id| net.layer(id);
        let (expand, project) = (block.expand.map(layer), block.project.map(layer));
        Ok(Blueprint {
            block,
            machine: net.machine,
            expand,
            depthwise: layer(block.depthwise),
            project,
            rows,
        })
    }

    /// Output rows of a band: the most whose memory stays near.
    pub(super) fn height(&self) -> usize {
        let predictor = Predictor { machine: self.machine, workers: 1 };
        let fits = |height: &usize| self.scratch(*height) <= predictor.machine.near();
        HEIGHTS.into_iter().find(fits).unwrap_or(1)
    }

    fn turns(&self, height: usize) -> Turns {
        Turns::new(self.rows, height, self.expand.is_some())
    }

    /// Bytes of a band's scratch memory.
    fn scratch(&self, height: usize) -> usize {
        let per_row = |layer: &Workload| layer.bytes / layer.rows;
        let ring = self.expand.as_ref().map_or(0, |expand| per_row(expand) * self.turns(height).ring.rows);
        ring + if self.project.is_some() { per_row(&self.depthwise) * height } else { 0 }
    }

    /// Layer by layer.
    pub(super) fn whole(&self, predictor: &Predictor<'_>) -> f64 {
        let expand = self.expand.as_ref().map_or(0.0, |layer| predictor.alone(layer) + predictor.barrier());
        expand + predictor.alone(&self.depthwise) + self.behind(predictor)
    }

    /// The projection as a step of its own.
    pub(super) fn behind(&self, predictor: &Predictor<'_>) -> f64 {
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

    /// All layers, band by band.
    pub(super) fn bands(&self, predictor: &Predictor<'_>) -> f64 {
        let height = self.height();
        let turns = self.turns(height);
        let bands = self.depthwise.rows.div_ceil(height);
        let layers: Vec<&Workload> =
            self.expand.iter().chain([&self.depthwise]).chain(&self.project).collect();
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
