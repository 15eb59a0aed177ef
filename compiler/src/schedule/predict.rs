//! How long steps take, by arithmetic on the machine's description.
//!
//! A layer takes the time of its multiply-adds, at a share of the peak by its kind, and the time of the bytes that pass
//! between the near caches and what lies beyond them. A tensor counts with what is left of it when half a second-level
//! cache, that of each worker, is filled. What is written counts twice: a line is fetched before it is written, and
//! written back.

use frit_ir::{Graph, NodeId, Op, Shape};

use super::tiles;
use crate::kernels::{F32, depthwise};
use crate::machine::Machine;

/// The kind of a layer, for its share of the peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WorkKind {
    /// A convolution over all channels, or a fully connected layer.
    Dense,
    /// A depthwise convolution at stride 1.
    Depthwise,
    /// A depthwise convolution that skips pixels: bound by its input.
    StridedDepthwise,
    /// Anything else passes over memory.
    Pass,
}

impl WorkKind {
    fn share_of_peak(self) -> f64 {
        match self {
            WorkKind::Dense | WorkKind::Pass => 0.9,
            WorkKind::Depthwise => 0.7,
            WorkKind::StridedDepthwise => 0.45,
        }
    }
}

/// A layer, as predictions see it.
#[derive(Debug, Clone)]
pub(super) struct Workload {
    /// Multiply-accumulates.
    pub(super) macs: u64,
    kind: WorkKind,
    /// Rows of its output.
    pub(super) rows: usize,
    /// Blocks of output channels.
    pub(super) blocks: usize,
    /// Blocks that are computed side by side; the input is read once for each such panel, where it has a window.
    pub(super) panel: usize,
    /// Whether parts of the input go through all panels one after the other.
    is_pointwise: bool,
    /// Parts that it is shared out in when it is a step of its own.
    items: usize,
    pub(super) input_bytes: usize,
    /// Of a residual, a gate and whatever else is read once.
    beside_bytes: usize,
    pub(super) bytes: usize,
    pub(super) weight_bytes: usize,
}

impl Workload {
    /// What is known of node `id`, with `shape` for each node.
    pub(super) fn new(
        machine: &Machine,
        graph: &Graph,
        shape: impl Fn(NodeId) -> Shape,
        id: NodeId,
    ) -> Workload {
        let width = machine.width();
        let output = shape(id);
        let inputs: Vec<Shape> = graph.operands(id).into_iter().map(&shape).collect();
        // Inference refuses tensors whose elements can't be counted.
        let pixels_of = |shape: &Shape| shape.elements().unwrap_or(0) / shape.channels().max(1);
        let padded = |shape: &Shape| pixels_of(shape) * shape.channels().next_multiple_of(width.lanes);
        let pixels = pixels_of(&output);
        let blocks = output.channels().div_ceil(width.lanes);
        let op = &graph.node(id).op;
        let inputs_per_group = |groups: usize| inputs[0].channels() / groups;
        // What multiplies by weights of its own has a share of the peak; anything else passes over memory.
        let (kind, taps, channels) = if let Op::Conv2d(conv) = op {
            let kind = match (depthwise::computes(conv, inputs[0].channels()), conv.stride) {
                (false, _) => WorkKind::Dense,
                (true, [1, 1]) => WorkKind::Depthwise,
                (true, _) => WorkKind::StridedDepthwise,
            };
            (kind, conv.kernel[0] * conv.kernel[1], inputs_per_group(conv.groups))
        } else if let Op::Conv2dTranspose(conv) = op {
            (WorkKind::Dense, conv.kernel[0] * conv.kernel[1], inputs_per_group(conv.groups))
        } else if let Op::Dense(_) = op {
            (WorkKind::Dense, 1, inputs_per_group(1))
        } else {
            (WorkKind::Pass, 0, 0)
        };
        let is_pointwise = kind == WorkKind::Dense
            && taps == 1
            && matches!(op, Op::Conv2d(conv) if conv.stride == [1, 1] && conv.groups == 1);
        let row = if is_pointwise { pixels } else { output.map().map_or(1, |[_, columns, _]| columns) };
        let sums = tiles::Sums { pixels, row: row.max(1), vectors: blocks, taps, channels };
        let (panel, items) = match kind {
            WorkKind::Dense => (tiles::panel(width, sums), tiles::items(width, sums)),
            _ => (blocks, blocks),
        };
        let (first, beside) = inputs.split_at(inputs.len().min(1));
        let bytes = |shapes: &[Shape]| F32 * shapes.iter().map(padded).sum::<usize>();
        Workload {
            macs: op.macs(&inputs, &output),
            kind,
            rows: output.map().map_or(1, |[rows, ..]| rows),
            blocks,
            panel,
            items,
            is_pointwise,
            input_bytes: bytes(first),
            beside_bytes: bytes(beside),
            bytes: F32 * padded(&output),
            weight_bytes: F32 * (taps * channels + 1) * output.channels().next_multiple_of(width.lanes),
        }
    }
}

