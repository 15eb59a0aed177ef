//! Two-dimensional convolution (cross-correlation, as every framework means it), with groups.
//!
//! In text: `conv2d {filters=N, kernel=HxW, stride=HxW, pad=TOP:BOTTOM:LEFT:RIGHT, dilation=HxW, groups=N, before=ACTIVATION,
//! gate, EPILOGUE}`, where 1x1, 0:0:0:0, 1x1 and 1 are left out.

use super::{Activation, Binary, Epilogue, Given, Page, WeightRole};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, activation, number};

/// Zeros around a map, in pixels; always explicit, so that `same` is never guessed twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns left.
    pub left: usize,
    /// Columns right.
    pub right: usize,
}

impl Padding {
    /// Top, bottom, left, right.
    pub fn sides(&self) -> [usize; 4] {
        [self.top, self.bottom, self.left, self.right]
    }

    /// Before and after the map along `axis` (0: rows, 1: columns).
    pub fn along(&self, axis: usize) -> [usize; 2] {
        if axis == 0 { [self.top, self.bottom] } else { [self.left, self.right] }
    }
}

/// Attributes of a convolution. The kernel is `[kernel height, kernel width, in / groups, filters]` (HWIO); what is
/// depthwise, [`Conv2d::is_depthwise`] says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conv2d {
    /// Output channels.
    pub filters: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub stride: [usize; 2],
    /// Zeros around the input.
    pub padding: Padding,
    /// Distance of the kernel's taps.
    pub dilation: [usize; 2],
    /// Channels are split into this many independent groups.
    pub groups: usize,
    /// Whether each channel of the input is first multiplied by its value in the second operand, a gate as of
    /// [`Binary::Mul`]; with one group only.
    pub gate: bool,
    /// Applied to each element of the input before it is multiplied; the zeros of the padding stay zeros.
    pub prologue: Option<Activation>,
    /// What happens to the sum.
    pub epilogue: Epilogue,
}

impl Conv2d {
    /// The 1×1 convolution of all channels to `filters`, with nothing before or behind its sums.
    pub fn pointwise(filters: usize) -> Conv2d {
        Conv2d {
            filters,
            kernel: [1, 1],
            stride: [1, 1],
            padding: Padding::default(),
            dilation: [1, 1],
            groups: 1,
            gate: false,
            prologue: None,
            epilogue: Epilogue::default(),
        }
    }

    /// Whether every channel is a group of its own on both sides: groups, input channels and filters are one number above 1.
    /// One filter a group is not enough, and neither is one input channel a group.
    pub fn is_depthwise(&self, input_channels: usize) -> bool {
        self.channel_multiplier(input_channels) == Some(1)
    }

    /// How many filters each input channel has, where every input channel is a group of its own: the depth multiplier of
    /// Keras. None for any other convolution, and for one of a single channel, which has no groups to tell.
    pub fn channel_multiplier(&self, input_channels: usize) -> Option<usize> {
        (self.groups == input_channels && self.groups > 1).then(|| self.filters / self.groups)
    }

    fn validate(&self, channels: usize) -> Result<(), Diagnostic> {
        for (name, pair) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            super::check_pair(name, pair)?;
        }
        if self.gate && self.groups > 1 {
            let message = format!("a gate on {} groups; it needs a convolution of one", self.groups);
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        }
        if self.gate && self.prologue.is_some() {
            let message = "a gate and a prologue; a convolution carries one of them";
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        }
        super::check_groups(self.groups, channels, self.filters)
    }
}

