//! Code for a file: the same functions as in this process, in an object, linked into one image.

use cranelift_module::default_libcall_names;
use cranelift_object::{ObjectBuilder, ObjectModule};

use super::link::{Image, link};
use super::{EmitError, define, isa};
use crate::machine::Machine;
use crate::prove::Proved;

/// Compiles `plan` for `machine`, which need not be this one.
///
/// # Errors
/// See [`EmitError`]; none depends on the model's values.
pub fn image(plan: &Proved, machine: &Machine) -> Result<Image, EmitError> {
    link(&object(plan, machine)?).map_err(EmitError::Link)
}

/// The functions of `plan` as a relocatable object in the ELF format.
fn object(plan: &Proved, machine: &Machine) -> Result<Vec<u8>, EmitError> {
    let builder = ObjectBuilder::new(isa(machine)?, plan.name.as_str(), default_libcall_names())?;
    let mut module = ObjectModule::new(builder);
    define(&mut module, plan)?;
    module.finish().emit().map_err(|error| EmitError::Target(error.to_string()))
}
