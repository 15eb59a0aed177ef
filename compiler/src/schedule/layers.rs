//! Layers by themselves: each asks for what it reads and for a place for its result, and adds the stage that computes it.

mod arg_max;
mod batch_norm;
mod binary;
mod concat;
mod constant;
mod conv2d_transpose;
pub(super) mod convolution;
pub(super) mod depthwise;
mod elementwise;
mod gate;
mod large_window;
mod pad;
mod pool;
mod prelu;
mod rearrange;
mod reduce;
mod resize;
mod slice;
mod softmax;
mod squeeze_excite;
mod window_pool;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::{NodeId, Op};

use super::placement::Placement;

/// Places the layer `id`.
///
/// # Errors
/// Something too large for the kernels' addressing (FR0010), weights without values (FR0021).
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId) -> Result<(), Diagnostic> {
    match placement.net.op(id) {
        Op::Input(_) => placement.input(id),
        Op::Constant(_) => constant::place(placement, id)?,
        Op::Conv2d(conv) if placement.net.has_depthwise_kernel(id) => depthwise::place(placement, id, conv)?,
        Op::Conv2d(conv) => convolution::place(placement, id, conv)?,
        Op::Conv2dTranspose(conv) => conv2d_transpose::place(placement, id, conv)?,
        Op::Dense(dense) => convolution::place_dense(placement, id, dense)?,
        Op::BatchNorm(norm) => batch_norm::place(placement, id, norm)?,
        Op::Activation(activation) => elementwise::place(placement, id, *activation)?,
        Op::Prelu(prelu) => prelu::place(placement, id, prelu)?,
        Op::Binary(binary) => binary::place(placement, id, *binary)?,
        Op::Pad(pad) => pad::place(placement, id, *pad)?,
        Op::Pool(pool) => window_pool::place(placement, id, pool)?,
        Op::GlobalAveragePool(_) => pool::place(placement, id)?,
        Op::Reduce(reduce) => reduce::place(placement, id, reduce)?,
        Op::Resize(resize) => resize::place(placement, id, resize)?,
        Op::Softmax(softmax) => softmax::place(placement, id, *softmax)?,
        Op::ArgMax(arg_max) => arg_max::place(placement, id, *arg_max),
        Op::Concat(concat) => concat::place(placement, id, concat)?,
        Op::Slice(slice) => slice::place(placement, id, slice)?,
        Op::Transpose(transpose) => rearrange::place_transpose(placement, id, transpose)?,
        Op::Reshape(_) => rearrange::place_reshape(placement, id),
        Op::SqueezeExcite(squeeze) => squeeze_excite::place(placement, id, squeeze)?,
        Op::Identity => placement.alias(id),
    }
    Ok(())
}
