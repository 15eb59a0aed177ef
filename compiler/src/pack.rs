//! Weights in the order in which kernels read them.
//!
//! A convolution's panel holds the bias of its output channels, then for each tap and each input channel one row of as
//! many values as the panel is wide. A depthwise block holds its bias, then a vector for each tap. Where the last block
//! has more lanes than there are channels, the rest are zeros.
//!
//! The schedule only says where what will lie ([`Packing`]); the values are copied once, into the memory that the program
//! keeps. What several layers read, as one head on maps of several sizes does, lies there once.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::iter::repeat_n;
use std::ops::Range;
use std::sync::Mutex;

pub use frit_ir::weights::Values;
use frit_runtime::Refusal;
use frit_runtime::memory::Memory;

use crate::kernels::F32;
use crate::kernels::conv::Panels;
use crate::kernels::winograd::{FREQUENCIES, transform_weights};

/// The weights of a kernel, yet to be packed.
#[derive(Debug, Clone, PartialEq)]
pub enum Source {
    /// Panels of a convolution.
    Conv(Conv),
    /// Panels of the products of a 3×3 convolution by Winograd's algorithm, frequency by frequency; there is no bias.
    Winograd(Conv),
    /// Blocks of a depthwise convolution.
    Depthwise(Depthwise),
    /// Values that are in their order already.
    Values(Values),
}

/// A convolution's kernel as the graph holds it, `[taps, inputs of a group, filters]`, and what is packed of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conv {
    /// The values, row-major.
    pub kernel: Values,
    /// A value for each filter.
    pub bias: Option<Values>,
    /// Taps of the window.
    pub taps: usize,
    /// Input channels of a group.
    pub inputs_per_group: usize,
    /// Output channels of the whole convolution.
    pub filters: usize,
    /// Groups.
    pub groups: usize,
    /// The input channels of the groups that are packed: whole groups, which meet in zeros.
    pub inputs: Range<usize>,
    /// Their output channels.
    pub outputs: Range<usize>,
    /// Panels, in the order of output channels.
    pub panels: Vec<Panels>,
    /// Lanes of a vector.
    pub lanes: usize,
}

/// A depthwise convolution's kernel as the graph holds it, `[taps, channels]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Depthwise {
    /// The values, row-major.
    pub kernel: Values,
    /// A value for each channel.
    pub bias: Option<Values>,
    /// Channels.
    pub channels: usize,
    /// Lanes of a vector.
    pub lanes: usize,
}

impl Source {
    /// Values, the zeros included.
    fn len(&self) -> usize {
        match self {
            Source::Conv(conv) => (1 + conv.taps * conv.inputs.len()) * conv.width(),
            Source::Winograd(conv) => FREQUENCIES * (1 + conv.inputs.len()) * conv.width(),
            Source::Depthwise(depthwise) => {
                let Depthwise { kernel, channels, lanes, .. } = depthwise;
                (1 + kernel.len() / channels) * channels.next_multiple_of(*lanes)
            }
            Source::Values(values) => values.len(),
        }
    }

    /// A hash of all but the panels, of a few of the values: equal sources have equal ones.
    fn sample(&self) -> u64 {
        let mut hash = DefaultHasher::new();
        let values = match self {
            Source::Conv(Conv { kernel, taps, filters, groups, inputs, outputs, lanes, .. })
            | Source::Winograd(Conv { kernel, taps, filters, groups, inputs, outputs, lanes, .. }) => {
                (matches!(self, Source::Winograd(_)), taps, filters, groups, inputs, outputs, lanes)
                    .hash(&mut hash);
                kernel
            }
            Source::Depthwise(Depthwise { kernel, channels, lanes, .. }) => {
                (channels, lanes).hash(&mut hash);
                kernel
            }
            Source::Values(values) => values,
        };
        values.len().hash(&mut hash);
        for value in values.iter().step_by(values.len().div_ceil(SAMPLED).max(1)) {
            value.to_bits().hash(&mut hash);
        }
        hash.finish()
    }

    /// Whether `other` packs the same values in the same order, bit by bit.
    fn is_same(&self, other: &Source) -> bool {
        match (self, other) {
            (Source::Conv(a), Source::Conv(b)) | (Source::Winograd(a), Source::Winograd(b)) => {
                a.panels == b.panels && a.has_values_of(b)
            }
            (Source::Depthwise(a), Source::Depthwise(b)) => {
                (a.channels, a.lanes) == (b.channels, b.lanes)
                    && same_bits(&a.kernel, &b.kernel)
                    && same_biases(a.bias.as_ref(), b.bias.as_ref())
            }
            (Source::Values(a), Source::Values(b)) => same_bits(a, b),
            _ => false,
        }
    }

