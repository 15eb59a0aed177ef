//! Transposed convolution: each element of the operand adds a kernel's worth to the result (Dumoulin and Visin, A guide to
//! convolution arithmetic for deep learning, 2016, section 4).
//!
//! In text: `conv2d_transpose`, with the attributes of `conv2d` but `before` and `gate`, and `output_padding=HxW`, where 0x0 is
//! left out.

use super::{Epilogue, Given, Padding, Page, WeightRole};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, number, pair};

/// Attributes of a transposed convolution. The kernel is `[kernel height, kernel width, in / groups, filters]`, as that of a
/// convolution; it is not turned round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Conv2dTranspose {
    /// Output channels.
    pub filters: usize,
    /// Kernel height and width.
    pub kernel: [usize; 2],
    /// Steps down and right, in the result.
    pub stride: [usize; 2],
    /// What is cut off the result on each side.
    pub padding: Padding,
    /// Rows below and columns right of what the kernels reach, filled with the bias.
    pub output_padding: [usize; 2],
    /// Distance of the kernel's taps.
    pub dilation: [usize; 2],
    /// Channels are split into this many independent groups.
    pub groups: usize,
    /// What happens to the sum.
    pub epilogue: Epilogue,
}

impl Conv2dTranspose {
    /// Length of the result along `axis` (0: rows, 1: columns) of a map of `length`.
    fn length(&self, length: usize, axis: usize) -> Result<usize, Diagnostic> {
        let [before, after] = self.padding.along(axis);
        let reached = || {
            let reach = (self.kernel[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)?;
            let steps = length.checked_sub(1)?.checked_mul(self.stride[axis])?;
            steps.checked_add(reach)?.checked_add(self.output_padding[axis])
        };
        let cut = before.checked_add(after);
        reached().zip(cut).and_then(|(reached, cut)| reached.checked_sub(cut)).filter(|&length| length > 0).ok_or_else(|| {
            Diagnostic::error(
                codes::BAD_ATTRIBUTE,
                format!("nothing is left of {length} positions along axis {axis} when {before} + {after} are cut off"),
            )
        })
    }

    /// Adds the products of one element and its channel's kernel to the sums around its place.
    fn spread<T: Number>(&self, output: &mut Tensor<T>, kernel: &[T], index: [usize; 3], value: T) {
        let [rows, columns, filters] = [output.shape()[0], output.shape()[1], output.shape()[2]];
        let outputs = filters / self.groups;
        let inputs = kernel.len() / (self.kernel[0] * self.kernel[1] * filters);
        let (group, channel) = (index[2] / inputs, index[2] % inputs);
        let place = |axis: usize, tap: usize| {
            let place = index[axis] * self.stride[axis] + tap * self.dilation[axis];
            place.checked_sub(self.padding.along(axis)[0]).filter(|&place| place < [rows, columns][axis])
        };
        for tap in 0..self.kernel[0] * self.kernel[1] {
            let (Some(y), Some(x)) = (place(0, tap / self.kernel[1]), place(1, tap % self.kernel[1])) else {
                continue;
            };
            let row = (tap * inputs + channel) * filters + group * outputs;
            for (filter, &weight) in kernel[row..][..outputs].iter().enumerate() {
                let sum = &mut output[[y, x, group * outputs + filter]];
                *sum = *sum + value * weight;
            }
        }
    }
}

impl Page for Conv2dTranspose {
    fn name(&self) -> &'static str {
        "conv2d_transpose"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [height, width, channels] = super::as_map("conv2d_transpose", &operands[0])?;
        for (name, pair) in [("kernel", self.kernel), ("stride", self.stride), ("dilation", self.dilation)] {
            super::check_pair(name, pair)?;
        }
        super::check_groups(self.groups, channels, self.filters)?;
        super::sized(Shape::new(&[self.length(height, 0)?, self.length(width, 1)?, self.filters]))
    }

    fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        super::conv2d::weight_roles(
            self.kernel,
            operands[0].channels() / self.groups.max(1),
            self.filters,
            &self.epilogue,
        )
    }

    fn macs(&self, operands: &[Shape], _: &Shape) -> u64 {
        let taps = self.kernel[0] * self.kernel[1] * (self.filters / self.groups.max(1));
        (operands[0].elements().unwrap_or(0) as u64).saturating_mul(taps as u64)
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
        to.pair("output_padding", self.output_padding, Some([0, 0]));
        to.epilogue(&self.epilogue);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Conv2dTranspose>, Diagnostic> {
        if name != "conv2d_transpose" {
            return Ok(None);
        }
        let filters = from.or_shape("filters", from.shape.map(Shape::channels), number)?;
        let window = from.window()?;
        Ok(Some(Conv2dTranspose {
            output_padding: from.value("output_padding", pair)?.unwrap_or([0, 0]),
            filters,
            kernel: window.kernel,
            stride: window.stride,
            padding: window.padding,
            dilation: window.dilation,
            groups: from.value("groups", number)?.unwrap_or(1),
            epilogue: from.epilogue()?,
        }))
    }

    /// The biased sums.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let [rows, columns, filters] = given.result.map().expect("the shape rule makes a map");
        let mut output = Tensor::zeros(vec![rows, columns, filters]);
        if let Some(bias) = given.bias(&self.epilogue) {
            output.lanes_mut(ndarray::Axis(2)).into_iter().for_each(|mut pixel| {
                pixel.iter_mut().zip(bias).for_each(|(sum, &bias)| *sum = bias);
            });
        }
        let [width, channels] = [input.shape()[1], input.shape()[2]];
        for (index, &value) in input.iter().enumerate() {
            let (pixel, channel) = (index / channels, index % channels);
            self.spread(&mut output, &given.weights[0], [pixel / width, pixel % width, channel], value);
        }
        Ok(output)
    }
}
