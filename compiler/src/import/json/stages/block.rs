//! What the blocks of all stages have in common: how often they stand, and what follows their convolutions.

use frit_ir::ops::{Activation, BatchNorm, Binary, Scalar};
use frit_ir::{NodeId, Op};

use crate::import::json::defaults::Defaults;
use crate::import::json::kinds::{Follower, Pair, Repeat};
use crate::import::json::layer::{Convolution, Filters, Nodes, Origin, Stage};
use crate::import::window::WindowRule;

/// The blocks of a stage.
#[derive(Debug)]
pub(super) struct Blocks<B> {
    /// What each is.
    block: B,
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
pub(super) struct Norm {
    activation: Option<Activation>,
    epsilon: Scalar,
}

impl Norm {
    /// That of a stage, with the description's activation where the stage says none.
    pub(super) fn new(activation: Option<Follower>, defaults: &Defaults) -> Option<Norm> {
        let activation = activation.or(defaults.activation)?.0;
        Some(Norm { activation, epsilon: defaults.epsilon()? })
    }
}

impl<B> Blocks<B> {
    /// Blocks of at most `layers` layers each.
    pub(super) fn new(block: B, layers: usize, repeat: Repeat, stride: Pair, norm: Norm) -> Blocks<B> {
        Blocks { block, repeat: repeat.0, layers, stride: stride.0, input: None, norm }
    }

    /// The same, where the stage says how many channels its input has.
    pub(super) fn behind(self, input: Option<usize>) -> Blocks<B> {
        Blocks { input, ..self }
    }
}

impl<B: BlockRule> Stage for Blocks<B> {
    fn layers(&self) -> usize {
        self.repeat.saturating_mul(self.layers)
    }

    fn build(&self, nodes: &mut dyn Nodes, origin: Origin<'_>, input: NodeId) -> Option<NodeId> {
        let channels = nodes.channels(input);
        if let Some(said) = self.input.filter(|&said| said != channels) {
            nodes.wrong(
                origin,
                &format!("filters_in is {said}, but the stage's input has {channels} channels"),
            );
            return None;
        }
        let mut at = input;
        for index in 0..self.repeat {
            let name = format!("{}/{}", origin.name, index + 1);
            let stride = if index == 0 { self.stride } else { [1, 1] };
            let block = StageBlock { norm: self.norm, stride, origin: Origin { name: &name, ..origin } };
            at = self.block.build(&block, nodes, at)?;
        }
        Some(at)
    }
}

/// What each block of a stage is.
pub(super) trait BlockRule: std::fmt::Debug {
    /// Adds the layers of `block` behind `input`.
    fn build(&self, block: &StageBlock<'_>, nodes: &mut dyn Nodes, input: NodeId) -> Option<NodeId>;
}

/// One block of a stage, whose layers are named after it.
pub(super) struct StageBlock<'s> {
    norm: Norm,
    pub(super) stride: [usize; 2],
    pub(super) origin: Origin<'s>,
}

impl StageBlock<'_> {
    /// A convolution and its batch normalisation.
    pub(super) fn convolution(
        &self,
        nodes: &mut dyn Nodes,
        part: &str,
        convolution: Convolution,
        input: NodeId,
    ) -> Option<NodeId> {
        let name = format!("{}/{part}", self.origin.name);
        let at = nodes.convolution(Origin { name: &name, ..self.origin }, &convolution, input)?;
        let norm = BatchNorm { epsilon: self.norm.epsilon, scale: true, center: true };
        let name = format!("{name}/batch_norm");
        nodes.add(Origin { name: &name, ..self.origin }, Op::BatchNorm(norm), &[at])
    }

    /// A convolution, its batch normalisation and activation.
    pub(super) fn activated(
        &self,
        nodes: &mut dyn Nodes,
        part: &str,
        convolution: Convolution,
        input: NodeId,
    ) -> Option<NodeId> {
        let at = self.convolution(nodes, part, convolution, input)?;
        self.activate(nodes, part, at)
    }

    pub(super) fn activate(&self, nodes: &mut dyn Nodes, part: &str, input: NodeId) -> Option<NodeId> {
        let name = format!("{}/{part}", self.origin.name);
        nodes.activate(Origin { name: &name, ..self.origin }, self.norm.activation, input)
    }

    pub(super) fn sum(&self, nodes: &mut dyn Nodes, shortcut: NodeId, main: NodeId) -> Option<NodeId> {
        let name = format!("{}/add", self.origin.name);
        nodes.add(Origin { name: &name, ..self.origin }, Op::Binary(Binary::Add), &[shortcut, main])
    }

    /// The depthwise convolution, of this block's stride.
    pub(super) fn depthwise(&self, window: WindowRule) -> Convolution {
        let window = WindowRule { stride: self.stride, ..window };
        Convolution { filters: Filters::PerChannel(1), window, bias: false }
    }
}

/// A 1×1 convolution without a bias.
pub(super) fn pointwise(filters: usize) -> Convolution {
    Convolution { filters: Filters::Count { filters, groups: 1 }, window: WindowRule::POINT, bias: false }
}
