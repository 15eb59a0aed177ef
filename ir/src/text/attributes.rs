//! `{kernel=3x3, bias}` → the op that it describes.

use std::str::FromStr;

use smallvec::SmallVec;

use super::cursor::{Cursor, Spot, shape};
use crate::diagnostic::{Diagnostic, codes};
use crate::ops::{Activation, Epilogue, Padding, Scalar};
use crate::{Op, Shape, Window};

/// The attributes of a line; each is taken out when the op asks for it.
pub(crate) struct Attributes<'a> {
    left: Vec<Attribute<'a>>,
    op: Spot,
    /// How many tensors the op reads.
    pub(crate) tensors: usize,
    /// What the line says of the result.
    pub(crate) shape: Option<&'a Shape>,
}

struct Attribute<'a> {
    name: &'a str,
    value: Option<&'a str>,
    spot: Spot,
}

impl<'a> Attributes<'a> {
    /// None, for the op at `op`.
    pub(super) fn none(op: Spot) -> Attributes<'a> {
        Attributes { left: Vec::new(), op, tensors: 0, shape: None }
    }

    /// Reads them at a brace.
    pub(super) fn read(cursor: &mut Cursor<'a>, op: Spot) -> Result<Attributes<'a>, Diagnostic> {
        cursor.expect('{')?;
        let left = cursor.list(attribute)?;
        cursor.expect('}')?;
        Ok(Attributes { left, ..Attributes::none(op) })
    }

    /// The same of an op on so many tensors, whose result the line says to be of `shape`.
    pub(super) fn on(self, tensors: usize, shape: Option<&'a Shape>) -> Attributes<'a> {
        Attributes { tensors, shape, ..self }
    }

    /// The op of this name.
    pub(super) fn op(mut self, name: &str) -> Result<Op, Diagnostic> {
        let Some(op) = Op::parse(name, &mut self)? else {
            return Err(self.op.fault_with(codes::UNKNOWN_OP, format!("there is no op `{name}`")));
        };
        match self.left.first() {
            Some(Attribute { name: attribute, spot, .. }) => {
                Err(spot.fault(format!("{name} has no attribute `{attribute}`, or has it already")))
            }
            None => Ok(op),
        }
    }

    /// What follows a sum.
    pub(crate) fn epilogue(&mut self) -> Result<Epilogue, Diagnostic> {
        Ok(Epilogue {
            bias: self.flag("bias")?,
            activation: self.value("act", activation)?,
            residual: self.flag("add")?,
            activation_after: self.value("after", activation)?,
        })
    }

    /// A pair that is 1x1 where it is not given.
    fn steps(&mut self, name: &str) -> Result<[usize; 2], Diagnostic> {
        Ok(self.value(name, pair)?.unwrap_or([1, 1]))
    }

    /// A padding, none where it is not given.
    pub(crate) fn padding(&mut self, name: &str) -> Result<Padding, Diagnostic> {
        Ok(self.value(name, sides)?.unwrap_or_default())
    }

    /// The window of a convolution or a pool: a step of 1 and no padding where they are not given.
    pub(crate) fn window(&mut self) -> Result<Window, Diagnostic> {
        Ok(Window {
            kernel: self.needed("kernel", pair)?,
            stride: self.steps("stride")?,
            padding: self.padding("pad")?,
            dilation: self.steps("dilation")?,
        })
    }

    /// That the attributes of the op do not go together.
    pub(crate) fn fault(&self, message: &str) -> Diagnostic {
        self.op.fault(message)
    }

    /// The attribute `name`, where it is given.
    pub(crate) fn value<T>(
        &mut self,
        name: &str,
        read: fn(&str) -> Option<T>,
    ) -> Result<Option<T>, Diagnostic> {
        let Some(index) = self.left.iter().position(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        let Attribute { value, spot, .. } = self.left.remove(index);
        match value.and_then(read) {
            Some(value) => Ok(Some(value)),
            None => Err(spot.fault(format!("`{}` is no value of {name}", value.unwrap_or_default()))),
        }
    }

    /// The attribute `name`, which must be given.
    pub(crate) fn needed<T>(&mut self, name: &str, read: fn(&str) -> Option<T>) -> Result<T, Diagnostic> {
        self.value(name, read)?.ok_or_else(|| self.op.fault(format!("the attribute {name} is missing")))
    }

    /// The attribute `name`, or what the result's shape says of it.
    pub(crate) fn or_shape<T>(
        &mut self,
        name: &str,
        said: Option<T>,
        read: fn(&str) -> Option<T>,
    ) -> Result<T, Diagnostic> {
        self.value(name, read)?.or(said).ok_or_else(|| {
            self.op.fault(format!("neither the attribute {name} nor the shape that says it is there"))
        })
    }

    /// Whether `name` is given.
    pub(crate) fn flag(&mut self, name: &str) -> Result<bool, Diagnostic> {
        let Some(index) = self.left.iter().position(|attribute| attribute.name == name) else {
            return Ok(false);
        };
        let Attribute { value, spot, .. } = self.left.remove(index);
        if value.is_none() { Ok(true) } else { Err(spot.fault(format!("{name} takes no value"))) }
    }
}

fn attribute<'a>(cursor: &mut Cursor<'a>) -> Result<Attribute<'a>, Diagnostic> {
    let spot = cursor.spot();
    let name = cursor.word();
    if name.is_empty() {
        return Err(cursor.unexpected("an attribute"));
    }
    let value = if cursor.eats('=') {
        Some(cursor.value().ok_or_else(|| cursor.unexpected("a value"))?)
    } else {
        None
    };
    Ok(Attribute { name, value, spot })
}

/// A number.
pub(crate) fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

/// A float.
pub(crate) fn scalar(text: &str) -> Option<Scalar> {
    number(text).map(Scalar::new)
}

/// A shape.
pub(crate) fn as_shape(text: &str) -> Option<Shape> {
    shape(text)
}

/// `DOWNxACROSS`
pub(crate) fn pair(text: &str) -> Option<[usize; 2]> {
    let (down, across) = text.split_once('x')?;
    Some([number(down)?, number(across)?])
}

/// `TOP:BOTTOM:LEFT:RIGHT`
pub(crate) fn sides(text: &str) -> Option<Padding> {
    let sides: Option<Vec<usize>> = text.split(':').map(number).collect();
    let [top, bottom, left, right] = sides?.try_into().ok()?;
    Some(Padding { top, bottom, left, right })
}

/// Numbers between colons.
pub(crate) fn indices(text: &str) -> Option<SmallVec<[usize; 4]>> {
    if text == "scalar" {
        return Some(SmallVec::new());
    }
    text.split(':').map(number).collect()
}

/// A function with its attributes behind it.
pub(crate) fn activation(text: &str) -> Option<Activation> {
    let Some((name, arguments)) = text.strip_suffix(')').and_then(|text| text.split_once('(')) else {
        return Activation::of_name(text);
    };
    let arguments: Option<Vec<Scalar>> =
        arguments.split(',').map(|argument| scalar(argument.trim())).collect();
    let arguments = arguments?;
    Some(match (name, &arguments[..]) {
        ("clip", &[low, high]) => Activation::Clip { low, high },
        ("leaky_relu", &[slope, threshold]) => Activation::LeakyRelu { slope, threshold },
        ("elu", &[alpha]) => Activation::Elu { alpha },
        ("rescale", &[scale, offset]) => Activation::Rescale { scale, offset },
        _ => return None,
    })
}
