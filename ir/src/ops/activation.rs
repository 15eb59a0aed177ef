//! Functions of each element.
//!
//! In text: their names, `clip {low=FLOAT, high=FLOAT}`, `leaky_relu {slope=FLOAT, threshold=FLOAT}`, `elu {alpha=FLOAT}` and
//! `rescale {scale=FLOAT, offset=FLOAT}`, where a threshold or an offset of 0 is left out.

use num_traits::Float;

use super::{Given, Page, Scalar};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, scalar};

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
    /// `1 / (1 + e^-x)`
    Sigmoid,
    /// `x / (1 + e^-x)`, also called SiLU (Ramachandran et al., Searching for Activation Functions, 2017); its limit, -0,
    /// at minus infinity.
    Swish,
    /// `relu6(x + 3) * (1/6 in f32)` (Howard et al., MobileNetV3, 2019)
    HardSigmoid,
    /// `x * hard_sigmoid(x)` (Howard et al., MobileNetV3, 2019), with -0 for all x up to -3, minus infinity too.
    HardSwish,
    /// `x` where x ≥ threshold, else `slope * (x - threshold)`; with threshold 0 the leaky ReLU (Maas et al., 2013).
    LeakyRelu {
        /// Factor of what is below the threshold.
        slope: Scalar,
        /// Where `x` itself begins.
        threshold: Scalar,
    },
    /// `(e^x - e^-x) / (e^x + e^-x)`
    Tanh,
    /// `x` where x ≥ 0, else `alpha * (e^x - 1)` (Clevert et al., 2015)
    Elu {
        /// Minus the limit at minus infinity.
        alpha: Scalar,
    },
    /// `x / 2 * (1 + erf(x / √2))` (Hendrycks and Gimpel, 2016); its limit, -0, at minus infinity.
    Gelu,
    /// `x / 2 * (1 + tanh(√(2/π) * (x + 0.044715 x³)))`, with -0 at minus infinity.
    GeluTanh,
    /// `x * tanh(softplus(x))` (Misra, 2019); its limit, -0, at minus infinity.
    Mish,
    /// `ln(1 + e^x)`
    Softplus,
    /// The error function.
    Erf,
    /// `e^x`
    Exp,
    /// The natural logarithm: minus infinity of 0, NaN below.
    Log,
    /// NaN below 0.
    Sqrt,
    /// `|x|`
    Abs,
    /// `x * scale + offset`
    Rescale {
        /// Factor.
        scale: Scalar,
        /// Summand.
        offset: Scalar,
    },
}

impl Activation {
    /// A sixth as frameworks have it: a number that they multiply by, rounded to f32.
    pub const SIXTH: Scalar = Scalar::new(1.0 / 6.0);

    /// `x * scale + offset`
    pub fn rescale(scale: impl Into<Scalar>, offset: impl Into<Scalar>) -> Activation {
        Activation::Rescale { scale: scale.into(), offset: offset.into() }
    }

    /// `min(max(x, low), high)`
    pub fn clip(low: impl Into<Scalar>, high: impl Into<Scalar>) -> Activation {
        Activation::Clip { low: low.into(), high: high.into() }
    }

    /// The activations that their name says all of.
    pub const BY_NAME: [Activation; 16] = [
        Activation::Relu,
        Activation::Relu6,
        Activation::Sigmoid,
        Activation::Swish,
        Activation::HardSigmoid,
        Activation::HardSwish,
        Activation::Tanh,
        Activation::Gelu,
        Activation::GeluTanh,
        Activation::Mish,
        Activation::Softplus,
        Activation::Erf,
        Activation::Exp,
        Activation::Log,
        Activation::Sqrt,
        Activation::Abs,
    ];

