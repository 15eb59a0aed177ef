//! The mean of each channel over the map.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;

use super::by_block;
use crate::kernels::pool;
use crate::schedule::placement::Placement;

/// An item is a block of channels.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId) -> Result<(), Diagnostic> {
    let input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    let output = placement.place(id);
    by_block(placement, id, [input, output], move |width| {
        pool::build(width, input.pixels(), input.strides, output.strides)
    });
    Ok(())
}
