//! A map at another resolution.
//!
//! In text: `resize {size=HxW, scale=FLOAT:FLOAT, method=METHOD, coordinates=COORDINATES}`, where a scale that is that of the sizes
//! is left out; the others are the names of [`Interpolation`] and [`Coordinates`].

use super::{Given, Page, Scalar};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, pair, scalar, spelled};

/// How an element of the result comes from those around its place in the operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interpolation {
    /// The nearest one.
    Nearest(Rounding),
    /// The four around it, each by how near it is; past an edge, the edge.
    Bilinear,
}

/// Which of two neighbours is the nearest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Rounding {
    /// The nearer; of two that are as near, the one before.
    HalfDown,
    /// The nearer; of two that are as near, the one behind.
    HalfUp,
    /// The one before.
    Floor,
    /// The one behind.
    Ceil,
}

/// Where an element of the result lies in the operand. `x` is its index, `s` the ratio of the lengths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Coordinates {
    /// `(x + 0.5) / s - 0.5`: elements are areas.
    HalfPixel,
    /// The same, but 0 where the result has one element (PyTorch).
    PytorchHalfPixel,
    /// `x / s`
    Asymmetric,
    /// `x · (operand - 1) / (result - 1)`: corners on corners; 0 where the result has one element.
    AlignCorners,
}

impl Interpolation {
    /// All of them.
    pub const ALL: [Interpolation; 5] = [
        Interpolation::Nearest(Rounding::HalfDown),
        Interpolation::Nearest(Rounding::HalfUp),
        Interpolation::Nearest(Rounding::Floor),
        Interpolation::Nearest(Rounding::Ceil),
        Interpolation::Bilinear,
    ];

    /// Its name in the textual form.
    pub fn name(self) -> &'static str {
        match self {
            Interpolation::Nearest(Rounding::HalfDown) => "nearest_half_down",
            Interpolation::Nearest(Rounding::HalfUp) => "nearest_half_up",
            Interpolation::Nearest(Rounding::Floor) => "nearest_floor",
            Interpolation::Nearest(Rounding::Ceil) => "nearest_ceil",
            Interpolation::Bilinear => "bilinear",
        }
    }
}

impl Coordinates {
    /// All of them.
    pub const ALL: [Coordinates; 4] = [
        Coordinates::HalfPixel,
        Coordinates::PytorchHalfPixel,
        Coordinates::Asymmetric,
        Coordinates::AlignCorners,
    ];

    /// Its name in the textual form and in descriptions.
    pub fn name(self) -> &'static str {
        match self {
            Coordinates::HalfPixel => "half_pixel",
            Coordinates::PytorchHalfPixel => "pytorch_half_pixel",
            Coordinates::Asymmetric => "asymmetric",
            Coordinates::AlignCorners => "align_corners",
        }
    }
}

/// Attributes of a resize.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Resize {
    /// Height and width of the result.
    pub size: [usize; 2],
    /// The ratio of result to operand down and across where it isn't that of their lengths.
    pub scale: Option<[Scalar; 2]>,
    /// How elements come about.
    pub interpolation: Interpolation,
    /// Where they lie.
    pub coordinates: Coordinates,
}

/// An element of the result along one axis: two elements of the operand, and the weight of the second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tap {
    /// Index of the first.
    pub first: usize,
    /// Index of the second; the first where that alone counts.
    pub second: usize,
    /// Weight of the second, 0 to 1.
    pub weight: f64,
}

impl Resize {
    /// What each element of the result is along `axis` (0: rows, 1: columns) of an operand of `length`.
    pub fn taps(&self, axis: usize, length: usize) -> Vec<Tap> {
        (0..self.size[axis]).map(|index| self.tap(axis, length, index)).collect()
    }

    fn tap(&self, axis: usize, length: usize, index: usize) -> Tap {
        let last = (length - 1) as f64;
        let place = self.place(axis, length, index);
        let at = |place: f64| place.clamp(0.0, last) as usize;
        match self.interpolation {
            Interpolation::Nearest(rounding) => {
                let nearest = at(match rounding {
                    Rounding::HalfDown => (place - 0.5).ceil(),
                    Rounding::HalfUp => (place + 0.5).floor(),
                    Rounding::Floor => place.floor(),
                    Rounding::Ceil => place.ceil(),
                });
                Tap { first: nearest, second: nearest, weight: 0.0 }
            }
            Interpolation::Bilinear => {
                let place = place.clamp(0.0, last);
                Tap {
                    first: at(place.floor()),
                    second: at(place.floor() + 1.0),
                    weight: place - place.floor(),
                }
            }
        }
    }

    fn place(&self, axis: usize, length: usize, index: usize) -> f64 {
        let (x, result) = (index as f64, self.size[axis]);
        let scale = self.scale.map_or(result as f64 / length as f64, |scale| f64::from(scale[axis].get()));
        match self.coordinates {
            Coordinates::PytorchHalfPixel | Coordinates::AlignCorners if result == 1 => 0.0,
            Coordinates::HalfPixel | Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::Asymmetric => x / scale,
            Coordinates::AlignCorners => x * (length - 1) as f64 / (result - 1) as f64,
        }
    }
}

impl Page for Resize {
    fn name(&self) -> &'static str {
        "resize"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [_, _, channels] = super::as_map("resize", &operands[0])?;
        let bad =
            self.scale.is_some_and(|scale| scale.iter().any(|s| !s.get().is_finite() || s.get() <= 0.0));
        if bad {
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, "a resize by a scale that is not above 0"));
        }
        super::sized(Shape::new(&[self.size[0], self.size[1], channels]))
    }

    fn print(&self, to: &mut Written) {
        to.beside_shape("size", spelled(self.size));
        if let Some([down, across]) = self.scale {
            to.value("scale", format!("{down}:{across}"));
        }
        to.value("method", self.interpolation.name());
        to.value("coordinates", self.coordinates.name());
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Resize>, Diagnostic> {
        if name != "resize" {
            return Ok(None);
        }
        let said = from.shape.and_then(Shape::map).map(|[rows, columns, _]| [rows, columns]);
        Ok(Some(Resize {
            size: from.or_shape("size", said, pair)?,
            scale: from.value("scale", scales)?,
            interpolation: from.needed("method", |text| {
                Interpolation::ALL.into_iter().find(|interpolation| interpolation.name() == text)
            })?,
            coordinates: from.needed("coordinates", |text| {
                Coordinates::ALL.into_iter().find(|coordinates| coordinates.name() == text)
            })?,
        }))
    }

    /// The map at the new resolution: columns first, then rows.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let [height, width, channels] = [input.shape()[0], input.shape()[1], input.shape()[2]];
        let (down, across) = (self.taps(0, height), self.taps(1, width));
        let number = |value: f64| T::from(value).expect("a weight fits every float");
        // A weight of 0 takes nothing, of an infinite element either.
        let mix = |a: T, b: T, weight: f64| {
            if weight == 0.0 { a } else { a * number(1.0 - weight) + b * number(weight) }
        };
        Ok(Tensor::from_shape_fn(vec![down.len(), across.len(), channels], |index| {
            let (y, x, channel) = (down[index[0]], across[index[1]], index[2]);
            let row = |y: usize| mix(input[[y, x.first, channel]], input[[y, x.second, channel]], x.weight);
            mix(row(y.first), row(y.second), y.weight)
        }))
    }
}

fn scales(text: &str) -> Option<[Scalar; 2]> {
    let (down, across) = text.split_once(':')?;
    Some([scalar(down)?, scalar(across)?])
}
