//! Runs a plan in the vector programs' interpreter: what the machine code must equal, bit for bit.

use std::ops::Range;

use super::{Call, Plan, Region, Section, Step, Work};
use crate::kernels::F32;
use crate::vector::interpret;

/// Runs `plan` on one image as `workers` workers would, one after the other within each step, and returns its outputs.
///
/// `inputs` are dense, as [`Plan::inputs`] states.
///
/// # Errors
/// A kernel that reads or writes outside its memory.
///
/// # Panics
/// If `inputs` are fewer or shorter than the plan states.
pub fn run(plan: &Plan, inputs: &[Vec<f32>], workers: usize) -> Result<Vec<Vec<f32>>, interpret::Fault> {
    let mut memory = memory(plan, inputs, workers);
    for launch in plan.steps.iter().flat_map(|step| launches(plan, step, workers)) {
        interpret::run(&plan.kernels[launch.kernel], &mut memory, &launch.arguments, launch.items)?;
    }
    Ok(outputs(plan, memory))
}

/// The buffers that kernels of `plan` work on when they run one by one: the inputs, then the outputs and the arena, all
/// zero, then the weights, then each worker's scratch memory.
///
/// # Panics
/// If the system refuses memory.
pub fn memory(plan: &Plan, inputs: &[Vec<f32>], workers: usize) -> Vec<Vec<f32>> {
    let outputs = plan.outputs.iter().map(|output| vec![0.0; output.shape.iter().product()]);
    let weights = plan.weights.pack().expect("the weights fit into memory");
    let weights = bytemuck::cast_slice(weights.bytes()).to_vec();
    let rest = [vec![0.0; plan.arena_bytes / F32], weights];
    let scratch = std::iter::repeat_n(vec![0.0; plan.scratch_bytes / F32], workers);
    inputs.iter().cloned().chain(outputs).chain(rest).chain(scratch).collect()
}

/// The outputs in `memory`, which is laid out as [`memory`] says.
pub fn outputs(plan: &Plan, mut memory: Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let first = plan.inputs.len();
    memory.drain(first..first + plan.outputs.len()).collect()
}

/// One run of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Index into [`Plan::kernels`].
    pub kernel: usize,
    /// Buffers of [`memory`] and byte offsets in them.
    pub arguments: Vec<(usize, usize)>,
    /// Items.
    pub items: u64,
}

/// What `workers` workers run in `step`, the first worker's share first.
pub fn launches(plan: &Plan, step: &Step, workers: usize) -> Vec<Launch> {
    let of = |worker: usize| match &step.work {
        Work::Items(calls) => items(plan, calls, [worker, workers]),
        Work::Bands(sections) => bands(plan, sections, [worker, workers]),
    };
    (0..workers).flat_map(of).collect()
}

/// The part of `count` that a worker takes.
fn share(count: usize, [worker, workers]: [usize; 2]) -> Range<usize> {
    count * worker / workers..count * (worker + 1) / workers
}

/// The part of `range` that falls on the `count` numbers from `before` on, counted from there.
fn within(range: &Range<usize>, before: usize, count: usize) -> Range<usize> {
    let clamp = |bound: usize| bound.saturating_sub(before).min(count);
    clamp(range.start)..clamp(range.end)
}

fn items(plan: &Plan, calls: &[Call], worker: [usize; 2]) -> Vec<Launch> {
    let share = share(calls.iter().map(|call| call.items).sum(), worker);
    let mut launches = Vec::new();
    let mut before = 0;
    for call in calls {
        let own = within(&share, before, call.items);
        before += call.items;
        if !own.is_empty() {
            let arguments = arguments(plan, call, worker[0], own.start);
            launches.push(Launch { kernel: call.kernel, arguments, items: own.len() as u64 });
        }
    }
    launches
}

fn bands(plan: &Plan, sections: &[Section], worker: [usize; 2]) -> Vec<Launch> {
    let share = share(sections.iter().map(|section| section.bands).sum(), worker);
    let mut launches = Vec::new();
    let mut launch = |call: &Call, band: usize| {
        let arguments = arguments(plan, call, worker[0], band);
        launches.push(Launch { kernel: call.kernel, arguments, items: call.items as u64 });
    };
    let mut before = 0;
    for section in sections {
        let own = within(&share, before, section.bands);
        if !own.is_empty() && share.start >= before {
            section.halo.iter().for_each(|call| launch(call, own.start));
        }
        for band in own {
            section.calls.iter().for_each(|call| launch(call, band));
        }
        before += section.bands;
    }
    launches
}

/// The arguments of `call` at item or band `index`.
fn arguments(plan: &Plan, call: &Call, worker: usize, index: usize) -> Vec<(usize, usize)> {
    let arena = plan.inputs.len() + plan.outputs.len();
    let buffer = |region: Region| match region {
        Region::Input(index) => index,
        Region::Output(index) => plan.inputs.len() + index,
        Region::Tensor(_) => arena,
        Region::Weights => arena + 1,
        Region::Scratch => arena + 2 + worker,
    };
    let place = |&super::Argument { region, offset, stride }: &super::Argument| {
        (buffer(region), plan.begin(region) + offset + index * stride)
    };
    call.arguments.iter().map(place).collect()
}
