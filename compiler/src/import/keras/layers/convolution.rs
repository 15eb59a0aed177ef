//! Convolutions and dense layers.

use frit_ir::ops::{Conv2d, Conv2dTranspose, Dense, Epilogue, Padding, Reshape};
use frit_ir::{NodeId, Op, Shape};

use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::functions::Function;
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;
use crate::import::keras::variable::{Stored, Variable};
use crate::import::values::Values;
use crate::import::window::{PaddingRule, WindowRule, too_far};

/// What convolutions have in common.
struct Sliding {
    window: WindowRule,
    bias: bool,
    axes: Axes,
    function: Function,
}

impl Sliding {
    fn read(attributes: &mut Attributes<'_, '_>) -> Option<Sliding> {
        let kernel = attributes.pair("kernel_size");
        let stride = attributes.pair_or("strides", [1, 1]);
        let dilation = attributes.pair_or("dilation_rate", [1, 1]);
        let padding = padding(attributes);
        let bias = attributes.flag_or("use_bias", true);
        let axes = attributes.data_format();
        let function = Function::read("activation", attributes);
        let window = WindowRule { kernel: kernel?, stride: stride?, dilation: dilation?, padding: padding? };
        Some(Sliding { window, bias: bias?, axes: axes?, function: function? })
    }

    /// A convolution of `operand` under `name`.
    fn convolve(
        &self,
        site: &mut Site<'_, '_, '_>,
        operand: NodeId,
        [filters, groups]: [usize; 2],
        (name, bias, stored): (&str, bool, &[Stored]),
    ) -> Option<NodeId> {
        let map = site.shape_of(operand).map().map_or([1, 1], |[height, width, _]| [height, width]);
        let window = self.window.over(map).map_err(|fault| site.fault(fault)).ok()?;
        let epilogue = Epilogue::with_bias(bias);
        let op = Op::Conv2d(Conv2d { groups, epilogue, ..Conv2d::over(window, filters) });
        if name.is_empty() {
            site.add_with(op, &[operand], stored)
        } else {
            site.step(name, op, &[operand], stored)
        }
    }

    /// The shape of the convolution's kernel in the file.
    fn kernel(&self, channels: usize, filters: usize) -> Shape {
        Shape::new(&[self.window.kernel[0], self.window.kernel[1], channels, filters])
    }

    /// The activation behind it.
    fn finish(&self, site: &mut Site<'_, '_, '_>, node: NodeId) -> Option<Vec<Tensor>> {
        let tensor = site.made(node, self.axes);
        Some(vec![self.function.apply(site, tensor)?])
    }

    fn with_bias(&self, kernels: &[&'static str]) -> Vec<Variable> {
        let bias = self.bias.then_some("bias");
        let own = kernels.iter().copied().chain(bias).map(Variable::trained);
        own.chain(self.function.variables()).collect()
    }
}

/// The padding of a window.
pub(super) fn padding(attributes: &mut Attributes<'_, '_>) -> Option<PaddingRule> {
    attributes.choice("padding", &[("valid", PaddingRule::Valid), ("same", PaddingRule::Same)])
}

struct Convolution {
    sliding: Sliding,
    filters: usize,
    groups: usize,
}

pub(super) fn convolution(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let filters = attributes.count("filters");
    let groups = attributes.count_or("groups", 1);
    let sliding = Sliding::read(attributes);
    Some(Box::new(Convolution { sliding: sliding?, filters: filters?, groups: groups? }))
}

impl KerasLayer for Convolution {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [.., channels] = site.map_of(input, self.sliding.axes)?;
        let operand = site.map(input, self.sliding.axes)?;
        let stored = [
            Stored::new(0, ".kernel", self.sliding.kernel(channels / self.groups, self.filters)),
            Stored::new(1, ".bias", Shape::new(&[self.filters])),
        ];
        let sizes = [self.filters, self.groups];
        let node = self.sliding.convolve(site, operand, sizes, ("", self.sliding.bias, &stored))?;
        self.sliding.finish(site, node)
    }

    fn variables(&self) -> Vec<Variable> {
        self.sliding.with_bias(&["kernel"])
    }
}

