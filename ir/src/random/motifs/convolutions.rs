//! Motifs of convolutions one behind the other: blocks and their relatives, groups, gates, what comes before a convolution.

use super::Off;
use super::weaving::{Weaving, around};
use crate::Op;
use crate::ops::squeeze_excite::Small;
use crate::ops::{
    Activation, Binary, Conv2d, Dense, Epilogue, GlobalAveragePool, Pad, Pool, PoolKind, Reduce, ReduceKind,
    Reshape, Scalar, SqueezeExcite,
};
use crate::random::blocks::plain;

impl Weaving<'_, '_> {
    /// What widens a map: a pointwise convolution, one with a window, or nothing.
    fn expansion(&mut self, value: usize) -> Option<usize> {
        let [_, _, channels] = self.map(value)?;
        let kernel = self.choices.one(&[1, 1, 0, 1, 3]);
        if kernel == 0 {
            return Some(value);
        }
        let wide = channels * self.choices.one(&[2, 1, 4, 6, 3, 16]);
        let filters = self.channels(wide);
        let activation = self.activation();
        let expanded = self.layer(value, Conv2d { filters, ..self.same([kernel; 2]) }, activation)?;
        self.between(expanded)
    }

    /// A depthwise convolution, unless its groups are off.
    fn depthwise(&mut self, value: usize) -> Option<usize> {
        let [_, _, channels] = self.map(value)?;
        let kernel = self.choices.one(&[3, 3, 5, 7]);
        let mut conv = Conv2d { filters: channels, groups: channels, ..self.window(kernel) };
        if self.off(Off::Groups) {
            conv.groups = whole(channels, 2)?;
        }
        if self.off(Off::OneFilter) {
            let groups = whole(channels, self.choices.one(&[2, 4, 3, 8]))?;
            (conv.filters, conv.groups) = (groups, groups);
        }
        if self.off(Off::Multiplier) {
            conv.filters = channels * self.choices.one(&[2, 3, 4]);
        }
        let activation = self.activation();
        self.layer(value, conv, activation)
    }

    pub(super) fn block(&mut self, value: usize) -> Option<usize> {
        let expanded = self.expansion(value)?;
        let deep = self.depthwise(expanded)?;
        self.between(deep)?;
        let [.., channels] = self.map(deep)?;
        if self.off(Off::Twice) {
            return self.pointwise(deep, channels, Some(deep));
        }
        let [.., before] = self.map(value)?;
        let filters = if self.choices.flag() { before } else { self.filters(before) };
        self.pointwise(deep, filters, Some(value))
    }

    pub(super) fn separable(&mut self, value: usize) -> Option<usize> {
        let mut last = value;
        for _ in 0..2 {
            last = self.depthwise(last)?;
            last = self.between(last)?;
            let [.., channels] = self.map(last)?;
            let filters = self.filters(channels);
            last = self.pointwise(last, filters, None)?;
        }
        Some(last)
    }

    pub(super) fn squeeze(&mut self, value: usize) -> Option<usize> {
        let expanded = self.expansion(value)?;
        let deep = self.depthwise(expanded)?;
        self.between(deep)?;
        let scaled = if self.growing.fused && self.off.is_none() && self.choices.flag() {
            self.squeezed_at_once(deep)?
        } else {
            let gate = self.squeezed(deep)?;
            let of = if self.off_here(Off::Twice) { gate } else { deep };
            let operands = if self.off_here(Off::Order) { [gate, of] } else { [of, gate] };
            self.put(Op::Binary(Binary::Mul), &operands)?
        };
        self.between(scaled)?;
        let [.., channels] = self.map(value)?;
        let filters = self.filters(channels);
        self.pointwise(scaled, filters, Some(value))
    }