    /// Fills `into`, which is all zeros.
    fn fill(&self, into: &mut [f32]) {
        match self {
            Source::Conv(conv) => conv.fill(into),
            Source::Winograd(conv) => conv.fill_frequencies(into),
            Source::Depthwise(depthwise) => depthwise.fill(into),
            Source::Values(values) => into.copy_from_slice(values),
        }
    }
}

/// So many values of a source tell it from most others.
const SAMPLED: usize = 64;

/// Whether all values are alike to the bit, which tells zeros apart and takes a NaN for itself.
fn same_bits(a: &Values, b: &Values) -> bool {
    std::ptr::eq(&**a, &**b)
        || (a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits()))
}

fn same_biases(a: Option<&Values>, b: Option<&Values>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => same_bits(a, b),
        (a, b) => a.is_none() && b.is_none(),
    }
}

impl Conv {
    /// All of a kernel of so many taps over so many input channels to so many filters in groups; no panels yet.
    pub fn new(
        kernel: Values,
        bias: Option<Values>,
        [taps, channels, filters, groups]: [usize; 4],
        lanes: usize,
    ) -> Conv {
        let (inputs_per_group, inputs, outputs, panels) =
            (channels / groups, 0..channels, 0..filters, Vec::new());
        Conv { kernel, bias, taps, inputs_per_group, filters, groups, inputs, outputs, panels, lanes }
    }

    /// Whether `other` is the same but for its panels.
    fn has_values_of(&self, other: &Conv) -> bool {
        let layout = |conv: &Conv| {
            let Conv { taps, inputs_per_group, filters, groups, lanes, .. } = *conv;
            [taps, inputs_per_group, filters, groups, lanes]
        };
        layout(self) == layout(other)
            && (&self.inputs, &self.outputs) == (&other.inputs, &other.outputs)
            && same_bits(&self.kernel, &other.kernel)
            && same_biases(self.bias.as_ref(), other.bias.as_ref())
    }

    /// Values of a row of each panel.
    fn widths(&self) -> impl Iterator<Item = usize> {
        self.panels.iter().flat_map(|panels| repeat_n(panels.vectors * self.lanes, panels.count))
    }

    /// Values of a row of all panels.
    fn width(&self) -> usize {
        self.widths().sum()
    }

    /// The panels of each frequency, one behind the other.
    fn fill_frequencies(&self, into: &mut [f32]) {
        let frequency = into.len() / FREQUENCIES;
        let (inputs, mut first, mut begin) = (self.inputs.len(), 0, 0);
        for width in self.widths() {
            for input in 0..inputs {
                for filter in first..(first + width).min(self.filters) {
                    let tap =
                        |tap: usize| f64::from(self.kernel[(tap * inputs + input) * self.filters + filter]);
                    let values = transform_weights(std::array::from_fn(tap));
                    let place = begin + (1 + input) * width + filter - first;
                    for (into, value) in into[place..].iter_mut().step_by(frequency).zip(values) {
                        *into = value as f32;
                    }
                }
            }
            (first, begin) = (first + width, begin + (1 + inputs) * width);
        }
    }

    fn fill(&self, mut into: &mut [f32]) {
        let mut first = self.outputs.start;
        for width in self.widths() {
            let (panel, rest) = into.split_at_mut((1 + self.taps * self.inputs.len()) * width);
            let filters = first.min(self.outputs.end)..(first + width).min(self.outputs.end);
            self.panel(panel, width, filters);
            first += width;
            into = rest;
        }
    }

    /// The bias of `filters`, and a row of `width` for each tap and input.
    fn panel(&self, panel: &mut [f32], width: usize, filters: Range<usize>) {
        let mut rows = panel.chunks_exact_mut(width).map(|row| &mut row[..filters.len()]);
        if let (Some(row), bias) = (rows.next(), &self.bias)
            && let Some(bias) = bias
        {
            row.copy_from_slice(&bias[filters.clone()]);
        }
        let places = (0..self.taps).flat_map(|tap| self.inputs.clone().map(move |input| (tap, input)));
        for (row, (tap, input)) in rows.zip(places) {
            let begin = (tap * self.inputs_per_group + input % self.inputs_per_group) * self.filters;
            let values = &self.kernel[begin..begin + self.filters];
            if self.groups == 1 {
                row.copy_from_slice(&values[filters.clone()]);
                continue;
            }
            let (group, per_group) = (input / self.inputs_per_group, self.filters / self.groups);
            for (to, filter) in row.iter_mut().zip(filters.clone()) {
                if filter / per_group == group {
                    *to = values[filter];
                }
            }
        }
    }
}

