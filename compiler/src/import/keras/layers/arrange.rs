//! Layers that move elements.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Pad, Padding, Reshape, Slice, Span, Transpose};
use frit_ir::{Diagnostic, Op, Shape};

use crate::import::document::Content;
use crate::import::findings::wrong;
use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;
use crate::import::values::Values;

/// Rows and columns at the four sides of a map.
struct Sides {
    sides: Padding,
    axes: Axes,
}

impl Sides {
    /// One number, one for height and for width, or two for each.
    fn read(name: &str, attributes: &mut Attributes<'_, '_>) -> Option<Sides> {
        let axes = attributes.data_format();
        let value = attributes.needed(name)?;
        let Content::Array(parts) = attributes.content(&value)? else {
            let all = attributes.values().as_whole(&value, name)?;
            let sides = Padding { top: all, bottom: all, left: all, right: all };
            return Some(Sides { sides, axes: axes? });
        };
        let [rows, columns] = parts.as_slice() else {
            attributes.fault(&value, wrong(&format!("{name} takes 2 values, not {}", parts.len())));
            return None;
        };
        let rows = attributes.values().as_pair(rows, name, Values::as_whole);
        let columns = attributes.values().as_pair(columns, name, Values::as_whole);
        let ([top, bottom], [left, right]) = (rows?, columns?);
        Some(Sides { sides: Padding { top, bottom, left, right }, axes: axes? })
    }
}

struct ZeroPadding(Sides);

pub(super) fn zero_padding(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(ZeroPadding(Sides::read("padding", attributes)?)))
}

impl KerasLayer for ZeroPadding {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        site.map_of(input, self.0.axes)?;
        let operand = site.map(input, self.0.axes)?;
        let node = site.add(Op::Pad(Pad::zeros(self.0.sides)), &[operand])?;
        Some(vec![site.made(node, self.0.axes)])
    }
}

struct Cropping(Sides);

pub(super) fn cropping(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(Cropping(Sides::read("cropping", attributes)?)))
}

impl KerasLayer for Cropping {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [height, width, channels] = site.map_of(input, self.0.axes)?;
        let left_of =
            |length: usize, [before, after]: [usize; 2]| length.checked_sub(before)?.checked_sub(after);
        let rows = left_of(height, self.0.sides.along(0)).filter(|&left| left > 0);
        let columns = left_of(width, self.0.sides.along(1)).filter(|&left| left > 0);
        let (Some(rows), Some(columns)) = (rows, columns) else {
            site.fault(Diagnostic::error(
                codes::BAD_ATTRIBUTE,
                format!("nothing is left of {height}x{width}"),
            ));
            return None;
        };
        let span = |start, count| Span { start, count, step: 1 };
        let Padding { top, left, .. } = self.0.sides;
        let spans = [span(top, rows), span(left, columns), Span::all(channels)];
        let operand = site.map(input, self.0.axes)?;
        let node = site.add(Op::Slice(Slice { spans: spans.into_iter().collect() }), &[operand])?;
        Some(vec![site.made(node, self.0.axes)])
    }
}

/// To a vector, of a map with channels last.
struct Flatten {
    axes: Axes,
}

pub(super) fn flatten(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    Some(Box::new(Flatten { axes: attributes.data_format()? }))
}

impl KerasLayer for Flatten {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let axes = if site.shape(input).rank() == 3 { self.axes } else { Axes::ChannelsLast };
        let operand = site.map(input, axes)?;
        let node = site.add(Op::Reshape(Reshape::Flatten), &[operand])?;
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }
}

/// To another shape; one axis may be open.
pub(in crate::import::keras) struct ReshapeTo(pub(in crate::import::keras) Vec<i64>);

pub(super) fn reshape(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    attributes.needed("target_shape")?;
    Some(Box::new(ReshapeTo(attributes.integers("target_shape")?)))
}

impl KerasLayer for ReshapeTo {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let from = site.shape(input);
        let Some(to) = self.shape(&from) else {
            let message = format!("a reshape of {from} to {:?}", self.0);
            site.fault(Diagnostic::error(codes::RESHAPE, message));
            return None;
        };
        let operand = site.plain(input)?;
        let node = site.add(Op::Reshape(Reshape::To(to)), &[operand])?;
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }
}

impl ReshapeTo {
    /// The shape, with the open axis filled in.
    fn shape(&self, from: &Shape) -> Option<Shape> {
        let given = self.0.iter().filter(|&&axis| axis != -1);
        let given: Vec<usize> =
            given.map(|&axis| usize::try_from(axis).ok().filter(|&a| a > 0)).collect::<Option<_>>()?;
        let product = given.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis))?;
        let elements = from.elements()?;
        let open = self.0.len() - given.len();
        let fits = match open {
            0 => product == elements,
            1 => elements.is_multiple_of(product),
            _ => false,
        };
        let axes = self.0.iter().map(|&axis| if axis == -1 { elements / product } else { axis as usize });
        fits.then(|| Shape::new(&axes.collect::<Vec<_>>())).filter(|shape| (1..=4).contains(&shape.rank()))
    }
}

/// The axes in another order, counted from 1.
struct Permute(Vec<i64>);

pub(super) fn permute(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    attributes.needed("dims")?;
    Some(Box::new(Permute(attributes.integers("dims")?)))
}

impl KerasLayer for Permute {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let axes = self.0.iter().map(|&axis| site.axis(input, axis)).collect::<Option<_>>()?;
        let operand = site.plain(input)?;
        let node = site.add(Op::Transpose(Transpose { axes }), &[operand])?;
        Some(vec![site.made(node, Axes::ChannelsLast)])
    }
}
