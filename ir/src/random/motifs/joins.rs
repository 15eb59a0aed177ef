//! Motifs of values that are joined: sums, concatenations, parts of one map.

use super::Off;
use super::weaving::Weaving;
use crate::ops::{Activation, Binary, Concat, Conv2d, Pool, PoolKind, Slice};
use crate::random::blocks::plain;
use crate::{Op, Shape};

pub(super) fn concat(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let axis = if weaving.off(Off::Axis) { weaving.choices.below(2) } else { 2 };
    let count = 2 + weaving.choices.below(3);
    let mut branches: Vec<usize> = Vec::new();
    for _ in 0..count {
        let branch = branch(weaving, value, &branches, axis)?;
        let branch = if weaving.off_here(Off::Source) { value } else { weaving.between(branch)? };
        branches.push(branch);
    }
    if weaving.off(Off::Twice) {
        branches.push(weaving.choices.one(&branches));
    }
    let joined = weaving.put(Op::Concat(Concat { axis, inputs: branches.len() }), &branches)?;
    weaving.between(joined)?;
    behind(weaving, joined)
}

/// One branch of a concatenation along `axis`: a convolution, a pool, the branches so far.
fn branch(weaving: &mut Weaving<'_, '_>, value: usize, branches: &[usize], axis: usize) -> Option<usize> {
    let filters = if axis == 2 { weaving.choices.one(&[16, 32, 8, 48, 4]) } else { 16 };
    let filters = weaving.channels(filters);
    let [.., channels] = weaving.map(value)?;
    let is_mixed = axis == 2;
    match weaving.choices.below(6) {
        1 => {
            let activation = weaving.activation();
            weaving.layer(value, Conv2d { filters, ..weaving.same([3; 2]) }, activation)
        }
        2 if is_mixed => {
            let kernel = weaving.choices.one(&[3, 5]);
            let conv = Conv2d { filters: channels, groups: channels, ..weaving.same([kernel; 2]) };
            weaving.layer(value, conv, Some(Activation::Relu))
        }
        3 if is_mixed => {
            let Conv2d { kernel, stride, padding, dilation, .. } = weaving.same([3; 2]);
            weaving.put(Op::Pool(Pool { kind: PoolKind::Max, kernel, stride, padding, dilation }), &[value])
        }
        4 if branches.len() > 1 => weaving.put(Op::Concat(Concat { axis, inputs: branches.len() }), branches),
        _ => {
            let activation = weaving.activation();
            weaving.layer(value, plain(filters), activation)
        }
    }
}

/// What reads a joined map: a convolution of some kind.
fn behind(weaving: &mut Weaving<'_, '_>, joined: usize) -> Option<usize> {
    let [.., channels] = weaving.map(joined)?;
    let filters = weaving.choices.one(&[16, 8, 24]);
    let window = if weaving.off == Some(Off::Stride) { weaving.window(3) } else { weaving.same([3; 2]) };
    let conv = match weaving.choices.below(4) {
        1 => Conv2d { filters, ..window },
        2 => Conv2d { filters: channels, groups: channels, ..window },
        _ if weaving.off == Some(Off::Stride) => Conv2d { filters, stride: window.stride, ..plain(0) },
        _ => plain(filters),
    };
    let activation = weaving.activation();
    weaving.layer(joined, conv, activation)
}

