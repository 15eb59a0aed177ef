//! The metadata against the record that the code was made with, and against itself: what runs later relies on all of this.

use std::collections::BTreeSet;

use super::record::{Record, digest};
use super::{Lengths, REGION_BYTES, oversized};
use crate::cpu;
use crate::error::LoadError;
use crate::port::Port;
use crate::program::{Metadata, Step, Target};

/// Bytes of the smallest part that code reads.
const WORD: usize = 4;

/// Finds contradictions.
pub(super) fn check(metadata: &Metadata, record: &Record, lengths: &Lengths) -> Result<(), LoadError> {
    code(record, lengths)?;
    target(&metadata.target, &record.target)?;
    sizes(metadata, record, lengths)?;
    ports("input", &metadata.inputs, &record.inputs)?;
    ports("output", &metadata.outputs, &record.outputs)?;
    reach(metadata, lengths)?;
    steps(metadata)?;
    blocks(metadata)?;
    if digest(metadata) != record.metadata {
        return refuse("the metadata is not that which the code was made with".to_owned());
    }
    Ok(())
}

fn refuse(message: String) -> Result<(), LoadError> {
    Err(LoadError::Inconsistent(message))
}

/// Refuses where the code was made for `made` of what the file has `found` of.
fn same(what: &str, found: usize, made: usize) -> Result<(), LoadError> {
    if found == made {
        return Ok(());
    }
    refuse(format!("the file has {found} {what}, the code was made for {made}"))
}

fn code(record: &Record, lengths: &Lengths) -> Result<(), LoadError> {
    same("bytes of code", lengths.code, record.code)?;
    if record.entry < record.room() || record.entry >= lengths.code {
        let message = format!("the entry is at byte {} of {} bytes of code", record.entry, lengths.code);
        return refuse(message);
    }
    Ok(())
}

fn target(target: &Target, made: &Target) -> Result<(), LoadError> {
    let features = target.features.join(", ");
    if target.features.iter().filter(|name| cpu::ARCHITECTURES.contains(&name.as_str())).count() != 1 {
        return refuse(format!("code is for one architecture, this for {features}"));
    }
    match (target.lowering.as_str(), target.lanes) {
        ("portable", 4) | ("wide", 8 | 16) => {}
        (lowering, lanes) => return refuse(format!("no {lowering} code has vectors of {lanes} values")),
    }
    if target != made {
        let Target { level, lowering, lanes, .. } = made;
        return refuse(format!(
            "the file says that its code is {} {} of {} values, {features}; it is {lowering} {level} of {lanes} values, {}",
            target.lowering,
            target.level,
            target.lanes,
            made.features.join(", ")
        ));
    }
    Ok(())
}

fn sizes(metadata: &Metadata, record: &Record, lengths: &Lengths) -> Result<(), LoadError> {
    same("steps", metadata.steps.len(), record.steps)?;
    same("bytes of weights", lengths.weights, record.weights)?;
    same("bytes of the arena", metadata.arena_bytes, record.arena)?;
    same("bytes of scratch memory", metadata.scratch_bytes, record.scratch)
}

fn ports(kind: &str, ports: &[Port], made: &[Vec<usize>]) -> Result<(), LoadError> {
    same(&format!("{kind}s"), ports.len(), made.len())?;
    for (port, shape) in ports.iter().zip(made) {
        if port.name.is_empty() {
            return refuse(format!("an {kind} has no name"));
        }
        if port.shape != *shape {
            let Port { name, shape: found, .. } = port;
            return refuse(format!(
                "the {kind} {name} has the shape {found:?}, the code was made for {shape:?}"
            ));
        }
    }
    Ok(())
}

/// What the plan reaches of each region lies inside of it.
fn reach(metadata: &Metadata, lengths: &Lengths) -> Result<(), LoadError> {
    let regions = [
        ("the weights", lengths.weights),
        ("the arena", metadata.arena_bytes),
        ("the scratch memory", metadata.scratch_bytes),
    ];
    let ports = metadata.inputs.iter().chain(&metadata.outputs);
    let ports = ports.map(|port| Ok((port.name.as_str(), bytes(port)?)));
    let regions = regions.into_iter().map(Ok).chain(ports).collect::<Result<Vec<_>, LoadError>>()?;
    if metadata.reach.len() != regions.len() {
        return refuse(format!("there are {} regions, {} are known", metadata.reach.len(), regions.len()));
    }
    for ((name, bytes), &reach) in regions.into_iter().zip(&metadata.reach) {
        if bytes > REGION_BYTES {
            return Err(oversized(name));
        }
        if bytes % WORD != 0 {
            return refuse(format!("{name} of {bytes} bytes holds a part of a value"));
        }
        if reach > bytes {
            return refuse(format!("the plan reaches byte {reach} of {name}, which has {bytes}"));
        }
    }
    Ok(())
}

/// Bytes of one image of a tensor.
fn bytes(port: &Port) -> Result<usize, LoadError> {
    let bytes = port.shape.iter().try_fold(port.element.bytes(), |bytes, &axis| bytes.checked_mul(axis));
    bytes.ok_or_else(|| oversized(&port.name))
}

/// Reports add up what the steps say.
fn steps(metadata: &Metadata) -> Result<(), LoadError> {
    let total = |count: fn(&Step) -> u64| {
        metadata.steps.iter().try_fold(0u64, |total, step| total.checked_add(count(step)))
    };
    if total(|step| step.macs).is_none() || total(|step| step.bytes).is_none() {
        return Err(oversized("what the steps do together"));
    }
    match metadata.steps.iter().find(|step| step.predicted_ms.iter().any(|time| !(0.0..).contains(time))) {
        Some(step) => refuse(format!("{} is predicted to take {:?} ms", step.node, step.predicted_ms)),
        None => Ok(()),
    }
}

/// A block ends at a step that says so, and a step belongs to a block or to itself.
fn blocks(metadata: &Metadata) -> Result<(), LoadError> {
    let named: BTreeSet<&str> = metadata.steps.iter().map(|step| step.block.as_str()).collect();
    let mut ends = BTreeSet::new();
    for block in &metadata.blocks {
        let Some(last) = block.layers.last() else { return refuse("a block has no layers".to_owned()) };
        if !named.contains(last.as_str()) {
            return refuse(format!("no step belongs to the block that ends at {last}"));
        }
        if block.way.is_empty() {
            return refuse(format!("the block that ends at {last} goes in no way"));
        }
        ends.insert(last);
    }
    match metadata.steps.iter().find(|step| step.block != step.node && !ends.contains(&step.block)) {
        Some(step) => refuse(format!("{} belongs to the block {}, which is none", step.node, step.block)),
        None => Ok(()),
    }
}
