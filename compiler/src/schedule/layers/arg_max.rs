//! The index of the largest channel, pixel by pixel.

use frit_ir::NodeId;
use frit_ir::ops::ArgMax;

use crate::kernels::{F32, arg_max};
use crate::schedule::placement::Placement;

/// An item is a pixel.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, op: ArgMax) {
    let input = placement.home(placement.net.operand(id, 0));
    let output = placement.place_dense(id);
    placement.stage(id, &[input.region, output.region], move |kernels| {
        let program = arg_max::build(kernels.width, input.channels, op.last, input.strides);
        let arguments = vec![input.reach(input.strides.pixel), output.reach(F32)];
        kernels.items(program, arguments, input.pixels())
    });
}
