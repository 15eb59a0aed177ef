//! A layer of the graph as nodes.

use frit_ir::{Diagnostic, NodeId, Op};

use super::writer::Writer;
use super::{arrange, elementwise, pad, pool, reduce, resize, sums};

/// Writes the layer `id`, whose operands are written.
///
/// # Errors
/// ONNX has nothing that computes the same; a weight without values.
pub(super) fn write(writer: &mut Writer<'_>, id: NodeId) -> Result<(), Diagnostic> {
    let op = writer.graph.node(id).op.clone();
    match &op {
        Op::Input(_) => {}
        // Its values are looked at here, so that one without any is told at its layer.
        Op::Constant(_) => drop(writer.graph.weights.values(&writer.graph.node(id).weights[0])?),
        Op::Identity => arrange::alias(writer, id),
        Op::Conv2d(conv) => sums::conv2d(writer, id, conv)?,
        Op::Conv2dTranspose(conv) => sums::conv2d_transpose(writer, id, conv)?,
        Op::Dense(dense) => sums::dense(writer, id, dense)?,
        Op::BatchNorm(norm) => sums::batch_norm(writer, id, norm)?,
        Op::SqueezeExcite(squeeze) => sums::squeeze_excite(writer, id, squeeze)?,
        Op::Activation(activation) => elementwise::activation(writer, id, activation),
        Op::Prelu(prelu) => elementwise::prelu(writer, id, prelu)?,
        Op::Binary(binary) => elementwise::binary(writer, id, *binary)?,
        Op::Pad(pad) => pad::pad(writer, id, pad),
        Op::Pool(pool) => pool::pool(writer, id, pool)?,
        Op::GlobalAveragePool(pool) => pool::global_average_pool(writer, id, *pool),
        Op::Reduce(reduce) => reduce::reduce(writer, id, reduce),
        Op::Resize(resize) => resize::resize(writer, id, resize)?,
        Op::Softmax(softmax) => reduce::softmax(writer, id, *softmax)?,
        Op::ArgMax(arg_max) => reduce::arg_max(writer, id, *arg_max)?,
        Op::Concat(concat) => arrange::concat(writer, id, concat),
        Op::Slice(slice) => arrange::slice(writer, id, slice),
        Op::Transpose(transpose) => arrange::transpose(writer, id, transpose),
        Op::Reshape(_) => arrange::reshape(writer, id),
    }
    Ok(())
}
