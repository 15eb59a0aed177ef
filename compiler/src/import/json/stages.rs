//! Stages: several blocks in one line, as the papers' tables have them.
//!
//! `inverted_residual` is the block of MobileNetV2 (Sandler et al., 2018): a 1×1 convolution that expands, a depthwise one, and
//! a 1×1 convolution that projects, each with batch normalisation, the first two with an activation; the block's input is added
//! where the residual rule allows it. The first block takes the stage's stride, the others 1.

use frit_ir::ops::{Activation, BatchNorm, Binary, Scalar};
use frit_ir::{NodeId, Op};
use frit_passes::legality::residual;

use super::attributes::{self, Convolution, Defaults, Filters, PaddingRule, Window};
use super::build::{Builder, Origin};
use super::fields::{Reader, wrong};

/// A stage of inverted residuals.
#[derive(Debug, Clone, Copy)]
pub(super) struct InvertedResidual {
    expansion: Expansion,
    filters: usize,
    /// Of the depthwise convolution; its stride is that of the first block.
    window: Window,
    /// Number of blocks.
    pub(super) repeat: usize,
    activation: Option<Activation>,
    epsilon: Scalar,
    id_skip: bool,
}

/// The channels between the 1×1 convolutions.
#[derive(Debug, Clone, Copy)]
enum Expansion {
    /// So many times those of the block's input; with 1 there is no convolution that expands.
    Times(usize),
    /// So many.
    Channels(usize),
}

/// The most layers that a block can be.
pub(super) const LAYERS_A_BLOCK: usize = 9;

/// Reads a stage of inverted residuals.
pub(super) fn read(reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<InvertedResidual> {
    let expansion = expansion(reader);
    let (filters, repeat) = (reader.count("filters"), attributes::repeat(reader));
    let window = attributes::window(reader, defaults, Some(3));
    let activation = attributes::stage_activation(reader, defaults);
    let epsilon = attributes::default_epsilon(reader, defaults);
    let id_skip = reader.flag("id_skip", true);
    Some(InvertedResidual {
        expansion: expansion?,
        filters: filters?,
        window: window?,
        repeat: repeat?,
        activation: activation?,
        epsilon: epsilon?,
        id_skip: id_skip?,
    })
}

/// Reads `expand` or `expanded`; one of them must be there.
fn expansion(reader: &mut Reader<'_, '_>) -> Option<Expansion> {
    match (reader.take("expand"), reader.take("expanded")) {
        (Some(times), None) => reader.as_count(&times, "expand").map(Expansion::Times),
        (None, Some(channels)) => reader.as_count(&channels, "expanded").map(Expansion::Channels),
        (Some(_), Some(channels)) => {
            reader.fault(Some(&channels), wrong("a stage takes expand or expanded, not both"));
            None
        }
        (None, None) => {
            reader.missing("expand", "\"expand\": FACTOR, or \"expanded\": CHANNELS");
            None
        }
    }
}

/// Adds the blocks of `stage` behind `input`; the last block's result is the stage's.
pub(super) fn build(
    stage: &InvertedResidual,
    builder: &mut Builder<'_, '_>,
    origin: Origin<'_>,
    input: NodeId,
) -> Option<NodeId> {
    let mut at = input;
    for index in 0..stage.repeat {
        let name = format!("{}/{}", origin.name, index + 1);
        let stride = if index == 0 { stage.window.stride } else { [1, 1] };
        at = Block { stage, stride, origin: Origin { name: &name, ..origin } }.build(builder, at)?;
    }
    Some(at)
}

/// One block of a stage.
struct Block<'s> {
    stage: &'s InvertedResidual,
    stride: [usize; 2],
    origin: Origin<'s>,
}

impl Block<'_> {
    fn build(&self, builder: &mut Builder<'_, '_>, input: NodeId) -> Option<NodeId> {
        let channels = builder.channels(input);
        let mut at = input;
        if let Some(expanded) = self.expanded(channels) {
            at = self.convolution(builder, "expand", pointwise(expanded), at)?;
            at = self.activate(builder, "expand", at)?;
        }
        let window = Window { stride: self.stride, ..self.stage.window };
        let depthwise = Convolution { filters: Filters::PerChannel(1), window, bias: false };
        at = self.convolution(builder, "depthwise", depthwise, at)?;
        at = self.activate(builder, "depthwise", at)?;
        at = self.convolution(builder, "project", pointwise(self.stage.filters), at)?;
        if !self.stage.id_skip || residual::is_identity(self.stride, channels, self.stage.filters).is_err() {
            return Some(at);
        }
        let name = format!("{}/add", self.origin.name);
        builder.add(Origin { name: &name, ..self.origin }, Op::Binary(Binary::Add), &[input, at])
    }

    /// The channels of the convolution that expands, where there is one; too many to count are refused as a shape.
    fn expanded(&self, channels: usize) -> Option<usize> {
        match self.stage.expansion {
            Expansion::Times(1) => None,
            Expansion::Times(times) => Some(channels.saturating_mul(times)),
            Expansion::Channels(expanded) => Some(expanded),
        }
    }

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
        let norm = BatchNorm { epsilon: self.stage.epsilon, scale: true, center: true };
        let name = format!("{name}/batch_norm");
        builder.add(Origin { name: &name, ..self.origin }, Op::BatchNorm(norm), &[at])
    }

    fn activate(&self, builder: &mut Builder<'_, '_>, part: &str, input: NodeId) -> Option<NodeId> {
        let name = format!("{}/{part}", self.origin.name);
        builder.activate(Origin { name: &name, ..self.origin }, self.stage.activation, input)
    }
}

/// A 1×1 convolution.
fn pointwise(filters: usize) -> Convolution {
    let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: PaddingRule::Valid };
    Convolution { filters: Filters::Count { filters, groups: 1 }, window, bias: false }
}
