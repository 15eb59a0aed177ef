//! The block of ResNet (He et al., 2016) and ResNeXt (Xie et al., 2017): a 1×1 convolution that reduces the channels, one
//! that filters them, perhaps in groups, and a 1×1 convolution that expands them, each with batch normalisation; the block's
//! input is added, or a projection of it, and an activation follows the sum.

use frit_ir::NodeId;
use frit_passes::legality::residual;

use super::block::{BlockRule, Blocks, Norm, StageBlock, pointwise};
use crate::import::json::defaults::{ACTIVATION, Defaults, EPSILON, Inherited, PADDING};
use crate::import::json::entry::LayerSection;
use crate::import::json::kinds::{Follower, Pair, Repeat};
use crate::import::json::layer::{Convolution, Filters, Nodes, Operation};
use crate::import::json::section::{Choice, section};
use crate::import::reader::Reader;
use crate::import::window::{PaddingRule, WindowRule};

/// What stands beside a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shortcut {
    /// The block's input; where shapes differ, a 1×1 convolution of it.
    Projection,
    /// The block's input; where shapes differ, nothing.
    Identity,
}

impl Choice for Shortcut {
    const CHOICES: &'static [(&'static str, Shortcut)] =
        &[("projection", Shortcut::Projection), ("identity", Shortcut::Identity)];
}

/// The convolution that takes the stride.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StrideOn {
    /// That in the middle (torchvision; Xie et al., 2017).
    Spatial,
    /// The first (Keras' ResNet50; He et al., 2016).
    Reduce,
}

impl Choice for StrideOn {
    const CHOICES: &'static [(&'static str, StrideOn)] =
        &[("spatial", StrideOn::Spatial), ("reduce", StrideOn::Reduce)];
}

section! {
    /// Bottleneck blocks.
    Fields {
        /// Channels of the first two convolutions.
        width: usize,
        /// Groups that the channels of the middle one are split into.
        groups: usize = 1,
        /// Output channels.
        filters: usize,
        /// Number of blocks.
        repeat: Repeat = Repeat(1),
        /// Height and width of the middle convolution's kernel.
        kernel: Pair = Pair::both(3),
        /// Steps of the first block.
        stride: Pair = Pair::both(1),
        /// The convolution that takes the stride: "spatial" is that in the middle (torchvision), "reduce" the first (Keras' ResNet50).
        stride_on: StrideOn = StrideOn::Spatial,
        /// Distance of the middle convolution's taps.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map of middle convolutions.
        padding: Option<PaddingRule>,
        /// What is added: the block's input, and where shapes differ a 1x1 convolution of it ("projection") or nothing ("identity").
        shortcut: Shortcut = Shortcut::Projection,
        /// What follows the first two convolutions and the sum.
        activation: Option<Follower>,
    }
}

/// What each block is.
#[derive(Debug)]
struct Bottleneck {
    width: usize,
    groups: usize,
    filters: usize,
    stride_on: StrideOn,
    shortcut: Shortcut,
    window: WindowRule,
}

/// The most layers that a block can be.
const LAYERS: usize = 12;

impl LayerSection for Fields {
    const INHERITS: &'static [Inherited] = &[PADDING, ACTIVATION, EPSILON];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let Fields { width, groups, filters, stride_on, shortcut, .. } = self;
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let block = Bottleneck { width, groups, filters, stride_on, shortcut, window };
        let norm = Norm::new(self.activation, defaults)?;
        Some(Operation::Stage(Box::new(Blocks::new(block, LAYERS, self.repeat, self.stride, norm))))
    }
}

impl BlockRule for Bottleneck {
    fn build(&self, block: &StageBlock<'_>, nodes: &mut dyn Nodes, input: NodeId) -> Option<NodeId> {
        let (reduce_stride, spatial_stride) = match self.stride_on {
            StrideOn::Reduce => (block.stride, [1, 1]),
            StrideOn::Spatial => ([1, 1], block.stride),
        };
        let at = block.activated(nodes, "reduce", strided(self.width, reduce_stride), input)?;
        let filters = Filters::Count { filters: self.width, groups: self.groups };
        let window = WindowRule { stride: spatial_stride, ..self.window };
        let at = block.activated(nodes, "spatial", Convolution { filters, window, bias: false }, at)?;
        let at = block.convolution(nodes, "expand", pointwise(self.filters), at)?;
        let same = residual::is_identity(block.stride, nodes.channels(input), self.filters).is_ok();
        let at = match (self.shortcut, same) {
            (_, true) => block.sum(nodes, input, at)?,
            (Shortcut::Identity, false) => return block.activate(nodes, "expand", at),
            (Shortcut::Projection, false) => {
                let projection = strided(self.filters, block.stride);
                let projected = block.convolution(nodes, "shortcut", projection, input)?;
                block.sum(nodes, projected, at)?
            }
        };
        block.activate(nodes, "add", at)
    }
}

/// A 1×1 convolution of this stride, without a bias.
fn strided(filters: usize, stride: [usize; 2]) -> Convolution {
    let point = pointwise(filters);
    Convolution { window: WindowRule { stride, ..point.window }, ..point }
}
