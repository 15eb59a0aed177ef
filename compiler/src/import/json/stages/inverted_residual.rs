//! The block of MobileNetV2 (Sandler et al., 2018): a 1×1 convolution that expands, a depthwise one, and a 1×1 convolution
//! that projects, each with batch normalisation, the first two with an activation; between the last two perhaps squeeze and
//! excite; the block's input is added where the residual rule allows it.
//!
//! Its fields go by the names of EfficientNet's tables of blocks too, that of Keras and that of the first implementations
//! (`BlockArgs`), so that an entry of either is a stage.

use frit_ir::NodeId;
use frit_passes::legality::residual;

use super::block::{BlockRule, Blocks, Norm, StageBlock, pointwise};
use crate::import::json::defaults::{ACTIVATION, Defaults, EPSILON, Inherited, PADDING, SqueezeRule};
use crate::import::json::entry::LayerSection;
use crate::import::json::kinds::{Follower, Pair, Positive, Repeat};
use crate::import::json::layer::{Nodes, Operation};
use crate::import::json::section::{Rule, section};
use crate::import::json::squeeze::{self, Said, SqueezeExcite};
use crate::import::reader::Reader;
use crate::import::window::{PaddingRule, WindowRule};

section! {
    /// Inverted residual blocks.
    Fields {
        /// How many times its input's channels the depthwise convolution has; 1 leaves out the convolution that expands.
        #[also("expand_ratio")]
        expand: Option<usize>,
        /// The channels of the depthwise convolution.
        expanded: Option<usize>,
        /// How squeeze and excite goes.
        squeeze_excite: Option<SqueezeRule>,
        /// Channels in the middle of squeeze and excite, as a ratio.
        se_ratio: Option<Positive>,
        /// Channels in the middle of squeeze and excite.
        se_channels: Option<usize>,
        /// Whether a block's input is added to its result where shapes allow it.
        id_skip: bool = true,
        /// Channels of the stage's input, to be checked.
        #[also("input_filters")]
        filters_in: Option<usize>,
        /// Output channels.
        #[also("filters_out", "output_filters")]
        filters: usize,
        /// Number of blocks.
        #[also("repeats", "num_repeat")]
        repeat: Repeat = Repeat(1),
        /// Height and width of the depthwise convolution's kernel.
        #[also("kernel_size")]
        kernel: Pair = Pair::both(3),
        /// Steps of the first block's depthwise convolution.
        #[also("strides")]
        stride: Pair = Pair::both(1),
        /// Distance of the taps of depthwise convolutions.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map of depthwise convolutions.
        padding: Option<PaddingRule>,
        /// What follows all convolutions but the last.
        activation: Option<Follower>,
    }
    [
        Rule::OneOf(&["expand", "expanded"], "\"expand\": FACTOR, or \"expanded\": CHANNELS"),
        Rule::NotBoth("se_ratio", "se_channels"),
        Rule::Beside("squeeze_excite", &["se_ratio", "se_channels"]),
    ]
}

/// The channels between the 1×1 convolutions.
#[derive(Debug, Clone, Copy)]
enum Expansion {
    /// So many times those of the block's input; with 1 there is no convolution that expands.
    Times(usize),
    /// So many.
    Channels(usize),
}

/// What each block is.
#[derive(Debug)]
struct InvertedResidual {
    expansion: Expansion,
    squeeze: Option<SqueezeExcite>,
    id_skip: bool,
    filters: usize,
    window: WindowRule,
}

/// The most layers that a block without squeeze and excite can be.
const LAYERS: usize = 9;

impl LayerSection for Fields {
    const INHERITS: &'static [Inherited] = &[PADDING, ACTIVATION, EPSILON];

    fn operation(
        self,
        _: &'static str,
        reader: &mut Reader<'_, '_>,
        defaults: &Defaults,
    ) -> Option<Operation> {
        let expansion = match (self.expand, self.expanded) {
            (Some(times), _) => Expansion::Times(times),
            (None, channels) => Expansion::Channels(channels?),
        };
        let said = Said { ratio: self.se_ratio, channels: self.se_channels, rule: self.squeeze_excite };
        let squeeze = said.resolve(reader, defaults.squeeze_excite.as_ref())?;
        let layers = LAYERS + if squeeze.is_some() { squeeze::LAYERS } else { 0 };
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let block =
            InvertedResidual { expansion, squeeze, id_skip: self.id_skip, filters: self.filters, window };
        let norm = Norm::new(self.activation, defaults)?;
        let blocks = Blocks::new(block, layers, self.repeat, self.stride, norm);
        Some(Operation::Stage(Box::new(blocks.behind(self.filters_in))))
    }
}

impl BlockRule for InvertedResidual {
    fn build(&self, block: &StageBlock<'_>, nodes: &mut dyn Nodes, input: NodeId) -> Option<NodeId> {
        let channels = nodes.channels(input);
        let mut at = input;
        // Too many channels to count are refused as a shape.
        let expanded = match self.expansion {
            Expansion::Times(1) => None,
            Expansion::Times(times) => Some(channels.saturating_mul(times)),
            Expansion::Channels(expanded) => Some(expanded),
        };
        if let Some(expanded) = expanded {
            at = block.activated(nodes, "expand", pointwise(expanded), at)?;
        }
        at = block.activated(nodes, "depthwise", block.depthwise(self.window), at)?;
        if let Some(squeeze) = &self.squeeze {
            at = squeeze.build(nodes, block.origin, channels, at)?;
        }
        at = block.convolution(nodes, "project", pointwise(self.filters), at)?;
        if self.id_skip && residual::is_identity(block.stride, channels, self.filters).is_ok() {
            at = block.sum(nodes, input, at)?;
        }
        Some(at)
    }
}