    /// The gate of squeeze and excite, layer by layer: pointwise convolutions of one pixel, or fully connected layers.
    fn squeezed(&mut self, map: usize) -> Option<usize> {
        let [.., channels] = self.map(map)?;
        let is_flat = self.choices.flag() && self.off != Some(Off::Axis);
        let axes: &[usize] = if self.off(Off::Axis) { self.choices.one(&[&[0], &[1]]) } else { &[0, 1] };
        let mean = Reduce { kind: ReduceKind::Mean, axes: axes.into(), keep_dims: !is_flat };
        let pool = GlobalAveragePool { keep_dims: !is_flat };
        let average = if axes.len() == 2 && self.choices.flag() {
            Op::GlobalAveragePool(pool)
        } else {
            Op::Reduce(mean)
        };
        let means = self.put(average, &[map])?;
        self.between(means)?;
        let squeezed = self.squeezed_channels(channels);
        let activation =
            Some(self.choices.one(&[Activation::Relu, Activation::Swish, Activation::HardSwish]));
        let reduced = self.small(means, squeezed, activation)?;
        self.between(reduced)?;
        let usual = self.choices.one(&[Activation::Sigmoid, Activation::HardSigmoid]);
        let activation = if self.off_here(Off::Activation) { self.activation() } else { Some(usual) };
        let gate = self.small(reduced, channels, activation)?;
        self.between(gate)?;
        if is_flat {
            self.put(Op::Reshape(Reshape::To(crate::Shape::new(&[1, 1, channels]))), &[gate])
        } else {
            Some(gate)
        }
    }

    fn squeezed_channels(&mut self, channels: usize) -> usize {
        let usual = self.choices.one(&[channels.div_ceil(4), channels.div_ceil(2), 8, 128, 1]);
        self.channels(usual)
    }

    /// One of the two layers of a gate, on a map of one pixel or on a vector.
    fn small(&mut self, value: usize, units: usize, activation: Option<Activation>) -> Option<usize> {
        if self.map(value).is_some() {
            return self.layer(value, plain(units), activation);
        }
        let epilogue = Epilogue::with_bias(self.choices.flag());
        let value = self.put(Op::Dense(Dense { units, epilogue }), &[value])?;
        self.activated(value, activation)
    }

    /// The map times its gate, as one layer, or the gate alone into the convolution behind.
    fn squeezed_at_once(&mut self, map: usize) -> Option<usize> {
        let [.., channels] = self.map(map)?;
        let squeezed = self.squeezed_channels(channels);
        let small = |bias: bool, activation: Activation| Small { bias, activation: Some(activation) };
        let [reduce, expand] =
            [small(true, Activation::Swish), small(self.choices.flag(), Activation::Sigmoid)];
        let scales = self.choices.flag();
        let gate = self.put(Op::SqueezeExcite(SqueezeExcite { squeezed, reduce, expand, scales }), &[map])?;
        if scales {
            return Some(gate);
        }
        let filters = self.filters(channels);
        self.put(Op::Conv2d(Conv2d { gate: true, ..plain(filters) }), &[map, gate])
    }

    pub(super) fn gate(&mut self, value: usize) -> Option<usize> {
        let [.., channels] = self.map(value)?;
        let average = if self.off(Off::Axis) {
            let axes = self.choices.one(&[&[2][..], &[0], &[1]]);
            Op::Reduce(Reduce { kind: ReduceKind::Mean, axes: axes.into(), keep_dims: true })
        } else {
            Op::GlobalAveragePool(GlobalAveragePool { keep_dims: self.choices.flag() })
        };
        let gate = self.put(average, &[value])?;
        self.between(gate)?;
        let of = if self.off(Off::Twice) { gate } else { value };
        let operands = if self.off(Off::Order) { [gate, of] } else { [of, gate] };
        let product = self.put(Op::Binary(Binary::Mul), &operands)?;
        self.between(product)?;
        let filters = self.filters(channels);
        self.map(product)?;
        self.pointwise(product, filters, None)
    }

    pub(super) fn grouped(&mut self, value: usize) -> Option<usize> {
        let widened = if self.choices.flag() { self.expansion(value)? } else { value };
        let [.., channels] = self.map(widened)?;
        let groups: Vec<usize> = (2..channels).filter(|&groups| channels.is_multiple_of(groups)).collect();
        if groups.is_empty() {
            return None;
        }
        let groups = self.choices.one(&groups);
        let kernel = self.choices.one(&[3, 1, 3, 5]);
        let filters = groups * self.choices.one(&[2, 4, 8, 3]);
        let mut conv = Conv2d { filters, groups, ..self.window(kernel) };
        if self.off(Off::OneFilter) {
            conv.filters = groups;
        }
        if self.off(Off::Multiplier) {
            (conv.groups, conv.filters) = (channels, channels * self.choices.one(&[2, 3]));
        }
        let activation = self.activation();
        let made = self.layer(widened, conv, activation)?;
        self.between(made)?;
        let filters = self.filters(channels);
        self.pointwise(made, filters, None)
    }