pub(super) fn residual(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [rows, columns, channels] = weaving.map(value)?;
    let kernel = weaving.choices.one(&[3, 1, 5]);
    let groups = weaving.choices.one(&[1, channels]);
    let conv = Conv2d { filters: channels, groups, ..weaving.same([kernel; 2]) };
    let activation = weaving.activation();
    if weaving.off.is_none() && weaving.choices.flag() {
        return weaving.layer_onto(value, conv, activation, Some(value));
    }
    let main = weaving.layer(value, conv, activation)?;
    weaving.between(main)?;
    let mut other = value;
    if weaving.off(Off::Twice) {
        other = main;
    }
    if weaving.off(Off::Axis) {
        // One row, one column or one channel that is repeated.
        let axis = weaving.choices.below(3);
        let first = Slice::along(&Shape::new(&[rows, columns, channels]), axis, 0, 1);
        other = weaving.put(Op::Slice(first), &[value])?;
    }
    let function = if weaving.off(Off::Unlike) {
        weaving.choices.one(&[Binary::Sub, Binary::Mul, Binary::Max, Binary::Min])
    } else {
        Binary::Add
    };
    let operands = if weaving.off(Off::Order) { [other, main] } else { [main, other] };
    let sum = weaving.put(Op::Binary(function), &operands)?;
    weaving.between(sum)?;
    let activation = weaving.activation();
    weaving.activated(sum, activation)
}

pub(super) fn split(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [rows, columns, channels] = weaving.map(value)?;
    let shape = Shape::new(&[rows, columns, channels]);
    let count = weaving.choices.one(&[2, 4, 3, 8]);
    let each = channels / count;
    if each == 0 || each * count != channels {
        return None;
    }
    let mut parts: Vec<(usize, usize)> = (0..count).map(|index| (index * each, each)).collect();
    if weaving.off(Off::Order) {
        parts.swap(0, 1);
    }
    if weaving.off(Off::Channels) {
        parts[0].1 -= usize::from(each > 1);
        parts[1] = (parts[0].1, 2 * each - parts[0].1);
        (each > 1).then_some(())?;
    }
    if weaving.off(Off::Overlap) {
        parts[1].0 -= 1;
    }
    let filters = if weaving.off(Off::OneFilter) { 1 } else { weaving.choices.one(&[8, 4, 16, 2]) };
    let mut slices = Vec::new();
    for (start, count) in parts {
        let slice = weaving.put(Op::Slice(Slice::along(&shape, 2, start, count)), &[value])?;
        slices.push(weaving.between(slice)?);
    }
    convolved(weaving, &slices, filters)
}

pub(super) fn siblings(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let count = 2 + weaving.choices.below(3);
    let filters = weaving.choices.one(&[8, 16, 4, 1, 12]);
    convolved(weaving, &vec![value; count], filters)
}

/// Convolutions that are alike, one of each of `values`, joined, and a pointwise one behind.
fn convolved(weaving: &mut Weaving<'_, '_>, values: &[usize], filters: usize) -> Option<usize> {
    let kernel = weaving.choices.one(&[3, 1, 3]);
    let activation = weaving.activation();
    let unlike = if weaving.off(Off::Unlike) { 1 + weaving.choices.below(4) } else { 0 };
    let mut made = Vec::new();
    for (index, &value) in values.iter().enumerate() {
        let is_unlike = index + 1 == values.len();
        let filters = if weaving.off == Some(Off::Channels) { weaving.channels(filters) } else { filters };
        let mut conv = Conv2d { filters, ..weaving.same([kernel; 2]) };
        let mut function = activation;
        match unlike {
            1 if is_unlike => function = Some(Activation::Tanh),
            2 if is_unlike => conv = Conv2d { filters, ..weaving.same([5; 2]) },
            3 if is_unlike => {
                let wide = weaving.same([5; 2]).padding;
                conv = Conv2d { dilation: [2; 2], padding: wide, filters, ..weaving.same([3; 2]) };
            }
            4 if is_unlike => (conv.filters, conv.groups) = (2 * filters, 2),
            _ => {}
        }
        let branch = weaving.layer(value, conv, function)?;
        made.push(weaving.between(branch)?);
    }
    if weaving.off(Off::Twice) {
        made.push(made[0]);
    }
    let joined = weaving.put(Op::Concat(Concat { axis: 2, inputs: made.len() }), &made)?;
    weaving.between(joined)?;
    let filters = weaving.choices.one(&[16, 8, 20]);
    weaving.pointwise(joined, filters, None)
}
