//! Runs a vector program, one instruction at a time: the meaning that every lowering must equal bit for bit.
//!
//! Only the payloads of NaNs are left open. A register is `lanes` words of 32 bits, so that a comparison's mask and an
//! integer are what they are in hardware; a pointer is a buffer and a distance in bytes, so that an access outside its
//! buffer is a fault and never a neighbour's value.

use std::fmt;

use super::check::{self, check};
use super::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

/// Why a program could not run to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The program breaks a rule of well-formed programs; the first one.
    Malformed(check::Fault),
    /// Other arguments than the program has parameters, or one that names no buffer or no whole lane.
    Arguments {
        /// The kernel's name.
        kernel: String,
        /// What is wrong with which argument.
        reason: String,
    },
    /// An instruction touches memory outside its buffer.
    OutOfBounds {
        /// The kernel's name.
        kernel: String,
        /// The instruction as text.
        instruction: String,
        /// The buffer that its pointer belongs to.
        buffer: usize,
        /// First byte touched, from the buffer's begin.
        byte: i64,
        /// Bytes touched.
        bytes: usize,
        /// Bytes of the buffer.
        size: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed(fault) => fault.fmt(f),
            Fault::Arguments { kernel, reason } => write!(f, "kernel {kernel}: {reason}"),
            Fault::OutOfBounds { kernel, instruction, buffer, byte, bytes, size } => write!(
                f,
                "kernel {kernel}, `{instruction}`: touches {bytes} bytes at {byte} of buffer {buffer}, which has {size}"
            ),
        }
    }
}

impl std::error::Error for Fault {}

/// What one instruction reads or writes, in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The buffer.
    pub buffer: usize,
    /// The first byte, from the buffer's begin.
    pub byte: usize,
    /// How many.
    pub bytes: usize,
    /// Whether they are written.
    pub writes: bool,
}

/// Runs `program` on `memory`, buffers of words that hold elements of any size; argument `n` points to one of them and a
/// distance in bytes from its begin.
///
/// # Errors
/// A program that breaks a rule, arguments that don't fit, or an access outside a buffer. `memory` then holds what was
/// written before.
pub fn run(
    program: &Program,
    memory: &mut [Vec<f32>],
    arguments: &[(usize, usize)],
    items: u64,
) -> Result<(), Fault> {
    run_watched(program, memory, arguments, items, |_| {})
}

/// The same, and shows each access to `watch` before it happens.
///
/// # Errors
/// As [`run`].
pub fn run_watched(
    program: &Program,
    memory: &mut [Vec<f32>],
    arguments: &[(usize, usize)],
    items: u64,
    watch: impl FnMut(Access),
) -> Result<(), Fault> {
    check(program).map_err(|mut faults| Fault::Malformed(faults.swap_remove(0)))?;
    let mut pointers = places(program, memory.len(), arguments)?;
    pointers.resize(program.pointers, Place { buffer: 0, byte: 0 });
    let registers = vec![[0; MOST_LANES]; program.registers];
    Machine { program, memory, items, pointers, registers, watch }.body(&program.body)
}

fn places(program: &Program, buffers: usize, arguments: &[(usize, usize)]) -> Result<Vec<Place>, Fault> {
    let fault = |reason: String| Fault::Arguments { kernel: program.name.clone(), reason };
    if arguments.len() != program.parameters {
        return Err(fault(format!("{} arguments for {} parameters", arguments.len(), program.parameters)));
    }
    let place = |(index, &(buffer, byte)): (usize, &(usize, usize))| match i64::try_from(byte) {
        _ if buffer >= buffers => Err(fault(format!("argument {index} names buffer {buffer} of {buffers}"))),
        Ok(byte) if byte % 4 == 0 => Ok(Place { buffer, byte }),
        _ => Err(fault(format!("argument {index} lies at byte {byte}, which no value begins at"))),
    };
    arguments.iter().enumerate().map(place).collect()
}

const MOST_LANES: usize = 16;

/// The lanes' bits; those beyond the width are unused.
type Lanes = [u32; MOST_LANES];

#[derive(Clone, Copy)]
struct Place {
    buffer: usize,
    /// From the buffer's begin; may lie outside as long as nothing is read or written there.
    byte: i64,
}

struct Machine<'a, W> {
    program: &'a Program,
    memory: &'a mut [Vec<f32>],
    items: u64,
    pointers: Vec<Place>,
    registers: Vec<Lanes>,
    watch: W,
}

