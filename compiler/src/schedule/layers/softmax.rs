//! Softmax over channels, pixel by pixel.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Softmax;

use crate::kernels::softmax;
use crate::schedule::placement::Placement;

/// An item is a pixel.
pub(super) fn place(
    placement: &mut Placement<'_>,
    id: NodeId,
    Softmax { log }: Softmax,
) -> Result<(), Diagnostic> {
    let input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    let output = placement.place(id);
    placement.stage(id, &[input.region, output.region], move |kernels| {
        let shape = (input.channels, log);
        let program = softmax::build(kernels.width, shape, input.strides, output.strides);
        let arguments = vec![input.reach(input.strides.pixel), output.reach(output.strides.pixel)];
        kernels.items(program, arguments, input.pixels())
    });
    Ok(())
}
