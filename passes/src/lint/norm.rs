//! Batch normalisations (Ioffe and Szegedy, 2015): along which axis, with which statistics, and behind a bias.

use frit_ir::{NodeId, Op};

use super::network::Network;
use super::{Found, Sure, counted};

/// One that normalises rows or columns, because it was told an axis that is not that of the channels.
pub(super) fn axis(network: &Network<'_>) -> Vec<Found> {
    network.order.iter().filter_map(|&id| off_axis(network, id)).collect()
}

fn off_axis(network: &Network<'_>, norm: NodeId) -> Option<Found> {
    let (Op::BatchNorm(_), there) = (network.op(norm), network.operand(norm)?) else { return None };
    let (Op::Transpose(turn), of) = (network.op(there), network.operand(there)?) else { return None };
    let turns_back = |&id: &NodeId| {
        let Op::Transpose(back) = network.op(id) else { return false };
        turn.axes.iter().enumerate().all(|(to, &from)| back.axes.get(from) == Some(&to))
    };
    let behind = network.consumers(norm);
    // A file that counts channels first has such a pair around what it does to its input.
    let is_border = matches!(network.op(network.back(of, |id| network.elementwise(id))), Op::Input(_));
    if is_border || behind.is_empty() || !behind.iter().all(turns_back) {
        return None;
    }
    let [rows, columns, channels] = network.map(of)?;
    let (axis, length) = match turn.axes.last()? {
        0 => ("rows", rows),
        1 => ("columns", columns),
        _ => return None,
    };
    Some(Found {
        layers: vec![("norm", norm), ("map", of)],
        message: format!("a batch normalisation is over the {axis} of its map"),
        why: format!(
            "it has statistics for {length} {axis} of a map of {rows}x{columns}x{channels}, and none for its \
             {channels} channels; it fits no other size of pictures, and can't become part of a convolution"
        ),
        what: "give it the axis of the channels: axis=-1 where they come last, axis=1 only where they come first"
            .to_owned(),
        sure: Sure::Likely,
    })
}

/// Those whose statistics are as they were before training.
pub(super) fn statistics(network: &Network<'_>) -> Vec<Found> {
    let norms = || network.order.iter().copied().filter(|&id| matches!(network.op(id), Op::BatchNorm(_)));
    let untouched: Vec<NodeId> = norms().filter(|&id| is_untouched(network, id)).collect();
    if untouched.is_empty() {
        return Vec::new();
    }
    let all = norms().count();
    vec![Found {
        message: format!(
            "batch normalisations with the statistics of an untrained one: {} of {all}",
            untouched.len()
        ),
        layers: untouched.into_iter().map(|id| ("norm", id)).collect(),
        why: "their mean is 0 and their variance 1 in every channel, as both begin, though gamma or beta were \
              trained; what was normalised in training is not normalised at inference".to_owned(),
        what: "run some batches in training mode so that the moving statistics move, and export again; a momentum of \
               1 keeps them, and so does a training flag that never arrives; a converter that put them into gamma \
               and beta is fine".to_owned(),
        sure: Sure::Possible,
    }]
}

fn is_untouched(network: &Network<'_>, id: NodeId) -> bool {
    let Op::BatchNorm(norm) = network.op(id) else { return false };
    let learnt = usize::from(norm.scale) + usize::from(norm.center);
    let all = |place: usize, value| {
        network.trained(id, place).map(|values| values.iter().all(|&given| given == value))
    };
    let gamma_moved = norm.scale && all(0, 1.0) == Some(false);
    let beta_moved = norm.center && all(usize::from(norm.scale), 0.0) == Some(false);
    (gamma_moved || beta_moved) && all(learnt, 0.0) == Some(true) && all(learnt + 1, 1.0) == Some(true)
}

/// Biases that a normalisation subtracts with the mean.
pub(super) fn bias(network: &Network<'_>) -> Vec<Found> {
    let biased: Vec<[NodeId; 2]> = network.order.iter().filter_map(|&id| cancelled(network, id)).collect();
    if biased.is_empty() {
        return Vec::new();
    }
    let biases = biased.iter().map(|&[layer, _]| network.channels(layer).unwrap_or_default());
    let parameters: usize = biases.sum();
    vec![Found {
        message: format!("{} a bias that a batch normalisation cancels", have(biased.len())),
        layers: biased.iter().flat_map(|&[layer, norm]| [("bias", layer), ("norm", norm)]).collect(),
        why: format!(
            "the normalisation subtracts the mean of what it gets, and any bias with it: {} that training can't use; \
             its beta does what they were meant for",
            counted(parameters, "parameter")
        ),
        what: "leave the bias out: \"bias\": false, use_bias=False in Keras, bias=False in PyTorch"
            .to_owned(),
        sure: Sure::Certain,
    }]
}

fn have(count: usize) -> String {
    let verb = if count == 1 { "has" } else { "have" };
    format!("{} {verb}", counted(count, "layer"))
}

/// A layer with a bias and the normalisation that alone reads it. Zeros, which exporters write where there is no bias, are none.
fn cancelled(network: &Network<'_>, id: NodeId) -> Option<[NodeId; 2]> {
    let epilogue = network.op(id).epilogue()?;
    let norm = network.only_reader(id).filter(|_| epilogue.bias && epilogue.is_linear())?;
    (matches!(network.op(norm), Op::BatchNorm(_)) && !network.is_zero(id, 1)).then_some([id, norm])
}
