//! Weights that are tensors themselves.

use std::sync::Arc;

use frit_ir::diagnostic::Diagnostic;
use frit_ir::{NodeId, Shape};

use crate::kernels::{F32, Strides};
use crate::pack::Source;
use crate::plan::Region;
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

/// `values`, a dense tensor of `shape`, in blocks of channels among the packed weights.
pub(in crate::schedule) fn in_blocks(placement: &mut Placement<'_>, values: &[f32], shape: &Shape) -> Placed {
    let lanes = placement.net.width.lanes;
    let (placed, bytes) = Placed::in_blocks(shape, lanes, Region::Weights);
    let mut packed = vec![0.0; bytes / F32];
    let Strides { pixel, block, .. } = placed.strides;
    for (index, vector) in values.chunks_exact(placed.channels).enumerate() {
        for (number, part) in vector.chunks(lanes).enumerate() {
            let begin = (number * block + index * pixel) / F32;
            packed[begin..][..part.len()].copy_from_slice(part);
        }
    }
    let offset = placement.pack(Source::Values(Arc::from(packed))).offset;
    Placed { offset, ..placed }
}
