//! One step: whoever runs its items or bands, and in whatever order workers come to them.

use std::collections::BTreeMap;
use std::ops::Range;

use super::bytes::{Bytes, FARTHEST, Interval};
use super::footprint::{Reached, Touched, Unknown};
use super::{ALIGNMENT, Fault, Prover, fault, told};
use crate::plan::{Argument, Call, Region, Section, Work};

/// What one argument of a call touches, in bytes of its region.
struct Access<'a> {
    kernel: &'a str,
    region: Region,
    /// For the first item or band.
    one: Touched,
    /// Bytes from one item or band to the next.
    stride: i64,
    /// How many items or bands there are.
    count: u64,
    /// For all of them.
    all: Touched,
    /// What runs by itself: the calls of a step of items, the sections of a step of bands.
    party: usize,
    /// Which of the calls that its item or band makes, in order.
    call: usize,
}

/// Where a call stands in its step.
#[derive(Clone, Copy)]
struct Place {
    /// How many items or bands it is for.
    count: usize,
    party: usize,
    call: usize,
}

impl Access<'_> {
    fn says(&self, what: &str, bytes: Interval) -> String {
        format!("kernel {} {what} {bytes} of {}", self.kernel, told(self.region))
    }

    /// `bytes` of the first item or band, for all of them.
    fn for_all(&self, bytes: &Bytes) -> Result<Bytes, Fault> {
        bytes.repeated(self.stride, self.count).map_err(|untold| fault(Unknown::Bytes(untold).to_string()))
    }

    /// What the same item or band writes of the same region through those of `others` whose call is one of `calls`.
    fn written_beside(&self, others: &[Access<'_>], calls: Range<usize>) -> Bytes {
        let mut written = Bytes::default();
        let beside = others.iter().filter(|other| {
            (other.region, other.party, other.stride) == (self.region, self.party, self.stride)
                && calls.contains(&other.call)
        });
        beside.for_each(|other| written.add(&other.one.written));
        written
    }
}

