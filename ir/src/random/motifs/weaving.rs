//! What motifs are made with: layers with what follows them, and the places where an attribute may be off.

use super::Off;
use crate::Op;
use crate::ops::{Activation, BatchNorm, Binary, Conv2d, Epilogue, Padding, Scalar};
use crate::random::blocks::plain;
use crate::random::{Choices, Growing};

/// A motif that grows.
pub(super) struct Weaving<'a, 'b> {
    pub(super) growing: &'a mut Growing,
    pub(super) choices: Choices<'b>,
    /// What is to be off.
    pub(super) off: Option<Off>,
    /// Whether it is.
    pub(super) is_off: bool,
}

impl Weaving<'_, '_> {
    /// Whether `off` is off here: from the first time on that it is asked for.
    pub(super) fn off(&mut self, off: Off) -> bool {
        let is_off = self.off == Some(off);
        self.is_off |= is_off;
        is_off
    }

    /// The same at one of several places, or none.
    pub(super) fn off_here(&mut self, off: Off) -> bool {
        self.off == Some(off) && !self.is_off && self.choices.flag() && self.off(off)
    }

    /// Height, width and channels of a value that is a map.
    pub(super) fn map(&self, value: usize) -> Option<[usize; 3]> {
        self.growing.values[value].1.map()
    }

    pub(super) fn put(&mut self, op: Op, operands: &[usize]) -> Option<usize> {
        self.growing.put(op, operands)
    }

    /// Gives a value inside the motif another reader, or makes it an output, where that is what is off.
    pub(super) fn between(&mut self, value: usize) -> Option<usize> {
        if self.off_here(Off::SecondReader) {
            let reader = match self.choices.below(4) {
                0 => Op::Activation(Activation::Tanh),
                1 => Op::Conv2d(plain(5)),
                2 => Op::Binary(Binary::Mul),
                _ => Op::GlobalAveragePool(crate::ops::GlobalAveragePool { keep_dims: true }),
            };
            let operands = vec![value; reader.arity()];
            self.put(reader, &operands)?;
        }
        if self.off_here(Off::MiddleOutput) {
            self.growing.read_outputs.insert(value);
        }
        Some(value)
    }

    /// `usual` channels, or one more or less.
    pub(super) fn channels(&mut self, usual: usize) -> usize {
        match self.off_here(Off::Channels) {
            false => usual,
            true if self.choices.flag() && usual > 1 => usual - 1,
            true => usual + 1,
        }
    }

    /// A window of `kernel` by `kernel` that keeps the size of a map at stride 1, but for what is off; at times it skips pixels.
    pub(super) fn window(&mut self, kernel: usize) -> Conv2d {
        let stride = if self.choices.below(4) == 3 { 2 } else { 1 };
        let mut conv = self.same([kernel; 2]);
        conv.stride = [stride; 2];
        if self.off(Off::Kernel) {
            let kernels = [[1, 1], [1, kernel], [kernel, 1], [2, 2], [kernel, kernel + 1], [4, 3]];
            let kernel = self.choices.one(&kernels);
            conv = Conv2d { stride: conv.stride, ..self.same(kernel) };
        }
        if self.off(Off::Stride) {
            conv.stride = self.choices.one(&[[1, 2], [2, 1], [3, 3], [1, 3], [3, 2]]);
        }
        if self.off(Off::Dilation) {
            conv.dilation = self.choices.one(&[[2, 1], [1, 2], [2, 2], [3, 1]]);
            if self.choices.flag() {
                conv.padding = around(kernel - 1);
            }
        }
        if self.off(Off::Padding) {
            let [top, bottom, left, right] = std::array::from_fn(|_| self.choices.below(kernel + 1));
            conv.padding = Padding { top, bottom, left, right };
        }
        conv
    }

    /// A window that keeps the size of a map.
    pub(super) fn same(&self, kernel: [usize; 2]) -> Conv2d {
        let before = kernel.map(|length| (length - 1) / 2);
        let padding = Padding {
            top: before[0],
            bottom: kernel[0] - 1 - before[0],
            left: before[1],
            right: kernel[1] - 1 - before[1],
        };
        Conv2d { kernel, padding, ..plain(0) }
    }

