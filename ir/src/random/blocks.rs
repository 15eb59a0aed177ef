//! Random inverted residual blocks.

use proptest::prelude::*;

use super::{Choices, Growing};
use crate::ops::{Activation, Binary, Conv2d, Epilogue, GlobalAveragePool, Padding, Scalar};
use crate::{Graph, Op};

/// Bounds of [`blocks`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockSizes {
    /// The most rows and columns of the input; at least 5.
    pub size: usize,
    /// The most channels, of the input, expanded and projected; at least 8.
    pub channels: usize,
}

/// Inverted residual blocks and their relatives: a convolution of 1×1 or 3×3, or none, a depthwise one of 3×3, 5×5 or 7×7
/// at stride 1 or 2 with any padding up to 3, often a gate, mostly that of squeeze and excite, a pointwise one, and where the
/// shapes agree an addition of the input.
pub fn blocks(most: BlockSizes) -> impl Strategy<Value = Graph> {
    let sizes = ([5..=most.size, 5..=most.size], [8..=most.channels, 8..=most.channels, 8..=most.channels]);
    let windows = (prop::sample::select(&[0usize, 1, 1, 3][..]), prop::sample::select(&[3usize, 5, 7][..]));
    let rest = (1usize..=2, [0usize..=3, 0..=3, 0..=3, 0..=3], any::<bool>(), vec_of_bytes(), any::<u8>());
    (sizes, windows, rest).prop_filter_map("the window fits", |(sizes, windows, rest)| {
        let ((size, channels), (expand, kernel)) = (sizes, windows);
        let (stride, pads, residual, bytes, seed) = rest;
        let [top, bottom, left, right] = pads;
        let padding = Padding { top, bottom, left, right };
        let prologue = match seed % 8 {
            1 => Some(Activation::Relu),
            3 => Some(Activation::Clip { low: Scalar::new(-0.5), high: Scalar::new(1.5) }),
            5 => Some(Activation::HardSwish),
            _ => None,
        };
        let depthwise = Conv2d { kernel: [kernel; 2], stride: [stride; 2], padding, prologue, ..plain(0) };
        let gate = match seed % 4 {
            0 => None,
            1 => Some(Gate::Mean),
            _ => Some(Gate::Squeeze(1 + usize::from(seed) % 37)),
        };
        let mut block = Block { expand, depthwise, channels, residual, gate };
        // Where the shapes let the input be added, it often is.
        if residual && stride == 1 {
            let around = kernel / 2;
            block.depthwise.padding = Padding { top: around, bottom: around, left: around, right: around };
            block.channels[2] = block.channels[0];
        }
        let mut growing = Growing::on(&[size[0], size[1], block.channels[0]], u64::from(seed));
        growing.inverted_residual(&block, &mut Choices(bytes.iter()));
        (growing.values.len() > 2).then(|| growing.finish())
    })
}

fn vec_of_bytes() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 8)
}

/// A pointwise convolution with a bias.
pub(super) fn plain(filters: usize) -> Conv2d {
    Conv2d {
        filters,
        kernel: [1; 2],
        stride: [1; 2],
        padding: Padding::default(),
        dilation: [1; 2],
        groups: 1,
        gate: false,
        prologue: None,
        epilogue: Epilogue::with_bias(true),
    }
}

/// What a random block is made of.
struct Block {
    /// The window of the expansion; 0 for none.
    expand: usize,
    depthwise: Conv2d,
    /// Of the input, expanded, projected.
    channels: [usize; 3],
    residual: bool,
    /// What stands before the projection.
    gate: Option<Gate>,
}

/// What the depthwise convolution's result is multiplied by.
#[derive(Clone, Copy)]
enum Gate {
    /// Its own mean.
    Mean,
    /// What squeeze and excite makes of that, with so many channels in between.
    Squeeze(usize),
}

impl Growing {
    /// The layers of `block`, as far as they are legal, with random activations.
    fn inverted_residual(&mut self, block: &Block, choices: &mut Choices<'_>) {
        let [channels, expanded, projected] = block.channels;
        let mut layer = |growing: &mut Growing, conv: Conv2d, residual: bool| {
            let activation = choices.maybe_activation();
            let epilogue = Epilogue { activation, residual, ..Epilogue::with_bias(choices.flag()) };
            let last = growing.values.len() - 1;
            let operands: &[usize] = if residual { &[last, 0] } else { &[last] };
            growing.push(Op::Conv2d(Conv2d { epilogue, ..conv }), operands);
        };
        let middle = if block.expand == 0 { channels } else { expanded };
        if block.expand > 0 {
            let around = block.expand / 2;
            let padding = Padding { top: around, bottom: around, left: around, right: around };
            layer(self, Conv2d { kernel: [block.expand; 2], padding, ..plain(expanded) }, false);
        }
        layer(self, Conv2d { filters: middle, groups: middle, ..block.depthwise }, false);
        let depthwise = self.values.len() - 1;
        if let Some(gate) = block.gate {
            self.push(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true }), &[depthwise]);
            if let Gate::Squeeze(squeezed) = gate {
                layer(self, plain(squeezed), false);
                layer(self, plain(middle), false);
            }
            self.push(Op::Binary(Binary::Mul), &[depthwise, self.values.len() - 1]);
        }
        let shape = self.values.last().map(|(_, shape)| shape.axes().to_vec()).unwrap_or_default();
        let agrees = self.values[0].1.axes() == [&shape[..shape.len() - 1], &[projected]].concat();
        layer(self, plain(projected), block.residual && agrees);
    }
}
