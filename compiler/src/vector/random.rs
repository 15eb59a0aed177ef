//! Random well-formed vector programs, with memory that they stay inside, for the tests of all that reads programs.
//!
//! A program is decoded from choices that mean something in every order, so that a failing one shrinks. Reads take only
//! what is certainly written. Two things are left out because the meaning leaves them open: the payload of a NaN that
//! arithmetic makes never reaches an integer instruction, and a pointer never leaves its own buffer.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register, Vectors};

/// Pointer arguments; each points to the middle of a buffer of its own. The first buffer is only read.
const PARAMETERS: usize = 3;
/// Pointer `n` stays in the buffer of argument `n % PARAMETERS`.
const POINTERS: usize = 2 * PARAMETERS;
const MOST_INSTRUCTIONS: usize = 32;
const MOST_ROUNDS: u32 = 3;
const DEEPEST: u32 = 2;
/// The longest step of a pointer and the longest distance of an address, in values of 4 bytes.
const REACH: i64 = 12;
/// Values on each side of where an argument points: every instruction may step in every round, and then reach.
const MARGIN: usize = (MOST_INSTRUCTIONS * MOST_ROUNDS.pow(DEEPEST) as usize + 1) * REACH as usize + 16;

/// A program with what it runs on.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) program: Program,
    pub(crate) memory: Vec<Vec<f32>>,
    pub(crate) arguments: Vec<(usize, usize)>,
    pub(crate) items: u64,
}

/// Well-formed programs of `vectors` that touch nothing outside their case's memory.
pub(crate) fn cases(vectors: Vectors) -> impl Strategy<Value = Case> {
    (programs(vectors), any::<u64>(), 0..=u64::from(MOST_ROUNDS)).prop_map(|(program, seed, items)| Case {
        program,
        memory: memory(seed),
        arguments: (0..PARAMETERS).map(|buffer| (buffer, MARGIN * 4)).collect(),
        items,
    })
}

/// Well-formed programs of `vectors`.
pub(crate) fn programs(vectors: Vectors) -> impl Strategy<Value = Program> {
    let plain = (any::<u8>(), any::<[u8; 4]>(), any::<u32>())
        .prop_map(|(kind, picks, bits)| Choice::Plain(kind, picks, bits));
    let tree = plain.prop_recursive(DEEPEST, MOST_INSTRUCTIONS as u32, 8, |inner| {
        (0..=MOST_ROUNDS, prop::collection::vec(inner, 1..8))
            .prop_map(|(count, body)| Choice::Loop(count, body))
    });
    prop::collection::vec(tree, 1..MOST_INSTRUCTIONS).prop_map(move |choices| decode(vectors, &choices))
}

#[derive(Debug, Clone)]
enum Choice {
    /// What kind of instruction, which operands, which immediate.
    Plain(u8, [u8; 4], u32),
    /// How often, 0 standing for the items, and what.
    Loop(u32, Vec<Choice>),
}

fn decode(vectors: Vectors, choices: &[Choice]) -> Program {
    let mut decoder = Decoder { vectors, left: MOST_INSTRUCTIONS, in_items: false, known: Known::default() };
    decoder.known.pointers.extend((0..PARAMETERS).map(|index| Pointer(index as u16)));
    let body = decoder.body(choices);
    Program {
        name: "random".into(),
        vectors,
        parameters: PARAMETERS,
        pointers: POINTERS,
        registers: vectors.registers,
        body,
    }
}

#[derive(Default, Clone)]
struct Known {
    registers: BTreeSet<Register>,
    pointers: BTreeSet<Pointer>,
    masks: BTreeSet<Register>,
    /// Registers whose bits do not depend on the payload of a NaN.
    exact: BTreeSet<Register>,
}

struct Decoder {
    vectors: Vectors,
    /// Instructions that may still be made.
    left: usize,
    in_items: bool,
    known: Known,
}

impl Decoder {
    fn body(&mut self, choices: &[Choice]) -> Vec<Instruction> {
        let mut body = Vec::new();
        for choice in choices {
            if self.left == 0 {
                break;
            }
            match choice {
                Choice::Plain(kind, picks, bits) => {
                    self.left -= 1;
                    let instruction = self.plain(*kind, *picks, *bits);
                    self.learn(&instruction);
                    body.push(instruction);
                }
                Choice::Loop(count, inner) => body.push(self.repeat(*count, inner)),
            }
        }
        body
    }