struct Depthwise {
    sliding: Sliding,
    multiplier: usize,
}

pub(super) fn depthwise(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let multiplier = attributes.count_or("depth_multiplier", 1);
    let sliding = Sliding::read(attributes);
    Some(Box::new(Depthwise { sliding: sliding?, multiplier: multiplier? }))
}

impl KerasLayer for Depthwise {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [.., channels] = site.map_of(input, self.sliding.axes)?;
        let operand = site.map(input, self.sliding.axes)?;
        let filters = channels.saturating_mul(self.multiplier);
        let stored = [
            Stored::new(0, ".kernel", self.sliding.kernel(channels, self.multiplier)),
            Stored::new(1, ".bias", Shape::new(&[filters])),
        ];
        let sizes = [filters, channels];
        let node = self.sliding.convolve(site, operand, sizes, ("", self.sliding.bias, &stored))?;
        self.sliding.finish(site, node)
    }

    fn variables(&self) -> Vec<Variable> {
        self.sliding.with_bias(&["depthwise_kernel"])
    }
}

struct Separable {
    sliding: Sliding,
    multiplier: usize,
    filters: usize,
}

pub(super) fn separable(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let filters = attributes.count("filters");
    let multiplier = attributes.count_or("depth_multiplier", 1);
    let sliding = Sliding::read(attributes);
    Some(Box::new(Separable { sliding: sliding?, multiplier: multiplier?, filters: filters? }))
}

impl KerasLayer for Separable {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [.., channels] = site.map_of(input, self.sliding.axes)?;
        let operand = site.map(input, self.sliding.axes)?;
        let between = channels.saturating_mul(self.multiplier);
        let depthwise = [Stored::new(0, "/depthwise.kernel", self.sliding.kernel(channels, self.multiplier))];
        let sizes = [between, channels];
        let deep = self.sliding.convolve(site, operand, sizes, ("depthwise", false, &depthwise))?;
        let point = Sliding {
            window: WindowRule::POINT,
            function: Function::Each(Vec::new()),
            ..self.sliding_only()
        };
        let pointwise = [
            Stored::new(1, ".kernel", Shape::new(&[1, 1, between, self.filters])),
            Stored::new(2, ".bias", Shape::new(&[self.filters])),
        ];
        let node = point.convolve(site, deep, [self.filters, 1], ("", self.sliding.bias, &pointwise))?;
        self.sliding.finish(site, node)
    }

    fn variables(&self) -> Vec<Variable> {
        self.sliding.with_bias(&["depthwise_kernel", "pointwise_kernel"])
    }
}

impl Separable {
    /// The window without what follows it.
    fn sliding_only(&self) -> Sliding {
        let Sliding { window, bias, axes, .. } = self.sliding;
        Sliding { window, bias, axes, function: Function::Each(Vec::new()) }
    }
}

struct Transposed {
    sliding: Sliding,
    filters: usize,
    output_padding: Option<[usize; 2]>,
}

pub(super) fn transposed(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let filters = attributes.count("filters");
    let output_padding = match attributes.value("output_padding") {
        Some(value) => attributes.values().as_pair(&value, "output_padding", Values::as_whole).map(Some),
        None => Some(None),
    };
    let sliding = Sliding::read(attributes);
    Some(Box::new(Transposed { sliding: sliding?, filters: filters?, output_padding: output_padding? }))
}

impl KerasLayer for Transposed {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [height, width, channels] = site.map_of(input, self.sliding.axes)?;
        let operand = site.map(input, self.sliding.axes)?;
        let sides = self.sides(height, 0).zip(self.sides(width, 1));
        let Some(([top, bottom, down], [left, right, across])) = sides else {
            site.fault(too_far());
            return None;
        };
        let window = &self.sliding.window;
        let op = Op::Conv2dTranspose(Conv2dTranspose {
            filters: self.filters,
            kernel: window.kernel,
            stride: window.stride,
            padding: Padding { top, bottom, left, right },
            output_padding: [down, across],
            dilation: window.dilation,
            groups: 1,
            epilogue: Epilogue::with_bias(self.sliding.bias),
        });
        // Keras has the filters before the channels.
        let kernel = Stored {
            order: Some(&[0, 1, 3, 2]),
            ..Stored::new(0, ".kernel", self.sliding.kernel(self.filters, channels))
        };
        let stored = [kernel, Stored::new(1, ".bias", Shape::new(&[self.filters]))];
        let node = site.add_with(op, &[operand], &stored)?;
        self.sliding.finish(site, node)
    }

    fn variables(&self) -> Vec<Variable> {
        self.sliding.with_bias(&["kernel"])
    }
}

