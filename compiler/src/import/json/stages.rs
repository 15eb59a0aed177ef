//! Stages: several blocks in one line, as the papers' tables have them. The first block takes the stage's stride, the
//! others 1.
//!
//! `inverted_residual` is the block of MobileNetV2 (Sandler et al., 2018): a 1×1 convolution that expands, a depthwise one, and
//! a 1×1 convolution that projects, each with batch normalisation, the first two with an activation; between the last two
//! perhaps squeeze and excite; the block's input is added where the residual rule allows it. `separable` is the block of
//! MobileNet (Howard et al., 2017): a depthwise convolution and a 1×1 one, each with batch normalisation and activation.

use frit_ir::ops::{Activation, BatchNorm, Binary, Scalar};
use frit_ir::{NodeId, Op};
use frit_passes::legality::residual;

use super::attributes::{self, Convolution, Defaults, Filters, Window};
use super::build::{Builder, Origin};
use super::fields::{Reader, wrong};
use super::squeeze::{self, SqueezeExcite};

/// A stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    kind: Kind,
    filters: usize,
    /// Of the depthwise convolution; its stride is that of the first block.
    window: Window,
    /// Number of blocks.
    repeat: usize,
    activation: Option<Activation>,
    epsilon: Scalar,
}

/// What its blocks are.
#[derive(Debug, Clone, Copy)]
enum Kind {
    InvertedResidual { expansion: Expansion, squeeze: Option<SqueezeExcite>, id_skip: bool },
    Separable,
}

/// The stages by their names in descriptions.
pub(super) const NAMES: [&str; 2] = ["inverted_residual", "separable"];

/// The channels between the 1×1 convolutions.
#[derive(Debug, Clone, Copy)]
enum Expansion {
    /// So many times those of the block's input; with 1 there is no convolution that expands.
    Times(usize),
    /// So many.
    Channels(usize),
}

impl Expansion {
    /// The channels of the convolution that expands, where there is one; too many to count are refused as a shape.
    fn channels(self, input: usize) -> Option<usize> {
        match self {
            Expansion::Times(1) => None,
            Expansion::Times(times) => Some(input.saturating_mul(times)),
            Expansion::Channels(expanded) => Some(expanded),
        }
    }
}

/// The most layers that a block without squeeze and excite can be.
const LAYERS_A_BLOCK: usize = 9;

impl Stage {
    /// How many layers it is at most.
    pub(super) fn layers(&self) -> usize {
        let squeezes = matches!(self.kind, Kind::InvertedResidual { squeeze: Some(_), .. });
        let block = LAYERS_A_BLOCK + if squeezes { squeeze::LAYERS } else { 0 };
        self.repeat.saturating_mul(block)
    }
}

/// Reads the stage `word`, one of [`NAMES`].
pub(super) fn read(word: &str, reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Stage> {
    let kind = if word == "separable" { Some(Kind::Separable) } else { inverted_residual(reader, defaults) };
    let (filters, repeat) = (reader.count("filters"), attributes::repeat(reader));
    let window = attributes::window(reader, defaults, Some(3));
    let activation = attributes::stage_activation(reader, defaults);
    let epsilon = attributes::default_epsilon(reader, defaults);
    Some(Stage {
        kind: kind?,
        filters: filters?,
        window: window?,
        repeat: repeat?,
        activation: activation?,
        epsilon: epsilon?,
    })
}

fn inverted_residual(reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind> {
    let expansion = expansion(reader);
    let squeeze = squeeze::read(reader, defaults.squeeze_excite);
    let id_skip = reader.flag("id_skip", true);
    Some(Kind::InvertedResidual { expansion: expansion?, squeeze: squeeze?, id_skip: id_skip? })
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
    stage: &Stage,
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
    stage: &'s Stage,
    stride: [usize; 2],
    origin: Origin<'s>,
}

impl Block<'_> {
    fn build(&self, builder: &mut Builder<'_, '_>, input: NodeId) -> Option<NodeId> {
        match self.stage.kind {
            Kind::InvertedResidual { expansion, squeeze, id_skip } => {
                self.inverted_residual(builder, input, (expansion, squeeze, id_skip))
            }
            Kind::Separable => {
                let at = self.depthwise(builder, input)?;
                let at = self.convolution(builder, "pointwise", self.pointwise(self.stage.filters), at)?;
                self.activate(builder, "pointwise", at)
            }
        }
    }

    fn inverted_residual(
        &self,
        builder: &mut Builder<'_, '_>,
        input: NodeId,
        (expansion, squeeze, id_skip): (Expansion, Option<SqueezeExcite>, bool),
    ) -> Option<NodeId> {
        let channels = builder.channels(input);
        let mut at = input;
        if let Some(expanded) = expansion.channels(channels) {
            at = self.convolution(builder, "expand", self.pointwise(expanded), at)?;
            at = self.activate(builder, "expand", at)?;
        }
        at = self.depthwise(builder, at)?;
        if let Some(squeeze) = squeeze {
            at = squeeze.build(builder, self.origin, channels, at)?;
        }
        at = self.convolution(builder, "project", self.pointwise(self.stage.filters), at)?;
        if !id_skip || residual::is_identity(self.stride, channels, self.stage.filters).is_err() {
            return Some(at);
        }
        let name = format!("{}/add", self.origin.name);
        builder.add(Origin { name: &name, ..self.origin }, Op::Binary(Binary::Add), &[input, at])
    }

    /// The depthwise convolution with its batch normalisation and activation.
    fn depthwise(&self, builder: &mut Builder<'_, '_>, input: NodeId) -> Option<NodeId> {
        let window = Window { stride: self.stride, ..self.stage.window };
        let depthwise = Convolution { filters: Filters::PerChannel(1), window, bias: false };
        let at = self.convolution(builder, "depthwise", depthwise, input)?;
        self.activate(builder, "depthwise", at)
    }

    fn pointwise(&self, filters: usize) -> Convolution {
        attributes::pointwise(Filters::Count { filters, groups: 1 })
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