    /// The map before the clamp has two readers, so that the clamp can't go into the layer that made it.
    pub(super) fn prologue(&mut self, value: usize) -> Option<usize> {
        let [.., channels] = self.map(value)?;
        let filters = self.filters(channels);
        let map = self.layer(value, plain(filters), None)?;
        let clip = |low, high| Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) };
        let mut clamp =
            self.choices.one(&[Activation::Relu, Activation::Relu6, clip(-0.5, 1.5), clip(0.25, 0.75)]);
        if self.off_here(Off::Activation) {
            clamp = self.choices.one(&[Activation::HardSwish, Activation::Swish, Activation::Sigmoid]);
        }
        let deep = if self.growing.fused && self.choices.flag() {
            let mut conv = Conv2d { prologue: Some(clamp), filters, groups: filters, ..self.window(3) };
            if self.off(Off::Groups) {
                conv.groups = whole(filters, 2)?;
            }
            if self.off(Off::OneFilter) {
                let groups = whole(filters, 4)?;
                (conv.groups, conv.filters) = (groups, groups);
            }
            self.put(Op::Conv2d(conv), &[map])?
        } else {
            let clamped = self.put(Op::Activation(clamp), &[map])?;
            self.between(clamped)?;
            self.depthwise(clamped)?
        };
        self.between(deep)?;
        let narrow = self.pointwise(deep, channels, None)?;
        self.layer_onto(map, plain(channels), None, Some(narrow))
    }

    pub(super) fn pool(&mut self, value: usize) -> Option<usize> {
        let [.., channels] = self.map(value)?;
        let size = self.choices.one(&[3, 2, 5, 3]);
        let Conv2d { kernel, stride, padding, dilation, .. } = self.window(size);
        let counted = if self.choices.flag() { padding } else { crate::ops::Padding::default() };
        // Where a window lies in padding alone, its largest element is minus infinity.
        let whole =
            dilation == [1, 1] && padding.sides().into_iter().all(|side| side < kernel[0].min(kernel[1]));
        let kind = if whole && self.choices.flag() { PoolKind::Max } else { PoolKind::Average { counted } };
        let pooled = self.put(Op::Pool(Pool { kind, kernel, stride, padding, dilation }), &[value])?;
        self.between(pooled)?;
        let filters = self.filters(channels);
        self.pointwise(pooled, filters, None)
    }

    pub(super) fn pad(&mut self, value: usize) -> Option<usize> {
        let [.., channels] = self.map(value)?;
        let conv = self.window(3);
        let (mut before, mut padding) = (conv.padding, crate::ops::Padding::default());
        if self.off == Some(Off::Padding) {
            padding = around(1);
        }
        if before == padding {
            before = around(1);
        }
        let fill = if self.off(Off::Value) { self.choices.one(&[-1.0, 0.5]) } else { 0.0 };
        let padded = self.put(Op::Pad(Pad { padding: before, value: Scalar::new(fill) }), &[value])?;
        self.between(padded)?;
        let is_deep = self.choices.flag();
        let mut filters = if is_deep { channels } else { self.filters(channels) };
        if self.off_here(Off::Multiplier) {
            filters = channels * 2;
        }
        let is_deep = is_deep || self.off == Some(Off::Multiplier);
        let groups = if is_deep { channels } else { 1 };
        let activation = self.activation();
        self.layer(padded, Conv2d { filters, groups, padding, ..conv }, activation)
    }

    pub(super) fn norm(&mut self, value: usize) -> Option<usize> {
        let [.., channels] = self.map(value)?;
        let mut conv = Conv2d { filters: self.filters(channels), ..plain(0) };
        if self.off(Off::Padding) {
            conv = Conv2d { filters: conv.filters, ..self.same([3; 2]) };
        }
        let activation = self.activation();
        let normed = self.normalised(value)?;
        let first = if self.off(Off::Order) {
            let activated = self.activated(value, Some(Activation::HardSwish))?;
            self.normalised(activated)?
        } else {
            self.activated(normed, activation)?
        };
        self.between(first)?;
        let made = self.put(Op::Conv2d(conv), &[first])?;
        self.between(made)?;
        let made = self.normalised(made)?;
        let activation = self.activation();
        self.activated(made, activation)
    }
}

/// `number / parts`, where that is whole and above 1.
fn whole(number: usize, parts: usize) -> Option<usize> {
    (number.is_multiple_of(parts) && number / parts > 1).then_some(number / parts)
}
