//! What the levels of code generation look like: vector programs, Cranelift IR, and machine code as text.

use std::fmt::Write;

use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_frontend::FunctionBuilderContext;
use iced_x86::{Decoder, DecoderOptions, Formatter, NasmFormatter};

use super::{EmitError, isa};
use crate::driver;
use crate::lower::{clif, x64};
use crate::machine::{Level, Lowering, Machine};
use crate::plan::Plan;
use crate::vector::Program;

/// A level of code generation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dump {
    /// The vector programs.
    Vector,
    /// Cranelift IR, for the portable lowering.
    Clif,
    /// Machine code, disassembled.
    Asm,
}

/// All kernels of `plan` at one level, in the plan's order.
///
/// # Errors
/// A kernel that has no lowering for `machine`.
pub fn dump(plan: &Plan, machine: &Machine, level: Dump) -> Result<String, EmitError> {
    let mut text = String::new();
    for kernel in &plan.kernels {
        let part = match level {
            Dump::Vector => kernel.to_string(),
            Dump::Clif => intermediate(kernel, machine)?,
            Dump::Asm => assembly(kernel, machine)?,
        };
        // Writing to a String never fails.
        let _ = writeln!(text, "; {}\n{part}", kernel.name);
    }
    Ok(text)
}

fn intermediate(kernel: &Program, machine: &Machine) -> Result<String, EmitError> {
    if machine.lowering == Lowering::Wide {
        return Ok("; the wide lowering goes from the vector program to machine code".to_owned());
    }
    Ok(context(kernel, machine)?.func.display().to_string())
}

fn context(kernel: &Program, machine: &Machine) -> Result<Context, EmitError> {
    let isa = isa(machine)?;
    let mut context = Context::new();
    context.func.signature = driver::kernel_signature(isa.default_call_conv(), kernel.parameters);
    clif::build(kernel, &mut context.func, &mut FunctionBuilderContext::new(), isa.frontend_config());
    Ok(context)
}

fn assembly(kernel: &Program, machine: &Machine) -> Result<String, EmitError> {
    if machine.lowering == Lowering::Wide {
        let bytes =
            x64::lower(kernel).map_err(|reason| EmitError::Wide { kernel: kernel.name.clone(), reason })?;
        return Ok(disassemble(&bytes));
    }
    let isa = isa(machine)?;
    let mut context = context(kernel, machine)?;
    context.set_disasm(machine.level == Level::Aarch64);
    let code = context
        .compile(&*isa, &mut ControlPlane::default())
        .map_err(|error| EmitError::Target(format!("{}: {:?}", kernel.name, error.inner)))?;
    Ok(match &code.vcode {
        Some(text) => text.clone(),
        None => disassemble(code.code_buffer()),
    })
}

/// x86-64 code as text, an instruction a line; constants behind the code are shown as what they would be as code.
fn disassemble(bytes: &[u8]) -> String {
    let mut text = String::new();
    let mut formatter = NasmFormatter::new();
    for instruction in Decoder::with_ip(64, bytes, 0, DecoderOptions::NONE).iter() {
        let _ = write!(text, "{:6x}  ", instruction.ip());
        formatter.format(&instruction, &mut text);
        text.push('\n');
    }
    text
}
