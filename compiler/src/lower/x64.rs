//! Vector programs to AVX2 and AVX-512 machine code, through an assembler.
//!
//! Vector registers map one to one: a program never names more than the target has. Pointers and loop counters share
//! the general registers, hottest first (see `registers`); the rest live in the frame. Instructions stay in the order in
//! which the kernel emitted them: a kernel is written for its registers, and nothing here could do better.
//!
//! The code calls nothing. Its constants stand behind it and are addressed from the instruction pointer, so that it
//! needs no relocation.

mod assembly;
mod encode;
mod frame;
mod registers;
#[cfg(test)]
mod tests;

use frit_ir::Element;
use iced_x86::{Code, IcedError, Instruction as Encoded, MemoryOperand, Register as Physical};

use crate::vector::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register};
use assembly::{Assembly, SIGN_BITS, rip_relative};
use encode::Lanes;
use registers::{Assignment, Location, SCRATCH};

/// Why a program has no such lowering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    /// Neither 8 nor 16 lanes.
    Lanes(usize),
    /// A partial load or store or a broadcast operand at 8 lanes needs a vector register beside the program's.
    NoScratchRegister,
    /// An element that no instruction of this lowering reads or writes.
    Element(Element),
    /// The assembler refuses an instruction; says which and why.
    Encoding(String),
}

impl std::fmt::Display for Unsupported {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unsupported::Lanes(lanes) => write!(f, "the wide lowering has 8 or 16 lanes, not {lanes}"),
            Unsupported::NoScratchRegister => {
                f.write_str("every vector register is taken; one more is needed")
            }
            Unsupported::Element(element) => write!(f, "the wide lowering reads and writes no {element}"),
            Unsupported::Encoding(reason) => write!(f, "the assembler refuses: {reason}"),
        }
    }
}

impl std::error::Error for Unsupported {}

impl From<IcedError> for Unsupported {
    fn from(error: IcedError) -> Unsupported {
        Unsupported::Encoding(error.to_string())
    }
}

/// The machine code of `program`, position-independent, for the System V calling convention.
///
/// # Errors
/// A program for other lanes, or one that leaves no vector register where the lowering needs one.
pub fn lower(program: &Program) -> Result<Vec<u8>, Unsupported> {
    let lanes = Lanes::new(program.vectors.lanes).ok_or(Unsupported::Lanes(program.vectors.lanes))?;
    let mut lowering = Lowering {
        program,
        lanes,
        assignment: Assignment::of(program),
        assembly: Assembly::default(),
        loops: 0,
    };
    frame::enter(&mut lowering)?;
    lowering.body(&program.body)?;
    frame::leave(&mut lowering)?;
    lowering.assembly.assemble(lanes)
}

struct Lowering<'a> {
    program: &'a Program,
    lanes: Lanes,
    assignment: Assignment,
    assembly: Assembly,
    /// Loops entered so far; the next one's index into the assignment.
    loops: usize,
}

