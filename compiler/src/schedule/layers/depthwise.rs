//! A depthwise convolution by itself.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Conv2d, Scalar};

use super::convolution::Operands;
use super::{elementwise, large_window};
use crate::kernels::F32;
use crate::kernels::depthwise::{self, Depthwise, Ring};
use crate::kernels::window;
use crate::pack::{self, Source};
use crate::plan::Argument;
use crate::schedule::network::Network;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::tiles;
use crate::schedule::windows;

/// The weights of `id`, which is the depthwise convolution `conv`.
pub(in crate::schedule) fn weights(
    net: &Network<'_>,
    id: NodeId,
    conv: &Conv2d,
) -> Result<pack::Depthwise, Diagnostic> {
    let (kernel, bias) = net.kernel_and_bias(id, conv.epilogue)?;
    Ok(pack::Depthwise { kernel, bias, channels: conv.filters, lanes: net.width.lanes })
}

/// An item is a block of channels.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, conv: &Conv2d) -> Result<(), Diagnostic> {
    let net = placement.net;
    let mut axes = windows::axes(net, id, conv.window())?;
    let mut input = placement.tensor_in_blocks(net.operand(id, 0))?;
    let Operands { output, residual, .. } = Operands::place(placement, id)?;
    let mut weights = weights(net, id, conv)?;
    let mut prologue = conv.prologue;
    if window::is_large(conv.kernel) {
        // What is written out around the map is zeros behind the clamp.
        if let Some(clamp) = prologue.take() {
            input = elementwise::place_before(placement, id, clamp)?;
        }
        weights.kernel = large_window::kernel(&weights.kernel, &axes);
        (input, axes) = large_window::place(placement, id, input, axes, Scalar::default())?;
    }
    let [rows, columns] = axes;
    let weights = placement.pack(Source::Depthwise(weights));
    let row_sums = net.leaves_row_sums(id).then(|| output.row_sums(net.width.lanes));
    let spec = Depthwise {
        rows,
        columns,
        span: 0..rows.output,
        ring: Ring::whole(rows.input),
        input: input.strides,
        output: output.strides,
        residual: residual.strides,
        prologue,
        epilogue: conv.epilogue,
        row_sums: row_sums.map(|(sums, _)| sums),
    };
    placement.stage(id, &[input.region, output.region, residual.region], move |kernels| {
        let lanes = kernels.width.lanes;
        let program = depthwise::build(kernels.width, &spec, tiles::depthwise(kernels.width, &spec));
        let stride = (1 + rows.kernel * columns.kernel) * lanes * F32;
        let by_block = |tensor: &Placed| tensor.argument(tensor.strides.block);
        let weights = Argument { stride, ..weights };
        let mut arguments = vec![by_block(&input), weights, by_block(&output), by_block(&residual)];
        arguments.extend(row_sums.map(|(sums, begin)| output.argument_from(begin, sums.block)));
        kernels.items(program, arguments, input.channels.div_ceil(lanes))
    });
    Ok(())
}
