//! Pooling: the largest or the mean element of a window that slides over a map, channel by channel.
//!
//! In text: `max_pool {kernel=HxW, stride=HxW, pad=TOP:BOTTOM:LEFT:RIGHT, dilation=HxW}`, with the defaults of `conv2d`; the same of
//! `avg_pool`, and `counted=TOP:BOTTOM:LEFT:RIGHT`, where 0:0:0:0 is left out.

use std::ops::Range;

use super::conv2d::positions;
use super::{Given, Padding, Page};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written};

/// What becomes of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PoolKind {
    /// Its largest element inside the map; minus infinity where it lies wholly in the padding.
    Max,
    /// The mean over its elements inside the map and those in the part of the padding that counts as zeros; 0 where there
    /// are none.
    Average {
        /// How far the zeros that count reach; no side further than the padding.
        counted: Padding,
    },
}

/// Attributes of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pool {
    /// Largest or mean.
    pub kind: PoolKind,
    /// Height and width of the window.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub stride: [usize; 2],
    /// How far windows reach over the map's edges.
    pub padding: Padding,
    /// Distance of the window's taps.
    pub dilation: [usize; 2],
}

impl Pool {
    fn pixel<T: Number>(&self, input: &Tensor<T>, position: [usize; 2], values: &mut [T]) {
        let map = [input.shape()[0], input.shape()[1]];
        let dense = input.as_slice().expect("tensors of the interpreter are dense");
        let inside = |axis: usize| {
            let before = self.padding.along(axis)[0];
            let origin = position[axis] * self.stride[axis];
            self.taps(axis, position[axis], [before, before + map[axis]])
                .map(move |tap| origin + tap * self.dilation[axis] - before)
        };
        if self.kind == PoolKind::Max {
            values.fill(T::neg_infinity());
        }
        for y in inside(0) {
            for x in inside(1) {
                let pixel = &dense[(y * map[1] + x) * values.len()..][..values.len()];
                for (value, &element) in values.iter_mut().zip(pixel) {
                    *value = match self.kind {
                        PoolKind::Average { .. } => *value + element,
                        PoolKind::Max if element > *value || element.is_nan() => element,
                        PoolKind::Max => *value,
                    };
                }
            }
        }
        if let PoolKind::Average { counted } = self.kind {
            let along = |axis: usize| self.counted(axis, position[axis], map[axis], &counted);
            let count = along(0).saturating_mul(along(1));
            let count = T::from(count.max(1)).expect("a count fits every float");
            values.iter_mut().for_each(|value| *value = *value / count);
        }
    }

    /// The taps of the window at `position` that lie from `first` to before `end` along `axis`, counted from the padding's first
    /// row or column.
    fn taps(&self, axis: usize, position: usize, [first, end]: [usize; 2]) -> Range<usize> {
        let origin = position * self.stride[axis];
        let tap =
            |place: usize| place.saturating_sub(origin).div_ceil(self.dilation[axis]).min(self.kernel[axis]);
        tap(first)..tap(end).max(tap(first))
    }

    /// How many taps of the window at `position` lie along `axis` inside a map of `length` or the padding that counts.
    pub fn counted(&self, axis: usize, position: usize, length: usize, counted: &Padding) -> usize {
        let [before, after] = counted.along(axis);
        let first = self.padding.along(axis)[0];
        self.taps(axis, position, [first - before.min(first), first + length + after]).len()
    }
}

impl Page for Pool {
    fn name(&self) -> &'static str {
        match self.kind {
            PoolKind::Max => "max_pool",
            PoolKind::Average { .. } => "avg_pool",
        }
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [height, width, channels] = super::as_map(self.name(), &operands[0])?;
        for (name, pair) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            super::check_pair(name, pair)?;
        }
        if let PoolKind::Average { counted } = self.kind
            && counted.sides().into_iter().zip(self.padding.sides()).any(|(counted, side)| counted > side)
        {
            let message = "more of the padding counts than there is";
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        }
        let sizes = [height, width];
        let along = |axis: usize| {
            let (kernel, stride, dilation) = (self.kernel[axis], self.stride[axis], self.dilation[axis]);
            positions(sizes[axis], self.padding.along(axis), kernel, stride, dilation)
        };
        super::sized(Shape::new(&[along(0)?, along(1)?, channels]))
    }

    fn print(&self, to: &mut Written) {
        to.window(self.kernel, self.stride, &self.padding, self.dilation);
        if let PoolKind::Average { counted } = self.kind
            && counted != Padding::default()
        {
            to.sides("counted", &counted);
        }
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Pool>, Diagnostic> {
        let kind = match name {
            "max_pool" => PoolKind::Max,
            "avg_pool" => PoolKind::Average { counted: from.padding("counted")? },
            _ => return Ok(None),
        };
        let window = from.window()?;
        Ok(Some(Pool {
            kind,
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
        }))
    }

    /// The largest or mean elements.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let [rows, columns, channels] = given.result.map().expect("the shape rule makes a map");
        let mut output = Tensor::zeros(vec![rows * columns, channels]);
        for (index, mut pixel) in output.outer_iter_mut().enumerate() {
            let values = pixel.as_slice_mut().expect("a fresh tensor is dense");
            self.pixel(input, [index / columns, index % columns], values);
        }
        Ok(output.into_dyn())
    }
}