impl Depthwise {
    fn fill(&self, into: &mut [f32]) {
        let (rows, lanes) = (1 + self.kernel.len() / self.channels, self.lanes);
        for (block, first) in into.chunks_exact_mut(rows * lanes).zip((0..self.channels).step_by(lanes)) {
            let channels = first..(first + lanes).min(self.channels);
            let mut vectors = block.chunks_exact_mut(lanes);
            let bias = vectors.next().zip(self.bias.as_deref());
            let kernel = vectors.zip(self.kernel.chunks_exact(self.channels));
            for (vector, values) in bias.into_iter().chain(kernel) {
                vector[..channels.len()].copy_from_slice(&values[channels.clone()]);
            }
        }
    }
}

/// Where the weights of each kernel lie, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Packing {
    /// What lies where, in values from the begin.
    parts: Vec<(usize, Source)>,
    /// The last of the parts of each sample.
    sampled: BTreeMap<u64, usize>,
    end: usize,
}

/// Parts begin at a cache line.
const LINE: usize = 64 / F32;

impl Packing {
    /// Puts `source` behind what is there, unless it lies there already, and returns its offset in bytes.
    pub fn add(&mut self, source: Source) -> usize {
        let sample = source.sample();
        if let Some((begin, _)) = self.alike(sample).filter(|(_, other)| other.is_same(&source)) {
            return begin * F32;
        }
        let begin = self.end.next_multiple_of(LINE);
        self.end = begin + source.len();
        self.sampled.insert(sample, self.parts.len());
        self.parts.push((begin, source));
        begin * F32
    }

    /// Where each part begins and how many bytes it has.
    pub fn parts(&self) -> impl Iterator<Item = (usize, usize)> {
        self.parts.iter().map(|(begin, source)| (begin * F32, source.len() * F32))
    }

    /// The panels in which the values of `source` lie already, whatever its own are.
    pub fn panels(&self, source: &Conv) -> Option<&[Panels]> {
        let (_, other) = self.alike(Source::Conv(source.clone()).sample())?;
        match other {
            Source::Conv(other) if other.has_values_of(source) => Some(&other.panels),
            _ => None,
        }
    }

    /// The part that may be the same as one of this sample.
    fn alike(&self, sample: u64) -> Option<(usize, &Source)> {
        let (begin, source) = &self.parts[*self.sampled.get(&sample)?];
        Some((*begin, source))
    }

    /// Bytes of all.
    pub fn bytes(&self) -> usize {
        self.end * F32
    }

    /// The packed values; all processors copy, as far as the system gives threads.
    ///
    /// # Errors
    /// The system refuses memory.
    pub fn pack(&self) -> Result<Memory, Refusal> {
        let mut memory = Memory::zeroed(self.bytes())?;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let shares = Mutex::new(self.shares(bytemuck::cast_slice_mut(memory.bytes_mut()), workers));
        let work = || {
            while let Some(share) = shares.lock().ok().and_then(|mut shares| shares.pop()) {
                share.fill();
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..workers {
                // Without this thread the others have more to do.
                let _ = std::thread::Builder::new().spawn_scoped(scope, work);
            }
            work();
        });
        Ok(memory)
    }

    /// `values` and the parts that fill them, in about as many shares as there are `workers`.
    fn shares<'a>(&'a self, values: &'a mut [f32], workers: usize) -> Vec<Share<'a>> {
        let length = self.end.div_ceil(workers).max(1);
        let (mut rest, mut begin) = (values, 0);
        let mut shares = Vec::new();
        for parts in self.parts.chunk_by(|(a, _), (b, _)| a / length == b / length) {
            let end = parts.last().map_or(begin, |(offset, source)| offset + source.len());
            let (values, behind) = rest.split_at_mut(end - begin);
            shares.push(Share { parts, begin, values });
            (rest, begin) = (behind, end);
        }
        shares
    }
}

/// Parts that follow one another, and their values.
struct Share<'a> {
    parts: &'a [(usize, Source)],
    /// The offset of the first value.
    begin: usize,
    values: &'a mut [f32],
}

