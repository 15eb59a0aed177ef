//! Motifs that change how a map lies: made large, its channels in another order, its average.

use super::Off;
use super::weaving::Weaving;
use crate::ops::{
    Activation, Concat, Conv2d, Conv2dTranspose, Coordinates, Dense, Epilogue, GlobalAveragePool,
    Interpolation, Pool, PoolKind, Reduce, ReduceKind, Reshape, Resize, Softmax, Transpose,
};
use crate::random::blocks::plain;
use crate::{Op, Shape};

impl Weaving<'_, '_> {
    /// Down by 2, a convolution, up by 2, joined to what went in where the sizes agree.
    pub(super) fn upsample(&mut self, value: usize) -> Option<usize> {
        let [rows, columns, channels] = self.map(value)?;
        let pool = Pool {
            kind: PoolKind::Max,
            kernel: [2; 2],
            stride: [2; 2],
            padding: crate::ops::Padding::default(),
            dilation: [1; 2],
        };
        let down = self.put(Op::Pool(pool), &[value])?;
        let filters = self.filters(channels);
        let small = self.pointwise(down, filters, None)?;
        self.between(small)?;
        let up = if self.choices.flag() || matches!(self.off, Some(Off::Kernel | Off::Padding)) {
            let size = self.choices.one(&[3, 2]);
            let Conv2d { kernel, padding, .. } = self.window(size);
            let transposed = Conv2dTranspose {
                filters,
                kernel,
                stride: [2; 2],
                padding,
                output_padding: [self.choices.below(2); 2],
                dilation: [1; 2],
                groups: 1,
                epilogue: Epilogue::with_bias(self.choices.flag()),
            };
            self.put(Op::Conv2dTranspose(transposed), &[small])?
        } else {
            let interpolation = self.choices.one(&Interpolation::ALL);
            let coordinates = self.choices.one(&Coordinates::ALL);
            let resize = Resize { size: [rows, columns], scale: None, interpolation, coordinates };
            self.put(Op::Resize(resize), &[small])?
        };
        self.between(up)?;
        if self.map(up)?[..2] != [rows, columns] {
            return Some(up);
        }
        let joined = self.put(Op::Concat(Concat { axis: 2, inputs: 2 }), &[up, value])?;
        self.layer(joined, Conv2d { filters: 16, ..self.same([3; 2]) }, Some(Activation::Relu))
    }

    pub(super) fn shuffle(&mut self, value: usize) -> Option<usize> {
        let [rows, columns, channels] = self.map(value)?;
        let groups = self.choices.one(&[2, 4, 3, 8]);
        let usual = groups * self.choices.one(&[8, 4, 2, channels.div_ceil(groups).min(16)]);
        let wide = self.channels(usual);
        let first = self.layer(value, plain(wide), None)?;
        self.between(first)?;
        let groups = if wide.is_multiple_of(groups) { groups } else { 1 };
        let cut = Op::Reshape(Reshape::To(Shape::new(&[rows, columns, groups, wide / groups])));
        let mut axes = [0, 1, 3, 2];
        if self.off(Off::Order) {
            axes = self.choices.one(&[[1, 0, 3, 2], [0, 1, 2, 3], [3, 1, 0, 2], [0, 2, 1, 3]]);
        }
        let apart = self.put(cut, &[first])?;
        let turned = self.put(Op::Transpose(Transpose { axes: axes.into_iter().collect() }), &[apart])?;
        self.between(turned)?;
        let joined = Op::Reshape(Reshape::To(Shape::new(&[rows, columns, wide])));
        let shuffled = self.put(joined, &[turned])?;
        let activation = self.activation();
        let conv = match self.choices.below(3) {
            0 => Conv2d { filters: wide, groups: wide, ..self.same([3; 2]) },
            1 => Conv2d { filters: wide, groups, ..self.same([3; 2]) },
            _ => plain(16),
        };
        self.layer(shuffled, conv, activation)
    }

    /// The map itself goes on; the probabilities are an output.
    pub(super) fn head(&mut self, value: usize) -> Option<usize> {
        let average = if self.off(Off::Axis) {
            let axes = self.choices.one(&[&[1][..], &[0], &[0, 1, 2]]);
            let kind = self.choices.one(&[ReduceKind::Mean, ReduceKind::Max, ReduceKind::Sum]);
            Op::Reduce(Reduce { kind, axes: axes.into(), keep_dims: self.choices.flag() })
        } else {
            Op::GlobalAveragePool(GlobalAveragePool { keep_dims: self.choices.flag() })
        };
        let mut means = self.put(average, &[value])?;
        self.between(means)?;
        if self.off(Off::Activation) {
            means = self.activated(means, Some(Activation::HardSwish))?;
        }
        let flat = self.put(Op::Reshape(Reshape::Flatten), &[means])?;
        let units = self.choices.one(&[10, 16, 33, 100]);
        let epilogue = Epilogue::with_bias(self.choices.flag());
        let scores = self.put(Op::Dense(Dense { units, epilogue }), &[flat])?;
        self.between(scores)?;
        let log = self.choices.flag();
        self.put(Op::Softmax(Softmax { log }), &[scores])?;
        Some(value)
    }
}
