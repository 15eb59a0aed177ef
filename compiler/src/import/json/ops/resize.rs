//! A map at another resolution.

use frit_ir::ops::{Coordinates, Interpolation, Resize, Rounding, Scalar};
use frit_ir::{Diagnostic, Op, Shape};

use crate::import::findings::wrong;
use crate::import::json::defaults::Defaults;
use crate::import::json::entry::LayerSection;
use crate::import::json::kinds::{Factors, Pair};
use crate::import::json::layer::{Operation, Shaped};
use crate::import::json::section::{Choice, Rule, section};
use crate::import::limits;
use crate::import::reader::Reader;

/// How elements come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::import::json) enum Method {
    Nearest,
    Bilinear,
}

impl Choice for Method {
    const CHOICES: &'static [(&'static str, Method)] =
        &[("nearest", Method::Nearest), ("bilinear", Method::Bilinear)];
}

impl Choice for Coordinates {
    const CHOICES: &'static [(&'static str, Coordinates)] = &[
        ("half_pixel", Coordinates::HalfPixel),
        ("pytorch_half_pixel", Coordinates::PytorchHalfPixel),
        ("asymmetric", Coordinates::Asymmetric),
        ("align_corners", Coordinates::AlignCorners),
    ];
}

impl Choice for Rounding {
    const CHOICES: &'static [(&'static str, Rounding)] = &[
        ("half_down", Rounding::HalfDown),
        ("half_up", Rounding::HalfUp),
        ("floor", Rounding::Floor),
        ("ceil", Rounding::Ceil),
    ];
}

section! {
    /// A map at another resolution.
    ResizeFields {
        /// Height and width of the result.
        size: Option<Pair>,
        /// The ratio of result and map; sizes are cut to whole numbers.
        scale: Option<Factors>,
        /// How elements come from those around them.
        method: Method,
        /// Where they lie: "half_pixel" is Keras' and PyTorch's for bilinear, "asymmetric" PyTorch's for nearest.
        coordinates: Coordinates,
        /// Which neighbour is the nearest: "half_up" with half_pixel (Keras), "floor" with asymmetric (PyTorch). Needed by nearest.
        rounding: Option<Rounding>,
    }
    [Rule::OneOf(&["size", "scale"], "\"size\": [HEIGHT, WIDTH], or \"scale\": FACTOR")]
}

impl LayerSection for ResizeFields {
    fn operation(self, _: &'static str, reader: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let at = reader.given("rounding");
        match (self.method, self.rounding) {
            (Method::Nearest, None) => {
                reader.missing(
                    "rounding",
                    "\"half_up\" (Keras), \"floor\" (PyTorch), \"half_down\" or \"ceil\"",
                );
                None
            }
            (Method::Bilinear, Some(_)) => {
                reader.fault(at.as_ref(), wrong("only nearest rounds; bilinear does not"));
                None
            }
            _ => Some(Operation::Shaped(Box::new(self))),
        }
    }
}

impl Shaped for ResizeFields {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        // The op itself refuses whatever is no map.
        let map = operands[0].map().map_or([1, 1], |[height, width, _]| [height, width]);
        let (size, scale) = match (self.size, self.scale) {
            (Some(size), _) => (size.0, None),
            (None, factors) => scaled(map, factors.map_or([Scalar::new(1.0); 2], |factors| factors.0))?,
        };
        let interpolation = match (self.method, self.rounding) {
            (Method::Nearest, rounding) => Interpolation::Nearest(rounding.unwrap_or(Rounding::Floor)),
            (Method::Bilinear, _) => Interpolation::Bilinear,
        };
        Ok(Op::Resize(Resize { size, scale, interpolation, coordinates: self.coordinates }))
    }
}

/// The size of a map after scaling, and the factors where they are not the ratio of the sizes.
fn scaled(map: [usize; 2], factors: [Scalar; 2]) -> Result<([usize; 2], Option<[Scalar; 2]>), Diagnostic> {
    let exact = [0, 1].map(|axis| map[axis] as f64 * f64::from(factors[axis].get()));
    if exact.iter().any(|&side| !(1.0..=limits::ATTRIBUTE as f64).contains(&side)) {
        return Err(wrong(&format!("a map of {}x{} has no size at this scale", map[0], map[1])));
    }
    let size = exact.map(|side| side.floor() as usize);
    let whole = exact.iter().all(|side| side.fract() == 0.0);
    Ok((size, (!whole).then_some(factors)))
}
