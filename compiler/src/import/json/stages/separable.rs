//! The block of MobileNet (Howard et al., 2017): a depthwise convolution and a 1×1 one, each with batch normalisation and
//! activation.

use frit_ir::NodeId;

use super::{Block, Norm, Stage, pointwise};
use crate::import::json::attributes::{ACTIVATION, Defaults, EPSILON, Inherited, Kind, Layer, PADDING};
use crate::import::json::build::Builder;
use crate::import::json::fields::Reader;
use crate::import::json::kinds::{Follower, PaddingRule, Pair, Repeat};
use crate::import::json::section::section;
use crate::import::json::window::Window;

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
    window: Window,
}

/// The most layers that a block can be.
const LAYERS: usize = 6;

impl Layer for Fields {
    const INHERITS: &'static [Inherited] = &[PADDING, ACTIVATION, EPSILON];

    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind> {
        let window = Window::new([self.kernel, self.stride, self.dilation], self.padding, defaults)?;
        Some(Kind::Stage(Stage {
            blocks: super::Blocks::Separable(Blocks { filters: self.filters, window }),
            repeat: self.repeat.0,
            layers: LAYERS,
            stride: self.stride.0,
            input: None,
            norm: Norm::new(self.activation, defaults)?,
        }))
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
