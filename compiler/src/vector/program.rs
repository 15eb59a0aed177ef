//! What a vector program is made of.

use frit_ir::Element;

/// What a program's meaning depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Vectors {
    /// 32-bit lanes of one vector register: 4, 8 or 16.
    pub lanes: usize,
    /// Vector registers that a program may use at once.
    pub registers: usize,
    /// Whether [`Instruction::MultiplyAdd`] rounds once (a fused instruction) or twice.
    pub fused: bool,
}

/// What a kernel knows of its target: what its vectors are, and what is cheap.
///
/// A kernel asks for what it wants to know, never for a number of lanes that happens to go with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Width {
    /// 32-bit lanes of one vector register: 4, 8 or 16.
    pub lanes: usize,
    /// Vector registers that a program may use at once.
    pub registers: usize,
    /// Whether [`Instruction::MultiplyAdd`] rounds once (a fused instruction) or twice.
    pub fused: bool,
    /// Registers that the sums of a tile may take, so that weights and a value have room beside them.
    pub sums: usize,
    /// Whether one value in memory, in every lane, costs nothing as an operand ([`Operand::Broadcast`]).
    pub broadcast_operand: bool,
    /// Multiply-adds of a whole vector that begin in one cycle.
    pub units: usize,
}

impl Width {
    /// A target of which no more is known: sums leave four registers, a broadcast is an instruction, and there are two units.
    pub const fn new(lanes: usize, registers: usize, fused: bool) -> Width {
        let sums = registers.saturating_sub(4);
        Width { lanes, registers, fused, sums, broadcast_operand: false, units: 2 }
    }

    /// Whether each of `vectors` multiplications by one value may read it for itself at no cost: the loads keep up with one
    /// unit, and with two where that is all that they read.
    pub fn embeds(self, vectors: usize) -> bool {
        self.broadcast_operand && (self.units == 1 || vectors == 1)
    }

    /// What the meaning of a program for this target depends on.
    pub fn vectors(self) -> Vectors {
        let Width { lanes, registers, fused, .. } = self;
        Vectors { lanes, registers, fused }
    }
}

/// A vector register: mutable storage of `lanes` f32 values, not an SSA value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Register(pub u16);

/// A pointer variable: a mutable byte address. The first [`Program::parameters`] ones are the arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pointer(pub u16);

/// A place in memory, a pointer and a constant distance, and what lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address {
    /// The pointer.
    pub base: Pointer,
    /// Distance in bytes, a multiple of the element's.
    pub offset: i32,
    /// The elements, one for each lane that is read or written. A lane holds the f32 that the element is.
    pub element: Element,
}

impl Address {
    /// Where f32 elements lie.
    pub fn new(base: Pointer, offset: i32) -> Address {
        Address { base, offset, element: Element::F32 }
    }
}

/// The second factor or summand of an arithmetic instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A vector register.
    Register(Register),
    /// `lanes` values in memory.
    Memory(Address),
    /// One value in memory, in every lane.
    Broadcast(Address),
}

/// How often a loop's body runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Count {
    /// A constant, at least 1.
    Static(u32),
    /// The kernel's last argument (its share of items), 0 or more.
    Items,
}

/// An ordered comparison of two f32 lanes; false where either is NaN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `a < b`
    Less,
    /// `a <= b`
    LessOrEqual,
}