impl<'a> Prover<'a> {
    /// Proves step `index`, and takes in what it writes.
    pub(super) fn step(&mut self, index: usize) -> Result<(), Fault> {
        let plan = self.plan;
        let accesses = match &plan.steps[index].work {
            Work::Items(calls) => self.items(calls)?,
            Work::Bands(sections) => self.bands(sections)?,
        };
        for access in &accesses {
            self.inside(index, access)?;
        }
        let mut written = BTreeMap::<Region, Bytes>::new();
        for access in accesses.iter().filter(|access| access.region != Region::Scratch) {
            alone(access, written.entry(access.region).or_default())?;
        }
        for access in accesses.iter().filter(|access| access.region != Region::Scratch) {
            if let Some(written) = written.get(&access.region) {
                apart(access, &accesses, written)?;
            }
            self.written_before(access, &accesses)?;
        }
        for (region, bytes) in written.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            self.written.entry(*region).or_default().add(bytes);
        }
        Ok(())
    }

    /// What the items of `calls` touch.
    fn items(&self, calls: &'a [Call]) -> Result<Vec<Access<'a>>, Fault> {
        let mut accesses = Vec::new();
        for (party, call) in calls.iter().enumerate() {
            for (argument, reached) in self.arguments(call)? {
                let one = items(call, argument, reached)?;
                let access = self.access(call, argument, one, Place { count: call.items, party, call: 0 })?;
                if let Some(first) = access.one.exposed.hull().filter(|_| argument.region == Region::Scratch)
                {
                    return Err(fault(access.says("reads, before its item has written them,", first)));
                }
                accesses.push(access);
            }
        }
        Ok(accesses)
    }

    /// What the bands of `sections` touch, and what a worker runs before its first one.
    fn bands(&self, sections: &'a [Section]) -> Result<Vec<Access<'a>>, Fault> {
        let (mut accesses, mut before) = (Vec::new(), Vec::new());
        for (party, section) in sections.iter().enumerate() {
            let of = |calls: &'a [Call], first: usize| -> Result<Vec<Access<'a>>, Fault> {
                let mut accesses = Vec::new();
                for (index, call) in calls.iter().enumerate() {
                    let place = Place { count: section.bands, party, call: first + index };
                    for (argument, reached) in self.arguments(call)? {
                        let one =
                            reached.all(call.items as u64).map_err(|untold| of_kernel(self, call, untold))?;
                        accesses.push(self.access(call, argument, one, place)?);
                    }
                }
                Ok(accesses)
            };
            before.push(of(&section.halo, 0)?);
            accesses.push(of(&section.calls, section.halo.len())?);
        }
        ring(&before, &accesses)?;
        for access in before.iter().flatten() {
            let shared = access.region != Region::Scratch;
            if let Some(first) = access.all.written.hull().filter(|_| shared) {
                return Err(fault(access.says("writes, before a worker's first band,", first)));
            }
        }
        Ok(before.into_iter().chain(accesses).flatten().collect())
    }

    /// The arguments of `call` through which its kernel touches something, and what.
    fn arguments(&self, call: &'a Call) -> Result<Vec<(&'a Argument, &Reached)>, Fault> {
        let Some(kernel) = self.plan.kernels.get(call.kernel) else {
            return Err(fault(format!("there is no kernel {}", call.kernel)));
        };
        let (given, parameters) = (call.arguments.len(), kernel.parameters);
        if given < parameters || given > frit_runtime::abi::POINTERS || call.items == 0 {
            return Err(fault(format!(
                "kernel {} has {parameters} parameters, its call {given} arguments and {} items",
                kernel.name, call.items
            )));
        }
        let pairs = call.arguments.iter().zip(&self.kernels[call.kernel]);
        Ok(pairs.filter(|(_, reached)| !reached.is_empty()).collect())
    }

    /// The access of `argument`, whose first item or band touches `one` behind where it begins.
    fn access(
        &self,
        call: &Call,
        argument: &Argument,
        one: Touched,
        Place { count, party, call: index }: Place,
    ) -> Result<Access<'a>, Fault> {
        let kernel = self.plan.kernels[call.kernel].name.as_str();
        let &Argument { region, offset, stride } = argument;
        let near = |bytes: usize| i64::try_from(bytes).ok().filter(|&bytes| bytes <= FARTHEST);
        let aligned = offset.is_multiple_of(ALIGNMENT) && stride.is_multiple_of(ALIGNMENT);
        let (Some(by), Some(step), true, 1..) = (near(offset), near(stride), aligned, count) else {
            return Err(fault(format!(
                "kernel {kernel} gets {} from byte {offset} on, in {count} steps of {stride}",
                told(region)
            )));
        };
        let untold = |untold| of_kernel(self, call, untold);
        let one = one.shifted(by).map_err(untold)?;
        let all = one.repeated(step, count as u64).map_err(untold)?;
        Ok(Access { kernel, region, one, stride: step, count: count as u64, all, party, call: index })
    }

    /// That the access stays inside a region that is there in step `index`, and writes none that is only read.
    fn inside(&mut self, index: usize, access: &Access<'_>) -> Result<(), Fault> {
        let size = self.size(access.region)?;
        let Touched { read, written, .. } = &access.all;
        let inside = Bytes::from(Interval::new(0, size as i64));
        for (what, bytes) in [("reads", read), ("writes", written)] {
            if let Some(outside) = inside.lacks(bytes) {
                return Err(fault(format!("{}, which has {size} bytes", access.says(what, outside))));
            }
        }
        match access.region {
            Region::Input(_) | Region::Weights => {
                if let Some(first) = written.hull() {
                    return Err(fault(access.says("writes what is only read,", first)));
                }
            }
            Region::Tensor(tensor) => {
                let tensor = self.plan.tensors[tensor];
                if !(tensor.first..=tensor.last).contains(&index) {
                    return Err(fault(format!(
                        "kernel {} touches {}, which is alive from step {} to step {}",
                        access.kernel,
                        told(access.region),
                        tensor.first,
                        tensor.last
                    )));
                }
            }
            Region::Output(_) | Region::Scratch => {}
        }
        let end = [read, written].into_iter().filter_map(Bytes::hull).map(|hull| hull.end).max().unwrap_or(0);
        let reach = self.reach.entry(access.region).or_default();
        *reach = (*reach).max(end as usize);
        Ok(())
    }

    /// That what the access reads was written: by a step before, or by an earlier call of the same band, one of `all`.
    fn written_before(&self, access: &Access<'_>, all: &[Access<'_>]) -> Result<(), Fault> {
        let written = match access.region {
            Region::Input(_) | Region::Scratch => return Ok(()),
            Region::Weights => &self.weights,
            Region::Output(_) | Region::Tensor(_) => self.written(access.region),
        };
        if written.lacks(&access.all.exposed).is_none() {
            return Ok(());
        }
        let rest =
            access.for_all(&access.one.exposed.without(&access.written_beside(all, 0..access.call)))?;
        match written.lacks(&rest) {
            Some(missing) => Err(fault(access.says("reads, before anything has written them,", missing))),
            None => Ok(()),
        }
    }
}

