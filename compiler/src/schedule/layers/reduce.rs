//! One number out of many.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Reduce, ReduceKind};
use frit_ir::{NodeId, Shape};

use super::pool;
use super::rearrange::{Axis, joined, strides};
use crate::kernels::F32;
use crate::kernels::nest::Loop;
use crate::kernels::reduce::{self, Reduction};
use crate::schedule::placement::Placement;

/// The mean over a map has a kernel of its own; all else reads a dense tensor.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, op: &Reduce) -> Result<(), Diagnostic> {
    let net = placement.net;
    let operand = net.operand(id, 0);
    let shape = net.shape(operand);
    if op.kind == ReduceKind::Mean && shape.rank() == 3 && op.axes[..] == [0, 1] {
        return pool::place(placement, id);
    }
    let input = placement.tensor_dense(operand);
    let output = placement.place_dense(id);
    let kept_shape: Vec<usize> =
        (0..shape.rank()).map(|axis| if op.axes.contains(&axis) { 1 } else { shape.axes()[axis] }).collect();
    let (from, to) = (strides(shape), strides(&Shape::new(&kept_shape)));
    let part = |reduced: bool| {
        let own = (0..shape.rank()).filter(|axis| op.axes.contains(axis) == reduced);
        joined(own.map(|axis| Axis { count: shape.axes()[axis], bytes: [from[axis], to[axis]] }).collect())
    };
    let (mut kept, reduced) = (part(false)?, part(true)?);
    let run = kept.pop_if(|axis| axis.bytes == [F32; 2]).map(|axis| axis.count);
    let item = if kept.is_empty() { Axis { count: 1, bytes: [0; 2] } } else { kept.remove(0) };
    let spec = Reduction {
        kind: op.kind,
        item: item.bytes,
        kept: kept.iter().map(|axis| Loop { count: axis.count, bytes: axis.bytes }).collect(),
        run,
        reduced: reduced.iter().map(|axis| Loop { count: axis.count, bytes: [axis.bytes[0]] }).collect(),
    };
    placement.stage(id, &[input.region, output.region], move |kernels| {
        let arguments = vec![input.reach(item.bytes[0]), output.reach(item.bytes[1])];
        kernels.items(reduce::build(kernels.width, &spec), arguments, item.count)
    });
    Ok(())
}
