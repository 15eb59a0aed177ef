//! The axes of windows that slide over maps.

use frit_ir::NodeId;
use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::{Conv2d, Padding, Pool};

use super::LARGEST;
use super::network::Network;
use crate::kernels::F32;
use crate::kernels::window::Axis;

/// A window that slides over a map.
pub(super) struct Window {
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: Padding,
    dilation: [usize; 2],
}

impl From<&Conv2d> for Window {
    fn from(conv: &Conv2d) -> Window {
        let Conv2d { kernel, stride, padding, dilation, .. } = *conv;
        Window { kernel, stride, padding, dilation }
    }
}

impl From<&Pool> for Window {
    fn from(pool: &Pool) -> Window {
        let Pool { kernel, stride, padding, dilation, .. } = *pool;
        Window { kernel, stride, padding, dilation }
    }
}

impl Window {
    /// The axes of the window that node `id` slides over its map: rows, columns.
    pub(super) fn axes(&self, net: &Network<'_>, id: NodeId) -> Result<[Axis; 2], Diagnostic> {
        let [height, width, channels] = net.shape(net.operand(id, 0)).map().expect("inference took a map");
        let [rows_out, columns_out, _] = net.shape(id).map().expect("inference made a map");
        let axis = |index: usize, input: usize, output: usize, before: usize| Axis {
            input,
            output,
            kernel: self.kernel[index],
            stride: self.stride[index],
            dilation: self.dilation[index],
            before,
        };
        let rows = axis(0, height, rows_out, self.padding.top);
        let columns = axis(1, width, columns_out, self.padding.left);
        check_window(&columns, channels)?;
        Ok([rows, columns])
    }
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
