//! One layer of a description, with the fields that its op takes.

use frit_ir::ops::{Activation, BatchNorm, Conv2d, Dense, Epilogue, Padding, Reshape};
use frit_ir::{Diagnostic, Node, Op};
use serde::{Serialize, Serializer};

use super::not_expressible;

/// A layer as it is written: its op's fields in the order in which people write them.
#[derive(Serialize)]
pub(super) struct Layer<'g> {
    name: &'g str,
    op: &'static str,
    inputs: Vec<&'g str>,
    #[serde(flatten)]
    attributes: Attributes<'g>,
}

/// The fields that belong to an op.
enum Attributes<'g> {
    None,
    Convolution(&'g Conv2d),
    Dense(&'g Dense),
    BatchNorm(&'g BatchNorm),
    Clip { low: f32, high: f32 },
    Padding(&'g Padding),
    KeepDims(bool),
    Shape(&'g [usize]),
}

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        match self {
            Attributes::None => {}
            Attributes::Convolution(conv) => {
                map.serialize_entry("filters", &conv.filters)?;
                map.serialize_entry("kernel", &conv.kernel)?;
                map.serialize_entry("stride", &conv.stride)?;
                map.serialize_entry("padding", &sides(&conv.padding))?;
                map.serialize_entry("dilation", &conv.dilation)?;
                map.serialize_entry("groups", &conv.groups)?;
                map.serialize_entry("bias", &conv.epilogue.bias)?;
            }
            Attributes::Dense(dense) => {
                map.serialize_entry("units", &dense.units)?;
                map.serialize_entry("bias", &dense.epilogue.bias)?;
            }
            Attributes::BatchNorm(norm) => {
                map.serialize_entry("epsilon", &norm.epsilon.get())?;
                map.serialize_entry("scale", &norm.scale)?;
                map.serialize_entry("center", &norm.center)?;
            }
            Attributes::Clip { low, high } => {
                map.serialize_entry("low", low)?;
                map.serialize_entry("high", high)?;
            }
            Attributes::Padding(padding) => map.serialize_entry("padding", &sides(padding))?,
            Attributes::KeepDims(keep_dims) => map.serialize_entry("keep_dims", keep_dims)?,
            Attributes::Shape(shape) => map.serialize_entry("shape", shape)?,
        }
        map.end()
    }
}

/// The layer that `node` is.
///
/// # Errors
/// A description can't hold it.
pub(super) fn layer<'g>(node: &'g Node, inputs: Vec<&'g str>) -> Result<Layer<'g>, Diagnostic> {
    let attributes = match &node.op {
        Op::Conv2d(conv) => {
            nothing_fused(&conv.epilogue)?;
            Attributes::Convolution(conv)
        }
        Op::Dense(dense) => {
            nothing_fused(&dense.epilogue)?;
            Attributes::Dense(dense)
        }
        Op::BatchNorm(norm) => Attributes::BatchNorm(norm),
        Op::Activation(Activation::Clip { low, high }) => {
            Attributes::Clip { low: finite(low.get())?, high: finite(high.get())? }
        }
        Op::Pad(padding) => Attributes::Padding(padding),
        Op::GlobalAveragePool(pool) => Attributes::KeepDims(pool.keep_dims),
        Op::Reshape(Reshape::To(shape)) => Attributes::Shape(shape.axes()),
        Op::Reshape(Reshape::Flatten) | Op::Input(_) | Op::Activation(_) | Op::Binary(_) | Op::Softmax(_) => {
            Attributes::None
        }
    };
    let op = if node.op == Op::Reshape(Reshape::Flatten) { "flatten" } else { node.op.name() };
    Ok(Layer { name: &node.name, op, inputs, attributes })
}

/// Top, bottom, left, right.
fn sides(padding: &Padding) -> [usize; 4] {
    [padding.top, padding.bottom, padding.left, padding.right]
}

fn nothing_fused(epilogue: &Epilogue) -> Result<(), Diagnostic> {
    if epilogue.is_linear() {
        return Ok(());
    }
    let fused = epilogue.parts().join(", ");
    Err(not_expressible(format!("a description has no layer with something fused into it ({fused})")))
}

/// JSON has no other numbers.
fn finite(value: f32) -> Result<f32, Diagnostic> {
    match value.is_finite() {
        true => Ok(value),
        false => Err(not_expressible(format!("a description has no number {value}"))),
    }
}
