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

/// What widens a map: a pointwise convolution, one with a window, or nothing.
fn expansion(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [_, _, channels] = weaving.map(value)?;
    let kernel = weaving.choices.one(&[1, 1, 0, 1, 3]);
    if kernel == 0 {
        return Some(value);
    }
    let wide = channels * weaving.choices.one(&[2, 1, 4, 6, 3, 16]);
    let filters = weaving.channels(wide);
    let activation = weaving.activation();
    let expanded = weaving.layer(value, Conv2d { filters, ..weaving.same([kernel; 2]) }, activation)?;
    weaving.between(expanded)
}

/// A depthwise convolution, unless its groups are off.
fn depthwise(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [_, _, channels] = weaving.map(value)?;
    let kernel = weaving.choices.one(&[3, 3, 5, 7]);
    let mut conv = Conv2d { filters: channels, groups: channels, ..weaving.window(kernel) };
    if weaving.off(Off::Groups) {
        conv.groups = whole(channels, 2)?;
    }
    if weaving.off(Off::OneFilter) {
        let groups = whole(channels, weaving.choices.one(&[2, 4, 3, 8]))?;
        (conv.filters, conv.groups) = (groups, groups);
    }
    if weaving.off(Off::Multiplier) {
        conv.filters = channels * weaving.choices.one(&[2, 3, 4]);
    }
    let activation = weaving.activation();
    weaving.layer(value, conv, activation)
}

pub(super) fn block(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let expanded = expansion(weaving, value)?;
    let deep = depthwise(weaving, expanded)?;
    weaving.between(deep)?;
    let [.., channels] = weaving.map(deep)?;
    if weaving.off(Off::Twice) {
        return weaving.pointwise(deep, channels, Some(deep));
    }
    let [.., before] = weaving.map(value)?;
    let filters = if weaving.choices.flag() { before } else { weaving.filters(before) };
    weaving.pointwise(deep, filters, Some(value))
}

pub(super) fn separable(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let mut last = value;
    for _ in 0..2 {
        last = depthwise(weaving, last)?;
        last = weaving.between(last)?;
        let [.., channels] = weaving.map(last)?;
        let filters = weaving.filters(channels);
        last = weaving.pointwise(last, filters, None)?;
    }
    Some(last)
}

pub(super) fn squeeze(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let expanded = expansion(weaving, value)?;
    let deep = depthwise(weaving, expanded)?;
    weaving.between(deep)?;
    let scaled = if weaving.growing.fused && weaving.off.is_none() && weaving.choices.flag() {
        squeezed_at_once(weaving, deep)?
    } else {
        let gate = squeezed(weaving, deep)?;
        let of = if weaving.off_here(Off::Twice) { gate } else { deep };
        let operands = if weaving.off_here(Off::Order) { [gate, of] } else { [of, gate] };
        weaving.put(Op::Binary(Binary::Mul), &operands)?
    };
    weaving.between(scaled)?;
    let [.., channels] = weaving.map(value)?;
    let filters = weaving.filters(channels);
    weaving.pointwise(scaled, filters, Some(value))
}

/// The gate of squeeze and excite, layer by layer: pointwise convolutions of one pixel, or fully connected layers.
fn squeezed(weaving: &mut Weaving<'_, '_>, map: usize) -> Option<usize> {
    let [.., channels] = weaving.map(map)?;
    let is_flat = weaving.choices.flag() && weaving.off != Some(Off::Axis);
    let axes: &[usize] = if weaving.off(Off::Axis) { weaving.choices.one(&[&[0], &[1]]) } else { &[0, 1] };
    let mean = Reduce { kind: ReduceKind::Mean, axes: axes.into(), keep_dims: !is_flat };
    let pool = GlobalAveragePool { keep_dims: !is_flat };
    let average = if axes.len() == 2 && weaving.choices.flag() {
        Op::GlobalAveragePool(pool)
    } else {
        Op::Reduce(mean)
    };
    let means = weaving.put(average, &[map])?;
    weaving.between(means)?;
    let squeezed = squeezed_channels(weaving, channels);
    let activation = Some(weaving.choices.one(&[Activation::Relu, Activation::Swish, Activation::HardSwish]));
    let reduced = small(weaving, means, squeezed, activation)?;
    weaving.between(reduced)?;
    let usual = weaving.choices.one(&[Activation::Sigmoid, Activation::HardSigmoid]);
    let activation = if weaving.off_here(Off::Activation) { weaving.activation() } else { Some(usual) };
    let gate = small(weaving, reduced, channels, activation)?;
    weaving.between(gate)?;
    if is_flat {
        weaving.put(Op::Reshape(Reshape::To(crate::Shape::new(&[1, 1, channels]))), &[gate])
    } else {
        Some(gate)
    }
}

