//! Functions of each element.

use num_traits::Float;

use super::Scalar;

/// A function of each element.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Activation {
    /// `max(x, 0)`
    Relu,
    /// `min(max(x, 0), 6)` (Howard et al., MobileNets, 2017)
    Relu6,
    /// `min(max(x, low), high)`
    Clip {
        /// The smallest result.
        low: Scalar,
        /// The largest result.
        high: Scalar,
    },
}

impl Activation {
    /// The name in the textual form and in descriptions.
    pub fn name(&self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::Clip { .. } => "clip",
        }
    }

    /// The interval that results lie in: all of these functions are clamps.
    pub fn bounds(&self) -> (f32, f32) {
        match self {
            Activation::Relu => (0.0, f32::INFINITY),
            Activation::Relu6 => (0.0, 6.0),
            Activation::Clip { low, high } => (low.get(), high.get()),
        }
    }

    /// The function; NaN stays NaN.
    pub fn apply<T: Float>(&self, x: T) -> T {
        if x.is_nan() {
            return x;
        }
        let (low, high) = self.bounds();
        let low = T::from(low).expect("f32 fits every float");
        let high = T::from(high).expect("f32 fits every float");
        x.max(low).min(high)
    }
}
