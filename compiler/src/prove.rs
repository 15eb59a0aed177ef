//! The proof that a plan keeps to its memory, before any code is made of it.
//!
//! Which bytes a kernel touches depends on no data (see [`mod@footprint`]), so for a whole plan and for every number of workers
//! it can be shown that
//! - every access lies inside the tensor that its argument names: an input, an output, a tensor of the arena while it is
//!   alive, the worker's scratch memory, the packed weights; inputs and weights are never written;
//! - nothing is read before it is written, but for lanes behind a map's last channel, which flow into nothing; every output is
//!   written as a whole;
//! - within a step no two workers write the same byte, and none reads what another writes: items and bands are held
//!   against each other one by one, whoever runs them;
//! - a kernel's items follow each other as its call says, so that it makes no difference where shares begin;
//! - tensors that are alive at once have no byte in common, and all addresses are multiples of [`ALIGNMENT`].
//!
//! What is trusted beyond that: which lanes the schedule calls blank; that the lowerings do what a vector program says and
//! the driver what a plan says, which tests compare with their interpreters; that values are the right ones, likewise; and
//! the CPU.

pub mod bytes;
pub mod footprint;
mod lives;
mod step;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use frit_ir::diagnostic::{Diagnostic, codes};

use frit_runtime::Port;

use crate::plan::{Blank, Plan, Region, Tensor};
use crate::vector::check;
use bytes::{Bytes, FARTHEST, Interval};
use footprint::{Reached, footprint};

/// What every address is a multiple of: all that the lowerings ask for.
pub const ALIGNMENT: usize = 4;

/// What the begin of every region of memory, and of every tensor in the arena, is a multiple of.
const LINE: usize = 64;

/// A plan that keeps to its memory. Only [`prove`] makes one, and code is made of nothing else.
#[derive(Debug, Clone)]
pub struct Proved {
    plan: Plan,
    reach: BTreeMap<Region, usize>,
}

impl Deref for Proved {
    type Target = Plan;

    fn deref(&self) -> &Plan {
        &self.plan
    }
}

impl Proved {
    /// The byte behind the last that any worker touches of `region`, counted from its begin.
    pub fn reach(&self, region: Region) -> usize {
        self.reach.get(&region).copied().unwrap_or(0)
    }

    /// The byte behind the last that any worker touches of the arena.
    pub fn arena_reach(&self) -> usize {
        let ends = self.reach.iter().filter_map(|(&region, &reach)| match region {
            Region::Tensor(_) => Some(self.plan.begin(region) + reach),
            _ => None,
        });
        ends.max().unwrap_or(0)
    }

    /// The plan, of which anything may be made again.
    pub fn into_plan(self) -> Plan {
        self.plan
    }
}

/// Proves `plan`, or says what in it can't be.
///
/// # Errors
/// FR0901 with the step, the kernel and the bytes: always a fault of frit.
pub fn prove(plan: Plan) -> Result<Proved, Diagnostic> {
    let reach = Prover::new(&plan).and_then(Prover::run).map_err(|fault| {
        let message = format!("the plan can't be proved: {}", fault.message);
        Diagnostic { message, ..*fault }
    })?;
    Ok(Proved { plan, reach })
}

/// What can't be proved, with its place.
type Fault = Box<Diagnostic>;

fn fault(message: impl Into<String>) -> Fault {
    let help = "this is a fault of frit: please report it with the model; --no-fuse or another --target may avoid it";
    Box::new(Diagnostic::error(codes::INTERNAL, message.into()).help(help))
}

/// What is known of a plan's memory on the way through its steps.
struct Prover<'a> {
    plan: &'a Plan,
    kernels: Vec<Vec<Reached>>,
    /// What may be read of each output and each tensor: what was written so far, and what holds anything.
    written: BTreeMap<Region, Bytes>,
    /// Bytes of the packed weights that hold values.
    weights: Bytes,
    reach: BTreeMap<Region, usize>,
}