fn squeezed_channels(weaving: &mut Weaving<'_, '_>, channels: usize) -> usize {
    let usual = weaving.choices.one(&[channels.div_ceil(4), channels.div_ceil(2), 8, 128, 1]);
    weaving.channels(usual)
}

/// One of the two layers of a gate, on a map of one pixel or on a vector.
fn small(
    weaving: &mut Weaving<'_, '_>,
    value: usize,
    units: usize,
    activation: Option<Activation>,
) -> Option<usize> {
    if weaving.map(value).is_some() {
        return weaving.layer(value, plain(units), activation);
    }
    let epilogue = Epilogue::with_bias(weaving.choices.flag());
    let value = weaving.put(Op::Dense(Dense { units, epilogue }), &[value])?;
    weaving.activated(value, activation)
}

/// The map times its gate, as one layer, or the gate alone into the convolution behind.
fn squeezed_at_once(weaving: &mut Weaving<'_, '_>, map: usize) -> Option<usize> {
    let [.., channels] = weaving.map(map)?;
    let squeezed = squeezed_channels(weaving, channels);
    let small = |bias: bool, activation: Activation| Small { bias, activation: Some(activation) };
    let [reduce, expand] =
        [small(true, Activation::Swish), small(weaving.choices.flag(), Activation::Sigmoid)];
    let scales = weaving.choices.flag();
    let gate = weaving.put(Op::SqueezeExcite(SqueezeExcite { squeezed, reduce, expand, scales }), &[map])?;
    if scales {
        return Some(gate);
    }
    let filters = weaving.filters(channels);
    weaving.put(Op::Conv2d(Conv2d { gate: true, ..plain(filters) }), &[map, gate])
}

pub(super) fn gate(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [.., channels] = weaving.map(value)?;
    let average = if weaving.off(Off::Axis) {
        let axes = weaving.choices.one(&[&[2][..], &[0], &[1]]);
        Op::Reduce(Reduce { kind: ReduceKind::Mean, axes: axes.into(), keep_dims: true })
    } else {
        Op::GlobalAveragePool(GlobalAveragePool { keep_dims: weaving.choices.flag() })
    };
    let gate = weaving.put(average, &[value])?;
    weaving.between(gate)?;
    let of = if weaving.off(Off::Twice) { gate } else { value };
    let operands = if weaving.off(Off::Order) { [gate, of] } else { [of, gate] };
    let product = weaving.put(Op::Binary(Binary::Mul), &operands)?;
    weaving.between(product)?;
    let filters = weaving.filters(channels);
    weaving.map(product)?;
    weaving.pointwise(product, filters, None)
}

pub(super) fn grouped(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let widened = if weaving.choices.flag() { expansion(weaving, value)? } else { value };
    let [.., channels] = weaving.map(widened)?;
    let groups: Vec<usize> = (2..channels).filter(|&groups| channels.is_multiple_of(groups)).collect();
    if groups.is_empty() {
        return None;
    }
    let groups = weaving.choices.one(&groups);
    let kernel = weaving.choices.one(&[3, 1, 3, 5]);
    let filters = groups * weaving.choices.one(&[2, 4, 8, 3]);
    let mut conv = Conv2d { filters, groups, ..weaving.window(kernel) };
    if weaving.off(Off::OneFilter) {
        conv.filters = groups;
    }
    if weaving.off(Off::Multiplier) {
        (conv.groups, conv.filters) = (channels, channels * weaving.choices.one(&[2, 3]));
    }
    let activation = weaving.activation();
    let made = weaving.layer(widened, conv, activation)?;
    weaving.between(made)?;
    let filters = weaving.filters(channels);
    weaving.pointwise(made, filters, None)
}

