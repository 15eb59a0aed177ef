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
    let affine = scale_and_shift(placement.net, id, norm)?;
    let affine = placement.pack(Source::Values(blocks(&affine, placement.net.width.lanes)));
    elementwise::place_with(placement, id, Some(affine), None)
}

/// Scale and shift of each channel, computed in f64.
fn scale_and_shift(net: &Network<'_>, id: NodeId, norm: &BatchNorm) -> Result<[Values; 2], Diagnostic> {
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
        (scale, shift)
    };
    let (scale, shift): (Vec<f64>, Vec<f64>) = (0..mean.len()).map(pair).unzip();
    Ok([scale, shift].map(Values::nearest))
}

/// Scale and shift of each block of `lanes` channels, one behind the other, with zeros where a block has fewer channels.
fn blocks([scale, shift]: &[Values; 2], lanes: usize) -> Values {
    let block = |first: usize| {
        let padded = |values: &Values| -> Vec<_> {
            (first..first + lanes).map(|channel| values.get(channel).copied().unwrap_or_default()).collect()
        };
        [padded(scale), padded(shift)].concat()
    };
    (0..scale.len()).step_by(lanes).flat_map(block).collect()
}
