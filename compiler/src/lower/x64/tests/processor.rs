//! A processor for the instructions that the wide lowering emits, and for no others.
//!
//! It runs the bytes: they are decoded as a CPU would decode them. Memory is a few regions at made-up addresses, far
//! apart, and a touch outside of them is a panic that names the instruction. So is an instruction that it doesn't know.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register};

/// Lanes of a vector register; the lower ones are the narrower register.
pub(super) const LANES: usize = 16;

const CODE: u64 = 0x40_0000;
const STACK: u64 = 0x7fff_0000_0000;
const STACK_BYTES: usize = 1 << 12;
const BUFFERS: u64 = 0x10_0000_0000;
/// Longer than any distance that a test's pointer goes astray.
const BUFFER_DISTANCE: u64 = 0x100_0000_0000;
/// Where the kernel returns to: nowhere else may it end.
const CALLER: u64 = 0xdead_beef_0000;

/// More than any test's kernel runs.
const MOST_STEPS: u32 = 1 << 24;

const ARGUMENTS: [Register; 5] = [Register::RDI, Register::RSI, Register::RDX, Register::RCX, Register::R8];
const ITEMS: Register = Register::R9;
/// What a callee leaves as it was.
const KEPT: [Register; 7] =
    [Register::RSP, Register::RBX, Register::RBP, Register::R12, Register::R13, Register::R14, Register::R15];

struct Region {
    first: u64,
    bytes: Vec<u8>,
    writable: bool,
}

pub(super) struct Processor {
    general: [u64; 16],
    pub(super) vectors: [[u32; LANES]; 32],
    pub(super) masks: [u16; 8],
    zero: bool,
    regions: Vec<Region>,
}

/// One call of a kernel.
pub(super) struct Call<'a> {
    /// Index into the kernels' code.
    pub(super) kernel: usize,
    /// Argument `n` points into a buffer, a distance in bytes from its begin.
    pub(super) arguments: &'a [(usize, usize)],
    pub(super) items: u64,
}

/// Runs the kernel in `code` once on `memory`.
pub(super) fn run(code: &[u8], memory: &mut [Vec<f32>], arguments: &[(usize, usize)], items: u64) {
    run_all(&[code.to_vec()], &[Call { kernel: 0, arguments, items }], memory);
}

