//! Functions of one or two elements, where either may be a constant.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Scalar};
use frit_ir::{Diagnostic, Op, Shape};

use super::parameters::{Parameters, constant, number, refuse, tensor};
use crate::import::keras::attributes::Axes;
use crate::import::keras::calls::Argument;
use crate::import::keras::functions::{self, Function};
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;

type Results = Option<Vec<Tensor>>;

pub(super) fn add(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Add, site, parameters)
}

pub(super) fn subtract(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Sub, site, parameters)
}

pub(super) fn multiply(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Mul, site, parameters)
}

pub(super) fn divide(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Div, site, parameters)
}

pub(super) fn maximum(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Max, site, parameters)
}

pub(super) fn minimum(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Min, site, parameters)
}

pub(super) fn power(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    binary(Binary::Pow, site, parameters)
}

fn binary(binary: Binary, site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let (first, second) = (parameters.first(), parameters.second());
    let made = match (first, second) {
        (Some(Argument::Tensor(a)), Some(Argument::Tensor(b))) => {
            let ranks = [a, b].map(|&tensor| site.shape(tensor).rank());
            if ranks[0] != ranks[1] {
                return refuse(
                    site,
                    "it joins tensors of different ranks, so that the batch of one meets another axis of the other",
                );
            }
            site.both(binary, *a, *b)
        }
        (Some(Argument::Tensor(tensor)), Some(other)) => with_constant(site, binary, *tensor, (other, false)),
        (Some(other), Some(Argument::Tensor(tensor))) => with_constant(site, binary, *tensor, (other, true)),
        // Keras' own layer of this name hands over a list.
        (Some(Argument::List(items)), None) if items.len() > 1 => {
            let tensors: Vec<Tensor> = items.iter().filter_map(as_tensor).collect();
            let (first, others) = tensors.split_first()?;
            others.iter().try_fold(*first, |sum, &other| site.both(binary, sum, other))
        }
        _ => refuse(site, "it is not handed two operands that frit reads"),
    };
    Some(vec![made?])
}

fn as_tensor(item: &Argument<Tensor>) -> Option<Tensor> {
    if let Argument::Tensor(tensor) = item { Some(*tensor) } else { None }
}

/// An op on a tensor and a constant, which perhaps comes first.
fn with_constant(
    site: &mut Site<'_, '_, '_>,
    binary: Binary,
    tensor: Tensor,
    (other, first): (&Argument<Tensor>, bool),
) -> Option<Tensor> {
    let Some((shape, values)) = constant(other) else {
        return refuse(site, "one of its operands is neither a tensor nor a constant");
    };
    if let [value] = *values
        && let Some(done) = with_number(site, binary, tensor, (Scalar::new(value), first))
    {
        return done;
    }
    let rank = site.shape(tensor).rank();
    let axes = match shape.axes() {
        [1, axes @ ..] if axes.len() == rank => axes.to_vec(),
        axes if axes.len() <= rank => axes.to_vec(),
        _ => return refuse(site, "a constant of several images meets the axis of the batch"),
    };
    let node = site.constant(Shape::new(&axes), values)?;
    let operand = site.plain(tensor)?;
    let operands = if first { [node, operand] } else { [operand, node] };
    let node = site.add(Op::Binary(binary), &operands)?;
    Some(site.made(node, Axes::ChannelsLast))
}

/// The same with one number, where that is a function of each element.
fn with_number(
    site: &mut Site<'_, '_, '_>,
    binary: Binary,
    tensor: Tensor,
    (value, first): (Scalar, bool),
) -> Option<Option<Tensor>> {
    let (zero, one) = (Scalar::ZERO, Scalar::ONE);
    let activation = match (binary, first) {
        (Binary::Add, _) => Activation::Rescale { scale: one, offset: value },
        (Binary::Sub, false) => Activation::Rescale { scale: one, offset: -value },
        (Binary::Sub, true) => Activation::Rescale { scale: -one, offset: value },
        (Binary::Mul, _) => Activation::Rescale { scale: value, offset: zero },
        (Binary::Div, false) => {
            Activation::Rescale { scale: Scalar::nearest(1.0 / f64::from(value)), offset: zero }
        }
        (Binary::Max, _) => Activation::Clip { low: value, high: Scalar::INFINITY },
        (Binary::Min, _) => Activation::Clip { low: Scalar::NEG_INFINITY, high: value },
        (Binary::Pow, false) if value.get() == 2.0 => return Some(site.both(Binary::Mul, tensor, tensor)),
        (Binary::Pow, false) if value.get() == 0.5 => Activation::Sqrt,
        _ => return None,
    };
    Some(site.each(activation, tensor))
}

pub(super) fn clip(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let low = parameters.at(1, &["x_min", "clip_value_min"]).and_then(number);
    let high = parameters.at(2, &["x_max", "clip_value_max"]).and_then(number);
    let (low, high) = (low.unwrap_or(Scalar::NEG_INFINITY), high.unwrap_or(Scalar::INFINITY));
    if low.get() > high.get() {
        site.fault(Diagnostic::error(
            codes::BAD_ATTRIBUTE,
            format!("a clip to at least {} and at most {}", low.get(), high.get()),
        ));
        return None;
    }
    each(site, input, Activation::Clip { low, high })
}

fn each(site: &mut Site<'_, '_, '_>, input: Tensor, activation: Activation) -> Results {
    Some(vec![site.each(activation, input)?])
}

pub(super) fn negative(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    each(site, input, Activation::rescale(-1.0, 0.0))
}

pub(super) fn square(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    Some(vec![site.both(Binary::Mul, input, input)?])
}

pub(super) fn reciprocal(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    Some(vec![with_constant(site, Binary::Div, input, (&Argument::Number(1.0), true))?])
}

pub(super) fn rsqrt(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let root = site.each(Activation::Sqrt, input)?;
    Some(vec![with_constant(site, Binary::Div, root, (&Argument::Number(1.0), true))?])
}

/// Keras 3 takes the approximation where nothing is said, TensorFlow the function itself.
pub(super) fn gelu(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let approximate = parameters.flag(&["approximate"]);
    each(site, input, if approximate { Activation::GeluTanh } else { Activation::Gelu })
}

pub(super) fn leaky_relu(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let slope = parameters.number(&["negative_slope", "alpha"]).unwrap_or(Scalar::new(0.2));
    each(site, input, functions::leaky(slope))
}

pub(super) fn elu(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let alpha = parameters.number(&["alpha"]).unwrap_or(Scalar::ONE);
    each(site, input, Activation::Elu { alpha })
}

pub(super) fn hard_sigmoid(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let chain = functions::hard_sigmoid(site.version());
    Some(vec![Function::Each(chain).apply(site, input)?])
}

/// A function by its name.
pub(super) fn named(site: &mut Site<'_, '_, '_>, name: &str) -> Results {
    let input = site.only()?;
    let function = Function::of_name(name, site.version())?;
    Some(vec![function.apply(site, input)?])
}
