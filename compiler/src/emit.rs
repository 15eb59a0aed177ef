//! Machine code of a whole plan, through Cranelift's module interface: kernels of either lowering, and the entry.

pub mod archive;
pub mod dump;
pub mod header;
pub mod interface;
#[allow(unsafe_code)]
pub mod jit;
pub mod link;
pub mod metadata;
pub mod object;
pub mod standalone;

use cranelift_codegen::ir::{self, UserFuncName};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_module::{FuncId, Linkage, Module, ModuleError};
use frit_runtime::abi::{FEW_POINTERS, POINTERS};

use crate::driver;
use crate::lower::{clif, x64};
use crate::machine::{self, Lowering};
use crate::prove::Proved;
use crate::vector::Program;

/// Why a plan could not be turned into code: a fault of frit, or a system that refuses memory.
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
    /// So many bytes of weights are more than a standalone object can reach.
    Weights(usize),
    /// The functions can't be made one position-independent image.
    Link(link::LinkError),
}

impl std::fmt::Display for EmitError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EmitError::Target(reason) => write!(f, "the target can't be set up: {reason}"),
            EmitError::Module(error) => write!(f, "the code generator refuses a function: {error}"),
            EmitError::Wide { kernel, reason } => write!(f, "kernel {kernel} has no wide form: {reason}"),
            EmitError::Weights(bytes) => write!(
                f,
                "{bytes} bytes of weights are more than the {} that an object for C programs can hold",
                standalone::MOST_WEIGHTS
            ),
            EmitError::Link(error) => error.fmt(f),
        }
    }
}

impl EmitError {
    /// Whether the system has refused memory, or to execute what is in it.
    pub fn is_refusal(&self) -> bool {
        match self {
            // The backend's own errors are those of `mmap` and `mprotect`: frit hands over code and no symbols.
            EmitError::Module(error) => {
                matches!(**error, ModuleError::Allocation { .. } | ModuleError::Backend(_))
            }
            EmitError::Target(_) | EmitError::Wide { .. } | EmitError::Weights(_) | EmitError::Link(_) => {
                false
            }
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

/// Defines all kernels of `plan`, lowered in this way, and its entry.
///
/// # Errors
/// A kernel that no lowering takes, or that the module refuses.
pub fn define<M: Module>(module: &mut M, plan: &Proved, lowering: Lowering) -> Result<Defined, EmitError> {
    let mut definer = Definer { module, lowering, frontend: FunctionBuilderContext::new() };
    let kernels = plan
        .kernels
        .iter()
        .enumerate()
        .map(|(index, kernel)| definer.kernel(index, kernel))
        .collect::<Result<Vec<FuncId>, EmitError>>()?;
    let entry = definer.entry(plan, &kernels)?;
    Ok(Defined { entry, kernels })
}

/// Functions begin at this multiple of bytes: half a cache line.
const ALIGNMENT: u64 = 32;

/// Defines functions one after the other.
struct Definer<'a, M> {
    module: &'a mut M,
    lowering: Lowering,
    frontend: FunctionBuilderContext,
}

impl<M: Module> Definer<'_, M> {
    fn kernel(&mut self, index: usize, kernel: &Program) -> Result<FuncId, EmitError> {
        let name = format!("kernel_{index}");
        let signature = driver::kernel_signature(self.module.isa().default_call_conv(), kernel.parameters);
        match self.lowering {
            Lowering::Portable => self.function(&name, Linkage::Local, signature, |_, site| {
                clif::build(kernel, site.function, site.context, site.frontend);
            }),
            Lowering::Wide => {
                let wide = |reason| EmitError::Wide { kernel: kernel.name.clone(), reason };
                self.bytes(&name, &signature, &x64::lower(kernel).map_err(wide)?)
            }
        }
    }

    fn entry(&mut self, plan: &Proved, kernels: &[FuncId]) -> Result<FuncId, EmitError> {
        let call_conv = self.module.isa().default_call_conv();
        let table = self.bytes("table", &ir::Signature::new(call_conv), &driver::table(plan))?;
        let few = self.launchers("", FEW_POINTERS)?;
        let many = if driver::has_many(plan) { Some(self.launchers("_many", POINTERS)?) } else { None };
        self.function("entry", Linkage::Local, driver::signature(call_conv), |module, site| {
            let mut known = |id: FuncId| module.declare_func_in_func(id, site.function);
            let callees = driver::Callees {
                kernels: kernels.iter().map(|&kernel| known(kernel)).collect(),
                few: driver::Launchers { items: known(few[0]), band: known(few[1]) },
                many: many.map(|[items, band]| driver::Launchers { items: known(items), band: known(band) }),
                table: known(table),
            };
            driver::build_entry(site, plan, &callees);
        })
    }

    /// The functions that call kernels of so many pointers: on a share of items, and in a band.
    fn launchers(&mut self, suffix: &str, pointers: usize) -> Result<[FuncId; 2], EmitError> {
        let call_conv = self.module.isa().default_call_conv();
        let [items, band] = ["items", "band"].map(|name| format!("{name}{suffix}"));
        let items =
            self.function(&items, Linkage::Local, driver::items_signature(call_conv), |_, site| {
                driver::build_items(site, pointers);
            })?;
        let band = self.function(&band, Linkage::Local, driver::band_signature(call_conv), |_, site| {
            driver::build_band(site, pointers);
        })?;
        Ok([items, band])
    }

    fn bytes(&mut self, name: &str, signature: &ir::Signature, bytes: &[u8]) -> Result<FuncId, EmitError> {
        let id = self.module.declare_function(name, Linkage::Local, signature)?;
        self.module.define_function_bytes(id, ALIGNMENT, bytes, &[])?;
        Ok(id)
    }

    fn function(
        &mut self,
        name: &str,
        linkage: Linkage,
        signature: ir::Signature,
        build: impl FnOnce(&mut M, driver::Site<'_>),
    ) -> Result<FuncId, EmitError> {
        let id = self.module.declare_function(name, linkage, &signature)?;
        let mut context = self.module.make_context();
        context.func.signature = signature;
        context.func.name = UserFuncName::user(0, id.as_u32());
        let frontend = self.module.target_config();
        build(
            self.module,
            driver::Site { function: &mut context.func, context: &mut self.frontend, frontend },
        );
        self.module.define_function(id, &mut context)?;
        Ok(id)
    }
}

/// The code generator's view of `machine`.
pub(crate) fn isa(machine: &machine::Machine) -> Result<cranelift_codegen::isa::OwnedTargetIsa, EmitError> {
    machine.isa().map_err(|error| EmitError::Target(error.to_string()))
}