    /// The name in the textual form and in descriptions.
    pub fn name(&self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Relu6 => "relu6",
            Activation::Clip { .. } => "clip",
            Activation::Sigmoid => "sigmoid",
            Activation::Swish => "swish",
            Activation::HardSigmoid => "hard_sigmoid",
            Activation::HardSwish => "hard_swish",
            Activation::LeakyRelu { .. } => "leaky_relu",
            Activation::Tanh => "tanh",
            Activation::Elu { .. } => "elu",
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_tanh",
            Activation::Mish => "mish",
            Activation::Softplus => "softplus",
            Activation::Erf => "erf",
            Activation::Exp => "exp",
            Activation::Log => "log",
            Activation::Sqrt => "sqrt",
            Activation::Abs => "abs",
            Activation::Rescale { .. } => "rescale",
        }
    }

    /// The one of [`Activation::BY_NAME`] that is called `name`.
    pub fn of_name(name: &str) -> Option<Activation> {
        Activation::BY_NAME.into_iter().find(|activation| activation.name() == name)
    }

    /// What its name does not say, by name.
    pub fn attributes(&self) -> Vec<(&'static str, Scalar)> {
        match *self {
            Activation::Clip { low, high } => vec![("low", low), ("high", high)],
            Activation::LeakyRelu { slope, threshold } => vec![("slope", slope), ("threshold", threshold)],
            Activation::Elu { alpha } => vec![("alpha", alpha)],
            Activation::Rescale { scale, offset } => vec![("scale", scale), ("offset", offset)],
            _ => Vec::new(),
        }
    }

    /// The bounds of a clamp, lower first; `None` for what is no clamp.
    pub fn bounds(&self) -> Option<(f32, f32)> {
        match self {
            Activation::Relu => Some((0.0, f32::INFINITY)),
            Activation::Relu6 => Some((0.0, 6.0)),
            Activation::Clip { low, high } => Some((low.get(), high.get())),
            _ => None,
        }
    }

    /// The same, as far as they bound anything.
    pub fn limits(&self) -> Option<[Option<Scalar>; 2]> {
        let (low, high) = self.bounds()?;
        let bounds = [(low > f32::NEG_INFINITY, low), (high < f32::INFINITY, high)];
        Some(bounds.map(|(is_bound, bound)| is_bound.then(|| Scalar::new(bound))))
    }

    /// The function; NaN stays NaN.
    pub fn apply<T: Float>(&self, x: T) -> T {
        if x.is_nan() {
            return x;
        }
        let (one, three) = (T::one(), number::<T>(3.0));
        let hard_sigmoid = |x: T| clamp(x + three, (0.0, 6.0)) * number(Activation::SIXTH.get());
        match self {
            Activation::Relu => clamp(x, (0.0, f32::INFINITY)),
            Activation::Relu6 => clamp(x, (0.0, 6.0)),
            Activation::Clip { low, high } => clamp(x, (low.get(), high.get())),
            Activation::Sigmoid => one / (one + (-x).exp()),
            // The quotient is no number there.
            Activation::Swish if x == T::neg_infinity() => T::neg_zero(),
            Activation::Swish => x / (one + (-x).exp()),
            Activation::HardSigmoid => hard_sigmoid(x),
            // Below -3 the second factor is 0 whatever the first is, unless that has no end.
            Activation::HardSwish => x.max(-three) * hard_sigmoid(x),
            Activation::LeakyRelu { threshold, .. } if x >= number(threshold.get()) => x,
            Activation::LeakyRelu { slope, threshold } => {
                number::<T>(slope.get()) * (x - number(threshold.get()))
            }
            Activation::Elu { .. } if x >= T::zero() => x,
            Activation::Elu { alpha } => number::<T>(alpha.get()) * x.exp_m1(),
            Activation::Gelu | Activation::GeluTanh | Activation::Mish if x == T::neg_infinity() => {
                T::neg_zero()
            }
            Activation::Tanh => x.tanh(),
            Activation::Gelu => x * number(0.5) * (one + erf(x * number(std::f32::consts::FRAC_1_SQRT_2))),
            Activation::GeluTanh => {
                let inner = number::<T>(SQRT_2_BY_PI) * (x + number::<T>(0.044_715) * x * x * x);
                x * number(0.5) * (one + inner.tanh())
            }
            Activation::Mish => x * softplus(x).tanh(),
            Activation::Softplus => softplus(x),
            Activation::Erf => erf(x),
            Activation::Exp => x.exp(),
            Activation::Log => x.ln(),
            Activation::Sqrt => x.sqrt(),
            Activation::Abs => x.abs(),
            Activation::Rescale { scale, offset } => x * number(scale.get()) + number(offset.get()),
        }
    }
}

