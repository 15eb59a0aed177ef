//! Code in this process: compiled, finalised, and handed to the runtime together with whatever keeps it.

use std::mem::transmute;
use std::sync::Arc;

use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::default_libcall_names;
use frit_ir::Diagnostic;
use frit_runtime::code::Code;
use frit_runtime::memory::Memory;
use frit_runtime::{Program, call};

use super::metadata::metadata;
use super::{EmitError, define, isa};
use crate::machine::Machine;
use crate::pack::Packing;
use crate::plan::Plan;
use crate::prove::{Proved, prove};
use crate::vector::{self, Vectors};

/// Compiles `plan` for `machine` into this process; `weights` are the plan's, packed.
///
/// # Errors
/// See [`EmitError`]; none depends on the model's values.
pub fn emit(plan: &Proved, weights: Memory, machine: &Machine) -> Result<Program, EmitError> {
    Ok(Program { metadata: metadata(plan, machine), weights: weights.into(), code: code(plan, machine)? })
}

fn code(plan: &Proved, machine: &Machine) -> Result<Code, EmitError> {
    let builder = JITBuilder::with_isa(isa(machine)?, default_libcall_names());
    let mut module = JITModule::new(builder);
    let defined = define(&mut module, plan, machine.lowering)?;
    module.finalize_definitions()?;
    let kernels = defined.kernels.iter().map(|&kernel| module.get_finalized_function(kernel)).collect();
    let entry = module.get_finalized_function(defined.entry);
    let owner = Arc::new(Owner(Some(module)));
    // SAFETY: `entry` was finalised with the signature of the driver, which is the runtime's `Entry`. The owner keeps the
    // code until the last clone is gone. The plan's kernels stay inside the regions that the plan states: it is proved.
    Ok(unsafe { Code::new(transmute::<*const u8, frit_runtime::abi::Entry>(entry), kernels, owner) })
}

/// Keeps the module's memory and frees it at the end; a module that is merely dropped leaks it.
struct Owner(Option<JITModule>);

// SAFETY: after finalisation nothing reads or writes the module but `drop`, which has it alone.
unsafe impl Send for Owner {}
// SAFETY: as above.
unsafe impl Sync for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        if let Some(module) = self.0.take() {
            // SAFETY: the owner goes with the last `Code`, so that no pointer into the code is left.
            unsafe { module.free_memory() }
        }
    }
}

/// One kernel, its memory and its arguments, proven to stay inside: for tests and benches.
pub struct Prepared {
    code: Code,
    memory: Vec<Vec<f32>>,
    arguments: Vec<(usize, usize)>,
    items: u64,
}

impl Prepared {
    /// Compiles `kernel` and runs it in the vector program's interpreter on a copy of `memory`.
    ///
    /// Which addresses a vector program touches does not depend on values in memory, so that one checked run proves all
    /// runs with the same arguments.
    ///
    /// # Errors
    /// The kernel reaches outside its memory, or has no lowering for `machine`.
    pub fn new(
        kernel: &vector::Program,
        machine: &Machine,
        memory: Vec<Vec<f32>>,
        arguments: &[(usize, usize)],
        items: u64,
    ) -> Result<Prepared, PrepareError> {
        let mut copy = memory.clone();
        vector::interpret::run(kernel, &mut copy, arguments, items).map_err(PrepareError::Outside)?;
        let plan = Plan {
            name: kernel.name.clone(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            kernels: vec![kernel.clone()],
            steps: Vec::new(),
            choices: Vec::new(),
            tensors: Vec::new(),
            weights: Packing::default(),
            arena_bytes: 0,
            scratch_bytes: 0,
        };
        let missing = frit_runtime::cpu::missing(&machine.features());
        if !missing.is_empty() {
            return Err(PrepareError::Cpu(missing));
        }
        // Only its own vectors are covered by the machine's features.
        if kernel.vectors != machine.width().vectors() {
            return Err(PrepareError::Vectors(kernel.vectors));
        }
        let plan = prove(plan).map_err(|fault| PrepareError::Unproved(Box::new(fault)))?;
        let code = code(&plan, machine).map_err(PrepareError::Emit)?;
        Ok(Prepared { code, memory, arguments: arguments.to_vec(), items })
    }

    /// Runs the machine code once.
    pub fn run(&mut self) {
        // SAFETY: `new` ran the same program with the same arguments in the interpreter, which checks every access; the
        // machine code touches what the program says, and the CPU has the features that it uses.
        unsafe { call::kernel(&self.code, 0, &mut self.memory, &self.arguments, self.items) }
    }

    /// The memory as the runs so far have left it.
    pub fn memory(&self) -> &[Vec<f32>] {
        &self.memory
    }
}

/// Why a kernel can't be run alone.
#[derive(Debug)]
pub enum PrepareError {
    /// It reaches outside its memory.
    Outside(vector::interpret::Fault),
    /// It is no well-formed program.
    Unproved(Box<Diagnostic>),
    /// It can't be compiled.
    Emit(EmitError),
    /// It is written for these vectors, which are not those of the machine's lowering.
    Vectors(Vectors),
    /// This CPU lacks these features.
    Cpu(Vec<String>),
}

#[cfg(test)]
mod tests;