impl Lowering<'_> {
    fn emit(&mut self, instruction: Encoded) {
        self.assembly.code.push(instruction);
    }

    /// The label of the next instruction.
    fn here(&self) -> u64 {
        self.assembly.code.len() as u64 + 1
    }

    fn body(&mut self, body: &[Instruction]) -> Result<(), Unsupported> {
        body.iter().try_for_each(|instruction| self.instruction(instruction))
    }

    fn instruction(&mut self, instruction: &Instruction) -> Result<(), Unsupported> {
        use Instruction as I;
        match *instruction {
            I::Load { to, from } => self.load(self.lanes.load(), to, from),
            I::Store { to, from } => self.store(self.lanes.store(), to, from),
            I::LoadPart { to, from, lanes } => self.load_part(to, from, lanes),
            I::StorePart { to, from, lanes } => self.store_part(to, from, lanes),
            I::Broadcast { to, from } => self.load(self.lanes.broadcast(), to, from),
            I::Constant { to, value } => self.constant(to, value.to_bits()),
            I::Move { to, from } => self.two(self.lanes.copy(), to, from),
            I::MultiplyAdd { sum, a, b } => self.three(self.lanes.multiply_add(), sum, a, b),
            I::Add { to, a, b } => self.three(self.lanes.add(), to, a, b),
            I::Subtract { to, a, b } => self.three(self.lanes.subtract(), to, a, b),
            I::Multiply { to, a, b } => self.three(self.lanes.multiply(), to, a, b),
            I::Divide { to, a, b } => self.three(self.lanes.divide(), to, a, b),
            I::SquareRoot { to, a } => self.two(self.lanes.square_root(), to, a),
            I::Minimum { to, a, b } => self.three(self.lanes.minimum(), to, a, b),
            I::Maximum { to, a, b } => self.three(self.lanes.maximum(), to, a, b),
            I::Compare { to, comparison, a, b } => self.compare(to, comparison, [a, b]),
            I::Select { to, mask, yes, no } => self.select(to, mask, [yes, no]),
            I::AddInteger { to, a, b } => self.three(self.lanes.add_integer(), to, a, Operand::Register(b)),
            I::ShiftLeft { to, a, bits } => self.shift(self.lanes.shift_left(), to, a, bits),
            I::ShiftRight { to, a, bits } => self.shift(self.lanes.shift_right(), to, a, bits),
            I::SetPointer { to, base, offset } => self.set_pointer(to, base, offset),
            I::Advance { pointer, bytes } => self.advance(pointer, bytes),
            I::Prefetch { from } => {
                let memory = self.memory(from, false)?;
                self.emit(Encoded::with1(Code::Prefetcht1_m8, memory)?);
                Ok(())
            }
            I::Loop { count, ref body } => self.repeat(count, body),
        }
    }

    fn vector(&self, register: Register) -> Physical {
        self.lanes.register(usize::from(register.0))
    }

    /// A vector register that the program does not use.
    fn scratch_vector(&self) -> Result<Physical, Unsupported> {
        let free = self.program.registers;
        if free >= self.program.vectors.registers {
            return Err(Unsupported::NoScratchRegister);
        }
        Ok(self.lanes.register(free))
    }

    /// `address` as an operand; loads its pointer into the scratch register where that lives in the frame.
    fn memory(&mut self, address: Address, broadcast: bool) -> Result<MemoryOperand, Unsupported> {
        if address.element != Element::F32 {
            return Err(Unsupported::Element(address.element));
        }
        let base = self.pointer(address.base)?;
        let displacement = i64::from(address.offset);
        Ok(MemoryOperand::new(base, Physical::None, 1, displacement, 1, broadcast, Physical::None))
    }

    fn pointer(&mut self, pointer: Pointer) -> Result<Physical, Unsupported> {
        match self.assignment.pointer(pointer) {
            Location::Register(register) => Ok(register),
            Location::Frame(slot) => {
                self.emit(Encoded::with2(Code::Mov_r64_rm64, SCRATCH, frame::slot(slot))?);
                Ok(SCRATCH)
            }
        }
    }

    fn load(&mut self, code: Code, to: Register, from: Address) -> Result<(), Unsupported> {
        let memory = self.memory(from, false)?;
        let to = self.vector(to);
        self.emit(Encoded::with2(code, to, memory)?);
        Ok(())
    }

    fn store(&mut self, code: Code, to: Address, from: Register) -> Result<(), Unsupported> {
        let memory = self.memory(to, false)?;
        let from = self.vector(from);
        self.emit(Encoded::with2(code, memory, from)?);
        Ok(())
    }

    fn two(&mut self, code: Code, to: Register, from: Register) -> Result<(), Unsupported> {
        let (to, from) = (self.vector(to), self.vector(from));
        self.emit(Encoded::with2(code, to, from)?);
        Ok(())
    }

    fn three(&mut self, code: Code, to: Register, a: Register, b: Operand) -> Result<(), Unsupported> {
        let (to, a) = (self.vector(to), self.vector(a));
        let encoded = match b {
            Operand::Register(b) => Encoded::with3(code, to, a, self.vector(b))?,
            Operand::Memory(address) => Encoded::with3(code, to, a, self.memory(address, false)?)?,
            Operand::Broadcast(address) if self.lanes == Lanes::Sixteen => {
                Encoded::with3(code, to, a, self.memory(address, true)?)?
            }
            Operand::Broadcast(address) => {
                let value = self.scratch_vector()?;
                let memory = self.memory(address, false)?;
                self.emit(Encoded::with2(self.lanes.broadcast(), value, memory)?);
                Encoded::with3(code, to, a, value)?
            }
        };
        self.emit(encoded);
        Ok(())
    }

    fn shift(&mut self, code: Code, to: Register, a: Register, bits: u8) -> Result<(), Unsupported> {
        let (to, a) = (self.vector(to), self.vector(a));
        self.emit(Encoded::with3(code, to, a, u32::from(bits))?);
        Ok(())
    }

    fn constant(&mut self, to: Register, bits: u32) -> Result<(), Unsupported> {
        let to = self.vector(to);
        if bits == 0 {
            self.emit(Encoded::with3(self.lanes.exclusive_or(), to, to, to)?);
            return Ok(());
        }
        let label = self.assembly.constant_label(bits);
        self.emit(Encoded::with2(self.lanes.broadcast(), to, rip_relative(label))?);
        Ok(())
    }

    /// The mask for the first `lanes` lanes: a mask register at 16 lanes, else a vector of sign bits.
    fn mask(&mut self, lanes: u8) -> Result<Physical, Unsupported> {
        if self.lanes == Lanes::Sixteen {
            let bits = ((1u32 << lanes) - 1) as i32;
            self.emit(Encoded::with2(Code::Mov_r32_imm32, Physical::R11D, bits)?);
            self.emit(Encoded::with2(Code::VEX_Kmovw_kr_r32, Physical::K1, Physical::R11D)?);
            return Ok(Physical::K1);
        }
        let mask = self.scratch_vector()?;
        let label = SIGN_BITS;
        // The table is 8 words of ones, then 8 of zeros: it is read so that the ones reach as far as the lanes.
        let skipped = (self.program.vectors.lanes - usize::from(lanes)) * 4;
        self.emit(Encoded::with2(Code::Lea_r64_m, SCRATCH, rip_relative(label))?);
        let memory = MemoryOperand::with_base_displ(SCRATCH, skipped as i64);
        self.emit(Encoded::with2(self.lanes.load(), mask, memory)?);
        Ok(mask)
    }

    fn load_part(&mut self, to: Register, from: Address, lanes: u8) -> Result<(), Unsupported> {
        let mask = self.mask(lanes)?;
        let memory = self.memory(from, false)?;
        let to = self.vector(to);
        if self.lanes == Lanes::Sixteen {
            let mut load = Encoded::with2(self.lanes.load(), to, memory)?;
            load.set_op_mask(mask);
            load.set_zeroing_masking(true);
            self.emit(load);
        } else {
            self.emit(Encoded::with3(Code::VEX_Vmaskmovps_ymm_ymm_m256, to, mask, memory)?);
        }
        Ok(())
    }

    fn store_part(&mut self, to: Address, from: Register, lanes: u8) -> Result<(), Unsupported> {
        let mask = self.mask(lanes)?;
        let memory = self.memory(to, false)?;
        let from = self.vector(from);
        if self.lanes == Lanes::Sixteen {
            let mut store = Encoded::with2(self.lanes.store(), memory, from)?;
            store.set_op_mask(mask);
            self.emit(store);
        } else {
            self.emit(Encoded::with3(Code::VEX_Vmaskmovps_m256_ymm_ymm, memory, mask, from)?);
        }
        Ok(())
    }

    fn compare(
        &mut self,
        to: Register,
        comparison: Comparison,
        [a, b]: [Register; 2],
    ) -> Result<(), Unsupported> {
        let predicate = match comparison {
            Comparison::Less => 0x11u32,
            Comparison::LessOrEqual => 0x12,
        };
        let (to, a, b) = (self.vector(to), self.vector(a), self.vector(b));
        if self.lanes == Lanes::Sixteen {
            let code = Code::EVEX_Vcmpps_kr_k1_zmm_zmmm512b32_imm8_sae;
            self.emit(Encoded::with4(code, Physical::K1, a, b, predicate)?);
            self.emit(Encoded::with2(Code::EVEX_Vpmovm2d_zmm_kr, to, Physical::K1)?);
        } else {
            self.emit(Encoded::with4(Code::VEX_Vcmpps_ymm_ymm_ymmm256_imm8, to, a, b, predicate)?);
        }
        Ok(())
    }

    fn select(&mut self, to: Register, mask: Register, [yes, no]: [Register; 2]) -> Result<(), Unsupported> {
        let (to, mask, yes, no) = (self.vector(to), self.vector(mask), self.vector(yes), self.vector(no));
        if self.lanes == Lanes::Sixteen {
            self.emit(Encoded::with2(Code::EVEX_Vpmovd2m_kr_zmm, Physical::K1, mask)?);
            let mut blend = Encoded::with3(Code::EVEX_Vblendmps_zmm_k1z_zmm_zmmm512b32, to, no, yes)?;
            blend.set_op_mask(Physical::K1);
            self.emit(blend);
        } else {
            self.emit(Encoded::with4(Code::VEX_Vblendvps_ymm_ymm_ymmm256_ymm, to, no, yes, mask)?);
        }
        Ok(())
    }

    fn set_pointer(&mut self, to: Pointer, base: Pointer, offset: i64) -> Result<(), Unsupported> {
        let base = self.pointer(base)?;
        let (target, slot) = match self.assignment.pointer(to) {
            Location::Register(register) => (register, None),
            Location::Frame(slot) => (SCRATCH, Some(slot)),
        };
        if i32::try_from(offset).is_ok() {
            let memory = MemoryOperand::with_base_displ(base, offset);
            self.emit(Encoded::with2(Code::Lea_r64_m, target, memory)?);
        } else {
            // The base is read before the target is written, so that both may be one register.
            self.emit(Encoded::with2(Code::Mov_r64_rm64, target, base)?);
            self.add_large(target, offset)?;
        }
        if let Some(slot) = slot {
            self.emit(Encoded::with2(Code::Mov_rm64_r64, frame::slot(slot), target)?);
        }
        Ok(())
    }

    /// `register += offset` for an offset of more than 32 bits, in steps that an immediate holds.
    fn add_large(&mut self, register: Physical, mut offset: i64) -> Result<(), Unsupported> {
        while offset != 0 {
            let step = offset.clamp(i64::from(i32::MIN), i64::from(i32::MAX));
            self.emit(Encoded::with2(Code::Add_rm64_imm32, register, step as i32)?);
            offset -= step;
        }
        Ok(())
    }

    fn advance(&mut self, pointer: Pointer, bytes: i64) -> Result<(), Unsupported> {
        match (self.assignment.pointer(pointer), i32::try_from(bytes)) {
            (Location::Register(register), _) => self.add_large(register, bytes),
            (Location::Frame(slot), Ok(bytes)) => {
                self.emit(Encoded::with2(Code::Add_rm64_imm32, frame::slot(slot), bytes)?);
                Ok(())
            }
            (Location::Frame(slot), Err(_)) => {
                self.emit(Encoded::with2(Code::Mov_r64_rm64, SCRATCH, frame::slot(slot))?);
                self.add_large(SCRATCH, bytes)?;
                self.emit(Encoded::with2(Code::Mov_rm64_r64, frame::slot(slot), SCRATCH)?);
                Ok(())
            }
        }
    }

    fn repeat(&mut self, count: Count, body: &[Instruction]) -> Result<(), Unsupported> {
        let counter = self.assignment.counter(self.loops);
        self.loops += 1;
        let skip = match count {
            Count::Static(count) => {
                self.set_counter_to(counter, count)?;
                None
            }
            Count::Items => Some(self.set_counter_to_items(counter)?),
        };
        let head = self.here();
        self.body(body)?;
        let decrement = match counter {
            Location::Register(register) => Encoded::with1(Code::Dec_rm64, register)?,
            Location::Frame(slot) => Encoded::with1(Code::Dec_rm64, frame::slot(slot))?,
        };
        self.emit(decrement);
        self.emit(Encoded::with_branch(Code::Jne_rel32_64, head)?);
        if let Some(skip) = skip {
            let behind = self.here();
            self.assembly.code[skip] = Encoded::with_branch(Code::Je_rel32_64, behind)?;
        }
        Ok(())
    }

    fn set_counter_to(&mut self, counter: Location, count: u32) -> Result<(), Unsupported> {
        let set = match counter {
            Location::Register(register) => Encoded::with2(Code::Mov_r64_imm64, register, u64::from(count))?,
            Location::Frame(slot) => {
                let count =
                    i32::try_from(count).map_err(|_| Unsupported::Encoding(format!("a loop of {count}")))?;
                Encoded::with2(Code::Mov_rm64_imm32, frame::slot(slot), count)?
            }
        };
        self.emit(set);
        Ok(())
    }

    /// Sets `counter` to the kernel's items and returns where the branch over the loop stands.
    fn set_counter_to_items(&mut self, counter: Location) -> Result<usize, Unsupported> {
        let target = match counter {
            Location::Register(register) => register,
            Location::Frame(_) => SCRATCH,
        };
        let items = frame::slot(self.assignment.items());
        self.emit(Encoded::with2(Code::Mov_r64_rm64, target, items)?);
        if let Location::Frame(slot) = counter {
            self.emit(Encoded::with2(Code::Mov_rm64_r64, frame::slot(slot), target)?);
        }
        self.emit(Encoded::with2(Code::Test_rm64_r64, target, target)?);
        self.emit(Encoded::with_branch(Code::Je_rel32_64, 0)?);
        Ok(self.assembly.code.len() - 1)
    }
}
