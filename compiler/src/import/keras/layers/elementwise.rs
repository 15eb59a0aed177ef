//! Functions of each element, and layers that do nothing at inference.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Prelu, Scalar, Softmax};
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, Op, Shape};

use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::functions::{self, Function};
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;
use crate::import::keras::variable::{Stored, Variable};

/// What is a function of each element.
impl KerasLayer for Function {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        Some(vec![self.apply(site, input)?])
    }

    fn variables(&self) -> Vec<Variable> {
        Function::variables(self)
    }
}

fn each(activations: Vec<Activation>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(Function::Each(activations)))
}

/// Its operand.
struct Identity;

pub(super) fn identity(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(Identity))
}

impl KerasLayer for Identity {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let form = site.form(input);
        let operand = site.map(input, form)?;
        let node = site.add(Op::Identity, &[operand])?;
        Some(vec![site.made(node, form)])
    }
}

pub(super) fn activation(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    attributes.needed("activation")?;
    Some(Box::new(Function::read("activation", attributes)?))
}

pub(super) fn leaky_relu(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let name = if attributes.value("alpha").is_some() { "alpha" } else { "negative_slope" };
    each(vec![functions::leaky(attributes.number_or(name, Scalar::new(0.3))?)])
}

pub(super) fn thresholded_relu(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let threshold = attributes.number_or("theta", Scalar::ONE)?;
    each(vec![Activation::LeakyRelu { slope: Scalar::ZERO, threshold }])
}

pub(super) fn elu(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    each(vec![Activation::Elu { alpha: attributes.number_or("alpha", Scalar::ONE)? }])
}

/// The bound of ReLU6.
const SIX: Scalar = Scalar::new(6.0);

/// `x` from the threshold on, at most `most`; below it `slope * (x - threshold)`.
struct Relu {
    slope: Scalar,
    threshold: Scalar,
    most: Scalar,
}

pub(super) fn relu(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let most = match attributes.value("max_value") {
        Some(value) => attributes.number_of(&value, "max_value")?,
        None => Scalar::INFINITY,
    };
    let slope = attributes.number_or("negative_slope", Scalar::ZERO)?;
    let threshold = attributes.number_or("threshold", Scalar::ZERO)?;
    let numbers @ [most_said, slope_said, threshold_said] = [most, slope, threshold].map(Scalar::get);
    if numbers.iter().any(|&number| number < 0.0) {
        let message = format!(
            "a ReLU with a max_value of {most_said}, a negative_slope of {slope_said} and a threshold of {threshold_said}; each is at least 0"
        );
        attributes.fault_at("max_value", Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        return None;
    }
    Some(Box::new(Relu { slope, threshold, most }))
}

impl KerasLayer for Relu {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let Relu { slope, threshold, most: high } = *self;
        let bent = Activation::LeakyRelu { slope, threshold };
        let chain = match (slope == Scalar::ZERO && threshold == Scalar::ZERO, high) {
            (true, Scalar::INFINITY) => vec![Activation::Relu],
            (true, SIX) => vec![Activation::Relu6],
            (true, high) => vec![Activation::Clip { low: Scalar::ZERO, high }],
            (false, Scalar::INFINITY) => vec![bent],
            // What is below the threshold is below 0, so that no maximum touches it.
            (false, high) => vec![bent, Activation::Clip { low: Scalar::NEG_INFINITY, high }],
        };
        Function::Each(chain).call(site)
    }
}

/// A leaky ReLU with a slope for each element, repeated along some axes.
struct ParametricRelu {
    shared: Vec<i64>,
}

pub(super) fn prelu(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(ParametricRelu { shared: attributes.integers("shared_axes")? }))
}

impl KerasLayer for ParametricRelu {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let mut axes = site.shape(input).axes().to_vec();
        for &shared in &self.shared {
            let axis = site.axis(input, shared)?;
            axes[axis] = 1;
        }
        let form = site.form(input);
        let operand = site.map(input, form)?;
        let mut stored = Stored::new(0, ".alpha", Shape::new(&axes));
        if form == Axes::ChannelsFirst {
            stored.order = Some(&[1, 2, 0]);
            axes.rotate_left(1);
        }
        let slope = Shape::new(&axes);
        let node = site.add_with(Op::Prelu(Prelu { slope }), &[operand], &[stored])?;
        Some(vec![site.made(node, form)])
    }

    fn variables(&self) -> Vec<Variable> {
        vec![Variable::trained("alpha")]
    }
}

/// Softmax along an axis.
struct SoftmaxLayer {
    axis: i64,
}

pub(super) fn softmax(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    match attributes.integers("axis")?.as_slice() {
        [] => Some(Box::new(SoftmaxLayer { axis: -1 })),
        [axis] => Some(Box::new(SoftmaxLayer { axis: *axis })),
        several => {
            let message = format!("a softmax over {} axes; frit reads those along one", several.len());
            attributes.fault_at("axis", Diagnostic::error(codes::KERAS_ARGUMENT, message));
            None
        }
    }
}

impl KerasLayer for SoftmaxLayer {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let axis = site.axis(input, self.axis)?;
        let (operand, turned) = site.axis_last(input, axis)?;
        let node = site.add(Op::Softmax(Softmax { log: false }), &[operand])?;
        Some(vec![site.turned_back(node, turned)?])
    }
}

/// `x * scale + offset`, each one number or one for each channel.
struct Rescaling {
    scale: Values,
    offset: Values,
}

pub(super) fn rescaling(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let scale = attributes.numbers("scale")?.unwrap_or([1.0].into());
    let offset = attributes.numbers("offset")?.unwrap_or([0.0].into());
    Some(Box::new(Rescaling { scale, offset }))
}

impl KerasLayer for Rescaling {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        if let (&[scale], &[offset]) = (&*self.scale, &*self.offset) {
            return Some(vec![site.each(Activation::rescale(scale, offset), input)?]);
        }
        let mut node = site.plain(input)?;
        for (values, binary) in [(&self.scale, Binary::Mul), (&self.offset, Binary::Add)] {
            let factor = site.constant(Shape::new(&[values.len()]), values.clone())?;
            node = site.add(Op::Binary(binary), &[node, factor])?;
        }
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }
}
