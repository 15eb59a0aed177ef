//! Layers that take several tensors.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Concat, Scalar};
use frit_ir::{Diagnostic, Op};

use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;

/// A function of two elements, one tensor after the other; perhaps divided by their number.
struct Merge {
    binary: Binary,
    mean: bool,
}

fn merge(binary: Binary) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(Merge { binary, mean: false }))
}

pub(super) fn add(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    merge(Binary::Add)
}

pub(super) fn subtract(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    merge(Binary::Sub)
}

pub(super) fn multiply(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    merge(Binary::Mul)
}

pub(super) fn maximum(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    merge(Binary::Max)
}

pub(super) fn minimum(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    merge(Binary::Min)
}

pub(super) fn average(_: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(Merge { binary: Binary::Add, mean: true }))
}

impl KerasLayer for Merge {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let inputs = site.inputs.clone();
        let (first, others) = inputs.split_first()?;
        if others.is_empty() || (self.binary == Binary::Sub && others.len() != 1) {
            let message = format!("{} of {} tensors", self.binary.name(), inputs.len());
            site.fault(Diagnostic::error(codes::OPERANDS, message));
            return None;
        }
        // Of tensors of other ranks Keras puts axes of 1 behind that of the batch, as broadcasting does without it.
        let mut sum = *first;
        for &other in others {
            sum = site.both(self.binary, sum, other)?;
        }
        if self.mean {
            let scale = Scalar::ratio(1, inputs.len());
            sum = site.each(Activation::Rescale { scale, offset: Scalar::ZERO }, sum)?;
        }
        Some(vec![sum])
    }
}

/// `inputs[0] + scale * inputs[1]`, of Inception-ResNet.
struct CustomScale {
    scale: Scalar,
}

pub(super) fn custom_scale(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    attributes.needed("scale")?;
    Some(Box::new(CustomScale { scale: attributes.number_or("scale", Scalar::ONE)? }))
}

impl KerasLayer for CustomScale {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let [main, branch] = site.inputs[..] else {
            site.fault(Diagnostic::error(
                codes::OPERANDS,
                format!("it takes 2 tensors, not {}", site.inputs.len()),
            ));
            return None;
        };
        let scaled = site.each(Activation::Rescale { scale: self.scale, offset: Scalar::ZERO }, branch)?;
        Some(vec![site.both(Binary::Add, main, scaled)?])
    }
}

pub(in crate::import::keras) struct Concatenate {
    pub(in crate::import::keras) axis: i64,
}

pub(super) fn concatenate(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let axis = match attributes.integers("axis")?.as_slice() {
        [] => -1,
        [axis, ..] => *axis,
    };
    Some(Box::new(Concatenate { axis }))
}

impl KerasLayer for Concatenate {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let inputs = site.inputs.clone();
        let Some(&first) = inputs.first() else {
            site.fault(Diagnostic::error(codes::OPERANDS, "a concatenation of no tensors"));
            return None;
        };
        let axis = site.axis(first, self.axis)?;
        let maps = inputs.iter().all(|&tensor| site.shape(tensor).rank() == 3);
        let turned = inputs.iter().any(|&tensor| site.form(tensor) == Axes::ChannelsFirst);
        let form = if maps && turned { Axes::ChannelsFirst } else { Axes::ChannelsLast };
        let axis = if form == Axes::ChannelsFirst { (axis + 2) % 3 } else { axis };
        let operands = inputs.iter().map(|&tensor| site.map(tensor, form)).collect::<Option<Vec<_>>>()?;
        let node = site.add(Op::Concat(Concat { axis, inputs: operands.len() }), &operands)?;
        Some(vec![site.made(node, form)])
    }
}
