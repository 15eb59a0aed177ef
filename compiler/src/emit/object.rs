//! Code for a file: the same functions as in this process, in an object, linked into one image.

use cranelift_module::default_libcall_names;
use cranelift_object::{ObjectBuilder, ObjectModule};

use frit_runtime::artifact::{Record, digest};
use frit_runtime::program::Metadata;

use super::link::{Image, link};
use super::metadata::target;
use super::{EmitError, define, isa};
use crate::machine::Machine;
use crate::prove::Proved;
use frit_runtime::Port;

/// Compiles `plan` for `machine`, which need not be this one; `metadata` is all that will be known of the program. In front
/// of the code lies the record that it is loaded by.
///
/// # Errors
/// See [`EmitError`]; none depends on the model's values.
pub fn image(plan: &Proved, machine: &Machine, metadata: &Metadata) -> Result<Image, EmitError> {
    let record = record(plan, machine, metadata);
    let mut image = link(&object(plan, machine)?, record.room()).map_err(EmitError::Link)?;
    Record { code: image.bytes.len(), entry: image.entry, ..record }.lay(&mut image.bytes);
    Ok(image)
}

/// What `plan` says of itself, before it is code.
fn record(plan: &Proved, machine: &Machine, metadata: &Metadata) -> Record {
    let shapes = |ports: &[Port]| ports.iter().map(|port| port.shape.clone()).collect();
    Record {
        metadata: digest(metadata),
        steps: plan.steps.len(),
        weights: plan.weights.bytes(),
        arena: plan.arena_bytes,
        scratch: plan.scratch_bytes,
        inputs: shapes(&plan.inputs),
        outputs: shapes(&plan.outputs),
        target: target(machine),
        ..Record::default()
    }
}

/// The functions of `plan` as a relocatable object in the ELF format.
fn object(plan: &Proved, machine: &Machine) -> Result<Vec<u8>, EmitError> {
    let builder = ObjectBuilder::new(isa(machine)?, plan.name.as_str(), default_libcall_names())?;
    let mut module = ObjectModule::new(builder);
    define(&mut module, plan, machine.lowering)?;
    module.finish().emit().map_err(|error| EmitError::Target(error.to_string()))
}
