//! Stages: several blocks in one line, as the papers' tables have them. The first block takes the stage's stride, the
//! others 1.

mod bottleneck;
mod inverted_residual;
mod separable;

use frit_ir::ops::{Activation, BatchNorm, Binary, Scalar};
use frit_ir::{NodeId, Op};

use super::attributes::{Convolution, Defaults, Entry, Filters};
use super::build::{Builder, Origin};
use super::kinds::{Follower, Pair, Repeat};
use crate::import::window::WindowRule;

/// The stages by their names in descriptions.
pub(super) const STAGES: &[Entry] = &[
    Entry::new::<inverted_residual::Fields>(
        "inverted_residual",
        "Blocks that expand, filter each channel and project (MobileNetV2 and V3, MnasNet, EfficientNet)",
    ),
    Entry::new::<separable::Fields>("separable", "Depthwise and 1x1 convolutions in turn (MobileNet)"),
    Entry::new::<bottleneck::Fields>(
        "bottleneck",
        "Blocks that reduce, filter in groups and expand, around a shortcut (ResNet, ResNeXt)",
    ),
];

/// A stage.
#[derive(Debug)]
pub(super) struct Stage {
    blocks: Blocks,
    /// Number of blocks.
    repeat: usize,
    /// The layers that each is, at most.
    layers: usize,
    /// Of the first block.
    stride: [usize; 2],
    /// The channels that its input has, where it says them.
    input: Option<usize>,
    norm: Norm,
}

/// What follows convolutions.
#[derive(Debug, Clone, Copy)]
struct Norm {
    activation: Option<Activation>,
    epsilon: Scalar,
}

impl Norm {
    /// That of a stage, with the description's activation where the stage says none.
    fn new(activation: Option<Follower>, defaults: &Defaults) -> Option<Norm> {
        let activation = activation.or(defaults.activation)?.0;
        Some(Norm { activation, epsilon: defaults.epsilon()? })
    }
}

/// What its blocks are.
#[derive(Debug)]
enum Blocks {
    InvertedResidual(inverted_residual::Blocks),
    Separable(separable::Blocks),
    Bottleneck(bottleneck::Blocks),
}

impl Stage {
    /// A stage of blocks of at most `layers` layers each.
    fn new(blocks: Blocks, layers: usize, repeat: Repeat, stride: Pair, norm: Norm) -> Stage {
        Stage { blocks, repeat: repeat.0, layers, stride: stride.0, input: None, norm }
    }

    /// How many layers it is at most.
    pub(super) fn layers(&self) -> usize {
        self.repeat.saturating_mul(self.layers)
    }
}

/// Adds the blocks of `stage` behind `input`; the last block's result is the stage's.
pub(super) fn build(
    stage: &Stage,
    builder: &mut Builder<'_, '_>,
    origin: Origin<'_>,
    input: NodeId,
) -> Option<NodeId> {
    let channels = builder.channels(input);
    if let Some(said) = stage.input.filter(|&said| said != channels) {
        builder
            .wrong(origin, &format!("filters_in is {said}, but the stage's input has {channels} channels"));
        return None;
    }
    let mut at = input;
    for index in 0..stage.repeat {
        let name = format!("{}/{}", origin.name, index + 1);
        let stride = if index == 0 { stage.stride } else { [1, 1] };
        let block = Block { norm: stage.norm, stride, origin: Origin { name: &name, ..origin } };
        at = match &stage.blocks {
            Blocks::InvertedResidual(blocks) => blocks.build(&block, builder, at)?,
            Blocks::Separable(blocks) => blocks.build(&block, builder, at)?,
            Blocks::Bottleneck(blocks) => blocks.build(&block, builder, at)?,
        };
    }
    Some(at)
}

/// One block of a stage, whose layers are named after it.
struct Block<'s> {
    norm: Norm,
    stride: [usize; 2],
    origin: Origin<'s>,
}

impl Block<'_> {
    /// A convolution and its batch normalisation.
    fn convolution(
        &self,
        builder: &mut Builder<'_, '_>,
        part: &str,
        convolution: Convolution,
        input: NodeId,
    ) -> Option<NodeId> {
        let name = format!("{}/{part}", self.origin.name);
        let at = builder.convolution(Origin { name: &name, ..self.origin }, &convolution, input)?;
        let norm = BatchNorm { epsilon: self.norm.epsilon, scale: true, center: true };
        let name = format!("{name}/batch_norm");
        builder.add(Origin { name: &name, ..self.origin }, Op::BatchNorm(norm), &[at])
    }

    /// A convolution, its batch normalisation and activation.
    fn activated(
        &self,
        builder: &mut Builder<'_, '_>,
        part: &str,
        convolution: Convolution,
        input: NodeId,
    ) -> Option<NodeId> {
        let at = self.convolution(builder, part, convolution, input)?;
        self.activate(builder, part, at)
    }

    fn activate(&self, builder: &mut Builder<'_, '_>, part: &str, input: NodeId) -> Option<NodeId> {
        let name = format!("{}/{part}", self.origin.name);
        builder.activate(Origin { name: &name, ..self.origin }, self.norm.activation, input)
    }

    fn sum(&self, builder: &mut Builder<'_, '_>, shortcut: NodeId, main: NodeId) -> Option<NodeId> {
        let name = format!("{}/add", self.origin.name);
        builder.add(Origin { name: &name, ..self.origin }, Op::Binary(Binary::Add), &[shortcut, main])
    }

    /// The depthwise convolution, of this block's stride.
    fn depthwise(&self, window: WindowRule) -> Convolution {
        let window = WindowRule { stride: self.stride, ..window };
        Convolution { filters: Filters::PerChannel(1), window, bias: false }
    }
}

/// A 1×1 convolution without a bias.
fn pointwise(filters: usize) -> Convolution {
    Convolution { filters: Filters::Count { filters, groups: 1 }, window: WindowRule::POINT, bias: false }
}