impl<W: FnMut(Access)> Machine<'_, W> {
    fn body(&mut self, body: &[Instruction]) -> Result<(), Fault> {
        for instruction in body {
            match instruction {
                Instruction::Loop { count, body } => {
                    let count = match *count {
                        Count::Static(count) => u64::from(count),
                        Count::Items => self.items,
                    };
                    for _ in 0..count {
                        self.body(body)?;
                    }
                }
                _ => self.step(instruction)?,
            }
        }
        Ok(())
    }

    fn step(&mut self, instruction: &Instruction) -> Result<(), Fault> {
        use Instruction as I;
        let lanes = self.program.vectors.lanes;
        match *instruction {
            I::Load { to, from } => *self.lanes(to) = self.load(instruction, from, lanes)?,
            I::LoadPart { to, from, lanes } => {
                *self.lanes(to) = self.load(instruction, from, lanes.into())?
            }
            I::Broadcast { to, from } => *self.lanes(to) = self.broadcast(instruction, from)?,
            I::Store { to, from } => self.store(instruction, to, from, lanes)?,
            I::StorePart { to, from, lanes } => self.store(instruction, to, from, lanes.into())?,
            I::Constant { to, value } => *self.lanes(to) = [value.to_bits(); MOST_LANES],
            I::Move { to, from } => *self.lanes(to) = self.get(from),
            I::MultiplyAdd { sum, a, b } => self.multiply_add(instruction, sum, a, b)?,
            I::Add { to, a, b } => self.floats(instruction, to, [a.into(), b], |a, b| a + b)?,
            I::Subtract { to, a, b } => self.floats(instruction, to, [a.into(), b], |a, b| a - b)?,
            I::Multiply { to, a, b } => self.floats(instruction, to, [a.into(), b], |a, b| a * b)?,
            I::Divide { to, a, b } => self.floats(instruction, to, [a.into(), b], |a, b| a / b)?,
            I::SquareRoot { to, a } => {
                *self.lanes(to) = self.get(a).map(|lane| f32::from_bits(lane).sqrt().to_bits());
            }
            I::Minimum { to, a, b } => {
                self.floats(instruction, to, [a.into(), b], |a, b| if a < b { a } else { b })?;
            }
            I::Maximum { to, a, b } => {
                self.floats(instruction, to, [a.into(), b], |a, b| if b < a { a } else { b })?;
            }
            I::Compare { to, comparison, a, b } => self.compare(to, comparison, a, b),
            I::Select { to, mask, yes, no } => {
                let (mask, yes, no) = (self.get(mask), self.get(yes), self.get(no));
                *self.lanes(to) =
                    std::array::from_fn(|lane| if mask[lane] == u32::MAX { yes[lane] } else { no[lane] });
            }
            I::AddInteger { to, a, b } => {
                let (a, b) = (self.get(a), self.get(b));
                *self.lanes(to) = std::array::from_fn(|lane| a[lane].wrapping_add(b[lane]));
            }
            I::ShiftLeft { to, a, bits } => *self.lanes(to) = self.get(a).map(|lane| lane << bits),
            I::ShiftRight { to, a, bits } => *self.lanes(to) = self.get(a).map(|lane| lane >> bits),
            I::SetPointer { to, base, offset } => *self.pointer(to) = moved(*self.pointer(base), offset),
            I::Advance { pointer, bytes } => *self.pointer(pointer) = moved(*self.pointer(pointer), bytes),
            I::Prefetch { .. } | I::Loop { .. } => {}
        }
        Ok(())
    }

    fn multiply_add(
        &mut self,
        instruction: &Instruction,
        sum: Register,
        a: Register,
        b: Operand,
    ) -> Result<(), Fault> {
        let (fused, a, b, addend) =
            (self.program.vectors.fused, self.get(a), self.operand(instruction, b)?, self.get(sum));
        *self.lanes(sum) = std::array::from_fn(|lane| {
            let [a, b, addend] = [a, b, addend].map(|lanes| f32::from_bits(lanes[lane]));
            if fused { a.mul_add(b, addend) } else { a * b + addend }.to_bits()
        });
        Ok(())
    }

    fn floats(
        &mut self,
        instruction: &Instruction,
        to: Register,
        [a, b]: [Operand; 2],
        operation: impl Fn(f32, f32) -> f32,
    ) -> Result<(), Fault> {
        let (a, b) = (self.operand(instruction, a)?, self.operand(instruction, b)?);
        let lane = |lane: usize| operation(f32::from_bits(a[lane]), f32::from_bits(b[lane])).to_bits();
        *self.lanes(to) = std::array::from_fn(lane);
        Ok(())
    }

    fn compare(&mut self, to: Register, comparison: Comparison, a: Register, b: Register) {
        let (a, b) = (self.get(a), self.get(b));
        *self.lanes(to) = std::array::from_fn(|lane| {
            let (a, b) = (f32::from_bits(a[lane]), f32::from_bits(b[lane]));
            let holds = match comparison {
                Comparison::Less => a < b,
                Comparison::LessOrEqual => a <= b,
            };
            if holds { u32::MAX } else { 0 }
        });
    }

    fn operand(&mut self, instruction: &Instruction, operand: Operand) -> Result<Lanes, Fault> {
        match operand {
            Operand::Register(register) => Ok(self.get(register)),
            Operand::Memory(address) => self.load(instruction, address, self.program.vectors.lanes),
            Operand::Broadcast(address) => self.broadcast(instruction, address),
        }
    }

    fn load(&mut self, instruction: &Instruction, from: Address, lanes: usize) -> Result<Lanes, Fault> {
        let bytes = self.touch(instruction, from, lanes, false)?;
        let mut bits = [0; MOST_LANES];
        for (lane, element) in bits.iter_mut().zip(bytes.chunks_exact(from.element.bytes())) {
            *lane = from.element.read(element).to_bits();
        }
        Ok(bits)
    }

    fn broadcast(&mut self, instruction: &Instruction, from: Address) -> Result<Lanes, Fault> {
        let bytes = self.touch(instruction, from, 1, false)?;
        Ok([from.element.read(bytes).to_bits(); MOST_LANES])
    }

    fn store(
        &mut self,
        instruction: &Instruction,
        to: Address,
        from: Register,
        lanes: usize,
    ) -> Result<(), Fault> {
        let bits = self.get(from);
        let bytes = self.touch(instruction, to, lanes, true)?;
        for (element, lane) in bytes.chunks_exact_mut(to.element.bytes()).zip(bits) {
            to.element.write(f32::from_bits(lane), element);
        }
        Ok(())
    }

    /// The bytes of `count` elements at `address`, all inside the buffer, which are about to be read or written.
    fn touch(
        &mut self,
        instruction: &Instruction,
        address: Address,
        count: usize,
        writes: bool,
    ) -> Result<&mut [u8], Fault> {
        let Place { buffer, byte } =
            moved(self.pointers[usize::from(address.base.0)], i64::from(address.offset));
        let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut self.memory[buffer]);
        let (bytes, size) = (count * address.element.bytes(), memory.len());
        let first = usize::try_from(byte).ok();
        match first
            .and_then(|first| memory.get_mut(first..first.checked_add(bytes)?).map(|found| (first, found)))
        {
            Some((first, found)) => {
                (self.watch)(Access { buffer, byte: first, bytes, writes });
                Ok(found)
            }
            None => Err(Fault::OutOfBounds {
                kernel: self.program.name.clone(),
                instruction: instruction.to_string(),
                buffer,
                byte,
                bytes,
                size,
            }),
        }
    }

    fn get(&self, register: Register) -> Lanes {
        self.registers[usize::from(register.0)]
    }

    fn lanes(&mut self, register: Register) -> &mut Lanes {
        &mut self.registers[usize::from(register.0)]
    }

    fn pointer(&mut self, pointer: Pointer) -> &mut Place {
        &mut self.pointers[usize::from(pointer.0)]
    }
}