/// Runs `calls` of the kernels in `codes`, one after the other, on `memory`.
pub(super) fn run_all(codes: &[Vec<u8>], calls: &[Call<'_>], memory: &mut [Vec<f32>]) {
    let mut processor = Processor::new(memory);
    let decoded: Vec<BTreeMap<u64, Instruction>> = codes.iter().map(|code| decode(code)).collect();
    for call in calls {
        processor.regions[memory.len()].bytes.clone_from(&codes[call.kernel]);
        processor.kernel(&decoded[call.kernel], call);
    }
    for (index, buffer) in memory.iter_mut().enumerate() {
        let words = processor.regions[index].bytes.chunks_exact(4);
        for (value, word) in buffer.iter_mut().zip(words) {
            *value = f32::from_le_bytes(word.try_into().expect("chunks of 4"));
        }
    }
}

fn address(buffer: usize) -> u64 {
    BUFFERS + BUFFER_DISTANCE * buffer as u64
}

/// The instructions by their address, up to the first return: behind it stand the constants.
fn decode(code: &[u8]) -> BTreeMap<u64, Instruction> {
    let mut decoder = Decoder::with_ip(64, code, CODE, DecoderOptions::NONE);
    let mut instructions = BTreeMap::new();
    while decoder.can_decode() {
        let instruction = decoder.decode();
        instructions.insert(instruction.ip(), instruction);
        if instruction.mnemonic() == Mnemonic::Ret {
            break;
        }
    }
    instructions
}

impl Processor {
    /// Registers hold what a caller may have left in them: anything.
    fn new(memory: &[Vec<f32>]) -> Processor {
        let mut regions: Vec<Region> = memory
            .iter()
            .enumerate()
            .map(|(index, values)| Region {
                first: address(index),
                bytes: values.iter().flat_map(|value| value.to_le_bytes()).collect(),
                writable: true,
            })
            .collect();
        regions.push(Region { first: CODE, bytes: Vec::new(), writable: false });
        regions.push(Region { first: STACK, bytes: vec![0xa5; STACK_BYTES], writable: true });
        let mut processor = Processor {
            general: std::array::from_fn(|index| 0xbad0_0000_0000_0000 + index as u64),
            vectors: [[f32::NAN.to_bits(); LANES]; 32],
            masks: [0x5555; 8],
            zero: false,
            regions,
        };
        processor.set_general(Register::RSP, STACK + STACK_BYTES as u64 - 64);
        processor
    }

    fn kernel(&mut self, code: &BTreeMap<u64, Instruction>, call: &Call<'_>) {
        for (register, &(buffer, byte)) in ARGUMENTS.into_iter().zip(call.arguments) {
            self.set_general(register, address(buffer) + byte as u64);
        }
        self.set_general(ITEMS, call.items);
        let top = self.general(Register::RSP);
        for (index, &(buffer, byte)) in call.arguments.iter().skip(ARGUMENTS.len()).enumerate() {
            let place = (top - STACK) as usize + 8 * index;
            let argument = (address(buffer) + byte as u64).to_le_bytes();
            let stack = self.regions.last_mut().expect("the stack is the last region");
            stack.bytes[place..place + 8].copy_from_slice(&argument);
        }
        let before = KEPT.map(|register| self.general(register));
        self.push(CALLER);
        self.call(code);
        assert_eq!(KEPT.map(|register| self.general(register)), before, "{KEPT:?} are the caller's");
        let upper = self.vectors.iter().take(16).flat_map(|lanes| &lanes[4..]);
        assert!(upper.into_iter().all(|&lane| lane == 0), "the upper halves are left in use");
    }

    fn call(&mut self, code: &BTreeMap<u64, Instruction>) {
        let mut ip = CODE;
        for _ in 0..MOST_STEPS {
            let instruction = code.get(&ip).unwrap_or_else(|| panic!("no instruction begins at {ip:#x}"));
            ip = self.step(instruction);
            if ip == CALLER {
                return;
            }
        }
        panic!("{MOST_STEPS} instructions and no return: a loop does not end");
    }

    /// Runs one instruction and returns where the next one is.
    fn step(&mut self, instruction: &Instruction) -> u64 {
        let next = instruction.next_ip();
        match instruction.mnemonic() {
            Mnemonic::Mov => self.set_integer(instruction, self.integer(instruction, 1)),
            Mnemonic::Lea => {
                let place = self.place(instruction);
                self.set_integer(instruction, place);
            }
            Mnemonic::Add => self.arithmetic(instruction, u64::wrapping_add),
            Mnemonic::Sub => self.arithmetic(instruction, u64::wrapping_sub),
            Mnemonic::Dec => {
                let value = self.integer(instruction, 0).wrapping_sub(1);
                self.zero = value == 0;
                self.set_integer(instruction, value);
            }
            Mnemonic::Test => self.zero = self.integer(instruction, 0) & self.integer(instruction, 1) == 0,
            Mnemonic::Push => self.push(self.integer(instruction, 0)),
            Mnemonic::Pop => {
                let value = self.pop(instruction);
                self.set_integer(instruction, value);
            }
            Mnemonic::Jne if !self.zero => return instruction.near_branch_target(),
            Mnemonic::Je if self.zero => return instruction.near_branch_target(),
            Mnemonic::Ret => return self.pop(instruction),
            Mnemonic::Jne | Mnemonic::Je | Mnemonic::Prefetcht1 => {}
            _ => self.vector(instruction),
        }
        next
    }

    fn arithmetic(&mut self, instruction: &Instruction, operation: impl Fn(u64, u64) -> u64) {
        let value = operation(self.integer(instruction, 0), self.integer(instruction, 1));
        self.zero = value == 0;
        self.set_integer(instruction, value);
    }

    /// Operand `index` as an integer of 64 bits, or of 32 where the register has as many.
    pub(super) fn integer(&self, instruction: &Instruction, index: u32) -> u64 {
        match instruction.op_kind(index) {
            OpKind::Register => self.general(instruction.op_register(index)),
            OpKind::Memory => {
                let bytes = self.read(instruction, self.place(instruction), 8);
                u64::from_le_bytes(bytes.try_into().expect("8 bytes were read"))
            }
            _ => instruction.immediate(index),
        }
    }

    /// Writes the first operand.
    fn set_integer(&mut self, instruction: &Instruction, value: u64) {
        match instruction.op_kind(0) {
            OpKind::Register => self.set_general(instruction.op0_register(), value),
            _ => self.write(instruction, self.place(instruction), &value.to_le_bytes()),
        }
    }

    fn general(&self, register: Register) -> u64 {
        let (index, bits) = number(register);
        self.general[index] & (u64::MAX >> (64 - bits))
    }

    /// A write of 32 bits clears the upper half.
    fn set_general(&mut self, register: Register, value: u64) {
        let (index, bits) = number(register);
        self.general[index] = value & (u64::MAX >> (64 - bits));
    }

    fn push(&mut self, value: u64) {
        let top = self.general(Register::RSP) - 8;
        self.set_general(Register::RSP, top);
        self.write(&Instruction::default(), top, &value.to_le_bytes());
    }

    fn pop(&mut self, instruction: &Instruction) -> u64 {
        let top = self.general(Register::RSP);
        self.set_general(Register::RSP, top + 8);
        let bytes = self.read(instruction, top, 8);
        u64::from_le_bytes(bytes.try_into().expect("8 bytes were read"))
    }

    /// The address of the memory operand.
    pub(super) fn place(&self, instruction: &Instruction) -> u64 {
        assert_eq!(instruction.memory_index(), Register::None, "{instruction}: nothing is indexed");
        let displacement = instruction.memory_displacement64();
        match instruction.memory_base() {
            Register::RIP => displacement,
            base => self.general(base).wrapping_add(displacement),
        }
    }

    pub(super) fn read(&self, instruction: &Instruction, place: u64, bytes: usize) -> &[u8] {
        let (region, first) = self.locate(instruction, place, bytes);
        &self.regions[region].bytes[first..first + bytes]
    }

    pub(super) fn write(&mut self, instruction: &Instruction, place: u64, bytes: &[u8]) {
        let (region, first) = self.locate(instruction, place, bytes.len());
        assert!(self.regions[region].writable, "{instruction} writes into the code at {place:#x}");
        if self.regions[region].first == STACK {
            assert!(place >= self.general(Register::RSP), "{instruction} writes below the stack");
        }
        self.regions[region].bytes[first..first + bytes.len()].copy_from_slice(bytes);
    }

    fn locate(&self, instruction: &Instruction, place: u64, bytes: usize) -> (usize, usize) {
        let inside = |region: &Region| {
            let first = usize::try_from(place.checked_sub(region.first)?).ok()?;
            (first <= region.bytes.len() && bytes <= region.bytes.len() - first).then_some(first)
        };
        let mut found = self.regions.iter().enumerate();
        found.find_map(|(index, region)| Some((index, inside(region)?))).unwrap_or_else(|| {
            panic!("{instruction} touches {bytes} bytes at {place:#x}, which is no memory")
        })
    }
}

/// A general register's index and bits.
fn number(register: Register) -> (usize, u32) {
    let from = |first: Register| (register as usize).checked_sub(first as usize).filter(|&index| index < 16);
    match (from(Register::RAX), from(Register::EAX)) {
        (Some(index), _) => (index, 64),
        (_, Some(index)) => (index, 32),
        _ => panic!("{register:?} is no general register of 64 or 32 bits"),
    }
}

#[cfg(test)]
mod tests {
    use iced_x86::{Code, Encoder, MemoryOperand};

    use super::*;

    /// `instruction` and a return, run on 16 values.
    fn run_one(instruction: Instruction) -> Vec<f32> {
        let code = [instruction, Instruction::with(Code::VEX_Vzeroupper), Instruction::with(Code::Retnq)];
        let mut encoder = Encoder::new(64);
        let mut place = 0;
        for instruction in &code {
            place += encoder.encode(instruction, place).unwrap() as u64;
        }
        let bytes = encoder.take_buffer();
        let mut memory = [vec![1.0; 16]];
        run(&bytes, &mut memory, &[(0, 0)], 1);
        memory.into_iter().flatten().collect()
    }

    fn store(displacement: i64) -> Instruction {
        let place = MemoryOperand::with_base_displ(Register::RDI, displacement);
        Instruction::with2(Code::VEX_Vmovups_ymmm256_ymm, place, Register::YMM3).unwrap()
    }

    #[test]
    fn a_store_inside_writes_what_it_says_and_no_more() {
        let changed: Vec<bool> = run_one(store(32)).into_iter().map(f32::is_nan).collect();
        assert_eq!(changed, [[false; 8], [true; 8]].concat());
    }

    #[test]
    #[should_panic(expected = "touches 4 bytes at 0x1000000040, which is no memory")]
    fn a_store_beyond_the_buffer_is_seen() {
        run_one(store(36));
    }

    #[test]
    #[should_panic(expected = "does not know Vrcpps")]
    fn an_unknown_instruction_is_named() {
        let reciprocal = Code::VEX_Vrcpps_ymm_ymmm256;
        run_one(Instruction::with2(reciprocal, Register::YMM0, Register::YMM1).unwrap());
    }

    #[test]
    #[should_panic(expected = "a loop does not end")]
    fn a_loop_without_end_is_seen() {
        run_one(Instruction::with_branch(Code::Jne_rel32_64, 0).unwrap());
    }

    #[test]
    #[should_panic(expected = "are the caller's")]
    fn a_register_of_the_caller_that_is_not_restored_is_seen() {
        run_one(Instruction::with1(Code::Dec_rm64, Register::RBX).unwrap());
    }
}