    /// What usually follows a sum: a clamp or nothing; where that is off, something else.
    pub(super) fn activation(&mut self) -> Option<Activation> {
        let clip = |low, high| Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) };
        if self.off_here(Off::Activation) {
            let others = [
                Activation::HardSwish,
                Activation::Swish,
                Activation::Sigmoid,
                Activation::HardSigmoid,
                Activation::Gelu,
                Activation::Elu { alpha: Scalar::new(1.5) },
                Activation::LeakyRelu { slope: Scalar::new(-0.5), threshold: Scalar::new(0.25) },
                clip(0.25, 2.0),
            ];
            return Some(self.choices.one(&others));
        }
        let usual = [Some(Activation::Relu6), None, Some(Activation::Relu), Some(clip(-0.5, 1.5))];
        self.choices.one(&usual)
    }

    /// A convolution with what follows it: carried by it, or layers of their own.
    pub(super) fn layer(
        &mut self,
        value: usize,
        conv: Conv2d,
        activation: Option<Activation>,
    ) -> Option<usize> {
        self.layer_onto(value, conv, activation, None)
    }

    /// The same, and where the shapes allow it `shortcut` is added in the end.
    pub(super) fn layer_onto(
        &mut self,
        value: usize,
        conv: Conv2d,
        activation: Option<Activation>,
        shortcut: Option<usize>,
    ) -> Option<usize> {
        let bias = self.choices.flag();
        let epilogue = Epilogue::with_bias(bias);
        let shape = Op::Conv2d(conv).shape(&[self.growing.values[value].1.clone()]).ok()?;
        let shortcut = shortcut.filter(|&shortcut| self.growing.values[shortcut].1 == shape);
        if self.growing.fused {
            let epilogue = Epilogue { activation, residual: shortcut.is_some(), ..epilogue };
            let operands: Vec<usize> = std::iter::once(value).chain(shortcut).collect();
            return self.put(Op::Conv2d(Conv2d { epilogue, ..conv }), &operands);
        }
        let mut value = self.put(Op::Conv2d(Conv2d { epilogue, ..conv }), &[value])?;
        if self.choices.flag() {
            value = self.normalised(value)?;
        }
        value = self.activated(value, activation)?;
        match shortcut {
            Some(shortcut) => self.put(Op::Binary(Binary::Add), &[value, shortcut]),
            None => Some(value),
        }
    }

    /// `activation` as a layer of its own.
    pub(super) fn activated(&mut self, value: usize, activation: Option<Activation>) -> Option<usize> {
        match activation {
            Some(activation) => self.put(Op::Activation(activation), &[value]),
            None => Some(value),
        }
    }

    pub(super) fn normalised(&mut self, value: usize) -> Option<usize> {
        let norm = BatchNorm { epsilon: Scalar::new(1e-3), scale: true, center: true };
        self.put(Op::BatchNorm(norm), &[value])
    }

    /// A pointwise convolution, unless that is off, and `shortcut` added to it where that can be.
    pub(super) fn pointwise(
        &mut self,
        value: usize,
        filters: usize,
        shortcut: Option<usize>,
    ) -> Option<usize> {
        let mut conv = plain(filters);
        if self.off(Off::Pointwise) {
            match self.choices.below(5) {
                0 => conv = Conv2d { filters, ..self.same([3; 2]) },
                1 => conv.stride = [2; 2],
                2 => conv.padding = around(1),
                3 => conv = Conv2d { filters, ..self.same([1, 2]) },
                _ => (conv.groups, conv.filters) = (2, filters.next_multiple_of(2)),
            }
        }
        let activation = self.activation();
        self.layer_onto(value, conv, activation, shortcut)
    }

    /// Filters of a layer behind one of so many `channels`.
    pub(super) fn filters(&mut self, channels: usize) -> usize {
        let usual = self.choices.one(&[channels, 16, 8, 24, 40, channels, 64, 5]);
        self.channels(usual)
    }
}

/// The same number of zeros on each side.
pub(super) fn around(zeros: usize) -> Padding {
    Padding { top: zeros, bottom: zeros, left: zeros, right: zeros }
}