/// One instruction. Registers and pointers are read and written in place.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the formula beside each variant says what its fields are")]
pub enum Instruction {
    /// `to = lanes values at from`
    Load { to: Register, from: Address },
    /// `lanes values at to = from`
    Store { to: Address, from: Register },
    /// The first `lanes` values at `from`, zero in the other lanes; nothing beyond them is read.
    LoadPart { to: Register, from: Address, lanes: u8 },
    /// Stores the first `lanes` values; nothing beyond them is written.
    StorePart { to: Address, from: Register, lanes: u8 },
    /// `to = the value at from, in every lane`
    Broadcast { to: Register, from: Address },
    /// `to = value in every lane`; compared and printed by its bits.
    Constant { to: Register, value: f32 },
    /// `to = from`
    Move { to: Register, from: Register },
    /// `sum += a * b`, rounded as [`Vectors::fused`] says.
    MultiplyAdd { sum: Register, a: Register, b: Operand },
    /// `to = a + b`
    Add { to: Register, a: Register, b: Operand },
    /// `to = a - b`
    Subtract { to: Register, a: Register, b: Operand },
    /// `to = a * b`
    Multiply { to: Register, a: Register, b: Operand },
    /// `to = a / b`
    Divide { to: Register, a: Register, b: Operand },
    /// `to = √a`; NaN below zero.
    SquareRoot { to: Register, a: Register },
    /// `to = if a < b { a } else { b }` (x86 `minps`: the second operand where either is NaN or both are zero)
    Minimum { to: Register, a: Register, b: Operand },
    /// `to = if b < a { a } else { b }` (x86 `maxps`: the second operand where either is NaN or both are zero)
    Maximum { to: Register, a: Register, b: Operand },
    /// `to = all ones where the comparison holds, else all zeros`
    Compare { to: Register, comparison: Comparison, a: Register, b: Register },
    /// `to = if mask has all ones { yes } else { no }`, lane by lane; `mask` comes from `Compare`.
    Select { to: Register, mask: Register, yes: Register, no: Register },
    /// Lanes as 32-bit integers: `to = a + b`, wrapping.
    AddInteger { to: Register, a: Register, b: Register },
    /// Lanes as 32-bit integers: `to = a << bits`, `bits` below 32.
    ShiftLeft { to: Register, a: Register, bits: u8 },
    /// Lanes as 32-bit integers without a sign: `to = a >> bits`, `bits` below 32.
    ShiftRight { to: Register, a: Register, bits: u8 },
    /// `to = base + offset` (bytes)
    SetPointer { to: Pointer, base: Pointer, offset: i64 },
    /// `pointer += bytes`
    Advance { pointer: Pointer, bytes: i64 },
    /// Asks for the cache line at `from`; may point anywhere.
    Prefetch { from: Address },
    /// Runs `body` `count` times. The only control flow.
    Loop { count: Count, body: Vec<Instruction> },
}

/// What an instruction reads or writes in memory, in one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touch {
    /// Where it begins.
    pub address: Address,
    /// How many elements.
    pub elements: usize,
    /// Whether they are written.
    pub writes: bool,
}

impl Touch {
    /// How many bytes.
    pub fn bytes(&self) -> usize {
        self.elements * self.address.element.bytes()
    }
}

impl Instruction {
    /// What it touches in memory, with vectors of so many `lanes`.
    pub fn touch(&self, lanes: usize) -> Option<Touch> {
        use Instruction as I;
        let read = |address, elements| Some(Touch { address, elements, writes: false });
        let written = |address, elements| Some(Touch { address, elements, writes: true });
        match *self {
            I::Load { from, .. } => read(from, lanes),
            I::LoadPart { from, lanes, .. } => read(from, lanes.into()),
            I::Broadcast { from, .. } => read(from, 1),
            I::Store { to, .. } => written(to, lanes),
            I::StorePart { to, lanes, .. } => written(to, lanes.into()),
            I::MultiplyAdd { b, .. }
            | I::Add { b, .. }
            | I::Subtract { b, .. }
            | I::Multiply { b, .. }
            | I::Divide { b, .. }
            | I::Minimum { b, .. }
            | I::Maximum { b, .. } => match b {
                Operand::Register(_) => None,
                Operand::Memory(address) => read(address, lanes),
                Operand::Broadcast(address) => read(address, 1),
            },
            I::Constant { .. }
            | I::Move { .. }
            | I::SquareRoot { .. }
            | I::Compare { .. }
            | I::Select { .. }
            | I::AddInteger { .. }
            | I::ShiftLeft { .. }
            | I::ShiftRight { .. }
            | I::SetPointer { .. }
            | I::Advance { .. }
            | I::Prefetch { .. }
            | I::Loop { .. } => None,
        }
    }
}

/// A kernel: a function of its pointer arguments and the number of items (`frit_runtime::abi::Kernel`).
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    /// Unique by shape, tile and epilogue; see the name grammar in `kernels`.
    pub name: String,
    /// The target's lanes, registers and multiply-add.
    pub vectors: Vectors,
    /// Pointer arguments; the number of items is one more.
    pub parameters: usize,
    /// Pointer variables, the parameters included.
    pub pointers: usize,
    /// Vector registers in use.
    pub registers: usize,
    /// The instructions in order.
    pub body: Vec<Instruction>,
}
