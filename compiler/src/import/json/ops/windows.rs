//! Ops whose window slides over a map: convolutions and pools.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Conv2dTranspose, Epilogue, Padding, Pool, PoolKind};
use frit_ir::{Diagnostic, Op, Shape, Window};

use crate::import::json::defaults::{Defaults, Inherited, PADDING};
use crate::import::json::entry::LayerSection;
use crate::import::json::kinds::{Follower, Pair};
use crate::import::json::layer::{Convolution, Filters, Operation, Shaped};
use crate::import::json::section::section;
use crate::import::reader::Reader;
use crate::import::window::{PaddingRule, WindowRule};

section! {
    /// A convolution, perhaps in groups.
    ConvolutionFields {
        /// Output channels.
        filters: usize,
        /// Groups that the channels are split into.
        groups: usize = 1,
        /// Height and width of the kernel.
        kernel: Pair,
        /// Steps down and right.
        stride: Pair = Pair::both(1),
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map.
        padding: Option<PaddingRule>,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

impl LayerSection for ConvolutionFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let filters = Filters::Count { filters: self.filters, groups: self.groups };
        Some(Operation::Convolution(Convolution { filters, window, bias: self.bias }))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

section! {
    /// A convolution of each channel by itself.
    DepthwiseFields {
        /// Filters for each input channel.
        multiplier: usize = 1,
        /// Height and width of the kernel.
        kernel: Pair,
        /// Steps down and right.
        stride: Pair = Pair::both(1),
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map.
        padding: Option<PaddingRule>,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

impl LayerSection for DepthwiseFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let filters = Filters::PerChannel(self.multiplier);
        Some(Operation::Convolution(Convolution { filters, window, bias: self.bias }))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

section! {
    /// A transposed convolution.
    TransposedFields {
        /// Output channels.
        filters: usize,
        /// Groups that the channels are split into.
        groups: usize = 1,
        /// Height and width of the kernel.
        kernel: Pair,
        /// Steps down and right, in the result.
        stride: Pair = Pair::both(1),
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::both(1),
        /// What is cut off the result: "same" leaves stride times the map (Keras), "torch" cuts (kernel - 1) / 2 each side.
        padding: Option<PaddingRule>,
        /// Rows and columns added behind what the kernels reach (PyTorch's output_padding): bottom and right.
        output_padding: Option<Pair>,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

#[derive(Debug)]
struct Transposed {
    filters: usize,
    groups: usize,
    window: WindowRule,
    output_padding: [usize; 2],
    bias: bool,
}

impl LayerSection for TransposedFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let window = defaults.window([self.kernel, self.stride, self.dilation], self.padding)?;
        let output_padding = self.output_padding.map_or([0, 0], |pair| pair.0);
        let TransposedFields { filters, groups, bias, .. } = self;
        Some(Operation::Shaped(Box::new(Transposed { filters, groups, window, output_padding, bias })))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

impl Shaped for Transposed {
    fn op(&self, _: &[Shape]) -> Result<Op, Diagnostic> {
        let ([top, bottom, down], [left, right, across]) = (self.sides(0)?, self.sides(1)?);
        Ok(Op::Conv2dTranspose(Conv2dTranspose {
            filters: self.filters,
            kernel: self.window.kernel,
            stride: self.window.stride,
            padding: Padding { top, bottom, left, right },
            output_padding: [down, across],
            dilation: self.window.dilation,
            groups: self.groups,
            epilogue: Epilogue::with_bias(self.bias),
        }))
    }
}

impl Transposed {
    /// What is cut before and behind along an axis, and what is added behind.
    fn sides(&self, axis: usize) -> Result<[usize; 3], Diagnostic> {
        let extent = self.window.extent(axis)?;
        let (stride, added) = (self.window.stride[axis], self.output_padding[axis]);
        // TensorFlow's results are stride times the map, and what a kernel covers beyond.
        let missing = stride.saturating_sub(extent).saturating_add(added);
        Ok(match self.window.padding {
            PaddingRule::Given(padding) => {
                let [before, behind] = padding.along(axis);
                [before, behind, added]
            }
            PaddingRule::Torch => [(extent - 1) / 2, (extent - 1) / 2, added],
            PaddingRule::Valid => [0, 0, missing],
            rule @ (PaddingRule::Same | PaddingRule::SameLower) => {
                let [before, behind] = rule.halves(extent.saturating_sub(stride));
                [before, behind, missing]
            }
        })
    }
}

section! {
    /// The largest element of each window.
    MaxPoolFields {
        /// Height and width of the window.
        kernel: Pair,
        /// Steps down and right; without it, the window's height and width.
        stride: Option<Pair>,
        /// Distance of the window's taps.
        dilation: Pair = Pair::both(1),
        /// How far windows reach over the map's edges.
        padding: Option<PaddingRule>,
    }
}

section! {
    /// The mean of each window.
    AvgPoolFields {
        /// Height and width of the window.
        kernel: Pair,
        /// Steps down and right; without it, the window's height and width.
        stride: Option<Pair>,
        /// Distance of the window's taps.
        dilation: Pair = Pair::both(1),
        /// How far windows reach over the map's edges.
        padding: Option<PaddingRule>,
        /// Whether padding counts as zeros: it does in PyTorch, it doesn't in Keras. Needed where there is padding.
        count_padding: Option<bool>,
    }
}

/// A pool whose map is not known yet.
#[derive(Debug)]
struct Pooling {
    window: WindowRule,
    /// Whether the mean is taken, and then whether padding counts.
    mean: Option<Option<bool>>,
}

impl LayerSection for MaxPoolFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let stride = self.stride.unwrap_or(self.kernel);
        let window = defaults.window([self.kernel, stride, self.dilation], self.padding)?;
        Some(Operation::Shaped(Box::new(Pooling { window, mean: None })))
    }
}

impl LayerSection for AvgPoolFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Operation> {
        let stride = self.stride.unwrap_or(self.kernel);
        let window = defaults.window([self.kernel, stride, self.dilation], self.padding)?;
        Some(Operation::Shaped(Box::new(Pooling { window, mean: Some(self.count_padding) })))
    }
}

impl Shaped for Pooling {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        // The op itself refuses whatever is no map; until then any padding will do.
        let map = operands[0].map().map_or([1, 1], |[height, width, _]| [height, width]);
        let Window { kernel, stride, padding, dilation } = self.window.over(map)?;
        let kind = match self.mean {
            None => PoolKind::Max,
            Some(count) => {
                let none = Padding::default();
                if padding != none && count.is_none() {
                    let message = "the field count_padding is missing";
                    return Err(Diagnostic::error(codes::MISSING_FIELD, message)
                        .note("there is padding around this map")
                        .help(
                            "true where padding counts as zeros (PyTorch), false where it doesn't (Keras)",
                        ));
                }
                PoolKind::Average { counted: if count == Some(true) { padding } else { none } }
            }
        };
        Ok(Op::Pool(Pool { kind, kernel, stride, padding, dilation }))
    }
}
