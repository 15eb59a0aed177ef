//! What rules ask of a network: what a layer computes, and what stands before and behind it.

use std::collections::BTreeMap;

use frit_ir::ops::binary::is_gate;
use frit_ir::ops::{Activation, Binary, Conv2d, PoolKind, ReduceKind};
use frit_ir::weights::{Data, Values};
use frit_ir::{Graph, NodeId, Op, Shape};

use crate::legality::residual::Broken;
use crate::legality::{self};

/// Layers that a walk passes, at most: a hostile chain is not walked again from each of its layers.
const REACH: usize = 64;

/// A network and what is known of it.
pub(super) struct Network<'a> {
    pub(super) graph: &'a Graph,
    /// The shapes that can be known.
    pub(super) shapes: BTreeMap<NodeId, Shape>,
    /// Operands before users.
    pub(super) order: Vec<NodeId>,
    /// Residuals that legality refuses, and tells of itself.
    pub(super) broken: Vec<Broken>,
    /// Numbers of a vector.
    pub(super) lanes: usize,
}

/// Squeeze and excite (Hu et al., 2018).
pub(super) struct Squeeze {
    /// The map that is pooled and scaled.
    pub(super) map: NodeId,
    /// The layer that pools.
    pub(super) pool: NodeId,
}

impl<'a> Network<'a> {
    pub(super) fn new(graph: &'a Graph, lanes: usize) -> Network<'a> {
        let joins = legality::joins(graph);
        let order = graph.topological();
        Network { graph, shapes: joins.shapes, order, broken: joins.broken, lanes: lanes.max(1) }
    }

    /// What the layer computes.
    pub(super) fn op(&self, id: NodeId) -> &'a Op {
        &self.graph.node(id).op
    }

