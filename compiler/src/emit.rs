//! Machine code of a whole plan, through Cranelift's module interface: kernels of either lowering, and the entry.

pub mod dump;
#[allow(unsafe_code)]
pub mod jit;

use cranelift_codegen::ir::UserFuncName;
use cranelift_frontend::FunctionBuilderContext;
use cranelift_module::{FuncId, Linkage, Module, ModuleError};

use crate::lower::{clif, x64};
use crate::plan::Plan;
use crate::vector::Program;
use crate::{driver, machine};

/// Why a plan could not be turned into code: always a fault of frit, or a machine without memory.
#[derive(Debug)]
pub enum EmitError {
    /// The target's description is not accepted.
    Target(String),
    /// Cranelift refuses a function.
    Module(Box<ModuleError>),
    /// The wide lowering refuses a kernel.
    Wide {
        /// The kernel's name.
        kernel: String,
        /// Why.
        reason: x64::Unsupported,
    },
    /// The system refuses memory.
    Memory(std::io::Error),
}

impl std::fmt::Display for EmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EmitError::Target(reason) => write!(f, "the target can't be set up: {reason}"),
            EmitError::Module(error) => write!(f, "the code generator refuses a function: {error}"),
            EmitError::Wide { kernel, reason } => write!(f, "kernel {kernel} has no wide form: {reason}"),
            EmitError::Memory(error) => write!(f, "no memory for the program: {error}"),
        }
    }
}

impl std::error::Error for EmitError {}

impl From<ModuleError> for EmitError {
    fn from(error: ModuleError) -> EmitError {
        EmitError::Module(Box::new(error))
    }
}

/// The functions of a plan in a module.
pub struct Defined {
    /// The entry.
    pub entry: FuncId,
    /// The kernels, in the plan's order.
    pub kernels: Vec<FuncId>,
}

/// Defines all kernels of `plan`, and its entry.
///
/// # Errors
/// A kernel that no lowering takes, or that the module refuses.
pub fn define<M: Module>(module: &mut M, plan: &Plan) -> Result<Defined, EmitError> {
    let mut frontend = FunctionBuilderContext::new();
    let kernels = plan
        .kernels
        .iter()
        .enumerate()
        .map(|(index, kernel)| define_kernel(module, &mut frontend, index, kernel))
        .collect::<Result<Vec<FuncId>, EmitError>>()?;
    let entry = define_entry(module, &mut frontend, plan, &kernels)?;
    Ok(Defined { entry, kernels })
}

/// Functions begin at this multiple of bytes: half a cache line.
const ALIGNMENT: u64 = 32;

fn define_kernel<M: Module>(
    module: &mut M,
    frontend: &mut FunctionBuilderContext,
    index: usize,
    kernel: &Program,
) -> Result<FuncId, EmitError> {
    let signature = clif::signature(kernel, module.isa().default_call_conv());
    let id = module.declare_function(&format!("kernel_{index}"), Linkage::Local, &signature)?;
    if kernel.width.lanes == clif::LANES {
        let mut context = module.make_context();
        context.func.signature = signature;
        context.func.name = UserFuncName::user(0, id.as_u32());
        clif::build(kernel, &mut context.func, frontend, module.target_config());
        module.define_function(id, &mut context)?;
    } else {
        let bytes =
            x64::lower(kernel).map_err(|reason| EmitError::Wide { kernel: kernel.name.clone(), reason })?;
        module.define_function_bytes(id, ALIGNMENT, &bytes, &[])?;
    }
    Ok(id)
}

fn define_entry<M: Module>(
    module: &mut M,
    frontend: &mut FunctionBuilderContext,
    plan: &Plan,
    kernels: &[FuncId],
) -> Result<FuncId, EmitError> {
    let signature = driver::signature(module.isa().default_call_conv());
    let id = module.declare_function("entry", Linkage::Export, &signature)?;
    let mut context = module.make_context();
    context.func.signature = signature;
    context.func.name = UserFuncName::user(0, id.as_u32());
    let references: Vec<_> =
        kernels.iter().map(|&kernel| module.declare_func_in_func(kernel, &mut context.func)).collect();
    driver::build(plan, &mut context.func, frontend, module.target_config(), &references);
    module.define_function(id, &mut context)?;
    Ok(id)
}

/// The code generator's view of `machine`.
pub(crate) fn isa(machine: &machine::Machine) -> Result<cranelift_codegen::isa::OwnedTargetIsa, EmitError> {
    machine.isa().map_err(|error| EmitError::Target(error.to_string()))
}
