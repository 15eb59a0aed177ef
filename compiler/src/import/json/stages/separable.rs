//! The block of MobileNet (Howard et al., 2017): a depthwise convolution and a 1×1 one, each with batch normalisation and
//! activation.

use frit_ir::NodeId;

use super::{Block, Norm, Stage, pointwise};
use crate::import::json::attributes::{ACTIVATION, Defaults, EPSILON, Inherited, Kind, Layer, PADDING};
use crate::import::json::build::Builder;
use crate::import::json::fields::Reader;
use crate::import::json::kinds::{Follower, Pair, Repeat};
use crate::import::json::section::section;
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

/// What the blocks are.
#[derive(Debug)]
pub(super) struct Blocks {
    filters: usize,
    window: WindowRule,
}

/// The most layers that a block can be.
const LAYERS: usize = 6;

impl Layer for Fields {
    const INHERITS: &'static [Inherited] = &[PADDING, ACTIVATION, EPSILON];

    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind> {
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let blocks = super::Blocks::Separable(Blocks { filters: self.filters, window });
        let norm = Norm::new(self.activation, defaults)?;
        Some(Kind::Stage(Stage::new(blocks, LAYERS, self.repeat, self.stride, norm)))
    }
}

impl Blocks {
    pub(super) fn build(
        &self,
        block: &Block<'_>,
        builder: &mut Builder<'_, '_>,
        input: NodeId,
    ) -> Option<NodeId> {
        let at = block.activated(builder, "depthwise", block.depthwise(self.window), input)?;
        block.activated(builder, "pointwise", pointwise(self.filters), at)
    }
}
