//! Functions of each element whose name does not say all of them.

use frit_ir::ops::{Activation, Prelu, Scalar};
use frit_ir::{Op, Shape};

use crate::import::json::attributes::{Defaults, Kind, Layer};
use crate::import::json::fields::{Reader, wrong};
use crate::import::json::section::section;

section! {
    /// A clamp.
    ClipFields {
        /// The smallest result.
        low: Scalar,
        /// The largest result.
        high: Scalar,
    }
}

impl Layer for ClipFields {
    fn kind(self, _: &'static str, reader: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        let ClipFields { low, high } = self;
        if low.get() > high.get() {
            reader.fault(None, wrong(&format!("low {} is above high {}", low.get(), high.get())));
            return None;
        }
        Some(Kind::Plain(Op::Activation(Activation::Clip { low, high })))
    }
}

section! {
    /// A line with a bend at 0.
    LeakyReluFields {
        /// The factor below 0: 0.01 is PyTorch's standard, 0.3 Keras'.
        slope: Scalar,
    }
}

impl Layer for LeakyReluFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        let threshold = Scalar::new(0.0);
        Some(Kind::Plain(Op::Activation(Activation::LeakyRelu { slope: self.slope, threshold })))
    }
}

section! {
    /// A line with a bend at 0, whose slope is a weight.
    PreluFields {
        /// The slope's shape, repeated along the operand's axes: [channels], [1], or [1, 1, channels].
        slope: Shape,
    }
}

impl Layer for PreluFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(Op::Prelu(Prelu { slope: self.slope })))
    }
}

section! {
    /// An exponential below 0.
    EluFields {
        /// Minus the limit at minus infinity.
        alpha: Scalar = Scalar::new(1.0),
    }
}

impl Layer for EluFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(Op::Activation(Activation::Elu { alpha: self.alpha })))
    }
}

section! {
    /// The Gaussian error linear unit.
    GeluFields {
        /// Whether the formula with tanh is meant.
        approximate: bool = false,
    }
}

impl Layer for GeluFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        let gelu = if self.approximate { Activation::GeluTanh } else { Activation::Gelu };
        Some(Kind::Plain(Op::Activation(gelu)))
    }
}

section! {
    /// A line.
    RescaleFields {
        /// The factor.
        scale: Scalar,
        /// What is then added.
        offset: Scalar = Scalar::new(0.0),
    }
}

impl Layer for RescaleFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        let RescaleFields { scale, offset } = self;
        Some(Kind::Plain(Op::Activation(Activation::Rescale { scale, offset })))
    }
}
