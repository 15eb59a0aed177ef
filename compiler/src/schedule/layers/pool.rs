//! The mean of each channel over the map.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;

use crate::kernels::pool;
use crate::schedule::placement::Placement;

/// An item is a block of channels.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId) -> Result<(), Diagnostic> {
    let input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    let output = placement.place(id);
    placement.stage_by_block(id, [input, output], move |width| {
        pool::build(width, input.pixels(), input.strides, output.strides)
    });
    Ok(())
}
