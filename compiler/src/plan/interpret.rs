//! Runs a plan in the vector programs' interpreter: what the machine code must equal, bit for bit.

use super::{Argument, Plan, Region};
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
    let mut memory: Vec<Vec<f32>> = inputs.to_vec();
    for output in &plan.outputs {
        memory.push(vec![0.0; output.shape.iter().product()]);
    }
    memory.push(vec![0.0; plan.arena_bytes / crate::kernels::F32]);
    memory.push(plan.weights.clone());
    let buffer = |region: Region| match region {
        Region::Input(index) => index,
        Region::Output(index) => plan.inputs.len() + index,
        Region::Arena => plan.inputs.len() + plan.outputs.len(),
        Region::Weights => plan.inputs.len() + plan.outputs.len() + 1,
    };
    for call in plan.steps.iter().flat_map(|step| &step.calls) {
        let place = |argument: &Argument| (buffer(argument.region), argument.offset);
        let arguments: Vec<(usize, usize)> = call.arguments.iter().map(place).collect();
        interpret::run(&plan.kernels[call.kernel], &mut memory, &arguments, call.items as u64)?;
    }
    let first = plan.inputs.len();
    Ok(memory.drain(first..first + plan.outputs.len()).collect())
}