    /// Its name.
    pub(super) fn name(&self, id: NodeId) -> &'a str {
        &self.graph.node(id).name
    }

    /// The layer itself, or what it is the identity of.
    pub(super) fn itself(&self, id: NodeId) -> NodeId {
        self.back(id, |id| {
            if matches!(self.op(id), Op::Identity) { self.graph.operands(id).first().copied() } else { None }
        })
    }

    /// Its operands, identities left out.
    pub(super) fn operands(&self, id: NodeId) -> Vec<NodeId> {
        self.graph.operands(id).into_iter().map(|operand| self.itself(operand)).collect()
    }

    /// Its first operand.
    pub(super) fn operand(&self, id: NodeId) -> Option<NodeId> {
        self.graph.operands(id).first().map(|&operand| self.itself(operand))
    }

    /// The layers that read `id`, identities left out.
    pub(super) fn readers(&self, id: NodeId) -> Vec<NodeId> {
        let mut readers = Vec::new();
        let mut waiting = vec![id];
        while let Some(at) = waiting.pop() {
            for user in self.graph.users(at) {
                let is_identity = matches!(self.op(user), Op::Identity) && waiting.len() < REACH;
                if is_identity {
                    waiting.push(user);
                }
                // An identity that is an output stands for whoever takes that.
                if !is_identity || self.graph.outputs().contains(&user) {
                    readers.push(user);
                }
            }
        }
        readers.sort_unstable();
        readers.dedup();
        readers
    }

    /// The only layer that reads `id`; none where another does, or where it is an output.
    pub(super) fn only_reader(&self, id: NodeId) -> Option<NodeId> {
        match self.readers(id)[..] {
            [only] if !self.graph.outputs().contains(&id) => Some(only),
            _ => None,
        }
    }

    /// Channels of its result.
    pub(super) fn channels(&self, id: NodeId) -> Option<usize> {
        self.shapes.get(&id).map(Shape::channels)
    }

    /// Height, width and channels of its result.
    pub(super) fn map(&self, id: NodeId) -> Option<[usize; 3]> {
        self.shapes.get(&id)?.map()
    }

    /// The convolution that it is, with its operand.
    pub(super) fn convolution(&self, id: NodeId) -> Option<(&'a Conv2d, NodeId)> {
        let Op::Conv2d(conv) = self.op(id) else { return None };
        Some((conv, self.operand(id)?))
    }

    /// How many filters each channel has, where it is a convolution of each channel on its own.
    pub(super) fn multiplier(&self, id: NodeId) -> Option<usize> {
        let (conv, operand) = self.convolution(id)?;
        conv.channel_multiplier(self.channels(operand)?)
    }

    /// Multiply-accumulates of one image.
    pub(super) fn macs(&self, id: NodeId) -> u64 {
        let operands = self.graph.operands(id);
        let shapes: Option<Vec<Shape>> =
            operands.iter().map(|operand| self.shapes.get(operand).cloned()).collect();
        match (shapes, self.shapes.get(&id)) {
            (Some(operands), Some(result)) => self.op(id).macs(&operands, result),
            _ => 0,
        }
    }

    /// Numbers in its weights.
    pub(super) fn parameters(&self, id: NodeId) -> u64 {
        let weights = self.graph.node(id).weights.iter();
        let elements = weights.filter_map(|name| self.graph.weights.get(name)?.shape.elements());
        elements.fold(0, |sum, count| sum.saturating_add(count as u64))
    }

    /// The values of its weight of this place, where the network came with values.
    pub(super) fn trained(&self, id: NodeId, place: usize) -> Option<Values> {
        let name = self.graph.node(id).weights.get(place)?;
        match self.graph.weights.get(name)?.data {
            Data::Values(_) | Data::Mapped(_) => self.graph.weights.values(name).ok(),
            Data::Seeded(_) | Data::Digest(_) => None,
        }
    }

    /// Whether all values of its weight of this place are known to be 0.
    pub(super) fn is_zero(&self, id: NodeId, place: usize) -> bool {
        self.trained(id, place).is_some_and(|values| values.iter().all(|&value| value == 0.0))
    }

    /// Goes back from `id` as far as `step` leads.
    pub(super) fn back(&self, id: NodeId, step: impl Fn(NodeId) -> Option<NodeId>) -> NodeId {
        (0..REACH).try_fold(id, |at, _| step(at).ok_or(at)).unwrap_or_else(|end| end)
    }

    /// The operand that `id` scales and shifts channel by channel: a normalisation, or how exporters spell one.
    pub(super) fn scaled(&self, id: NodeId) -> Option<NodeId> {
        if matches!(self.op(id), Op::Identity | Op::BatchNorm(_) | Op::Activation(Activation::Rescale { .. }))
        {
            self.operand(id)
        } else if matches!(self.op(id), Op::Binary(Binary::Add | Binary::Sub | Binary::Mul | Binary::Div)) {
            self.beside_constant(id)
        } else {
            None
        }
    }

    /// The operand that `id` is a function of, element by element: normalisations, activations, gates.
    pub(super) fn elementwise(&self, id: NodeId) -> Option<NodeId> {
        if matches!(self.op(id), Op::Activation(_) | Op::Prelu(_)) {
            self.operand(id)
        } else if matches!(self.op(id), Op::Binary(Binary::Mul)) {
            self.beside_constant(id)
                .or_else(|| self.gated_by_itself(id))
                .or_else(|| self.squeeze(id).map(|squeeze| squeeze.map))
        } else {
            self.scaled(id)
        }
    }

    /// The one operand of a binary op that is no constant.
    fn beside_constant(&self, id: NodeId) -> Option<NodeId> {
        let operands = self.operands(id);
        let is_constant = |operand: &NodeId| matches!(self.op(*operand), Op::Constant(_));
        match operands[..] {
            [a, b] if is_constant(&b) && !is_constant(&a) => Some(a),
            [a, b] if is_constant(&a) && !is_constant(&b) => Some(b),
            _ => None,
        }
    }

    /// The `x` of `x * f(x)`, as swish is spelled.
    fn gated_by_itself(&self, id: NodeId) -> Option<NodeId> {
        let [a, b] = self.operands(id)[..] else { return None };
        let activated = |of: NodeId, x: NodeId| {
            self.back(of, |at| {
                if matches!(self.op(at), Op::Activation(_) | Op::Identity) && at != x {
                    self.operand(at)
                } else {
                    None
                }
            }) == x
        };
        if activated(b, a) { Some(a) } else { activated(a, b).then_some(b) }
    }

    /// The squeeze and excite whose product `id` is.
    pub(super) fn squeeze(&self, id: NodeId) -> Option<Squeeze> {
        let Op::Binary(Binary::Mul) = self.op(id) else { return None };
        let [a, b] = self.operands(id)[..] else { return None };
        let gates = |map: &NodeId, gate: &NodeId| {
            self.shapes.get(map).zip(self.shapes.get(gate)).is_some_and(|(map, gate)| is_gate(map, gate))
        };
        let (map, gate) = match (gates(&a, &b), gates(&b, &a)) {
            (true, false) => (a, b),
            (false, true) => (b, a),
            _ => return None,
        };
        let goes_on = |op: &Op| {
            matches!(op, Op::Activation(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Dense(_))
                || matches!(op, Op::Conv2d(conv) if conv.kernel == [1, 1])
        };
        let pool = self.back(gate, |at| {
            if self.is_global_mean(at) {
                None
            } else if goes_on(self.op(at)) {
                self.operand(at)
            } else {
                self.scaled(at)
            }
        });
        let of = self.operand(pool).filter(|_| self.is_global_mean(pool))?;
        (of == map).then_some(Squeeze { map, pool })
    }

    /// Whether it is the mean of each channel over the whole map.
    pub(super) fn is_global_mean(&self, id: NodeId) -> bool {
        if matches!(self.op(id), Op::GlobalAveragePool(_)) {
            true
        } else if let Op::Reduce(reduce) = self.op(id) {
            reduce.kind == ReduceKind::Mean && reduce.axes[..] == [0, 1]
        } else if let Op::Pool(pool) = self.op(id) {
            matches!(pool.kind, PoolKind::Average { .. })
                && self.map(id).is_some_and(|[rows, columns, _]| [rows, columns] == [1, 1])
        } else {
            false
        }
    }

    /// What the result of `id` comes to behind normalisations, activations and gates: the layers that are none of these. The
    /// mean for a gate does not count.
    pub(super) fn consumers(&self, id: NodeId) -> Vec<NodeId> {
        let (mut consumers, mut waiting, mut passed) = (Vec::new(), vec![id], 0);
        while let Some(at) = waiting.pop().filter(|_| passed < REACH) {
            passed += 1;
            for reader in self.readers(at) {
                if self.elementwise(reader).is_some() {
                    waiting.push(reader);
                } else if !self.is_global_mean(reader) {
                    consumers.push(reader);
                }
            }
        }
        consumers.sort_unstable();
        consumers.dedup();
        consumers
    }
}