/// The map before the clamp has two readers, so that the clamp can't go into the layer that made it.
pub(super) fn prologue(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [.., channels] = weaving.map(value)?;
    let filters = weaving.filters(channels);
    let map = weaving.layer(value, plain(filters), None)?;
    let clip = |low, high| Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) };
    let mut clamp =
        weaving.choices.one(&[Activation::Relu, Activation::Relu6, clip(-0.5, 1.5), clip(0.25, 0.75)]);
    if weaving.off_here(Off::Activation) {
        clamp = weaving.choices.one(&[Activation::HardSwish, Activation::Swish, Activation::Sigmoid]);
    }
    let deep = if weaving.growing.fused && weaving.choices.flag() {
        let mut conv = Conv2d { prologue: Some(clamp), filters, groups: filters, ..weaving.window(3) };
        if weaving.off(Off::Groups) {
            conv.groups = whole(filters, 2)?;
        }
        if weaving.off(Off::OneFilter) {
            let groups = whole(filters, 4)?;
            (conv.groups, conv.filters) = (groups, groups);
        }
        weaving.put(Op::Conv2d(conv), &[map])?
    } else {
        let clamped = weaving.put(Op::Activation(clamp), &[map])?;
        weaving.between(clamped)?;
        depthwise(weaving, clamped)?
    };
    weaving.between(deep)?;
    let narrow = weaving.pointwise(deep, channels, None)?;
    weaving.layer_onto(map, plain(channels), None, Some(narrow))
}

pub(super) fn pool(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [.., channels] = weaving.map(value)?;
    let size = weaving.choices.one(&[3, 2, 5, 3]);
    let Conv2d { kernel, stride, padding, dilation, .. } = weaving.window(size);
    let counted = if weaving.choices.flag() { padding } else { crate::ops::Padding::default() };
    // Where a window lies in padding alone, its largest element is minus infinity.
    let whole = dilation == [1, 1] && padding.sides().into_iter().all(|side| side < kernel[0].min(kernel[1]));
    let kind = if whole && weaving.choices.flag() { PoolKind::Max } else { PoolKind::Average { counted } };
    let pooled = weaving.put(Op::Pool(Pool { kind, kernel, stride, padding, dilation }), &[value])?;
    weaving.between(pooled)?;
    let filters = weaving.filters(channels);
    weaving.pointwise(pooled, filters, None)
}

pub(super) fn pad(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [.., channels] = weaving.map(value)?;
    let conv = weaving.window(3);
    let (mut before, mut padding) = (conv.padding, crate::ops::Padding::default());
    if weaving.off == Some(Off::Padding) {
        padding = around(1);
    }
    if before == padding {
        before = around(1);
    }
    let fill = if weaving.off(Off::Value) { weaving.choices.one(&[-1.0, 0.5]) } else { 0.0 };
    let padded = weaving.put(Op::Pad(Pad { padding: before, value: Scalar::new(fill) }), &[value])?;
    weaving.between(padded)?;
    let is_deep = weaving.choices.flag();
    let mut filters = if is_deep { channels } else { weaving.filters(channels) };
    if weaving.off_here(Off::Multiplier) {
        filters = channels * 2;
    }
    let is_deep = is_deep || weaving.off == Some(Off::Multiplier);
    let groups = if is_deep { channels } else { 1 };
    let activation = weaving.activation();
    weaving.layer(padded, Conv2d { filters, groups, padding, ..conv }, activation)
}

pub(super) fn norm(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [.., channels] = weaving.map(value)?;
    let mut conv = Conv2d { filters: weaving.filters(channels), ..plain(0) };
    if weaving.off(Off::Padding) {
        conv = Conv2d { filters: conv.filters, ..weaving.same([3; 2]) };
    }
    let activation = weaving.activation();
    let normed = weaving.normalised(value)?;
    let first = if weaving.off(Off::Order) {
        let activated = weaving.activated(value, Some(Activation::HardSwish))?;
        weaving.normalised(activated)?
    } else {
        weaving.activated(normed, activation)?
    };
    weaving.between(first)?;
    let made = weaving.put(Op::Conv2d(conv), &[first])?;
    weaving.between(made)?;
    let made = weaving.normalised(made)?;
    let activation = weaving.activation();
    weaving.activated(made, activation)
}

/// `number / parts`, where that is whole and above 1.
fn whole(number: usize, parts: usize) -> Option<usize> {
    (number.is_multiple_of(parts) && number / parts > 1).then_some(number / parts)
}
