//! An f32 attribute that can be hashed, compared and ordered.

use std::fmt;

/// An f32 by its canonical bits: one zero, one NaN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Scalar(u32);

impl Scalar {
    /// `value`, with -0 taken as 0 and every NaN as one.
    pub fn new(value: f32) -> Scalar {
        if value == 0.0 {
            Scalar(0)
        } else if value.is_nan() {
            Scalar(f32::NAN.to_bits())
        } else {
            Scalar(value.to_bits())
        }
    }

    /// The value.
    pub fn get(self) -> f32 {
        f32::from_bits(self.0)
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
