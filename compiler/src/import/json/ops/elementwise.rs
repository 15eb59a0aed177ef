//! Functions of each element whose name does not say all of them.

use frit_ir::ops::{Activation, Prelu, Scalar};
use frit_ir::{Op, Shape};

use crate::import::findings::wrong;
use crate::import::json::defaults::Defaults;
use crate::import::json::entry::LayerSection;
use crate::import::json::layer::Operation;
use crate::import::json::section::section;
use crate::import::reader::Reader;

section! {
    /// A clamp.
    ClipFields {
        /// The smallest result.
        low: Scalar,
        /// The largest result.
        high: Scalar,
    }
}

impl LayerSection for ClipFields {
    fn operation(self, _: &'static str, reader: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let ClipFields { low, high } = self;
        if low.get() > high.get() {
            reader.fault(None, wrong(&format!("low {} is above high {}", low.get(), high.get())));
            return None;
        }
        Some(Operation::Plain(Op::Activation(Activation::Clip { low, high })))
    }
}

section! {
    /// A line with a bend at 0.
    LeakyReluFields {
        /// The factor below 0: 0.01 is PyTorch's standard, 0.3 Keras'.
        slope: Scalar,
    }
}

impl LayerSection for LeakyReluFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let threshold = Scalar::new(0.0);
        Some(Operation::Plain(Op::Activation(Activation::LeakyRelu { slope: self.slope, threshold })))
    }
}

section! {
    /// A line with a bend at 0, whose slope is a weight.
    PreluFields {
        /// The slope's shape, repeated along the operand's axes: [channels], [1], or [1, 1, channels].
        slope: Shape,
    }
}

impl LayerSection for PreluFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(Op::Prelu(Prelu { slope: self.slope })))
    }
}

section! {
    /// An exponential below 0.
    EluFields {
        /// Minus the limit at minus infinity.
        alpha: Scalar = Scalar::new(1.0),
    }
}

impl LayerSection for EluFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(Op::Activation(Activation::Elu { alpha: self.alpha })))
    }
}

section! {
    /// The Gaussian error linear unit.
    GeluFields {
        /// Whether the formula with tanh is meant.
        approximate: bool = false,
    }
}

impl LayerSection for GeluFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let gelu = if self.approximate { Activation::GeluTanh } else { Activation::Gelu };
        Some(Operation::Plain(Op::Activation(gelu)))
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

impl LayerSection for RescaleFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let RescaleFields { scale, offset } = self;
        Some(Operation::Plain(Op::Activation(Activation::Rescale { scale, offset })))
    }
}