    fn repeat(&mut self, count: u32, inner: &[Choice]) -> Instruction {
        let count = if count == 0 && !self.in_items { Count::Items } else { Count::Static(count.max(1)) };
        self.known.masks.clear();
        self.known.exact.clear();
        let before = self.known.clone();
        let outer = self.in_items;
        self.in_items |= count == Count::Items;
        let body = self.body(inner);
        self.in_items = outer;
        if count == Count::Items {
            self.known = before;
        }
        Instruction::Loop { count, body }
    }

    fn plain(&mut self, kind: u8, picks: [u8; 4], bits: u32) -> Instruction {
        use Instruction as I;
        let to = Register(u16::from(picks[0]) % self.vectors.registers as u16);
        let from = self.address(picks[1], bits);
        let lanes = 1 + (bits >> 8) as u8 % self.vectors.lanes as u8;
        if self.known.registers.is_empty() {
            return I::Load { to, from };
        }
        let a = pick(&self.known.registers, picks[2]).expect("not empty");
        match kind % 26 {
            0 => I::Load { to, from },
            1 => I::Store { to: self.target(picks[1], bits), from: a },
            2 => I::LoadPart { to, from, lanes },
            3 => I::StorePart { to: self.target(picks[1], bits), from: a, lanes },
            4 => I::Broadcast { to, from },
            5 => I::Constant { to, value: f32::from_bits(bits) },
            6 => I::Move { to, from: a },
            7 | 8 => I::MultiplyAdd {
                sum: pick(&self.known.registers, picks[0]).expect("not empty"),
                a,
                b: self.operand(picks, bits),
            },
            9 => I::Add { to, a, b: self.operand(picks, bits) },
            10 => I::Subtract { to, a, b: self.operand(picks, bits) },
            11 => I::Multiply { to, a, b: self.operand(picks, bits) },
            12 => I::Divide { to, a, b: self.operand(picks, bits) },
            13 => I::Minimum { to, a, b: self.operand(picks, bits) },
            14 => I::Maximum { to, a, b: self.operand(picks, bits) },
            15 | 16 => self.compare(to, a, picks, bits),
            17 | 18 => self.select(to, picks),
            19 => self.integer(to, picks, bits),
            20 | 24 => self.shift(to, picks, bits),
            25 => I::SquareRoot { to, a },
            21 => self.set(picks, bits),
            22 => I::Advance {
                pointer: pick(&self.known.pointers, picks[1]).expect("parameters"),
                bytes: distance(bits),
            },
            _ => I::Prefetch { from },
        }
    }

    fn learn(&mut self, instruction: &Instruction) {
        let effect = super::check::Effect::of(instruction);
        self.known.pointers.extend(effect.sets);
        let Some(to) = effect.writes else {
            return;
        };
        let mask = match instruction {
            Instruction::Compare { .. } => true,
            Instruction::Move { from, .. } => self.known.masks.contains(from),
            _ => false,
        };
        let exact = match instruction {
            Instruction::Move { from, .. } => self.known.exact.contains(from),
            Instruction::Load { from, .. }
            | Instruction::LoadPart { from, .. }
            | Instruction::Broadcast { from, .. } => usize::from(from.base.0) % PARAMETERS == 0,
            Instruction::Compare { .. }
            | Instruction::Constant { .. }
            | Instruction::AddInteger { .. }
            | Instruction::ShiftLeft { .. }
            | Instruction::ShiftRight { .. } => true,
            _ => false,
        };
        self.known.registers.insert(to);
        if mask {
            self.known.masks.insert(to)
        } else {
            self.known.masks.remove(&to)
        };
        if exact {
            self.known.exact.insert(to)
        } else {
            self.known.exact.remove(&to)
        };
    }

    fn address(&self, choice: u8, bits: u32) -> Address {
        let base = pick(&self.known.pointers, choice).expect("the parameters are known");
        Address::new(base, distance(bits) as i32)
    }

