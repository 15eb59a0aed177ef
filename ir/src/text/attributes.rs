//! `{kernel=3x3, bias}` → the op that it describes.

use std::str::FromStr;

use super::cursor::{Cursor, Spot, shape};
use crate::diagnostic::{Diagnostic, codes};
use crate::ops::squeeze_excite::Small;
use crate::ops::{
    Activation, BatchNorm, Binary, Conv2d, Dense, Epilogue, GlobalAveragePool, Input, Padding, Reshape,
    Scalar, Softmax, SqueezeExcite,
};
use crate::{Op, Shape};

/// The attributes of a line; each is taken out when the op asks for it.
pub(super) struct Attributes<'a> {
    left: Vec<Attribute<'a>>,
    op: Spot,
}

struct Attribute<'a> {
    name: &'a str,
    value: Option<&'a str>,
    spot: Spot,
}

impl<'a> Attributes<'a> {
    /// None, for the op at `op`.
    pub(super) fn none(op: Spot) -> Attributes<'a> {
        Attributes { left: Vec::new(), op }
    }

    /// Reads them at a brace.
    pub(super) fn read(cursor: &mut Cursor<'a>, op: Spot) -> Result<Attributes<'a>, Diagnostic> {
        cursor.expect('{')?;
        let left = cursor.list(attribute)?;
        cursor.expect('}')?;
        Ok(Attributes { left, op })
    }

    /// The op of this name; `shape` is what the line says of its result.
    pub(super) fn op(mut self, name: &str, shape: Option<&Shape>) -> Result<Op, Diagnostic> {
        let op = match name {
            "input" => Op::Input(Input { shape: self.or_shape("shape", shape.cloned(), as_shape)? }),
            "conv2d" => Op::Conv2d(self.conv2d(shape)?),
            "dense" => {
                let units = self.or_shape("units", shape.map(Shape::channels), number)?;
                Op::Dense(Dense { units, epilogue: self.epilogue()? })
            }
            "batch_norm" => Op::BatchNorm(BatchNorm {
                epsilon: self.needed("eps", scalar)?,
                scale: !self.flag("no_scale")?,
                center: !self.flag("no_center")?,
            }),
            "clip" => Op::Activation(Activation::Clip {
                low: self.needed("low", scalar)?,
                high: self.needed("high", scalar)?,
            }),
            "add" => Op::Binary(Binary::Add),
            "mul" => Op::Binary(Binary::Mul),
            "pad" => Op::Pad(self.needed("pad", sides)?),
            "global_avg_pool" => {
                Op::GlobalAveragePool(GlobalAveragePool { keep_dims: self.flag("keep_dims")? })
            }
            "softmax" => Op::Softmax(Softmax),
            "squeeze_excite" => Op::SqueezeExcite(self.squeeze_excite()?),
            "reshape" if self.flag("flatten")? => Op::Reshape(Reshape::Flatten),
            "reshape" => Op::Reshape(Reshape::To(self.or_shape("to", shape.cloned(), as_shape)?)),
            _ => match Activation::of_name(name) {
                Some(activation) => Op::Activation(activation),
                None => {
                    return Err(self.op.fault_with(codes::UNKNOWN_OP, format!("there is no op `{name}`")));
                }
            },
        };
        match self.left.first() {
            Some(Attribute { name: attribute, spot, .. }) => {
                Err(spot.fault(format!("{name} has no attribute `{attribute}`, or has it already")))
            }
            None => Ok(op),
        }
    }

    fn conv2d(&mut self, shape: Option<&Shape>) -> Result<Conv2d, Diagnostic> {
        Ok(Conv2d {
            filters: self.or_shape("filters", shape.map(Shape::channels), number)?,
            kernel: self.needed("kernel", pair)?,
            stride: self.value("stride", pair)?.unwrap_or([1, 1]),
            padding: self.value("pad", sides)?.unwrap_or_default(),
            dilation: self.value("dilation", pair)?.unwrap_or([1, 1]),
            groups: self.value("groups", number)?.unwrap_or(1),
            gate: self.flag("gate")?,
            epilogue: self.epilogue()?,
        })
    }

    fn squeeze_excite(&mut self) -> Result<SqueezeExcite, Diagnostic> {
        Ok(SqueezeExcite {
            squeezed: self.needed("squeezed", number)?,
            reduce: Small {
                bias: self.flag("reduce_bias")?,
                activation: self.value("reduce_act", activation)?,
            },
            expand: Small {
                bias: self.flag("expand_bias")?,
                activation: self.value("expand_act", activation)?,
            },
            scales: self.flag("scales")?,
        })
    }

    fn epilogue(&mut self) -> Result<Epilogue, Diagnostic> {
        Ok(Epilogue {
            bias: self.flag("bias")?,
            activation: self.value("act", activation)?,
            residual: self.flag("add")?,
            activation_after: self.value("after", activation)?,
        })
    }

    /// The attribute `name`, where it is given.
    fn value<T>(&mut self, name: &str, read: fn(&str) -> Option<T>) -> Result<Option<T>, Diagnostic> {
        let Some(index) = self.left.iter().position(|attribute| attribute.name == name) else {
            return Ok(None);
        };
        let Attribute { value, spot, .. } = self.left.remove(index);
        match value.and_then(read) {
            Some(value) => Ok(Some(value)),
            None => Err(spot.fault(format!("`{}` is no value of {name}", value.unwrap_or_default()))),
        }
    }

    fn needed<T>(&mut self, name: &str, read: fn(&str) -> Option<T>) -> Result<T, Diagnostic> {
        self.value(name, read)?.ok_or_else(|| self.op.fault(format!("the attribute {name} is missing")))
    }

    /// The attribute `name`, or what the result's shape says of it.
    fn or_shape<T>(
        &mut self,
        name: &str,
        said: Option<T>,
        read: fn(&str) -> Option<T>,
    ) -> Result<T, Diagnostic> {
        self.value(name, read)?.or(said).ok_or_else(|| {
            self.op.fault(format!("neither the attribute {name} nor the shape that says it is there"))
        })
    }

    fn flag(&mut self, name: &str) -> Result<bool, Diagnostic> {
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

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn scalar(text: &str) -> Option<Scalar> {
    number(text).map(Scalar::new)
}

fn as_shape(text: &str) -> Option<Shape> {
    shape(text)
}

fn pair(text: &str) -> Option<[usize; 2]> {
    let (down, across) = text.split_once('x')?;
    Some([number(down)?, number(across)?])
}

fn sides(text: &str) -> Option<Padding> {
    let sides: Option<Vec<usize>> = text.split(':').map(number).collect();
    let [top, bottom, left, right] = sides?.try_into().ok()?;
    Some(Padding { top, bottom, left, right })
}

fn activation(text: &str) -> Option<Activation> {
    Activation::of_name(text).or_else(|| {
        let (low, high) = text.strip_prefix("clip(")?.strip_suffix(')')?.split_once(',')?;
        Some(Activation::Clip { low: scalar(low.trim())?, high: scalar(high.trim())? })
    })
}
