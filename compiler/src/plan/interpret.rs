//! Runs a plan in the vector programs' interpreter: what the machine code must equal, bit for bit.

use super::{Call, Plan, Region};
use crate::kernels::F32;
use crate::vector::interpret;

/// Runs `plan` on one image and returns its outputs.
///
/// `inputs` are dense, as [`Plan::inputs`] states. Calls run one after the other, each with all of its items, which
/// gives the same bits as any split over workers.
///
/// # Errors
/// A kernel that reads or writes outside its memory.
///
/// # Panics
/// If `inputs` are fewer or shorter than the plan states.
pub fn run(plan: &Plan, inputs: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, interpret::Fault> {
    let mut memory = memory(plan, inputs);
    for call in plan.steps.iter().flat_map(|step| &step.calls) {
        interpret::run(&plan.kernels[call.kernel], &mut memory, &arguments(plan, call), call.items as u64)?;
    }
    Ok(outputs(plan, memory))
}

/// The buffers that kernels of `plan` work on when they run one by one: the inputs, then the outputs and the arena, all
/// zero, then the weights.
pub fn memory(plan: &Plan, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let outputs = plan.outputs.iter().map(|output| vec![0.0; output.shape.iter().product()]);
    let rest = [vec![0.0; plan.arena_bytes / F32], plan.weights.clone()];
    inputs.iter().cloned().chain(outputs).chain(rest).collect()
}

/// The arguments of `call` as buffers of [`memory`] and byte offsets in them.
pub fn arguments(plan: &Plan, call: &Call) -> Vec<(usize, usize)> {
    let arena = plan.inputs.len() + plan.outputs.len();
    let buffer = |region: Region| match region {
        Region::Input(index) => index,
        Region::Output(index) => plan.inputs.len() + index,
        Region::Arena => arena,
        Region::Weights => arena + 1,
    };
    call.arguments.iter().map(|argument| (buffer(argument.region), argument.offset)).collect()
}

/// The outputs in `memory`, which is laid out as [`memory`] says.
pub fn outputs(plan: &Plan, mut memory: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let first = plan.inputs.len();
    memory.drain(first..first + plan.outputs.len()).collect()
}
