//! Maps at another resolution.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Coordinates, Interpolation, Resize, Rounding, Slice, Span};
use frit_ir::{Diagnostic, Op};

use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;

/// Both of Keras: nearest is the one under the middle of a pixel, and bilinear counts from the middles.
const INTERPOLATIONS: &[(&str, Interpolation)] =
    &[("nearest", Interpolation::Nearest(Rounding::HalfUp)), ("bilinear", Interpolation::Bilinear)];

/// A map of another size.
fn resize(
    site: &mut Site<'_, '_, '_>,
    input: Tensor,
    size: [usize; 2],
    (interpolation, axes): (Interpolation, Axes),
) -> Option<Tensor> {
    let operand = site.map(input, axes)?;
    let op = Resize { size, scale: None, interpolation, coordinates: Coordinates::HalfPixel };
    let node = site.add(Op::Resize(op), &[operand])?;
    Some(site.made(node, axes))
}

struct UpSampling {
    factors: [usize; 2],
    interpolation: Interpolation,
    axes: Axes,
}

pub(super) fn up_sampling(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let factors = attributes.pair_or("size", [2, 2]);
    let interpolation = attributes.choice("interpolation", INTERPOLATIONS);
    let axes = attributes.data_format();
    Some(Box::new(UpSampling { factors: factors?, interpolation: interpolation?, axes: axes? }))
}

impl KerasLayer for UpSampling {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [height, width, _] = site.map_of(input, self.axes)?;
        let size = [height.saturating_mul(self.factors[0]), width.saturating_mul(self.factors[1])];
        Some(vec![resize(site, input, size, (self.interpolation, self.axes))?])
    }
}

struct Resizing {
    size: [usize; 2],
    interpolation: Interpolation,
    axes: Axes,
}

pub(super) fn resizing(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let size = [attributes.count("height"), attributes.count("width")];
    let interpolation = match attributes.value("interpolation") {
        Some(_) => attributes.choice("interpolation", INTERPOLATIONS),
        None => Some(Interpolation::Bilinear),
    };
    let axes = attributes.data_format();
    for name in ["crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"] {
        if attributes.flag_or(name, false)? {
            attributes
                .fault_at(name, Diagnostic::error(codes::KERAS_ARGUMENT, format!("{name} is not read")));
            return None;
        }
    }
    let [height, width] = size;
    Some(Box::new(Resizing { size: [height?, width?], interpolation: interpolation?, axes: axes? }))
}

impl KerasLayer for Resizing {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        site.map_of(input, self.axes)?;
        Some(vec![resize(site, input, self.size, (self.interpolation, self.axes))?])
    }
}

struct CenterCrop {
    size: [usize; 2],
    axes: Axes,
}

pub(super) fn center_crop(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let size = [attributes.count("height"), attributes.count("width")];
    let axes = attributes.data_format()?;
    let [height, width] = size;
    Some(Box::new(CenterCrop { size: [height?, width?], axes }))
}

impl KerasLayer for CenterCrop {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [height, width, channels] = site.map_of(input, self.axes)?;
        if height < self.size[0] || width < self.size[1] {
            let message =
                format!("a crop to {}x{} of a smaller map, {height}x{width}", self.size[0], self.size[1]);
            site.fault(Diagnostic::error(codes::KERAS_ARGUMENT, message));
            return None;
        }
        let span = |length: usize, size: usize| Span { start: (length - size) / 2, count: size, step: 1 };
        let spans = [span(height, self.size[0]), span(width, self.size[1]), Span::all(channels)];
        let operand = site.map(input, self.axes)?;
        let node = site.add(Op::Slice(Slice { spans: spans.into_iter().collect() }), &[operand])?;
        Some(vec![site.made(node, self.axes)])
    }
}
