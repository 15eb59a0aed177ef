//! A model as one object for C programs: code, weights and a session, that need libc alone.
//!
//! The session is Cranelift IR as text (`standalone/session.clif`), compiled beside the model's code for whatever the model is
//! compiled for, so that neither frit nor its user needs a compiler of C or a runtime. What looks at the CPU, and whatever runs
//! before, is made for every CPU of the architecture. Data holds distances and no addresses: it stays read-only and shared.

mod bytes;
mod layout;
mod needs;

use std::collections::BTreeMap;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, Function, GlobalValueData, UserExternalName, UserFuncName};
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_module::{
    DataDescription, DataId, FuncId, Linkage, Module, ModuleError, ModuleReloc, default_libcall_names,
};
use cranelift_object::{ObjectBuilder, ObjectModule};

use super::interface::{Interface, MESSAGES};
use super::{EmitError, define, isa};
use crate::machine::{Level, Machine};
use crate::prove::Proved;

const SESSION: &str = include_str!("standalone/session.clif");
const X86_64: &str = include_str!("standalone/x86_64.clif");
const AARCH64: &str = include_str!("standalone/aarch64.clif");

/// Weights begin at a multiple of this many bytes.
const WEIGHTS_ALIGNMENT: u64 = 64;

/// The most bytes of weights: code reaches data within 2 GiB, and the rest of the program needs room too.
pub const MOST_WEIGHTS: usize = 3 << 29;

/// The relocatable object, in the ELF format.
///
/// # Errors
/// See [`EmitError`].
pub fn object(
    plan: &Proved,
    machine: &Machine,
    interface: &Interface<'_>,
    weights: &[u8],
) -> Result<Vec<u8>, EmitError> {
    if weights.len() > MOST_WEIGHTS {
        return Err(EmitError::Weights(weights.len()));
    }
    let builder = ObjectBuilder::new(isa(machine)?, interface.symbol.as_str(), default_libcall_names())?;
    let mut module = ObjectModule::new(builder);
    let entry = define(&mut module, plan, machine.lowering)?.entry;
    let isa = machine.baseline().map_err(|error| EmitError::Target(error.to_string()))?;
    let mut session = Session {
        module,
        isa,
        functions: BTreeMap::from([("entry".to_owned(), entry)]),
        data: BTreeMap::new(),
    };
    session.data(plan, interface, weights)?;
    session.functions(machine, interface, &layout::numbers(plan, interface))?;
    session.module.finish().emit().map_err(|error| EmitError::Target(error.to_string()))
}

/// The session while it is added to the module of the code.
struct Session {
    module: ObjectModule,
    /// For every CPU of the architecture.
    isa: OwnedTargetIsa,
    /// By the names that the text has.
    functions: BTreeMap<String, FuncId>,
    data: BTreeMap<String, DataId>,
}

impl Session {
    fn data(&mut self, plan: &Proved, interface: &Interface<'_>, weights: &[u8]) -> Result<(), EmitError> {
        self.constant("weights", weights, WEIGHTS_ALIGNMENT)?;
        let ports = plan.inputs.iter().chain(&plan.outputs);
        let strides: Vec<u8> = ports.flat_map(|port| (port.bytes() as u64).to_le_bytes()).collect();
        self.constant("strides", &strides, 8)?;
        self.constant("messages", &layout::texts(&MESSAGES), 4)?;
        self.constant("labels", &layout::texts(interface.labels()), 4)?;
        self.constant("description", &layout::text(&interface.description()), 1)
    }

    fn constant(&mut self, name: &str, bytes: &[u8], alignment: u64) -> Result<(), EmitError> {
        let id = self.module.declare_data(name, Linkage::Local, false, false)?;
        let mut data = DataDescription::new();
        data.define(bytes.into());
        data.set_align(alignment);
        self.module.define_data(id, &data)?;
        self.data.insert(name.to_owned(), id);
        Ok(())
    }

    fn functions(
        &mut self,
        machine: &Machine,
        interface: &Interface<'_>,
        numbers: &BTreeMap<&str, i64>,
    ) -> Result<(), EmitError> {
        let (cpu, bytes) = match machine.level {
            Level::Aarch64 => (AARCH64, bytes::AARCH64.as_slice()),
            Level::V2 | Level::V3 | Level::V4 => (X86_64, bytes::X86_64.as_slice()),
        };
        let numbers = numbers.clone().into_iter().chain(needs::masks(&machine.features())?).collect();
        let mut functions = parsed(SESSION, &numbers)?;
        functions.extend(parsed(cpu, &numbers)?);
        for (name, function) in &functions {
            let linkage = if interface.has(name) { Linkage::Export } else { Linkage::Local };
            let symbol = if interface.has(name) { interface.function(name) } else { name.clone() };
            let id = self.module.declare_function(&symbol, linkage, &function.signature)?;
            self.functions.insert(name.clone(), id);
        }
        for raw in bytes {
            self.raw(raw, &functions)?;
        }
        functions.into_iter().try_for_each(|(name, function)| self.function(&name, function))
    }