impl Page for Activation {
    fn name(&self) -> &'static str {
        Activation::name(self)
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        Ok(operands[0].clone())
    }

    fn print(&self, to: &mut Written) {
        for (name, value) in self.attributes() {
            to.value(name, value);
        }
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Activation>, Diagnostic> {
        Ok(Some(match name {
            "clip" => {
                Activation::Clip { low: from.needed("low", scalar)?, high: from.needed("high", scalar)? }
            }
            "leaky_relu" => Activation::LeakyRelu {
                slope: from.needed("slope", scalar)?,
                threshold: from.value("threshold", scalar)?.unwrap_or_default(),
            },
            "elu" => Activation::Elu { alpha: from.needed("alpha", scalar)? },
            "rescale" => Activation::Rescale {
                scale: from.needed("scale", scalar)?,
                offset: from.value("offset", scalar)?.unwrap_or_default(),
            },
            _ => return Ok(Activation::of_name(name)),
        }))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        Ok(given.first().mapv(|x| self.apply(x)))
    }
}

/// √(2/π) in f32, as frameworks have it.
const SQRT_2_BY_PI: f32 = 0.797_884_6;

/// `ln(1 + e^x)`, where nothing overflows.
fn softplus<T: Float>(x: T) -> T {
    x.max(T::zero()) + (-x.abs()).exp().ln_1p()
}

/// The error function in f64.
fn erf<T: Float>(x: T) -> T {
    let x = x.to_f64().expect("every float fits f64");
    T::from(libm::erf(x)).expect("f64 fits every float, rounded")
}

fn clamp<T: Float>(x: T, (low, high): (f32, f32)) -> T {
    x.max(number(low)).min(number(high))
}

fn number<T: Float>(value: f32) -> T {
    T::from(value).expect("f32 fits every float")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_their_formulas() {
        // The sixth is off by 3e-8 of itself.
        let near = |a: f64, b: f64| assert!((a - b).abs() < 3e-7, "{a} is not {b}");
        for (x, sigmoid) in [(0.0, 0.5), (2.0, 0.880_797_077_977_882_4), (-2.0, 0.119_202_922_022_117_56)] {
            near(Activation::Sigmoid.apply(x), sigmoid);
            near(Activation::Swish.apply(x), x * sigmoid);
        }
        for (x, hard) in
            [(-4.0, 0.0), (-3.0, 0.0), (-1.5, 0.25), (0.0, 0.5), (1.5, 0.75), (3.0, 1.0), (9.0, 1.0)]
        {
            near(Activation::HardSigmoid.apply(x), hard);
            near(Activation::HardSwish.apply(x), x * hard);
        }
    }

    #[test]
    fn they_reach_their_limits_at_the_infinities() {
        let limits = |activation: Activation| [f64::NEG_INFINITY, f64::INFINITY].map(|x| activation.apply(x));
        assert_eq!(limits(Activation::Sigmoid), [0.0, 1.0]);
        assert_eq!(limits(Activation::Swish), [0.0, f64::INFINITY]);
        assert_eq!(limits(Activation::HardSwish), [0.0, f64::INFINITY]);
        assert_eq!([f32::NEG_INFINITY, f32::INFINITY].map(|x| Activation::HardSigmoid.apply(x)), [0.0, 1.0]);
        for activation in [Activation::Swish, Activation::HardSwish] {
            for x in [f32::NEG_INFINITY, f32::MIN] {
                assert!(activation.apply(x).is_sign_negative(), "{activation:?} of {x}");
            }
        }
    }

    #[test]
    fn nan_stays_nan_and_names_lead_back() {
        for activation in Activation::BY_NAME {
            assert!(activation.apply(f32::NAN).is_nan(), "{activation:?}");
            assert_eq!(Activation::of_name(activation.name()), Some(activation));
        }
        assert_eq!(Activation::of_name("clip"), None);
    }
}