/// Saturates where the address space ends, far outside every buffer. A saturated place may be no multiple of 4; an
/// access there is out of bounds all the same.
fn moved(place: Place, bytes: i64) -> Place {
    Place { byte: place.byte.saturating_add(bytes), ..place }
}

impl From<Register> for Operand {
    fn from(register: Register) -> Operand {
        Operand::Register(register)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::{Builder, Width};

    const WIDTH: Width = Width::new(4, 16, true);

    #[test]
    fn an_access_beyond_the_buffer_names_instruction_and_address() {
        let mut builder = Builder::new("reads_too_far", WIDTH, 1);
        let pointer = builder.parameter(0);
        let register = builder.load(pointer, 4);
        builder.emit(Instruction::Store { to: Address::new(pointer, 0), from: register });
        let program = builder.finish().unwrap();
        let mut memory = vec![vec![0.0; 8]];
        assert_eq!(run(&program, &mut memory, &[(0, 12)], 1), Ok(()));
        let fault = run(&program, &mut memory, &[(0, 16)], 1).unwrap_err();
        assert_eq!(
            fault.to_string(),
            "kernel reads_too_far, `load r0, [p0+4]`: touches 16 bytes at 20 of buffer 0, which has 32"
        );
    }

    #[test]
    fn a_pointer_may_pass_the_begin_as_long_as_nothing_is_touched_there() {
        let mut builder = Builder::new("before_the_begin", WIDTH, 1);
        let pointer = builder.pointer(Pointer(0), -64);
        builder.load(pointer, 64);
        let good = builder.finish().unwrap();
        assert_eq!(run(&good, &mut [vec![0.0; 4]], &[(0, 0)], 1), Ok(()));
        let mut builder = Builder::new("before_the_begin", WIDTH, 1);
        builder.load(Pointer(0), -4);
        let bad = builder.finish().unwrap();
        assert!(matches!(
            run(&bad, &mut [vec![0.0; 8]], &[(0, 0)], 1),
            Err(Fault::OutOfBounds { byte: -4, .. })
        ));
    }

    #[test]
    fn multiply_add_rounds_once_or_twice_as_the_width_says() {
        let a = 1.0 + f32::EPSILON;
        let product = |fused: bool| {
            let mut builder = Builder::new("madd", Width { fused, ..WIDTH }, 1);
            let (sum, factor) = (builder.register(), builder.register());
            builder.emit(Instruction::Constant { to: sum, value: -1.0 - 2.0 * f32::EPSILON });
            builder.emit(Instruction::Constant { to: factor, value: a });
            builder.emit(Instruction::MultiplyAdd { sum, a: factor, b: Operand::Register(factor) });
            builder.emit(Instruction::Store { to: Address::new(Pointer(0), 0), from: sum });
            let mut memory = [vec![0.0; 4]];
            run(&builder.finish().unwrap(), &mut memory, &[(0, 0)], 1).unwrap();
            memory[0][3]
        };
        assert_eq!(product(true), f32::EPSILON * f32::EPSILON);
        assert_eq!(product(false), 0.0);
    }

    #[test]
    fn the_second_operand_wins_at_nans_and_at_zeros_of_both_signs() {
        let both = |a: f32, b: f32| {
            let mut builder = Builder::new("extremes", WIDTH, 1);
            let (x, y, to) = (builder.register(), builder.register(), builder.register());
            builder.emit(Instruction::Constant { to: x, value: a });
            builder.emit(Instruction::Constant { to: y, value: b });
            builder.emit(Instruction::Minimum { to, a: x, b: Operand::Register(y) });
            builder.emit(Instruction::Store { to: Address::new(Pointer(0), 0), from: to });
            builder.emit(Instruction::Maximum { to, a: x, b: Operand::Register(y) });
            builder.emit(Instruction::Store { to: Address::new(Pointer(0), 16), from: to });
            let mut memory = [vec![0.0; 8]];
            run(&builder.finish().unwrap(), &mut memory, &[(0, 0)], 1).unwrap();
            [memory[0][0].to_bits(), memory[0][4].to_bits()]
        };
        assert_eq!(both(0.0, -0.0), [(-0.0f32).to_bits(); 2]);
        assert_eq!(both(-0.0, 0.0), [0; 2]);
        assert_eq!(both(f32::NAN, 2.0), [2.0f32.to_bits(); 2]);
        assert_eq!(both(2.0, f32::NAN), [f32::NAN.to_bits(); 2]);
        assert_eq!(both(1.0, 2.0), [1.0f32.to_bits(), 2.0f32.to_bits()]);
    }

    #[test]
    fn part_accesses_touch_no_other_lane() {
        let mut builder = Builder::new("parts", WIDTH, 2);
        let to = builder.register();
        builder.emit(Instruction::LoadPart { to, from: Address::new(Pointer(0), 0), lanes: 3 });
        builder.emit(Instruction::Store { to: Address::new(Pointer(1), 0), from: to });
        builder.emit(Instruction::StorePart { to: Address::new(Pointer(1), 16), from: to, lanes: 2 });
        let mut memory = [vec![1.0, 2.0, 3.0], vec![9.0; 6]];
        run(&builder.finish().unwrap(), &mut memory, &[(0, 0), (1, 0)], 1).unwrap();
        assert_eq!(memory[1], [1.0, 2.0, 3.0, 0.0, 1.0, 2.0]);
    }

    #[test]
    fn wrong_arguments_are_refused() {
        let program = Builder::new("arguments", WIDTH, 1).finish().unwrap();
        let mut memory = [vec![0.0; 4]];
        for arguments in [&[][..], &[(1, 0)], &[(0, 2)], &[(0, usize::MAX - 3)]] {
            assert!(
                matches!(run(&program, &mut memory, arguments, 1), Err(Fault::Arguments { .. })),
                "{arguments:?}"
            );
        }
    }
}
