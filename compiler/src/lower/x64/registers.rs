//! Which pointers and loop counters live in registers: those that run most often.

use iced_x86::Register;

use crate::vector::program::{Count, Instruction, Pointer, Program};

/// Holds what lives in the frame while an instruction uses it; never assigned.
pub(super) const SCRATCH: Register = Register::R11;

/// Registers to assign, those that a callee needn't save first.
const POOL: [Register; 14] = [
    Register::RDI,
    Register::RSI,
    Register::RDX,
    Register::RCX,
    Register::R8,
    Register::R9,
    Register::RAX,
    Register::R10,
    Register::RBX,
    Register::RBP,
    Register::R12,
    Register::R13,
    Register::R14,
    Register::R15,
];

/// Index in [`POOL`] of the first register that a callee must save.
const FIRST_SAVED: usize = 8;

/// How much more often a loop's body is taken to run than what stands around it.
const LOOP_WEIGHT: u64 = 16;

/// Where a pointer or a counter lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A general register.
    Register(Register),
    /// A slot of the frame, by index.
    Frame(usize),
}

/// The place of every pointer and counter.
pub(super) struct Assignment {
    pointers: Vec<Place>,
    /// Of loops in the order of their heads.
    counters: Vec<Place>,
    parameters: usize,
    slots: usize,
    used: usize,
}

impl Assignment {
    /// Gives the pool to the pointers and counters with most uses, each weighted by the depth of its loop.
    pub(super) fn of(program: &Program) -> Assignment {
        let mut uses = Uses { pointers: vec![0; program.pointers], counters: Vec::new() };
        uses.walk(&program.body, 1);
        let all = uses.pointers.iter().chain(&uses.counters);
        let mut ranked: Vec<(u64, usize)> = all.enumerate().map(|(index, &weight)| (weight, index)).collect();
        ranked.sort_by_key(|&(weight, index)| (std::cmp::Reverse(weight), index));
        let mut slots = program.parameters + 1;
        let mut places = vec![Place::Frame(0); ranked.len()];
        for (rank, &(_, index)) in ranked.iter().enumerate() {
            places[index] = match POOL.get(rank) {
                Some(&register) => Place::Register(register),
                None if index < program.parameters => Place::Frame(index),
                None => {
                    slots += 1;
                    Place::Frame(slots - 1)
                }
            };
        }
        let counters = places.split_off(program.pointers);
        let used = ranked.len().min(POOL.len());
        Assignment { pointers: places, counters, parameters: program.parameters, slots, used }
    }

    pub(super) fn pointer(&self, pointer: Pointer) -> Place {
        self.pointers[usize::from(pointer.0)]
    }

    /// The counter of the loop with this index, in the order of the loops' heads.
    pub(super) fn counter(&self, index: usize) -> Place {
        self.counters[index]
    }

    /// The slot in which argument `index` is stored at entry.
    pub(super) fn argument(&self, index: usize) -> usize {
        index
    }

    /// The slot of the number of items.
    pub(super) fn items(&self) -> usize {
        self.parameters
    }

    /// Slots of the frame.
    pub(super) fn slots(&self) -> usize {
        self.slots
    }

    /// Assigned registers that the callee must save, in the order of pushing.
    pub(super) fn saved(&self) -> impl Iterator<Item = Register> + use<> {
        POOL[FIRST_SAVED.min(self.used)..self.used].to_vec().into_iter()
    }
}

/// Weighted uses of pointers and of counters.
struct Uses {
    pointers: Vec<u64>,
    counters: Vec<u64>,
}

impl Uses {
    fn walk(&mut self, body: &[Instruction], weight: u64) {
        for instruction in body {
            for pointer in pointers(instruction).into_iter().flatten() {
                self.pointers[usize::from(pointer.0)] += weight;
            }
            if let Instruction::Loop { count, body } = instruction {
                let inner = match count {
                    Count::Static(count) => weight.saturating_mul(LOOP_WEIGHT.min(u64::from(*count))),
                    Count::Items => weight.saturating_mul(LOOP_WEIGHT),
                };
                self.counters.push(inner);
                self.walk(body, inner);
            }
        }
    }
}

/// The pointers that one instruction names.
fn pointers(instruction: &Instruction) -> [Option<Pointer>; 2] {
    if let Some(touch) = instruction.touch(1) {
        return [Some(touch.address.base), None];
    }
    match *instruction {
        Instruction::Prefetch { from } => [Some(from.base), None],
        Instruction::SetPointer { to, base, .. } => [Some(to), Some(base)],
        Instruction::Advance { pointer, .. } => [Some(pointer), None],
        _ => [None, None],
    }
}