impl<'a> Prover<'a> {
    fn new(plan: &'a Plan) -> Result<Prover<'a>, Fault> {
        let called: BTreeSet<usize> =
            plan.steps.iter().flat_map(|step| step.work.calls()).map(|call| call.kernel).collect();
        let kernels = plan.kernels.iter().enumerate().map(|(index, kernel)| {
            if let Some(broken) = check::check(kernel).err().and_then(|faults| faults.into_iter().next()) {
                return Err(fault(broken.to_string()));
            }
            let footprint = if called.contains(&index) { footprint(kernel) } else { Ok(Vec::new()) };
            footprint.map_err(|unknown| fault(format!("kernel {}: {unknown}", kernel.name)))
        });
        let kernels = kernels.collect::<Result<_, Fault>>()?;
        let blanks = plan.tensors.iter().enumerate();
        let blanks = blanks.map(|(index, tensor)| Ok((Region::Tensor(index), blank(tensor)?)));
        let written = blanks.collect::<Result<_, Fault>>()?;
        let parts = plan.weights.parts().map(|(begin, bytes)| Interval::new(begin as i64, bytes as i64));
        let weights = Bytes::of(parts.collect());
        Ok(Prover { plan, kernels, written, weights, reach: BTreeMap::new() })
    }

    fn run(mut self) -> Result<BTreeMap<Region, usize>, Fault> {
        lives::check(self.plan)?;
        for (index, step) in self.plan.steps.iter().enumerate() {
            self.step(index).map_err(|mut fault| {
                fault.message = format!("step {index}: {}", fault.message);
                fault.layer.clone_from(&step.node);
                fault
            })?;
        }
        for (index, output) in self.plan.outputs.iter().enumerate() {
            let region = Region::Output(index);
            let all = Bytes::from(Interval::new(0, self.size(region)? as i64));
            if let Some(missing) = self.written(region).lacks(&all) {
                return Err(fault(format!("no step writes {missing} of the output {}", output.name)));
            }
        }
        Ok(self.reach)
    }

    fn written(&self, region: Region) -> &Bytes {
        self.written.get(&region).unwrap_or(Bytes::NONE)
    }

    /// Bytes of `region`.
    fn size(&self, region: Region) -> Result<usize, Fault> {
        let plan = self.plan;
        let unknown = || fault(format!("there is no {}", told(region)));
        let port = |ports: &[Port], index: usize| {
            let port = ports.get(index).ok_or_else(unknown)?;
            let bytes =
                port.shape.iter().try_fold(port.element.bytes(), |bytes, &axis| bytes.checked_mul(axis));
            bytes.ok_or_else(|| fault(format!("{} is too large to be counted", port.name)))
        };
        match region {
            Region::Input(index) => port(&plan.inputs, index),
            Region::Output(index) => port(&plan.outputs, index),
            Region::Tensor(index) => plan.tensors.get(index).map(|tensor| tensor.bytes).ok_or_else(unknown),
            Region::Scratch => Ok(plan.scratch_bytes),
            Region::Weights => Ok(plan.weights.bytes()),
        }
    }
}

/// The bytes of `tensor` that hold anything.
fn blank(tensor: &Tensor) -> Result<Bytes, Fault> {
    let Blank { begin, bytes, stride, count } = tensor.blank;
    let near = |bytes: usize| i64::try_from(bytes).ok().filter(|&bytes| bytes <= FARTHEST);
    let all = near(begin).zip(near(bytes)).zip(near(stride)).and_then(|((begin, bytes), stride)| {
        Bytes::from(Interval::new(begin, bytes)).repeated(stride, count as u64).ok()
    });
    all.ok_or_else(|| fault(format!("a tensor of {} bytes has {:?}", tensor.bytes, tensor.blank)))
}

/// A region in words.
fn told(region: Region) -> String {
    match region {
        Region::Input(index) => format!("input {index}"),
        Region::Output(index) => format!("output {index}"),
        Region::Tensor(index) => format!("tensor {index} of the arena"),
        Region::Scratch => "the scratch memory".to_owned(),
        Region::Weights => "the weights".to_owned(),
    }
}

#[cfg(test)]
mod tests;
