//! Strides: with whose padding, and how often in one block.

use std::collections::BTreeMap;

use frit_ir::ops::{Padding, Scalar};
use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure, counted};
use crate::legality::residual::spelled;

/// The epsilon of TensorFlow's batch normalisation.
const TENSORFLOW: Scalar = Scalar::new(1e-3);

/// Padding of PyTorch around strided convolutions of a network that was probably trained with TensorFlow's.
pub(super) fn symmetric_padding(network: &Network<'_>) -> Vec<Found> {
    let strided: Vec<(NodeId, Padded)> = network
        .order
        .iter()
        .filter(|&&id| has_epsilon_of_tensorflow(network, id))
        .filter_map(|&id| Some((id, padded(network, id)?)))
        .collect();
    let symmetric = || strided.iter().filter(|(_, padded)| padded.is_symmetric());
    let Some((_, first)) = symmetric().next() else { return Vec::new() };
    let (count, all) = (symmetric().count(), strided.len());
    let [given, same] = [first.given, first.same].map(|[before, after]| format!("({before}, {after})"));
    vec![Found {
        layers: symmetric().map(|&(id, _)| ("strided", id)).collect(),
        message: format!("strided convolutions padded alike on both sides: {count} of {all}"),
        why: format!(
            "their batch normalisations have TensorFlow's epsilon of 0.001, and TensorFlow pads {same} here where \
             they pad {given}; the shape is the same, but each value is that of a window shifted by a pixel"
        ),
        what: "if the weights come from TensorFlow or Keras, pad as `same` does (\"padding\": \"same\"); if they \
               were trained with this padding, as torchvision's MobileNetV3 was, all is well".to_owned(),
        sure: if count < all { Sure::Likely } else { Sure::Possible },
    }]
}

fn has_epsilon_of_tensorflow(network: &Network<'_>, id: NodeId) -> bool {
    let norm = network.only_reader(id).map(|reader| network.op(reader));
    matches!(norm, Some(Op::BatchNorm(norm)) if (norm.epsilon.get() - TENSORFLOW.get()).abs() < 1e-6)
}

/// Rows or columns around the map of a strided convolution, where TensorFlow's `same` makes as large a result.
struct Padded {
    given: [usize; 2],
    same: [usize; 2],
}

impl Padded {
    /// Whether both sides are alike where those of `same` are not.
    fn is_symmetric(&self) -> bool {
        self.given[0] == self.given[1] && self.same[0] != self.same[1]
    }
}

/// The first axis along which the two could differ.
fn padded(network: &Network<'_>, id: NodeId) -> Option<Padded> {
    let (conv, operand) = network.convolution(id)?;
    let (padding, map) = if let Op::Pad(pad) = network.op(operand)
        && conv.padding == Padding::default()
    {
        (pad.padding, network.operand(operand)?)
    } else {
        (conv.padding, operand)
    };
    let (from, to) = (network.map(map)?, network.map(id)?);
    let along = |axis: usize| {
        let (length, stride) = (from[axis], conv.stride[axis]);
        let reach = (conv.kernel[axis] - 1).checked_mul(conv.dilation[axis])?.checked_add(1)?;
        let result = length.div_ceil(stride);
        let total = ((result - 1).checked_mul(stride)?.checked_add(reach)?).saturating_sub(length);
        let padded = Padded { given: padding.along(axis), same: [total / 2, total - total / 2] };
        (stride > 1 && result == to[axis] && padded.given[1] > 0).then_some(padded)
    };
    along(0).or_else(|| along(1))
}

/// Strides that stand on more than one layer of a block.
pub(super) fn twice(network: &Network<'_>) -> Vec<Found> {
    // Chains of strided layers by their last one.
    let mut chains: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
    for &id in network.order.iter().filter(|&&id| stride(network, id).is_some()) {
        let before = strided_before(network, id);
        let mut chain = before.and_then(|before| chains.remove(&before)).unwrap_or_default();
        chain.push(id);
        chains.insert(id, chain);
    }
    chains.into_values().filter_map(|chain| found(network, &chain)).collect()
}

/// The stride of a convolution or a pool, where it is not 1.
fn stride(network: &Network<'_>, id: NodeId) -> Option<[usize; 2]> {
    let stride = if let Op::Conv2d(conv) = network.op(id) {
        conv.stride
    } else if let Op::Pool(pool) = network.op(id) {
        pool.stride
    } else {
        return None;
    };
    (stride != [1, 1] && !network.is_global_mean(id)).then_some(stride)
}

/// The strided layer whose result `id` alone goes on with.
fn strided_before(network: &Network<'_>, id: NodeId) -> Option<NodeId> {
    let before = network.back(network.operand(id)?, |id| network.elementwise(id));
    stride(network, before).filter(|_| network.consumers(before) == [id]).map(|_| before)
}

fn found(network: &Network<'_>, chain: &[NodeId]) -> Option<Found> {
    let is_point = |id: &NodeId| matches!(network.op(*id), Op::Conv2d(conv) if conv.kernel == [1, 1]);
    let (&first, &last) = (chain.first()?, chain.last()?);
    if chain.len() < 2 || !chain.iter().any(is_point) || is_told_by_legality(network, last) {
        return None;
    }
    let product = chain.iter().filter_map(|&id| stride(network, id)).fold([1usize; 2], |product, stride| {
        std::array::from_fn(|axis| product[axis].saturating_mul(stride[axis]))
    });
    let (from, to) = (network.map(network.operand(first)?)?, network.map(last)?);
    let kept = chain.iter().copied().find(|&id| network.multiplier(id).is_some()).unwrap_or(first);
    Some(Found {
        layers: chain.iter().map(|&id| ("strided", id)).collect(),
        message: format!("a stride stands on {} of one block", counted(chain.len(), "layer")),
        why: format!(
            "together they stride by {}, from {}x{} to {}x{}; a 1x1 convolution with a stride reads one pixel of {} \
             and drops the others",
            spelled(product),
            from[0],
            from[1],
            to[0],
            to[1],
            chain
                .iter()
                .find(|id| is_point(id))
                .and_then(|&id| stride(network, id))
                .map_or(1, |s| s[0].saturating_mul(s[1]))
        ),
        what: format!("leave the stride on {} alone", network.name(kept)),
        sure: Sure::Likely,
    })
}

/// Whether the block ends in a residual that is refused, which names these strides.
fn is_told_by_legality(network: &Network<'_>, last: NodeId) -> bool {
    network.broken.iter().any(|broken| {
        let sides = network.operands(broken.at);
        sides.into_iter().any(|side| network.back(side, |id| network.elementwise(id)) == last)
    })
}