impl Workload {
    /// What the layer reads but weights.
    pub(super) fn read_bytes(&self) -> usize {
        self.input_bytes + self.beside_bytes
    }
}

/// What predictions are made for; all of them are in milliseconds.
#[derive(Clone, Copy)]
pub(super) struct Predictor<'a> {
    pub(super) machine: &'a Machine,
    pub(super) workers: usize,
}

/// Milliseconds of a call of a kernel.
const CALL: f64 = 3e-5;

impl Predictor<'_> {
    /// A layer that is a step of its own. Its weights come from far while it computes.
    pub(super) fn alone(&self, layer: &Workload) -> f64 {
        let weights = 1e-6 * (layer.weight_bytes / self.workers) as f64 / self.machine.rates.far_gb_per_s;
        self.compute(layer, layer.items).max(weights)
            + self.reads(layer)
            + 2.0 * self.far(layer.bytes / self.workers)
    }

    /// The multiply-adds of a layer in `items` parts that are shared out.
    pub(super) fn compute(&self, layer: &Workload, items: usize) -> f64 {
        let peak = self.machine.gflops() * layer.kind.share_of_peak();
        2e-6 * layer.macs as f64 / peak * items.div_ceil(self.workers) as f64 / items.max(1) as f64
    }

    /// What the layer reads, where it does not stay near: its input once, or once for each panel, the rest once.
    pub(super) fn reads(&self, layer: &Workload) -> f64 {
        let panels = layer.blocks.div_ceil(layer.panel.max(1));
        let times = if layer.is_pointwise && panels >= tiles::MANY_PANELS { 1 } else { panels };
        times as f64 * self.far(layer.input_bytes / self.workers)
            + self.far(layer.beside_bytes / self.workers)
    }

    /// `bytes` of a worker that pass between the near caches and what lies beyond, as far as they don't stay near.
    pub(super) fn far(&self, bytes: usize) -> f64 {
        1e-6 * bytes.saturating_sub(self.machine.near()) as f64 / self.machine.rates.far_gb_per_s
    }

    /// `weights` once more for each but the first of a worker's `bands`, beside `scratch` bytes.
    pub(super) fn again(&self, weights: usize, scratch: usize, bands: usize) -> f64 {
        let fits = scratch + weights <= self.machine.caches.l2 * 3 / 4;
        let rates = &self.machine.rates;
        let rate = if fits { rates.near_gb_per_s } else { rates.far_gb_per_s };
        1e-6 * (weights * self.share(bands).saturating_sub(1)) as f64 / rate
    }

    /// What the worker with most of `items` has of them.
    pub(super) fn share(&self, items: usize) -> usize {
        items.div_ceil(self.workers)
    }

    /// `calls` calls by one worker.
    pub(super) fn calls(&self, calls: usize) -> f64 {
        CALL * calls as f64
    }

    /// A barrier.
    pub(super) fn barrier(&self) -> f64 {
        if self.workers > 1 { 1e-3 * self.machine.rates.barrier_us } else { 0.0 }
    }
}
