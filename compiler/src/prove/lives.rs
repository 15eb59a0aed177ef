//! Tensors in the arena: those that are alive at once have no byte in common.

use std::collections::BTreeMap;

use super::{Fault, LINE, fault};
use crate::plan::{Plan, Tensor};

/// Checks all tensors of `plan` against each other, and the sizes of arena and scratch memory.
///
/// # Errors
/// Two tensors that share a byte in a step in which both are alive, one that leaves the arena, or a size that leaves what
/// follows it unaligned.
pub(super) fn check(plan: &Plan) -> Result<(), Fault> {
    for (name, bytes) in [("arena", plan.arena_bytes), ("scratch memory", plan.scratch_bytes)] {
        if !bytes.is_multiple_of(LINE) {
            return Err(fault(format!("the {name} has {bytes} bytes, which are no multiple of {LINE}")));
        }
    }
    plan.tensors.iter().enumerate().try_for_each(|(index, tensor)| alone(plan, index, tensor))?;
    let mut begins: Vec<usize> = (0..plan.tensors.len()).collect();
    begins.sort_by_key(|&index| plan.tensors[index].first);
    let mut ends = begins.clone();
    ends.sort_by_key(|&index| plan.tensors[index].last);
    let mut ends = ends.into_iter().peekable();
    // What is alive, by where it begins; none overlaps another.
    let mut alive: BTreeMap<usize, usize> = BTreeMap::new();
    for index in begins {
        let tensor = plan.tensors[index];
        while let Some(ended) = ends.next_if(|&ended| plan.tensors[ended].last < tensor.first) {
            alive.remove(&plan.tensors[ended].offset);
        }
        if tensor.bytes == 0 {
            continue;
        }
        let before = alive.range(..tensor.offset + tensor.bytes).next_back();
        if let Some(other) = before.map(|(_, &other)| other) {
            let end = plan.tensors[other].offset + plan.tensors[other].bytes;
            if end > tensor.offset {
                return Err(fault(format!(
                    "tensors {other} and {index} are alive in step {} and share bytes {} to {} of the arena",
                    tensor.first,
                    tensor.offset.max(plan.tensors[other].offset),
                    end.min(tensor.offset + tensor.bytes)
                )));
            }
        }
        alive.insert(tensor.offset, index);
    }
    Ok(())
}

/// That a tensor for itself is sound.
fn alone(plan: &Plan, index: usize, tensor: &Tensor) -> Result<(), Fault> {
    let &Tensor { offset, bytes, first, last, .. } = tensor;
    let inside = offset.checked_add(bytes).is_some_and(|end| end <= plan.arena_bytes);
    if !inside || !offset.is_multiple_of(LINE) {
        return Err(fault(format!(
            "tensor {index} has {bytes} bytes from byte {offset} on, in an arena of {} in lines of {LINE}",
            plan.arena_bytes
        )));
    }
    if first > last {
        return Err(fault(format!("tensor {index} is alive from step {first} to step {last}")));
    }
    Ok(())
}