impl Transposed {
    /// What is cut before and behind along an axis, and what is added behind: TensorFlow makes a map of whose convolution with
    /// the same padding the operand could be the result.
    fn sides(&self, length: usize, axis: usize) -> Option<[usize; 3]> {
        let window = &self.sliding.window;
        let (extent, stride, kernel) = (window.extent(axis).ok()?, window.stride[axis], window.kernel[axis]);
        let steps = length.checked_sub(1)?.checked_mul(stride)?;
        let reached = steps.checked_add(extent)?;
        let added = self.output_padding.map(|padding| padding[axis]);
        let result = match (window.padding, added) {
            (PaddingRule::Same, None) => length.checked_mul(stride)?,
            (PaddingRule::Same, Some(added)) => steps.checked_add(kernel % 2)?.checked_add(added)?,
            (_, None) => steps.checked_add(extent.max(stride))?,
            (_, Some(added)) => reached.checked_add(added)?,
        };
        let cut = reached.saturating_sub(result);
        Some([cut / 2, cut - cut / 2, result.saturating_sub(reached)])
    }
}

struct DenseLayer {
    units: usize,
    bias: bool,
    function: Function,
}

pub(super) fn dense(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let units = attributes.count("units");
    let bias = attributes.flag_or("use_bias", true);
    let function = Function::read("activation", attributes);
    Some(Box::new(DenseLayer { units: units?, bias: bias?, function: function? }))
}

impl KerasLayer for DenseLayer {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let shape = site.shape(input);
        let operand = site.plain(input)?;
        let stored = [
            Stored::new(0, ".kernel", Shape::new(&[shape.channels(), self.units])),
            Stored::new(1, ".bias", Shape::new(&[self.units])),
        ];
        let epilogue = Epilogue::with_bias(self.bias);
        let node = if shape.rank() == 1 {
            site.add_with(Op::Dense(Dense { units: self.units, epilogue }), &[operand], &stored)?
        } else {
            self.of_many(site, operand, &shape, &stored)?
        };
        let tensor = site.made(node, Axes::ChannelsLast);
        Some(vec![self.function.apply(site, tensor)?])
    }

    fn variables(&self) -> Vec<Variable> {
        let bias = self.bias.then_some("bias");
        let own = std::iter::once("kernel").chain(bias).map(Variable::trained);
        own.chain(self.function.variables()).collect()
    }
}

impl DenseLayer {
    /// The same for each vector along the last axis: a convolution of one pixel.
    fn of_many(
        &self,
        site: &mut Site<'_, '_, '_>,
        operand: NodeId,
        shape: &Shape,
        stored: &[Stored],
    ) -> Option<NodeId> {
        let conv =
            Op::Conv2d(Conv2d { epilogue: Epilogue::with_bias(self.bias), ..Conv2d::pointwise(self.units) });
        if shape.rank() == 3 {
            return site.add_with(conv, &[operand], stored);
        }
        let (channels, axes) = (shape.channels(), shape.axes());
        let rows = shape.elements().map_or(1, |elements| elements / channels.max(1));
        let map = site.add(Op::Reshape(Reshape::To(Shape::new(&[rows, 1, channels]))), &[operand])?;
        let node = site.add_with(conv, &[map], stored)?;
        let (_, others) = axes.split_last()?;
        let axes: Vec<usize> = others.iter().copied().chain([self.units]).collect();
        site.add(Op::Reshape(Reshape::To(Shape::new(&axes))), &[node])
    }
}
