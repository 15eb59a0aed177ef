//! Copies of a tensor into another layout.

use frit_ir::NodeId;

use crate::kernels::{F32, copy};
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;

/// Adds the copy of `id` that lies at `from` to where it shall lie, too.
pub(in crate::schedule) fn copy(placement: &mut Placement<'_>, id: NodeId, from: Placed, to: Placed) {
    let bytes = 2 * F32 * from.channels * from.pixels();
    placement.pass(id, bytes, &[from.region, to.region], move |kernels| {
        let program = copy::build(kernels.width, from.channels, from.strides, to.strides);
        let arguments = vec![from.reach(from.strides.pixel), to.reach(to.strides.pixel)];
        kernels.items(program, arguments, from.pixels())
    });
}
