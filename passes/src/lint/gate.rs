//! Gates: where squeeze and excite stands (Howard et al., MobileNetV3, 2019), and gates that can't close.

use frit_ir::ops::Activation;
use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure};

/// Squeeze and excite of what a block projects to, instead of what it expands to.
pub(super) fn behind_projection(network: &Network<'_>) -> Vec<Found> {
    network.order.iter().filter_map(|&id| misplaced(network, id)).collect()
}

fn misplaced(network: &Network<'_>, product: NodeId) -> Option<Found> {
    let squeeze = network.squeeze(product)?;
    let project = network.back(squeeze.map, |id| network.scaled(id));
    let (conv, projected) = network.convolution(project)?;
    let expanded = network.channels(projected)?;
    if conv.kernel != [1, 1] || conv.groups != 1 || conv.filters >= expanded {
        return None;
    }
    let depthwise = network.back(projected, |id| network.elementwise(id));
    network.multiplier(depthwise)?;
    let [product_name, depthwise_name] = [product, depthwise].map(|id| network.name(id));
    let filters = conv.filters;
    Some(Found {
        layers: vec![
            ("gate", product),
            ("mean", squeeze.pool),
            ("projection", project),
            ("depthwise", depthwise),
        ],
        message: "squeeze and excite stands behind the block's projection".to_owned(),
        why: format!(
            "it weighs the {filters} channels that the projection makes, whose end is linear; MobileNetV3, MnasNet \
             and EfficientNet weigh the {expanded} channels before it"
        ),
        what: format!(
            "pool and multiply what follows {depthwise_name} ({expanded} channels), before the projection, instead \
             of {product_name}"
        ),
        sure: Sure::Likely,
    })
}

/// A sigmoid, hard or not, of what is never negative.
pub(super) fn above_half(network: &Network<'_>) -> Vec<Found> {
    network.order.iter().filter_map(|&id| never_closed(network, id)).collect()
}

fn never_closed(network: &Network<'_>, gate: NodeId) -> Option<Found> {
    let chain = chain(network, gate);
    let length = (1..=chain.len().min(SPELLED)).find(|&length| is_sigmoid(&chain[..length]))?;
    let (inner, outer) = (&chain[length..], &chain[..length]);
    let lowest = lowest(inner)?;
    let (clamp, activation) = *inner.first()?;
    let least = applied(outer, lowest);
    if lowest < 0.0 {
        return None;
    }
    let multiplies = |reader: &NodeId| matches!(network.op(*reader), Op::Binary(frit_ir::ops::Binary::Mul));
    let product = network.readers(gate).into_iter().find(multiplies);
    let layers = [("gate", gate), ("before it", clamp)];
    let (clamp_name, before) = (network.name(clamp), activation.name());
    Some(Found {
        layers: layers.into_iter().chain(product.map(|product| ("product", product))).collect(),
        message: format!("the gate is never below {least}: {before} stands before its sigmoid"),
        why: format!(
            "{before} makes no negative numbers, and of others the sigmoid is {least} at least: {}",
            match network.shapes.get(&gate).and_then(|shape| shape.elements()) {
                Some(values) => format!("none of its {values} values switches anything off"),
                None => "it switches nothing off".to_owned(),
            }
        ),
        what: format!("take out {clamp_name}, so that the sigmoid gets the sums themselves"),
        sure: Sure::Certain,
    })
}

/// Layers that a sigmoid is spelled with, at most: `relu6(x + 3) * 1/6`.
const SPELLED: usize = 3;
/// Activations before it that are looked at.
const BEFORE: usize = 8;

/// The activations that end with `id`, the last one first; layers that keep their elements are passed over.
fn chain(network: &Network<'_>, id: NodeId) -> Vec<(NodeId, Activation)> {
    let mut chain = Vec::new();
    let mut at = id;
    for _ in 0..SPELLED + BEFORE {
        if let Op::Activation(activation) = network.op(at) {
            chain.push((at, *activation));
        } else if at == id || !matches!(network.op(at), Op::Reshape(_) | Op::Transpose(_)) {
            break;
        }
        let Some(before) = network.operand(at) else { break };
        at = before;
    }
    chain
}

fn applied(chain: &[(NodeId, Activation)], x: f64) -> f64 {
    let y = chain.iter().rev().fold(x, |x, (_, activation)| activation.apply(x));
    // The sixth is rounded to f32.
    (y * 1e6).round() / 1e6
}

/// Whether it climbs from 0 to 1, with a half in the middle.
fn is_sigmoid(chain: &[(NodeId, Activation)]) -> bool {
    let climbs = chain.iter().all(|(_, activation)| is_monotone(activation));
    climbs
        && [(f64::NEG_INFINITY, 0.0), (0.0, 0.5), (f64::INFINITY, 1.0)]
            .iter()
            .all(|&(x, y)| applied(chain, x) == y)
}

/// The least that comes out of it, whatever comes in; none where that is not known.
fn lowest(chain: &[(NodeId, Activation)]) -> Option<f64> {
    chain.iter().rev().try_fold(f64::NEG_INFINITY, |low, (_, activation)| match activation {
        Activation::Abs => Some(0.0),
        activation if is_monotone(activation) => Some(activation.apply(low)),
        _ => None,
    })
}

fn is_monotone(activation: &Activation) -> bool {
    match activation {
        Activation::Relu
        | Activation::Relu6
        | Activation::Clip { .. }
        | Activation::Sigmoid
        | Activation::HardSigmoid
        | Activation::Tanh
        | Activation::Softplus
        | Activation::Exp => true,
        Activation::Rescale { scale, .. } => scale.get() > 0.0,
        Activation::LeakyRelu { slope, .. } => slope.get() >= 0.0,
        _ => false,
    }
}
