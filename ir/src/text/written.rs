//! The attributes of an op as text.

use std::fmt::Display;

use crate::ops::{Activation, Epilogue, Padding};

/// Attributes that were written, in order.
pub(crate) struct Written {
    /// Whether the line says the shape of the result.
    shape_known: bool,
    pub(super) attributes: Vec<String>,
}

impl Written {
    /// None so far, on a line that says the result's shape or does not.
    pub(super) fn new(shape_known: bool) -> Written {
        Written { shape_known, attributes: Vec::new() }
    }

    /// `name=value`
    pub(crate) fn value(&mut self, name: &str, value: impl Display) {
        self.attributes.push(format!("{name}={value}"));
    }

    /// The same, where it is not what the shape of the result says.
    pub(crate) fn beside_shape(&mut self, name: &str, value: impl Display) {
        if !self.shape_known {
            self.value(name, value);
        }
    }

    /// `name`, where it is set.
    pub(crate) fn flag(&mut self, name: &str, set: bool) {
        if set {
            self.attributes.push(name.to_owned());
        }
    }

    /// `name=DOWNxACROSS`, unless it is `usual`.
    pub(crate) fn pair(&mut self, name: &str, pair: [usize; 2], usual: Option<[usize; 2]>) {
        if Some(pair) != usual {
            self.value(name, spelled(pair));
        }
    }

    /// `name=TOP:BOTTOM:LEFT:RIGHT`
    pub(crate) fn sides(&mut self, name: &str, padding: &Padding) {
        self.value(name, joined(&padding.sides()));
    }

    /// Kernel, stride, padding and dilation of a window, without those that are the usual ones.
    pub(crate) fn window(
        &mut self,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: &Padding,
        dilation: [usize; 2],
    ) {
        self.pair("kernel", kernel, None);
        self.pair("stride", stride, Some([1, 1]));
        if *padding != Padding::default() {
            self.sides("pad", padding);
        }
        self.pair("dilation", dilation, Some([1, 1]));
    }

    /// The number of groups, unless it is 1.
    pub(crate) fn groups(&mut self, groups: usize) {
        if groups != 1 {
            self.value("groups", groups);
        }
    }

    /// A function of each element, where there is one.
    pub(crate) fn function(&mut self, name: &str, activation: Option<&Activation>) {
        if let Some(activation) = activation {
            self.value(name, called(activation));
        }
    }

    /// What follows a sum.
    pub(crate) fn epilogue(&mut self, epilogue: &Epilogue) {
        self.flag("bias", epilogue.bias);
        self.function("act", epilogue.activation.as_ref());
        self.flag("add", epilogue.residual);
        self.function("after", epilogue.activation_after.as_ref());
    }
}

/// `DOWNxACROSS`
pub(crate) fn spelled([down, across]: [usize; 2]) -> String {
    format!("{down}x{across}")
}

/// Numbers with colons between them; of a scalar's axes there are none.
pub(crate) fn joined(numbers: &[usize]) -> String {
    if numbers.is_empty() {
        return "scalar".to_owned();
    }
    numbers.iter().map(usize::to_string).collect::<Vec<_>>().join(":")
}

/// A function with its attributes behind it.
fn called(activation: &Activation) -> String {
    let arguments: Vec<String> =
        activation.attributes().into_iter().map(|(_, value)| value.to_string()).collect();
    if arguments.is_empty() {
        return activation.name().to_owned();
    }
    format!("{}({})", activation.name(), arguments.join(", "))
}
