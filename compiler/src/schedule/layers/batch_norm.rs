//! Batch normalisation that was folded nowhere: a scale and a shift of each channel.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::BatchNorm;

use super::elementwise;
use crate::pack::{Source, Values};
use crate::schedule::network::Network;
use crate::schedule::placement::Placement;

/// As `x * scale + shift`.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, norm: &BatchNorm) -> Result<(), Diagnostic> {
    let (scale, shift) = scale_and_shift(placement.net, id, norm)?;
    let affine = placement.pack(Source::Values(blocks(&scale, &shift, placement.net.width.lanes).into()));
    elementwise::place_with(placement, id, Some(affine), None)
}

/// Scale and shift of each channel, computed in f64.
fn scale_and_shift(
    net: &Network<'_>,
    id: NodeId,
    norm: &BatchNorm,
) -> Result<(Vec<f32>, Vec<f32>), Diagnostic> {
    let count = net.graph.node(id).weights.len();
    let weights = (0..count).map(|index| net.weight(id, index)).collect::<Result<Vec<_>, _>>()?;
    let mut next = weights.iter();
    let gamma = if norm.scale { next.next() } else { None };
    let beta = if norm.center { next.next() } else { None };
    let (mean, variance) = (&weights[weights.len() - 2], &weights[weights.len() - 1]);
    let value = |of: Option<&Values>, channel: usize, default: f64| {
        of.map_or(default, |values| f64::from(values[channel]))
    };
    let pair = |channel: usize| {
        let deviation = (f64::from(variance[channel]) + f64::from(norm.epsilon.get())).sqrt();
        let scale = value(gamma, channel, 1.0) / deviation;
        let shift = value(beta, channel, 0.0) - f64::from(mean[channel]) * scale;
        (scale as f32, shift as f32)
    };
    Ok((0..mean.len()).map(pair).unzip())
}

/// Scale and shift of each block of `lanes` channels, one behind the other, with zeros where a block has fewer channels.
fn blocks(scale: &[f32], shift: &[f32], lanes: usize) -> Vec<f32> {
    let padded = |values: &[f32]| {
        let mut vector = values.to_vec();
        vector.resize(lanes, 0.0);
        vector
    };
    scale.chunks(lanes).zip(shift.chunks(lanes)).flat_map(|(a, b)| [padded(a), padded(b)].concat()).collect()
}
