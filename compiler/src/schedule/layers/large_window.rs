//! What a window needs whose taps are loops: every tap inside the map at every position.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Pad, Padding, Scalar};
use frit_ir::{NodeId, Shape};

use crate::kernels::window::Axis;
use crate::kernels::{F32, pad};
use crate::pack;
use crate::schedule::placed::{self, Placed};
use crate::schedule::placement::Placement;

/// The taps of `kernel` that some position of a window along `axes` has inside the map; all in one row is all that there is
/// to it where it is not larger than that.
pub(super) fn kernel(kernel: &pack::Values, axes: &[Axis; 2]) -> pack::Values {
    let [down, across] = axes.each_ref().map(Axis::met);
    let [rows, columns] = axes.each_ref().map(|axis| axis.kernel);
    if down.len() == rows && across.len() == columns {
        return kernel.clone();
    }
    let tap = kernel.len() / (rows * columns);
    let row = |row: usize| &kernel[(row * columns + across.start) * tap..][..across.len() * tap];
    down.flat_map(row).copied().collect()
}

/// The map under a large window, with `value` written out around it as far as the window hangs over, and the axes over
/// that, without the taps that no position has inside.
pub(super) fn place(
    placement: &mut Placement<'_>,
    id: NodeId,
    map: Placed,
    axes: [Axis; 2],
    value: Scalar,
) -> Result<(Placed, [Axis; 2]), Diagnostic> {
    let axes = axes.map(|axis| axis.cut());
    let [[top, bottom], [left, right]] = axes.map(|axis| axis.overhang());
    let padding = Padding { top, bottom, left, right };
    if padding == Padding::default() {
        return Ok((map, axes));
    }
    let inside = axes.map(|axis| axis.inside());
    let shape = Shape::new(&[inside[0].input, inside[1].input, map.channels]);
    placed::check_size(&shape, placement.net.width.lanes)?;
    let padded = placement.place_in_blocks(&shape);
    let size = axes.map(|axis| axis.input);
    let bytes = (map.pixels() + padded.pixels()) * map.channels * F32;
    placement.pass(id, bytes, &[map.region, padded.region], move |kernels| {
        let program = pad::build(kernels.width, size, &Pad { padding, value }, map.strides, padded.strides);
        let arguments = [map, padded].map(|tensor| tensor.argument(tensor.strides.block)).to_vec();
        kernels.items(program, arguments, map.channels.div_ceil(kernels.width.lanes))
    });
    Ok((padded, inside))
}