impl Page for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [height, width, channels] = super::as_map("conv2d", &operands[0])?;
        self.validate(channels)?;
        let sizes = [height, width];
        let along = |axis: usize| {
            let (kernel, stride, dilation) = (self.kernel[axis], self.stride[axis], self.dilation[axis]);
            positions(sizes[axis], self.padding.along(axis), kernel, stride, dilation)
        };
        super::sized(Shape::new(&[along(0)?, along(1)?, self.filters]))
    }

    fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        weight_roles(self.kernel, operands[0].channels() / self.groups.max(1), self.filters, &self.epilogue)
    }

    fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        let inputs_per_group = operands[0].channels() / self.groups.max(1);
        let taps = self.kernel[0] * self.kernel[1] * inputs_per_group;
        (result.elements().unwrap_or(0) as u64).saturating_mul(taps as u64)
    }

    fn gated(&self) -> bool {
        self.gate
    }

    fn epilogue(&self) -> Option<&Epilogue> {
        Some(&self.epilogue)
    }

    fn epilogue_mut(&mut self) -> Option<&mut Epilogue> {
        Some(&mut self.epilogue)
    }

    fn print(&self, to: &mut Written) {
        to.beside_shape("filters", self.filters);
        to.window(self.kernel, self.stride, &self.padding, self.dilation);
        to.groups(self.groups);
        to.function("before", self.prologue.as_ref());
        to.flag("gate", self.gate);
        to.epilogue(&self.epilogue);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Conv2d>, Diagnostic> {
        if name != "conv2d" {
            return Ok(None);
        }
        let filters = from.or_shape("filters", from.shape.map(Shape::channels), number)?;
        let conv = Conv2d::over(from.window()?, filters);
        Ok(Some(Conv2d {
            prologue: from.value("before", activation)?,
            gate: from.flag("gate")?,
            groups: from.value("groups", number)?.unwrap_or(1),
            epilogue: from.epilogue()?,
            ..conv
        }))
    }

    /// The biased sums, pixel by pixel.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let gate = self.gate.then(|| Binary::Mul.joined(given.first(), given.operands[1])).transpose()?;
        let input = gate.as_ref().unwrap_or(given.first());
        let [rows, columns, filters] = given.result.map().expect("the shape rule makes a map");
        let before = self.prologue.map(|prologue| input.mapv(|x| prologue.apply(x)));
        let input = before.as_ref().unwrap_or(input);
        let mut output = Tensor::zeros(vec![rows * columns, filters]);
        for (index, mut sums) in output.outer_iter_mut().enumerate() {
            let sums = sums.as_slice_mut().expect("a fresh tensor is dense");
            if let Some(bias) = given.bias(&self.epilogue) {
                sums.copy_from_slice(bias);
            }
            self.pixel(input, &given.weights[0], [index / columns, index % columns], sums);
        }
        Ok(output.into_dyn())
    }
}

/// The weights of a convolution with `inputs` channels a group.
pub(super) fn weight_roles(
    kernel: [usize; 2],
    inputs: usize,
    filters: usize,
    epilogue: &Epilogue,
) -> Vec<WeightRole> {
    let kernel = Shape::new(&[kernel[0], kernel[1], inputs, filters]);
    let mut roles = vec![WeightRole { role: "kernel", shape: kernel }];
    if epilogue.bias {
        roles.push(WeightRole { role: "bias", shape: Shape::new(&[filters]) });
    }
    roles
}

/// Places of a window along an axis of `length` with `padding` before and after it.
pub(super) fn positions(
    length: usize,
    padding: [usize; 2],
    kernel: usize,
    stride: usize,
    dilation: usize,
) -> Result<usize, Diagnostic> {
    let [before, after] = padding;
    let reach = (kernel - 1).checked_mul(dilation).and_then(|r| r.checked_add(1));
    let padded = length.checked_add(before).and_then(|l| l.checked_add(after));
    match (padded, reach) {
        (Some(padded), Some(reach)) if reach <= padded => Ok((padded - reach) / stride + 1),
        _ => Err(Diagnostic::error(
            codes::KERNEL_TOO_LARGE,
            format!(
                "a kernel of {kernel} with dilation {dilation} does not fit into {length} + {before} + {after}"
            ),
        )),
    }
}

impl Conv2d {
    /// Adds the products of the window at `position` to its sums.
    fn pixel<T: Number>(&self, input: &Tensor<T>, kernel: &[T], position: [usize; 2], sums: &mut [T]) {
        let [height, width, channels] = [input.shape()[0], input.shape()[1], input.shape()[2]];
        let values = input.as_slice().expect("tensors of the interpreter are dense");
        let before = [self.padding.top, self.padding.left];
        let place = |axis: usize, tap: usize| {
            (position[axis] * self.stride[axis] + tap * self.dilation[axis]).checked_sub(before[axis])
        };
        let (inputs, filters) = (channels / self.groups, self.filters / self.groups);
        for (down, across) in
            (0..self.kernel[0]).flat_map(|down| (0..self.kernel[1]).map(move |across| (down, across)))
        {
            let (Some(y), Some(x)) = (place(0, down), place(1, across)) else { continue };
            if y >= height || x >= width {
                continue;
            }
            let pixel = &values[(y * width + x) * channels..][..channels];
            for (channel, &value) in pixel.iter().enumerate() {
                let (group, input) = (channel / inputs, channel % inputs);
                let row = ((down * self.kernel[1] + across) * inputs + input) * self.filters;
                let weights = &kernel[row + group * filters..][..filters];
                for (sum, &weight) in sums[group * filters..].iter_mut().zip(weights) {
                    *sum = *sum + value * weight;
                }
            }
        }
    }
}
