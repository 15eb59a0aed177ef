//! Weights in the order in which kernels read them.
//!
//! A convolution's panel holds the bias of its output channels, then for each tap and each input channel one row of as
//! many values as the panel is wide. A depthwise block holds its bias, then a vector for each tap. Where the last block
//! has more lanes than there are channels, the rest are zeros.

use std::ops::Range;

use crate::kernels::conv::Panels;

/// A convolution's kernel as the graph holds it: `[taps, inputs of a group, filters]`.
#[derive(Debug, Clone, Copy)]
pub struct Kernel<'a> {
    /// The values, row-major.
    pub values: &'a [f32],
    /// Taps of the window.
    pub taps: usize,
    /// Input channels of a group.
    pub inputs_per_group: usize,
    /// Output channels.
    pub filters: usize,
    /// Groups.
    pub groups: usize,
}

/// The part of a convolution that one kernel computes: whole groups.
#[derive(Debug, Clone)]
pub struct Part {
    /// Its input channels.
    pub inputs: Range<usize>,
    /// Its output channels.
    pub filters: Range<usize>,
}

/// Appends the panels of `part`. Inputs and outputs of different groups within the part meet in zeros.
pub fn conv(into: &mut Vec<f32>, kernel: &Kernel<'_>, bias: Option<&[f32]>, part: &Part, panels: &[Vectors]) {
    let mut first = part.filters.start;
    for panel in panels {
        for _ in 0..panel.panels.count {
            let width = panel.panels.vectors * panel.lanes;
            let filters = first.min(part.filters.end)..(first + width).min(part.filters.end);
            let zeros = width - filters.len();
            match bias {
                Some(bias) => into.extend_from_slice(&bias[filters.clone()]),
                None => into.extend(std::iter::repeat_n(0.0, filters.len())),
            }
            into.extend(std::iter::repeat_n(0.0, zeros));
            for tap in 0..kernel.taps {
                for input in part.inputs.clone() {
                    row(into, kernel, [tap, input], filters.clone());
                    into.extend(std::iter::repeat_n(0.0, zeros));
                }
            }
            first += width;
        }
    }
}

/// Panels and the lanes of their vectors.
#[derive(Debug, Clone, Copy)]
pub struct Vectors {
    /// The panels.
    pub panels: Panels,
    /// Lanes of one vector.
    pub lanes: usize,
}

/// The weights from one input channel at one tap to `filters`.
fn row(into: &mut Vec<f32>, kernel: &Kernel<'_>, [tap, input]: [usize; 2], filters: Range<usize>) {
    let per_group = kernel.inputs_per_group;
    let begin = (tap * per_group + input % per_group) * kernel.filters;
    let values = &kernel.values[begin..begin + kernel.filters];
    if kernel.groups == 1 {
        into.extend_from_slice(&values[filters]);
        return;
    }
    let filters_per_group = kernel.filters / kernel.groups;
    let group = input / per_group;
    into.extend(filters.map(|filter| if filter / filters_per_group == group { values[filter] } else { 0.0 }));
}

/// Appends the blocks of a depthwise convolution with `kernel` as `[taps, channels]`.
pub fn depthwise(into: &mut Vec<f32>, kernel: &[f32], bias: Option<&[f32]>, channels: usize, lanes: usize) {
    for first in (0..channels).step_by(lanes) {
        let end = (first + lanes).min(channels);
        let rows = bias.into_iter().chain(kernel.chunks_exact(channels));
        if bias.is_none() {
            into.extend(std::iter::repeat_n(0.0, lanes));
        }
        for values in rows {
            into.extend_from_slice(&values[first..end]);
            into.extend(std::iter::repeat_n(0.0, first + lanes - end));
        }
    }
}

/// Appends scale and shift of each block.
pub fn affine(into: &mut Vec<f32>, scale: &[f32], shift: &[f32], lanes: usize) {
    for (scale, shift) in scale.chunks(lanes).zip(shift.chunks(lanes)) {
        for values in [scale, shift] {
            into.extend_from_slice(values);
            into.extend(std::iter::repeat_n(0.0, lanes - values.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_is_its_bias_then_a_row_for_each_tap_and_channel() {
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let kernel = Kernel { values: &values, taps: 2, inputs_per_group: 2, filters: 3, groups: 1 };
        let panels = [Vectors { panels: Panels { vectors: 1, count: 1 }, lanes: 4 }];
        let mut packed = Vec::new();
        let part = Part { inputs: 0..2, filters: 0..3 };
        conv(&mut packed, &kernel, Some(&[7.0, 8.0, 9.0]), &part, &panels);
        let rows =
            [[7., 8., 9., 0.], [0., 1., 2., 0.], [3., 4., 5., 0.], [6., 7., 8., 0.], [9., 10., 11., 0.]];
        assert_eq!(packed, rows.concat());
    }

    #[test]
    fn channels_of_different_groups_meet_in_zeros() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let kernel = Kernel { values: &values, taps: 1, inputs_per_group: 1, filters: 4, groups: 2 };
        let panels = [Vectors { panels: Panels { vectors: 1, count: 1 }, lanes: 4 }];
        let mut packed = Vec::new();
        conv(&mut packed, &kernel, None, &Part { inputs: 0..2, filters: 0..4 }, &panels);
        assert_eq!(packed, [0., 0., 0., 0., 1., 2., 0., 0., 0., 0., 3., 4.]);
    }

    #[test]
    fn a_depthwise_block_is_its_bias_then_a_vector_for_each_tap() {
        let mut packed = Vec::new();
        depthwise(&mut packed, &[1., 2., 3., 4., 5., 6.], Some(&[7., 8., 9.]), 3, 2);
        assert_eq!(packed, [7., 8., 1., 2., 4., 5., 9., 0., 3., 0., 6., 0.]);
    }
}