fn of_kernel(prover: &Prover<'_>, call: &Call, untold: super::bytes::Untold) -> Fault {
    fault(format!("kernel {}: {}", prover.plan.kernels[call.kernel].name, Unknown::Bytes(untold)))
}

/// What one item touches through an argument, where all items follow each other as the argument says: then a share may
/// begin at any of them.
fn items(call: &Call, argument: &Argument, reached: &Reached) -> Result<Touched, Fault> {
    if call.items > 1 {
        let steps = reached.each.iter().filter(|(_, touched)| !touched.is_empty()).map(|(&step, _)| step);
        if let Some(step) = steps.into_iter().find(|&step| usize::try_from(step) != Ok(argument.stride)) {
            return Err(fault(format!(
                "in {} items lie {step} bytes apart for the kernel, and {} bytes for its call",
                told(argument.region),
                argument.stride
            )));
        }
        if let Some(first) = reached.once.written.hull().filter(|_| argument.region != Region::Scratch) {
            return Err(fault(format!("every share writes {first} of {}", told(argument.region))));
        }
    }
    Ok(reached.first())
}

/// That no byte is written twice: by two items or bands of `access`, or by it and an access before it, which have written
/// `written`.
fn alone(access: &Access<'_>, written: &mut Bytes) -> Result<(), Fault> {
    let Touched { written: all, .. } = &access.all;
    let copies =
        i64::try_from(access.count).ok().and_then(|count| access.one.written.count().checked_mul(count));
    if copies != Some(all.count()) {
        let hull = all.hull().unwrap_or(Interval::new(0, 0));
        return Err(fault(access.says("writes more than once, by several items or bands,", hull)));
    }
    if let Some(twice) = written.meets(all) {
        return Err(fault(access.says("writes, as another call of the step does,", twice)));
    }
    written.add(all);
    Ok(())
}

/// That no item or band reads what another writes in this step: `written` of the region.
fn apart(access: &Access<'_>, all: &[Access<'_>], written: &Bytes) -> Result<(), Fault> {
    if written.meets(&access.all.read).is_none() {
        return Ok(());
    }
    let others = access.for_all(&access.one.read.without(&access.written_beside(all, 0..usize::MAX)))?;
    match written.meets(&others) {
        Some(shared) => Err(fault(access.says("reads, while another item or band may write them,", shared))),
        None => Ok(()),
    }
}

/// That every worker has written what it reads of its scratch memory, wherever its bands begin: after what stands before
/// its first band in one of the sections, that band, and all behind it.
fn ring(before: &[Vec<Access<'_>>], sections: &[Vec<Access<'_>>]) -> Result<(), Fault> {
    let scratch = |access: &&Access<'_>| access.region == Region::Scratch;
    let moving = before.iter().chain(sections).flatten().filter(scratch);
    if let Some(access) = moving.into_iter().find(|access| access.stride != 0) {
        return Err(fault(format!("kernel {} has other scratch memory in each band", access.kernel)));
    }
    for first in 0..sections.len() {
        let mut written = Bytes::default();
        let run = before[first].iter().chain(sections[first..].iter().flatten()).filter(scratch);
        for call in run.collect::<Vec<_>>().chunk_by(|a, b| (a.party, a.call) == (b.party, b.call)) {
            for access in call {
                if let Some(missing) = written.lacks(&access.one.exposed) {
                    return Err(fault(access.says("reads, before its worker has written them,", missing)));
                }
            }
            call.iter().for_each(|access| written.add(&access.one.written));
        }
    }
    Ok(())
}
