//! A value around a map.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Pad;

use crate::kernels::pad;
use crate::schedule::placement::Placement;

/// An item is a block of channels.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, pad: Pad) -> Result<(), Diagnostic> {
    let input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    let output = placement.place(id);
    placement.stage_by_block(id, [input, output], move |width| {
        pad::build(width, [input.rows, input.columns], &pad, input.strides, output.strides)
    });
    Ok(())
}
