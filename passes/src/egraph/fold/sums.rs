//! Kernels of several convolutions as the one that adds their results up.

use frit_ir::Shape;
use frit_ir::ops::Padding;

use super::Known;

/// The kernel `[1, 1, channels of a group, channels]` that hands on each channel as it is.
pub(super) fn identity(channels: usize, groups: usize) -> Vec<f64> {
    let inputs = channels / groups;
    let mut kernel = vec![0.0; inputs * channels];
    for filter in 0..channels {
        kernel[filter % inputs * channels + filter] = 1.0;
    }
    kernel
}

/// A kernel of `shape`, `[height, width, inputs, filters]`, with zeros around its window.
pub(super) fn padded(padding: &Padding, shape: &Shape, kernel: &Known) -> Known {
    let around = |values: &[f64]| {
        let &[height, width, inputs, filters] = shape.axes() else { return values.to_vec() };
        let (tap, row) = (inputs * filters, width * inputs * filters);
        let [left, right] = padding.along(1).map(|side| side * tap);
        let wider = left + row + right;
        let mut around = vec![0.0; (padding.top + height + padding.bottom) * wider];
        for (y, values) in values.chunks_exact(row.max(1)).enumerate() {
            let start = (padding.top + y) * wider + left;
            around[start..start + row].copy_from_slice(values);
        }
        around
    };
    let added = kernel.added.as_deref().map(|added| around(added).into());
    Known { added, ..Known::of(around(&kernel.values)) }
}

/// Weights of one shape added up.
pub(super) fn total(parts: &[&Known]) -> Known {
    let places = 0..parts[0].values.len();
    let values: Vec<f64> =
        places.clone().map(|place| parts.iter().map(|part| part.values[place]).sum()).collect();
    let magnitude = |place: usize| parts.iter().map(|part| part.magnitudes()[place].abs()).sum();
    Known { added: Some(places.map(magnitude).collect()), ..Known::of(values) }
}