    /// A function that is machine code already: its signature is what one of `functions` calls it by.
    fn raw(&mut self, raw: &bytes::Raw, functions: &[(String, Function)]) -> Result<(), EmitError> {
        let called = functions.iter().find_map(|(_, function)| {
            let callee = function.dfg.ext_funcs.values().find(|callee| name(&callee.name) == raw.name)?;
            Some(function.dfg.signatures[callee.signature].clone())
        });
        let signature = called.ok_or_else(|| EmitError::Target(format!("nothing calls {}", raw.name)))?;
        let id = self.module.declare_function(raw.name, Linkage::Local, &signature)?;
        self.module.define_function_bytes(id, super::ALIGNMENT, raw.code, &[])?;
        self.functions.insert(raw.name.to_owned(), id);
        Ok(())
    }

    fn function(&mut self, name: &str, mut function: Function) -> Result<(), EmitError> {
        let id = self.functions[name];
        function.name = UserFuncName::user(0, id.as_u32());
        self.bind(&mut function)?;
        let mut context = Context::for_function(function);
        let compiled = context.compile(&*self.isa, &mut ControlPlane::default());
        let alignment = u64::from(compiled.map_err(ModuleError::from)?.buffer.alignment);
        let Some(code) = context.compiled_code() else {
            return Err(EmitError::Target(format!("{name} has no code")));
        };
        let relocations = code.buffer.relocs().iter();
        let relocations: Vec<ModuleReloc> = relocations
            .map(|relocation| ModuleReloc::from_mach_reloc(relocation, &context.func, id))
            .collect();
        let alignment = alignment.max(super::ALIGNMENT);
        self.module.define_function_bytes(id, alignment, code.buffer.data(), &relocations)?;
        Ok(())
    }

    /// Names in the text become those of the module: what it does not define is libc's.
    fn bind(&mut self, function: &mut Function) -> Result<(), EmitError> {
        for callee in function.dfg.ext_funcs.keys().collect::<Vec<_>>() {
            let callee_data = &function.dfg.ext_funcs[callee];
            let name = name(&callee_data.name);
            let id = match self.functions.get(&name) {
                Some(&id) => id,
                None => {
                    let signature = function.dfg.signatures[callee_data.signature].clone();
                    self.module.declare_function(&name, Linkage::Import, &signature)?
                }
            };
            let bound = UserExternalName { namespace: 0, index: id.as_u32() };
            let bound = ExternalName::user(function.declare_imported_user_function(bound));
            function.dfg.ext_funcs[callee].name = bound;
        }
        for value in function.global_values.keys().collect::<Vec<_>>() {
            let GlobalValueData::Symbol { name: ref symbol, .. } = function.global_values[value] else {
                continue;
            };
            let symbol = name(symbol);
            let undefined = || EmitError::Target(format!("the session has no {symbol}"));
            let id = *self.data.get(&symbol).ok_or_else(undefined)?;
            let bound = UserExternalName { namespace: 1, index: id.as_u32() };
            let bound = ExternalName::user(function.declare_imported_user_function(bound));
            if let GlobalValueData::Symbol { name, .. } = &mut function.global_values[value] {
                *name = bound;
            }
        }
        Ok(())
    }
}

/// A name as the text has it.
fn name(name: &ExternalName) -> String {
    name.display(None).to_string().trim_start_matches('%').to_owned()
}

/// The functions of a text with their names, after its `$names` were replaced by `numbers`.
fn parsed(text: &str, numbers: &BTreeMap<&str, i64>) -> Result<Vec<(String, Function)>, EmitError> {
    let text = layout::replaced(text, numbers).map_err(EmitError::Target)?;
    let functions = cranelift_reader::parse_functions(&text);
    let functions = functions.map_err(|error| EmitError::Target(format!("the session: {error}")))?;
    let named = |function: Function| (function.name.to_string().trim_start_matches('%').to_owned(), function);
    Ok(functions.into_iter().map(named).collect())
}

#[cfg(test)]
mod tests;