    /// An address outside the first buffer.
    fn target(&self, choice: u8, bits: u32) -> Address {
        let writable = |pointer: &&Pointer| usize::from(pointer.0) % PARAMETERS != 0;
        let pointers = self.known.pointers.iter().filter(writable).copied().collect();
        let base = pick(&pointers, choice).expect("the parameters are known");
        Address::new(base, distance(bits) as i32)
    }

    fn operand(&self, picks: [u8; 4], bits: u32) -> Operand {
        match bits % 4 {
            0 => Operand::Memory(self.address(picks[1], bits >> 2)),
            1 => Operand::Broadcast(self.address(picks[1], bits >> 2)),
            _ => Operand::Register(pick(&self.known.registers, picks[3]).expect("not empty")),
        }
    }

    fn compare(&self, to: Register, a: Register, picks: [u8; 4], bits: u32) -> Instruction {
        let b = pick(&self.known.registers, picks[3]).expect("not empty");
        let comparison = if bits.is_multiple_of(2) { Comparison::Less } else { Comparison::LessOrEqual };
        Instruction::Compare { to, comparison, a, b }
    }

    fn select(&self, to: Register, [_, mask, yes, no]: [u8; 4]) -> Instruction {
        let any = |choice: u8| pick(&self.known.registers, choice).expect("not empty");
        match pick(&self.known.masks, mask) {
            Some(mask) => Instruction::Select { to, mask, yes: any(yes), no: any(no) },
            None => Instruction::Compare { to, comparison: Comparison::Less, a: any(yes), b: any(no) },
        }
    }

    fn integer(&self, to: Register, picks: [u8; 4], bits: u32) -> Instruction {
        match (pick(&self.known.exact, picks[2]), pick(&self.known.exact, picks[3])) {
            (Some(a), Some(b)) => Instruction::AddInteger { to, a, b },
            _ => Instruction::Constant { to, value: f32::from_bits(bits) },
        }
    }

    fn shift(&self, to: Register, picks: [u8; 4], bits: u32) -> Instruction {
        match pick(&self.known.exact, picks[2]) {
            Some(a) if bits & 32 == 0 => Instruction::ShiftLeft { to, a, bits: (bits % 32) as u8 },
            Some(a) => Instruction::ShiftRight { to, a, bits: (bits % 32) as u8 },
            None => Instruction::Constant { to, value: f32::from_bits(bits) },
        }
    }

    /// Sets a pointer that is no parameter from one of the same buffer.
    fn set(&self, picks: [u8; 4], bits: u32) -> Instruction {
        let to = Pointer((PARAMETERS + usize::from(picks[0]) % (POINTERS - PARAMETERS)) as u16);
        let same = |pointer: &&Pointer| usize::from(pointer.0) % PARAMETERS == usize::from(to.0) % PARAMETERS;
        let bases = self.known.pointers.iter().filter(same).copied().collect();
        Instruction::SetPointer {
            to,
            base: pick(&bases, picks[1]).expect("the parameter"),
            offset: distance(bits),
        }
    }
}

fn pick<T: Copy + Ord>(from: &BTreeSet<T>, choice: u8) -> Option<T> {
    from.iter().nth(usize::from(choice).checked_rem(from.len())?).copied()
}

/// Bytes, at most [`REACH`] values in either direction.
fn distance(bits: u32) -> i64 {
    (i64::from(bits) % (2 * REACH + 1) - REACH) * 4
}

/// A buffer for each parameter, of ordinary numbers mixed with every special one.
fn memory(seed: u64) -> Vec<Vec<f32>> {
    let special = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE,
        1.0e-40,
        f32::MAX,
    ];
    let mut state = seed;
    let mut value = || {
        // The step of Knuth's MMIX generator; its high bits are random enough to fill memory with.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let high = (state >> 32) as u32;
        if high.is_multiple_of(8) {
            special[(high >> 3) as usize % special.len()]
        } else {
            (high as f32 / u32::MAX as f32 - 0.5) * 8.0
        }
    };
    (0..PARAMETERS).map(|_| (0..2 * MARGIN).map(|_| value()).collect()).collect()
}
