//! The axes of windows that slide over maps.

use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::{NodeId, Window};

use super::LARGEST;
use super::network::Network;
use crate::kernels::F32;
use crate::kernels::window::Axis;

/// The axes of the `window` that node `id` slides over its map: rows, columns.
pub(super) fn axes(net: &Network<'_>, id: NodeId, window: Window) -> Result<[Axis; 2], Diagnostic> {
    let [height, width, channels] = net.shape(net.operand(id, 0)).map().expect("inference took a map");
    let [rows_out, columns_out, _] = net.shape(id).map().expect("inference made a map");
    let axis = |index: usize, input: usize, output: usize, before: usize| Axis {
        input,
        output,
        kernel: window.kernel[index],
        stride: window.stride[index],
        dilation: window.dilation[index],
        before,
    };
    let rows = axis(0, height, rows_out, window.padding.top);
    let columns = axis(1, width, columns_out, window.padding.left);
    check_window(&columns, channels)?;
    Ok([rows, columns])
}

/// Whether the axis passes every position once, without a window.
pub(super) fn is_pointwise(axis: &Axis) -> bool {
    axis.kernel == 1 && axis.stride == 1 && axis.before == 0 && axis.input == axis.output
}

/// Refuses windows whose distances would pass what the kernels can address: along a row they also begin before the map and
/// end behind it; down, no row outside it is touched.
pub(super) fn check_window(columns: &Axis, channels: usize) -> Result<(), Diagnostic> {
    let pixel = channels.next_multiple_of(16) * F32;
    let Axis { input, kernel, dilation, before, .. } = columns.cut();
    let reach = kernel.checked_mul(dilation).and_then(|reach| reach.checked_add(before)?.checked_add(input));
    match reach.and_then(|reach| reach.checked_mul(pixel)) {
        Some(bytes) if bytes <= LARGEST => Ok(()),
        _ => Err(Diagnostic::error(
            codes::LIMIT,
            format!(
                "a padded row of the window's map takes more than {LARGEST} bytes, the most that a kernel can address"
            ),
        )),
    }
}
