//! Motifs that change how a map lies: made large, its channels in another order, its average.

use super::Off;
use super::weaving::Weaving;
use crate::ops::{
    Activation, Concat, Conv2d, Conv2dTranspose, Coordinates, Dense, Epilogue, GlobalAveragePool,
    Interpolation, Pool, PoolKind, Reduce, ReduceKind, Reshape, Resize, Softmax, Transpose,
};
use crate::random::blocks::plain;
use crate::{Op, Shape};

/// Down by 2, a convolution, up by 2, joined to what went in where the sizes agree.
pub(super) fn upsample(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [rows, columns, channels] = weaving.map(value)?;
    let pool = Pool {
        kind: PoolKind::Max,
        kernel: [2; 2],
        stride: [2; 2],
        padding: crate::ops::Padding::default(),
        dilation: [1; 2],
    };
    let down = weaving.put(Op::Pool(pool), &[value])?;
    let filters = weaving.filters(channels);
    let small = weaving.pointwise(down, filters, None)?;
    weaving.between(small)?;
    let up = if weaving.choices.flag() || matches!(weaving.off, Some(Off::Kernel | Off::Padding)) {
        let size = weaving.choices.one(&[3, 2]);
        let Conv2d { kernel, padding, .. } = weaving.window(size);
        let transposed = Conv2dTranspose {
            filters,
            kernel,
            stride: [2; 2],
            padding,
            output_padding: [weaving.choices.below(2); 2],
            dilation: [1; 2],
            groups: 1,
            epilogue: Epilogue::with_bias(weaving.choices.flag()),
        };
        weaving.put(Op::Conv2dTranspose(transposed), &[small])?
    } else {
        let interpolation = weaving.choices.one(&Interpolation::ALL);
        let coordinates = weaving.choices.one(&Coordinates::ALL);
        let resize = Resize { size: [rows, columns], scale: None, interpolation, coordinates };
        weaving.put(Op::Resize(resize), &[small])?
    };
    weaving.between(up)?;
    if weaving.map(up)?[..2] != [rows, columns] {
        return Some(up);
    }
    let joined = weaving.put(Op::Concat(Concat { axis: 2, inputs: 2 }), &[up, value])?;
    weaving.layer(joined, Conv2d { filters: 16, ..weaving.same([3; 2]) }, Some(Activation::Relu))
}

pub(super) fn shuffle(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let [rows, columns, channels] = weaving.map(value)?;
    let groups = weaving.choices.one(&[2, 4, 3, 8]);
    let usual = groups * weaving.choices.one(&[8, 4, 2, channels.div_ceil(groups).min(16)]);
    let wide = weaving.channels(usual);
    let first = weaving.layer(value, plain(wide), None)?;
    weaving.between(first)?;
    let groups = if wide.is_multiple_of(groups) { groups } else { 1 };
    let cut = Op::Reshape(Reshape::To(Shape::new(&[rows, columns, groups, wide / groups])));
    let mut axes = [0, 1, 3, 2];
    if weaving.off(Off::Order) {
        axes = weaving.choices.one(&[[1, 0, 3, 2], [0, 1, 2, 3], [3, 1, 0, 2], [0, 2, 1, 3]]);
    }
    let apart = weaving.put(cut, &[first])?;
    let turned = weaving.put(Op::Transpose(Transpose { axes: axes.into_iter().collect() }), &[apart])?;
    weaving.between(turned)?;
    let joined = Op::Reshape(Reshape::To(Shape::new(&[rows, columns, wide])));
    let shuffled = weaving.put(joined, &[turned])?;
    let activation = weaving.activation();
    let conv = match weaving.choices.below(3) {
        0 => Conv2d { filters: wide, groups: wide, ..weaving.same([3; 2]) },
        1 => Conv2d { filters: wide, groups, ..weaving.same([3; 2]) },
        _ => plain(16),
    };
    weaving.layer(shuffled, conv, activation)
}

/// The map itself goes on; the probabilities are an output.
pub(super) fn head(weaving: &mut Weaving<'_, '_>, value: usize) -> Option<usize> {
    let average = if weaving.off(Off::Axis) {
        let axes = weaving.choices.one(&[&[1][..], &[0], &[0, 1, 2]]);
        let kind = weaving.choices.one(&[ReduceKind::Mean, ReduceKind::Max, ReduceKind::Sum]);
        Op::Reduce(Reduce { kind, axes: axes.into(), keep_dims: weaving.choices.flag() })
    } else {
        Op::GlobalAveragePool(GlobalAveragePool { keep_dims: weaving.choices.flag() })
    };
    let mut means = weaving.put(average, &[value])?;
    weaving.between(means)?;
    if weaving.off(Off::Activation) {
        means = weaving.activated(means, Some(Activation::HardSwish))?;
    }
    let flat = weaving.put(Op::Reshape(Reshape::Flatten), &[means])?;
    let units = weaving.choices.one(&[10, 16, 33, 100]);
    let epilogue = Epilogue::with_bias(weaving.choices.flag());
    let scores = weaving.put(Op::Dense(Dense { units, epilogue }), &[flat])?;
    weaving.between(scores)?;
    let log = weaving.choices.flag();
    weaving.put(Op::Softmax(Softmax { log }), &[scores])?;
    Some(value)
}
