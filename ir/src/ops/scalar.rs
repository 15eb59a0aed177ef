//! The number of a network's description: an f32 that can be hashed, compared and ordered.

use std::fmt;
use std::num::ParseFloatError;
use std::ops::Neg;
use std::str::FromStr;

/// An f32 by its canonical bits: one zero, one NaN. Attributes of ops are these. Arithmetic on them is that of f32; what is
/// computed in f64 becomes one by [`Scalar::nearest`].
///
/// The order is that of the bits, for sets and lists that are sorted: which is larger, [`Scalar::get`] tells.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Scalar(u32);

impl Scalar {
    /// 0
    pub const ZERO: Scalar = Scalar(0);
    /// 1
    pub const ONE: Scalar = Scalar::new(1.0);
    /// The upper bound of a clamp that has none.
    pub const INFINITY: Scalar = Scalar::new(f32::INFINITY);
    /// The lower bound of a clamp that has none.
    pub const NEG_INFINITY: Scalar = Scalar::new(f32::NEG_INFINITY);
    /// The least that is finite.
    pub const MIN: Scalar = Scalar::new(f32::MIN);
    /// The largest that is finite.
    pub const MAX: Scalar = Scalar::new(f32::MAX);
    /// From 1 to the next larger one.
    pub const EPSILON: Scalar = Scalar::new(f32::EPSILON);

    /// `value`, with -0 taken as 0 and every NaN as one.
    pub const fn new(value: f32) -> Scalar {
        if value == 0.0 {
            Scalar(0)
        } else if value.is_nan() {
            Scalar(f32::NAN.to_bits())
        } else {
            Scalar(value.to_bits())
        }
    }

    /// The one nearest to `value`: infinite where that is past [`Scalar::MAX`].
    pub const fn nearest(value: f64) -> Scalar {
        Scalar::new(value as f32)
    }

    /// `part / whole`, both rounded to f32 before.
    pub fn ratio(part: usize, whole: usize) -> Scalar {
        Scalar::new(part as f32 / whole as f32)
    }

    /// The value.
    pub const fn get(self) -> f32 {
        f32::from_bits(self.0)
    }

    /// `1 / self`
    pub fn recip(self) -> Scalar {
        Scalar::new(self.get().recip())
    }

    /// Whether it is no number.
    pub fn is_nan(self) -> bool {
        self.get().is_nan()
    }

    /// Whether it is neither infinite nor NaN.
    pub fn is_finite(self) -> bool {
        self.get().is_finite()
    }

    /// Whether it is a number with all digits that f32 has: not 0, not too near to it, and finite.
    pub fn is_normal(self) -> bool {
        self.get().is_normal()
    }
}

impl Neg for Scalar {
    type Output = Scalar;

    fn neg(self) -> Scalar {
        Scalar::new(-self.get())
    }
}

impl From<f32> for Scalar {
    fn from(value: f32) -> Scalar {
        Scalar::new(value)
    }
}

impl From<Scalar> for f64 {
    fn from(scalar: Scalar) -> f64 {
        f64::from(scalar.get())
    }
}

impl FromStr for Scalar {
    type Err = ParseFloatError;

    /// The one nearest to a decimal number, infinite where there is none.
    fn from_str(spelling: &str) -> Result<Scalar, ParseFloatError> {
        spelling.parse().map(Scalar::new)
    }
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.get())
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
