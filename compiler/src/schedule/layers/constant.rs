//! Weights that are tensors themselves.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;

use crate::pack::Source;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;

/// A weight as a dense tensor, among the packed weights.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId) -> Result<(), Diagnostic> {
    let net = placement.net;
    let packed = placement.pack(Source::Values(net.weight(id, 0)?));
    let placed = Placed::dense(net.shape(id), net.width.lanes, packed.region);
    placement.settle(id, Placed { offset: packed.offset, ..placed });
    Ok(())
}
