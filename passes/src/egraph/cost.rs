//! What an e-node costs: a roofline over the layer and the shapes around it, in picoseconds, so that sums are
//! exact.

use frit_ir::{Op, Shape};
use smallvec::SmallVec;

use super::analysis::EGraph;
use super::language::{ENode, Operator};

/// Bytes of an f32.
const ELEMENT: u64 = 4;

/// A change of view moves nothing; it costs just enough not to be preferred to nothing.
const VIEW: u64 = 1_000;

/// What a function before a convolution costs: just enough to stand behind another layer where it can.
const PROLOGUE: u64 = 1_000;

/// What a loop over any axes or windows costs beside one that is made for its case: just enough to leave it.
const GENERIC: u64 = 1_000;

/// The rates of a machine, as far as the choice between two ways of computing the same thing depends on them.
/// Rates of 0 count as 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CostModel {
    /// 10^9 multiply-accumulates a second in dense and grouped convolutions and dense layers.
    pub gmacs_dense: u64,
    /// 10^9 multiply-accumulates a second in depthwise convolutions.
    pub gmacs_depthwise: u64,
    /// Bytes read or written a second.
    pub bytes_per_second: u64,
    /// What starting one more kernel takes.
    pub nanoseconds_per_kernel: u64,
}

/// One core with 256-bit lanes at 3 GHz makes two vectors of 8 products a cycle, 48 * 10^9 a second; `cargo bench --bench
/// kernels` shows what share of that a layer reaches.
const GMACS_DENSE: u64 = 50;

/// A depthwise convolution uses each element that it loads for one channel alone, so that loads bound it: taken as a fifth of the
/// dense rate. The same table has its layers apart.
const GMACS_DEPTHWISE: u64 = 10;

/// What one core reads of memory that is in no cache; the last line of the same table, a plain read, says it of a machine.
const BYTES_PER_SECOND: u64 = 10_000_000_000;

/// The way in and out of a kernel and the barrier behind it: `cargo bench --bench barrier` measures that, `frit bench --profile`
/// a step that does next to nothing.
const NANOSECONDS_PER_KERNEL: u64 = 500;

impl Default for CostModel {
    /// One core of a machine with 256-bit lanes. Choices depend on the ratios of these rates alone, and the same ones are
    /// taken for every target, so that one network has one graph.
    fn default() -> CostModel {
        CostModel {
            gmacs_dense: GMACS_DENSE,
            gmacs_depthwise: GMACS_DEPTHWISE,
            bytes_per_second: BYTES_PER_SECOND,
            nanoseconds_per_kernel: NANOSECONDS_PER_KERNEL,
        }
    }
}

impl CostModel {
    /// Cost of `node` in class `class`, in picoseconds. What is computed from weights alone is computed once,
    /// when the network is compiled, and costs nothing.
    pub(crate) fn picoseconds(&self, egraph: &EGraph, class: egg::Id, node: &ENode) -> u64 {
        let Operator::Layer(op) = &node.op else { return 0 };
        let result = &egraph[class];
        if result.data.constant {
            return 0;
        }
        if matches!(op, Op::Reshape(_)) {
            return VIEW;
        }
        let shape = |id: egg::Id| egraph[id].data.shape.clone().unwrap_or_default();
        let operands: SmallVec<[Shape; 2]> = node.operands().iter().map(|&id| shape(id)).collect();
        let stored = shape(class);
        let read = node.children.iter().map(|&child| elements(&shape(child))).fold(0, u64::saturating_add);
        // The pass of a gate is counted below, with what it stores.
        let scales = matches!(op, Op::SqueezeExcite(squeeze) if squeeze.scales);
        let written = if scales { stored.channels() as u64 } else { elements(&stored) };
        let memory = self.transfer(read.saturating_add(written));
        let compute = self.compute(op, &operands, &stored);
        // Behind the layer before, a function costs nothing at all.
        let extra = if let Op::Conv2d(conv) = op
            && conv.prologue.is_some()
        {
            PROLOGUE
        } else if matches!(op, Op::Reduce(_) | Op::Pool(_)) {
            GENERIC
        } else {
            0
        };
        let own = memory.max(compute).saturating_add(extra);
        let launch = self.nanoseconds_per_kernel.saturating_mul(1_000);
        let gated = gated(op, &operands).map(|gated| launch.saturating_add(self.transfer(2 * gated)));
        launch.saturating_add(own).saturating_add(gated.unwrap_or(0))
    }

    fn compute(&self, op: &Op, operands: &[Shape], result: &Shape) -> u64 {
        let depthwise = matches!(op, Op::Conv2d(conv) if conv.is_depthwise(operands[0].channels()));
        let rate = if depthwise { self.gmacs_depthwise } else { self.gmacs_dense };
        op.macs(operands, result).saturating_mul(1_000) / rate.max(1)
    }

    fn transfer(&self, elements: u64) -> u64 {
        let picoseconds = u128::from(elements) * u128::from(ELEMENT) * 1_000_000_000_000
            / u128::from(self.bytes_per_second.max(1));
        u64::try_from(picoseconds).unwrap_or(u64::MAX)
    }
}

/// Elements of the map or the kernel that a gate is applied to in a pass of its own.
fn gated(op: &Op, operands: &[Shape]) -> Option<u64> {
    if let Op::SqueezeExcite(squeeze) = op
        && squeeze.scales
    {
        Some(elements(&operands[0]))
    } else if let Op::Conv2d(conv) = op
        && conv.gate
    {
        op.weight_roles(operands).first().map(|kernel| elements(&kernel.shape))
    } else {
        None
    }
}

fn elements(shape: &Shape) -> u64 {
    shape.elements().unwrap_or(0) as u64
}
