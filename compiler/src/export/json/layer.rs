//! One layer of a description, with the fields that its op takes.

use frit_ir::ops::{
    Activation, Conv2d, Conv2dTranspose, Epilogue, Interpolation, Padding, Pool, PoolKind, Reduce,
    ReduceKind, Reshape, Resize, Rounding, Scalar, Slice,
};
use frit_ir::{Diagnostic, Node, Op};
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::not_expressible;

/// A layer as it is written: its op's fields in the order in which people write them.
#[derive(Serialize)]
pub(super) struct ExportedLayer<'g> {
    name: &'g str,
    op: &'static str,
    inputs: Vec<&'g str>,
    #[serde(flatten)]
    fields: Fields,
}

/// The fields that belong to an op, by name.
struct Fields(Vec<(&'static str, Value)>);

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

/// The layer that `node` is.
///
/// # Errors
/// A description can't hold it.
pub(super) fn layer<'g>(node: &'g Node, inputs: Vec<&'g str>) -> Result<ExportedLayer<'g>, Diagnostic> {
    let (op, fields) = spelled(&node.op)?;
    Ok(ExportedLayer { name: &node.name, op, inputs, fields: Fields(fields) })
}

/// The name of an op in descriptions, and its fields.
type Spelled = (&'static str, Vec<(&'static str, Value)>);

fn spelled(op: &Op) -> Result<Spelled, Diagnostic> {
    let fields = match op {
        Op::Conv2d(conv) => convolution(conv)?,
        Op::Conv2dTranspose(conv) => transposed(conv)?,
        Op::Dense(dense) => {
            nothing_fused(&dense.epilogue)?;
            vec![("units", json!(dense.units)), ("bias", json!(dense.epilogue.bias))]
        }
        Op::BatchNorm(norm) => vec![
            ("epsilon", finite(norm.epsilon)?),
            ("scale", json!(norm.scale)),
            ("center", json!(norm.center)),
        ],
        Op::Activation(activation) => return function(*activation),
        Op::Prelu(prelu) => vec![("slope", json!(prelu.slope.axes()))],
        Op::Constant(constant) => vec![("shape", json!(constant.shape.axes()))],
        Op::Pad(pad) => {
            vec![("padding", json!(pad.padding.sides())), ("value", finite(pad.value)?)]
        }
        Op::Pool(pool) => self::pool(pool)?,
        Op::GlobalAveragePool(pool) => vec![("keep_dims", json!(pool.keep_dims))],
        Op::Reduce(reduce) => return reduction(reduce),
        Op::Resize(resize) => self::resize(resize)?,
        Op::ArgMax(arg_max) if arg_max.last => {
            return Err(unnamed("an arg max that takes the last of equals"));
        }
        Op::ArgMax(arg_max) => vec![("keep_dims", json!(arg_max.keep_dims))],
        Op::Concat(concat) => vec![("axis", json!(concat.axis))],
        Op::Slice(slice) => self::slice(slice),
        Op::Transpose(transpose) => vec![("axes", json!(transpose.axes.as_slice()))],
        Op::Reshape(Reshape::To(shape)) => vec![("shape", json!(shape.axes()))],
        Op::Reshape(Reshape::Flatten) => return Ok(("flatten", Vec::new())),
        Op::Softmax(softmax) if softmax.log => return Err(unnamed("the logarithm of a softmax")),
        Op::SqueezeExcite(_) => return Err(unnamed("layers that were fused into a squeeze and excite")),
        Op::Input(_) | Op::Binary(_) | Op::Softmax(_) | Op::Identity => Vec::new(),
    };
    Ok((op.name(), fields))
}

fn convolution(conv: &Conv2d) -> Result<Vec<(&'static str, Value)>, Diagnostic> {
    nothing_fused(&conv.epilogue)?;
    if conv.gate || conv.prologue.is_some() {
        return Err(unnamed("a convolution with a gate or a function before it"));
    }
    Ok(vec![
        ("filters", json!(conv.filters)),
        ("kernel", json!(conv.kernel)),
        ("stride", json!(conv.stride)),
        ("padding", json!(conv.padding.sides())),
        ("dilation", json!(conv.dilation)),
        ("groups", json!(conv.groups)),
        ("bias", json!(conv.epilogue.bias)),
    ])
}

fn transposed(conv: &Conv2dTranspose) -> Result<Vec<(&'static str, Value)>, Diagnostic> {
    let Conv2dTranspose { filters, groups, epilogue, .. } = *conv;
    let mut fields = convolution(&Conv2d { groups, epilogue, ..Conv2d::over(conv.window(), filters) })?;
    fields.push(("output_padding", json!(conv.output_padding)));
    Ok(fields)
}

fn function(activation: Activation) -> Result<Spelled, Diagnostic> {
    let name = match activation {
        Activation::GeluTanh => return Ok(("gelu", vec![("approximate", json!(true))])),
        Activation::LeakyRelu { slope, threshold } => {
            if threshold != Scalar::ZERO {
                return Err(unnamed("a leaky ReLU with a threshold"));
            }
            return Ok(("leaky_relu", vec![("slope", finite(slope)?)]));
        }
        other => other.name(),
    };
    let attributes = activation.attributes().into_iter();
    let fields: Result<_, Diagnostic> = attributes.map(|(name, value)| Ok((name, finite(value)?))).collect();
    Ok((name, fields?))
}

fn pool(pool: &Pool) -> Result<Vec<(&'static str, Value)>, Diagnostic> {
    let mut fields = vec![
        ("kernel", json!(pool.kernel)),
        ("stride", json!(pool.stride)),
        ("dilation", json!(pool.dilation)),
        ("padding", json!(pool.padding.sides())),
    ];
    if let PoolKind::Average { counted } = pool.kind {
        if counted != pool.padding && counted != Padding::default() {
            return Err(unnamed("an average pool that counts a part of its padding"));
        }
        fields.push(("count_padding", json!(counted == pool.padding)));
    }
    Ok(fields)
}

fn reduction(reduce: &Reduce) -> Result<Spelled, Diagnostic> {
    let keep_dims = ("keep_dims", json!(reduce.keep_dims));
    match (reduce.kind, reduce.axes.as_slice()) {
        (ReduceKind::Mean, axes) => Ok(("mean", vec![("axes", json!(axes)), keep_dims])),
        (ReduceKind::Max, [0, 1]) => Ok(("global_max_pool", vec![keep_dims])),
        _ => Err(unnamed(reduce.kind.name())),
    }
}

fn resize(resize: &Resize) -> Result<Vec<(&'static str, Value)>, Diagnostic> {
    if resize.scale.is_some() {
        return Err(unnamed("a resize whose scale is not the ratio of its sizes"));
    }
    let (method, rounding) = match resize.interpolation {
        Interpolation::Bilinear => ("bilinear", None),
        Interpolation::Nearest(Rounding::HalfDown) => ("nearest", Some("half_down")),
        Interpolation::Nearest(Rounding::HalfUp) => ("nearest", Some("half_up")),
        Interpolation::Nearest(Rounding::Floor) => ("nearest", Some("floor")),
        Interpolation::Nearest(Rounding::Ceil) => ("nearest", Some("ceil")),
    };
    let mut fields = vec![
        ("size", json!(resize.size)),
        ("method", json!(method)),
        ("coordinates", json!(resize.coordinates.name())),
    ];
    fields.extend(rounding.map(|rounding| ("rounding", json!(rounding))));
    Ok(fields)
}

fn slice(slice: &Slice) -> Vec<(&'static str, Value)> {
    let numbers =
        |of: fn(&frit_ir::ops::Span) -> usize| json!(slice.spans.iter().map(of).collect::<Vec<_>>());
    vec![
        ("axes", json!((0..slice.spans.len()).collect::<Vec<_>>())),
        ("start", numbers(|span| span.start)),
        ("stop", numbers(|span| span.start + (span.count - 1) * span.step + 1)),
        ("step", numbers(|span| span.step)),
    ]
}

fn nothing_fused(epilogue: &Epilogue) -> Result<(), Diagnostic> {
    if epilogue.is_linear() {
        return Ok(());
    }
    let fused = epilogue.parts().join(", ");
    Err(not_expressible(format!("a description has no layer with something fused into it ({fused})")))
}

fn unnamed(what: &str) -> Diagnostic {
    not_expressible(format!("a description has no op for {what}"))
}

/// JSON has no other numbers.
fn finite(value: Scalar) -> Result<Value, Diagnostic> {
    match value.is_finite() {
        true => Ok(json!(value.get())),
        false => Err(not_expressible(format!("a description has no number {}", value.get()))),
    }
}
