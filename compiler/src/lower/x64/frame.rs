//! The frame: saved registers above, 8-byte slots below, the first of them for the arguments.

use iced_x86::{Code, Instruction as Encoded, MemoryOperand, Register};

use super::registers::{Place, SCRATCH};
use super::{Lowering, Unsupported};
use crate::vector::Pointer;

/// Where the System V calling convention passes the first five pointers of a kernel; the others lie on the stack.
const ARGUMENTS: [Register; 5] = [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::R8];

/// Where it passes the number of items behind them.
const ITEMS: Register = Register::R9;

/// The slot of this index as an operand.
pub(super) fn slot(index: usize) -> MemoryOperand {
    MemoryOperand::with_base_displ(Register::RSP, 8 * index as i64)
}

/// Saves what the callee must keep, stores all arguments in the frame and loads those that live in registers: in this
/// order no argument is overwritten before it is read.
pub(super) fn enter(lowering: &mut Lowering<'_>) -> Result<(), Unsupported> {
    for register in lowering.assignment.saved() {
        lowering.emit(Encoded::with1(Code::Push_r64, register)?);
    }
    let bytes = 8 * lowering.assignment.slots() as i32;
    lowering.emit(Encoded::with2(Code::Sub_rm64_imm32, Register::RSP, bytes)?);
    let parameters = lowering.program.parameters;
    for (index, &argument) in ARGUMENTS.iter().enumerate().take(parameters) {
        let home = lowering.assignment.argument(index);
        lowering.emit(Encoded::with2(Code::Mov_rm64_r64, slot(home), argument)?);
    }
    // Behind what was pushed lies the address to return to, and behind that the arguments.
    let first = lowering.assignment.slots() + lowering.assignment.saved().count() + 1;
    for index in ARGUMENTS.len()..parameters {
        let home = lowering.assignment.argument(index);
        let passed = slot(first + index - ARGUMENTS.len());
        lowering.emit(Encoded::with2(Code::Mov_r64_rm64, SCRATCH, passed)?);
        lowering.emit(Encoded::with2(Code::Mov_rm64_r64, slot(home), SCRATCH)?);
    }
    let items = lowering.assignment.items();
    lowering.emit(Encoded::with2(Code::Mov_rm64_r64, slot(items), ITEMS)?);
    for index in 0..parameters {
        if let Place::Register(register) = lowering.assignment.pointer(Pointer(index as u16)) {
            let home = lowering.assignment.argument(index);
            lowering.emit(Encoded::with2(Code::Mov_r64_rm64, register, slot(home))?);
        }
    }
    Ok(())
}

/// Gives the frame back and returns, with the upper halves of the vector registers cleared: whoever called may use
/// 128-bit instructions, which would wait for them.
pub(super) fn leave(lowering: &mut Lowering<'_>) -> Result<(), Unsupported> {
    lowering.emit(Encoded::with(Code::VEX_Vzeroupper));
    let bytes = 8 * lowering.assignment.slots() as i32;
    lowering.emit(Encoded::with2(Code::Add_rm64_imm32, Register::RSP, bytes)?);
    let saved: Vec<Register> = lowering.assignment.saved().collect();
    for register in saved.into_iter().rev() {
        lowering.emit(Encoded::with1(Code::Pop_r64, register)?);
    }
    lowering.emit(Encoded::with(Code::Retnq));
    Ok(())
}
