//! `{kernel=3x3, bias}` → the op that it describes.

use std::str::FromStr;

use super::cursor::{Cursor, Spot, shape};
use crate::diagnostic::{Diagnostic, codes};
use crate::ops::squeeze_excite::Small;
use smallvec::SmallVec;

use crate::ops::{
    Activation, ArgMax, BatchNorm, Binary, Concat, Constant, Conv2d, Conv2dTranspose, Coordinates, Dense,
    Epilogue, GlobalAveragePool, Input, Interpolation, Pad, Padding, Pool, PoolKind, Prelu, Reduce,
    ReduceKind, Reshape, Resize, Scalar, Slice, Softmax, Span, SqueezeExcite, Transpose,
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

    /// The op of this name on so many tensors; `shape` is what the line says of its result.
    pub(super) fn op(mut self, name: &str, tensors: usize, shape: Option<&Shape>) -> Result<Op, Diagnostic> {
        let op = match self.window(name, shape)? {
            Some(op) => op,
            None => match self.arrangement(name, tensors, shape)? {
                Some(op) => op,
                None => self.function(name, shape)?,
            },
        };
        match self.left.first() {
            Some(Attribute { name: attribute, spot, .. }) => {
                Err(spot.fault(format!("{name} has no attribute `{attribute}`, or has it already")))
            }
            None => Ok(op),
        }
    }

    /// An op whose window slides over a map.
    fn window(&mut self, name: &str, shape: Option<&Shape>) -> Result<Option<Op>, Diagnostic> {
        Ok(Some(match name {
            "conv2d" => {
                let prologue = self.value("before", activation)?;
                let gate = self.flag("gate")?;
                Op::Conv2d(Conv2d { prologue, gate, ..self.conv2d(shape)? })
            }
            "conv2d_transpose" => {
                let output_padding = self.value("output_padding", pair)?.unwrap_or([0, 0]);
                let Conv2d { filters, kernel, stride, padding, dilation, groups, epilogue, .. } =
                    self.conv2d(shape)?;
                Op::Conv2dTranspose(Conv2dTranspose {
                    filters,
                    kernel,
                    stride,
                    padding,
                    output_padding,
                    dilation,
                    groups,
                    epilogue,
                })
            }
            "max_pool" => Op::Pool(self.pool(PoolKind::Max)?),
            "avg_pool" => {
                let counted = self.value("counted", sides)?.unwrap_or_default();
                Op::Pool(self.pool(PoolKind::Average { counted })?)
            }
            "resize" => {
                let said = shape.and_then(Shape::map).map(|[rows, columns, _]| [rows, columns]);
                Op::Resize(Resize {
                    size: self.or_shape("size", said, pair)?,
                    scale: self.value("scale", scales)?,
                    interpolation: self.needed("method", interpolation)?,
                    coordinates: self.needed("coordinates", coordinates)?,
                })
            }
            "pad" => Op::Pad(Pad {
                padding: self.needed("pad", sides)?,
                value: self.value("value", scalar)?.unwrap_or_default(),
            }),
            _ => return Ok(None),
        }))
    }

    /// An op that moves elements, or makes one of several.
    fn arrangement(
        &mut self,
        name: &str,
        tensors: usize,
        shape: Option<&Shape>,
    ) -> Result<Option<Op>, Diagnostic> {
        Ok(Some(match name {
            "input" => Op::Input(Input { shape: self.or_shape("shape", shape.cloned(), as_shape)? }),
            "constant" => Op::Constant(Constant { shape: self.or_shape("shape", shape.cloned(), as_shape)? }),
            "concat" => Op::Concat(Concat { axis: self.needed("axis", number)?, inputs: tensors }),
            "slice" => Op::Slice(self.slice(shape)?),
            "transpose" => Op::Transpose(Transpose { axes: self.needed("axes", indices)? }),
            "reshape" if self.flag("flatten")? => Op::Reshape(Reshape::Flatten),
            "reshape" => Op::Reshape(Reshape::To(self.or_shape("to", shape.cloned(), as_shape)?)),
            "reduce_mean" => Op::Reduce(self.reduce(ReduceKind::Mean)?),
            "reduce_sum" => Op::Reduce(self.reduce(ReduceKind::Sum)?),
            "reduce_max" => Op::Reduce(self.reduce(ReduceKind::Max)?),
            "reduce_min" => Op::Reduce(self.reduce(ReduceKind::Min)?),
            "global_avg_pool" => {
                Op::GlobalAveragePool(GlobalAveragePool { keep_dims: self.flag("keep_dims")? })
            }
            "arg_max" => Op::ArgMax(ArgMax { keep_dims: self.flag("keep_dims")?, last: self.flag("last")? }),
            _ => return Ok(None),
        }))
    }

    /// Any other op.
    fn function(&mut self, name: &str, shape: Option<&Shape>) -> Result<Op, Diagnostic> {
        Ok(match name {
            "dense" => {
                let units = self.or_shape("units", shape.map(Shape::channels), number)?;
                Op::Dense(Dense { units, epilogue: self.epilogue()? })
            }
            "batch_norm" => Op::BatchNorm(BatchNorm {
                epsilon: self.needed("eps", scalar)?,
                scale: !self.flag("no_scale")?,
                center: !self.flag("no_center")?,
            }),
            "prelu" => Op::Prelu(Prelu { slope: self.needed("slope", as_shape)? }),
            "softmax" => Op::Softmax(Softmax { log: false }),
            "log_softmax" => Op::Softmax(Softmax { log: true }),
            "identity" => Op::Identity,
            "clip" => Op::Activation(Activation::Clip {
                low: self.needed("low", scalar)?,
                high: self.needed("high", scalar)?,
            }),
            "squeeze_excite" => Op::SqueezeExcite(self.squeeze_excite()?),
            "leaky_relu" => Op::Activation(Activation::LeakyRelu {
                slope: self.needed("slope", scalar)?,
                threshold: self.value("threshold", scalar)?.unwrap_or_default(),
            }),
            "elu" => Op::Activation(Activation::Elu { alpha: self.needed("alpha", scalar)? }),
            "rescale" => Op::Activation(Activation::Rescale {
                scale: self.needed("scale", scalar)?,
                offset: self.value("offset", scalar)?.unwrap_or_default(),
            }),
            _ => match (Activation::of_name(name), Binary::of_name(name)) {
                (Some(activation), _) => Op::Activation(activation),
                (None, Some(binary)) => Op::Binary(binary),
                (None, None) => {
                    return Err(self.op.fault_with(codes::UNKNOWN_OP, format!("there is no op `{name}`")));
                }
            },
        })
    }

    fn pool(&mut self, kind: PoolKind) -> Result<Pool, Diagnostic> {
        Ok(Pool {
            kind,
            kernel: self.needed("kernel", pair)?,
            stride: self.value("stride", pair)?.unwrap_or([1, 1]),
            padding: self.value("pad", sides)?.unwrap_or_default(),
            dilation: self.value("dilation", pair)?.unwrap_or([1, 1]),
        })
    }

    fn reduce(&mut self, kind: ReduceKind) -> Result<Reduce, Diagnostic> {
        Ok(Reduce { kind, axes: self.needed("axes", indices)?, keep_dims: self.flag("keep_dims")? })
    }

    fn slice(&mut self, shape: Option<&Shape>) -> Result<Slice, Diagnostic> {
        let counts =
            self.or_shape("count", shape.map(|shape| SmallVec::from_slice(shape.axes())), indices)?;
        let starts = self.needed("start", indices)?;
        let steps = self.value("step", indices)?.unwrap_or_else(|| SmallVec::from_elem(1, counts.len()));
        if starts.len() != counts.len() || steps.len() != counts.len() {
            return Err(self.op.fault("start, step and count of a slice have one number for each axis"));
        }
        let spans = starts.iter().zip(&counts).zip(&steps);
        Ok(Slice { spans: spans.map(|((&start, &count), &step)| Span { start, count, step }).collect() })
    }

    fn conv2d(&mut self, shape: Option<&Shape>) -> Result<Conv2d, Diagnostic> {
        Ok(Conv2d {
            filters: self.or_shape("filters", shape.map(Shape::channels), number)?,
            kernel: self.needed("kernel", pair)?,
            stride: self.value("stride", pair)?.unwrap_or([1, 1]),
            padding: self.value("pad", sides)?.unwrap_or_default(),
            dilation: self.value("dilation", pair)?.unwrap_or([1, 1]),
            groups: self.value("groups", number)?.unwrap_or(1),
            gate: false,
            prologue: None,
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

/// Numbers between colons.
fn indices(text: &str) -> Option<SmallVec<[usize; 4]>> {
    if text == "scalar" {
        return Some(SmallVec::new());
    }
    text.split(':').map(number).collect()
}

fn scales(text: &str) -> Option<[Scalar; 2]> {
    let (down, across) = text.split_once(':')?;
    Some([scalar(down)?, scalar(across)?])
}

fn interpolation(text: &str) -> Option<Interpolation> {
    Interpolation::ALL.into_iter().find(|interpolation| interpolation.name() == text)
}

fn coordinates(text: &str) -> Option<Coordinates> {
    Coordinates::ALL.into_iter().find(|coordinates| coordinates.name() == text)
}

fn activation(text: &str) -> Option<Activation> {
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
