//! What is known of a network and of its target before anything is decided.

use std::collections::BTreeMap;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Conv2d, Epilogue};
use frit_ir::{Faults, Graph, NodeId, Op, Shape};

use super::predict::{Predictor, Workload};
use crate::kernels::depthwise;
use crate::machine::Machine;
use crate::pack::Values;
use crate::vector::program::Width;

/// Numbers of workers that predictions are made for: the same schedule serves all, so that results are the same bits.
pub(super) const WORKERS: [usize; 2] = [1, 2];

/// A network with its shapes, and what it is scheduled for.
pub(super) struct Network<'a> {
    pub(super) graph: &'a Graph,
    pub(super) machine: &'a Machine,
    pub(super) width: Width,
    shapes: BTreeMap<NodeId, Shape>,
    /// How many layers read each weight.
    readers: BTreeMap<&'a str, usize>,
}

impl<'a> Network<'a> {
    /// The network that `graph` describes, for `machine`.
    pub(super) fn new(graph: &'a Graph, machine: &'a Machine) -> Result<Network<'a>, Faults> {
        let mut readers = BTreeMap::new();
        for weight in graph.ids().flat_map(|id| &graph.node(id).weights) {
            *readers.entry(weight.as_str()).or_insert(0) += 1;
        }
        Ok(Network { graph, machine, width: machine.width(), shapes: graph.shapes()?, readers })
    }

    pub(super) fn name(&self, id: NodeId) -> &'a str {
        &self.graph.node(id).name
    }

    pub(super) fn op(&self, id: NodeId) -> &'a Op {
        &self.graph.node(id).op
    }

    pub(super) fn shape(&self, id: NodeId) -> &Shape {
        &self.shapes[&id]
    }

    pub(super) fn shapes(&self) -> &BTreeMap<NodeId, Shape> {
        &self.shapes
    }

    /// The operand `index` of `id`, which has one.
    pub(super) fn operand(&self, id: NodeId, index: usize) -> NodeId {
        self.graph.operands(id)[index]
    }

    /// Channels of what `id` reads first.
    pub(super) fn input_channels(&self, id: NodeId) -> usize {
        self.shape(self.operand(id, 0)).channels()
    }

    /// Height, width and channels of what `id`, a convolution, makes.
    pub(super) fn map(&self, id: NodeId) -> [usize; 3] {
        self.shape(id).map().expect("a convolution makes a map")
    }

    pub(super) fn is_output(&self, id: NodeId) -> bool {
        self.graph.outputs().contains(&id)
    }

    /// Blocks that so many channels take.
    pub(super) fn blocks(&self, channels: usize) -> usize {
        channels.div_ceil(self.width.lanes)
    }

    /// The convolution `id`, if it is one.
    pub(super) fn convolution(&self, id: NodeId) -> Option<&'a Conv2d> {
        let Op::Conv2d(conv) = self.op(id) else { return None };
        Some(conv)
    }

    /// Whether the kernel of depthwise convolutions computes `id`.
    pub(super) fn has_depthwise_kernel(&self, id: NodeId) -> bool {
        self.convolution(id).is_some_and(|conv| depthwise::computes(conv, self.input_channels(id)))
    }

    /// Whether `id` is a depthwise convolution that leaves the sums of its rows.
    pub(super) fn leaves_row_sums(&self, id: NodeId) -> bool {
        let squeezes = |user: NodeId| {
            matches!(self.op(user), Op::SqueezeExcite(_)) && self.graph.operands(user).first() == Some(&id)
        };
        self.has_depthwise_kernel(id) && self.graph.users(id).into_iter().any(squeezes)
    }

    /// Whether another layer has the kernel of `id`, too: a map of another size would have it in another order.
    pub(super) fn shares_kernel(&self, id: NodeId) -> bool {
        let kernel = self.graph.node(id).weights.first();
        kernel.is_some_and(|kernel| self.readers.get(kernel.as_str()).is_some_and(|&readers| readers > 1))
    }

    /// The values of the weight `index` of `id`.
    pub(super) fn weight(&self, id: NodeId, index: usize) -> Result<Values, Diagnostic> {
        self.graph.weights.values(&self.graph.node(id).weights[index])
    }

    /// Kernel and bias of `id`.
    pub(super) fn kernel_and_bias(
        &self,
        id: NodeId,
        epilogue: Epilogue,
    ) -> Result<(Values, Option<Values>), Diagnostic> {
        let bias = if epilogue.bias { Some(self.weight(id, 1)?) } else { None };
        Ok((self.weight(id, 0)?, bias))
    }

    /// `id` as predictions see it.
    pub(super) fn layer(&self, id: NodeId) -> Workload {
        Workload::new(self.machine, self.graph, |id| self.shape(id).clone(), id)
    }

    /// What `predict` says with each of [`WORKERS`].
    pub(super) fn predicted(&self, predict: impl Fn(&Predictor<'_>) -> f64) -> [f64; 2] {
        WORKERS.map(|workers| predict(&Predictor { machine: self.machine, workers }))
    }
}
