//! The block of MobileNet (Howard et al., 2017): a depthwise convolution and a 1×1 one, each with batch normalisation and
//! activation.

use frit_ir::NodeId;

use super::block::{BlockRule, Blocks, Norm, StageBlock, pointwise};
use crate::import::json::defaults::{ACTIVATION, Defaults, EPSILON, Inherited, PADDING};
use crate::import::json::entry::LayerSection;
use crate::import::json::kinds::{Follower, Pair, Repeat};
use crate::import::json::layer::{Nodes, Operation};
use crate::import::json::section::section;
use crate::import::reader::Reader;
use crate::import::window::{PaddingRule, WindowRule};

section! {
    /// Separable blocks.
    Fields {
        /// Output channels.
        filters: usize,
        /// Number of blocks.
        repeat: Repeat = Repeat(1),
        /// Height and width of the depthwise convolution's kernel.
        kernel: Pair = Pair::both(3),
        /// Steps of the first block's depthwise convolution.
        stride: Pair = Pair::both(1),
        /// Distance of the taps of depthwise convolutions.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map of depthwise convolutions.
        padding: Option<PaddingRule>,
        /// What follows each convolution.
        activation: Option<Follower>,
    }
}

/// What each block is.
#[derive(Debug)]
struct Separable {
    filters: usize,
    window: WindowRule,
}

/// The most layers that a block can be.
const LAYERS: usize = 6;

impl LayerSection for Fields {
    const INHERITS: &'static [Inherited] = &[PADDING, ACTIVATION, EPSILON];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let block = Separable { filters: self.filters, window };
        let norm = Norm::new(self.activation, defaults)?;
        Some(Operation::Stage(Box::new(Blocks::new(block, LAYERS, self.repeat, self.stride, norm))))
    }
}

impl BlockRule for Separable {
    fn build(&self, block: &StageBlock<'_>, nodes: &mut dyn Nodes, input: NodeId) -> Option<NodeId> {
        let at = block.activated(nodes, "depthwise", block.depthwise(self.window), input)?;
        block.activated(nodes, "pointwise", pointwise(self.filters), at)
    }
}