impl Share<'_> {
    fn fill(self) {
        for (offset, source) in self.parts {
            source.fill(&mut self.values[offset - self.begin..][..source.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(memory: &Memory) -> &[f32] {
        bytemuck::cast_slice(memory.bytes())
    }

    fn packed(source: Source) -> Vec<f32> {
        let mut packing = Packing::default();
        packing.add(source);
        contents(&packing.pack().unwrap()).to_vec()
    }

    fn conv(kernel: &[f32], groups: usize) -> Conv {
        Conv {
            kernel: kernel.into(),
            bias: None,
            taps: 1,
            inputs_per_group: 2 / groups,
            filters: kernel.len() * groups / 2,
            groups,
            inputs: 0..2,
            outputs: 0..kernel.len() * groups / 2,
            panels: vec![Panels { vectors: 1, count: 1 }],
            lanes: 4,
        }
    }

    #[test]
    fn a_panel_is_its_bias_then_a_row_for_each_tap_and_channel() {
        let values: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let bias = Some([7.0, 8.0, 9.0].as_slice().into());
        let source = Conv { bias, taps: 2, filters: 3, outputs: 0..3, ..conv(&values, 1) };
        let rows =
            [[7., 8., 9., 0.], [0., 1., 2., 0.], [3., 4., 5., 0.], [6., 7., 8., 0.], [9., 10., 11., 0.]];
        assert_eq!(packed(Source::Conv(source)), rows.concat());
    }

    #[test]
    fn channels_of_different_groups_meet_in_zeros() {
        let source = Conv { filters: 4, outputs: 0..4, ..conv(&[1.0, 2.0, 3.0, 4.0], 2) };
        assert_eq!(packed(Source::Conv(source)), [0., 0., 0., 0., 1., 2., 0., 0., 0., 0., 3., 4.]);
    }

    #[test]
    fn a_depthwise_block_is_its_bias_then_a_vector_for_each_tap() {
        let kernel = [1., 2., 3., 4., 5., 6.].as_slice().into();
        let bias = Some([7., 8., 9.].as_slice().into());
        let source = Source::Depthwise(Depthwise { kernel, bias, channels: 3, lanes: 2 });
        assert_eq!(packed(source), [7., 8., 1., 2., 4., 5., 9., 0., 3., 0., 6., 0.]);
    }

    #[test]
    fn what_is_packed_twice_lies_once_and_what_differs_in_a_bit_twice() {
        let values = |last: f32| -> Values { (0..1000).map(|v| v as f32).chain([last]).collect() };
        let mut packing = Packing::default();
        let first = packing.add(Source::Values(values(f32::NAN)));
        assert_eq!(packing.add(Source::Values(values(f32::NAN))), first);
        let zero = packing.add(Source::Values(values(0.0)));
        assert_ne!(zero, first);
        assert_ne!(packing.add(Source::Values(values(-0.0))), zero);
        assert_eq!(contents(&packing.pack().unwrap()).len(), 2 * 1008 + 1001);
    }

    #[test]
    fn one_kernel_with_other_biases_groups_or_panels_is_another() {
        let kernel: Vec<f32> = (0..16).map(|v| v as f32).collect();
        let plain = conv(&kernel, 1);
        let mut packing = Packing::default();
        let first = packing.add(Source::Conv(plain.clone()));
        assert_eq!(packing.add(Source::Conv(plain.clone())), first);
        assert_eq!(packing.panels(&Conv { panels: Vec::new(), ..plain.clone() }), Some(&plain.panels[..]));
        let biased = Conv { bias: Some(Values::from(&kernel[..8])), ..plain.clone() };
        let wide = Conv { panels: vec![Panels { vectors: 2, count: 1 }], ..plain.clone() };
        for other in [biased, wide, Conv { outputs: 0..4, ..plain }, conv(&kernel, 2)] {
            assert_ne!(packing.add(Source::Conv(other)), first);
        }
    }

    #[test]
    fn parts_begin_at_cache_lines_and_keep_their_values_however_they_are_shared_out() {
        let mut packing = Packing::default();
        let parts: Vec<Values> =
            (1..40).map(|n| (0..n * 7).map(|v| (n * 1000 + v) as f32).collect()).collect();
        let offsets: Vec<usize> =
            parts.iter().map(|values| packing.add(Source::Values(values.clone()))).collect();
        let memory = packing.pack().unwrap();
        for (values, offset) in parts.iter().zip(offsets) {
            assert_eq!(offset % 64, 0);
            assert_eq!(contents(&memory)[offset / 4..][..values.len()], **values);
        }
        assert_eq!(packing.bytes(), 4 * contents(&memory).len());
    }
}
