//! Two-dimensional convolution (cross-correlation, as every framework means it), with groups.

use super::{Epilogue, WeightRole};
use crate::diagnostic::{Diagnostic, codes};
use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

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

/// Attributes of a convolution. The kernel is `[kernel height, kernel width, in / groups, filters]` (HWIO); a depthwise
/// convolution has as many groups as input channels.
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
    /// [`Binary::Mul`](super::Binary::Mul); with one group only.
    pub gate: bool,
    /// What happens to the sum.
    pub epilogue: Epilogue,
}

impl Conv2d {
    /// Whether every input channel is a group of its own.
    pub fn is_depthwise(&self, input_channels: usize) -> bool {
        self.groups == input_channels && self.groups > 1
    }

    /// Multiply-accumulates of one image.
    pub fn macs(&self, operands: &[Shape], result: &Shape) -> u64 {
        let inputs_per_group = operands[0].channels() / self.groups.max(1);
        let taps = self.kernel[0] * self.kernel[1] * inputs_per_group;
        (result.elements().unwrap_or(0) as u64).saturating_mul(taps as u64)
    }

    pub(super) fn shape_rule(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [height, width, channels] = operands[0].map().ok_or_else(|| {
            Diagnostic::error(
                codes::RANK,
                format!("conv2d takes a map (height x width x channels), not {}", operands[0]),
            )
        })?;
        self.validate(channels)?;
        let rows = self.positions(height, 0)?;
        let columns = self.positions(width, 1)?;
        super::sized(Shape::new(&[rows, columns, self.filters]))
    }

    pub(super) fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        let per_group = operands[0].channels() / self.groups.max(1);
        let kernel = Shape::new(&[self.kernel[0], self.kernel[1], per_group, self.filters]);
        let mut roles = vec![WeightRole { role: "kernel", shape: kernel }];
        if self.epilogue.bias {
            roles.push(WeightRole { role: "bias", shape: Shape::new(&[self.filters]) });
        }
        roles
    }

    fn validate(&self, channels: usize) -> Result<(), Diagnostic> {
        let bad = |message: String| Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        for (name, pair) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            if pair.contains(&0) {
                return bad(format!("{name} {}x{} has a zero; the least is 1", pair[0], pair[1]));
            }
        }
        if self.filters == 0 || self.groups == 0 {
            return bad(format!(
                "{} filters in {} groups; the least is 1 of each",
                self.filters, self.groups
            ));
        }
        if self.gate && self.groups > 1 {
            return bad(format!("a gate on {} groups; it needs a convolution of one", self.groups));
        }
        if !channels.is_multiple_of(self.groups) || !self.filters.is_multiple_of(self.groups) {
            return bad(format!(
                "{} groups do not divide {channels} input channels and {} filters",
                self.groups, self.filters
            ));
        }
        Ok(())
    }

    /// Places of the kernel along `axis` (0: rows, 1: columns) of a map of `length`.
    fn positions(&self, length: usize, axis: usize) -> Result<usize, Diagnostic> {
        let (before, after) = if axis == 0 {
            (self.padding.top, self.padding.bottom)
        } else {
            (self.padding.left, self.padding.right)
        };
        let reach = (self.kernel[axis] - 1).checked_mul(self.dilation[axis]).and_then(|r| r.checked_add(1));
        let padded = length.checked_add(before).and_then(|l| l.checked_add(after));
        match (padded, reach) {
            (Some(padded), Some(reach)) if reach <= padded => Ok((padded - reach) / self.stride[axis] + 1),
            _ => Err(Diagnostic::error(
                codes::KERNEL_TOO_LARGE,
                format!(
                    "a kernel of {} with dilation {} does not fit into {length} + {before} + {after}",
                    self.kernel[axis], self.dilation[axis]
                ),
            )),
        }
    }
}

impl Conv2d {
    /// The biased sums, as a flat tensor of `result`'s elements.
    pub(crate) fn evaluate<T: Number>(
        &self,
        input: &Tensor<T>,
        kernel: &[T],
        bias: Option<&[T]>,
        result: &Shape,
    ) -> Tensor<T> {
        let [rows, columns, filters] = result.map().expect("the shape rule makes a map");
        let mut output = Tensor::zeros(vec![rows * columns, filters]);
        for (index, mut sums) in output.outer_iter_mut().enumerate() {
            let sums = sums.as_slice_mut().expect("a fresh tensor is dense");
            if let Some(bias) = bias {
                sums.copy_from_slice(bias);
            }
            self.pixel(input, kernel, [index / columns, index % columns], sums);
        }
        output.into_dyn()
    }

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
