//! What a well-formed vector program keeps; lowerings and the interpreter rely on it.

use std::fmt;

use frit_ir::Element;

use super::program::{Address, Count, Instruction, Operand, Pointer, Program, Register};

/// The deepest nesting of loops; more would be a fault of whoever builds the program.
pub const DEEPEST_NESTING: usize = 24;

/// The most pointer arguments.
pub const MOST_PARAMETERS: usize = frit_runtime::abi::POINTERS;

/// A broken rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The kernel's name.
    pub kernel: String,
    /// The instruction as text; `None` where the program's head is at fault.
    pub instruction: Option<String>,
    /// The rule that it breaks.
    pub flaw: Flaw,
}

/// A rule that a program breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The name is empty or has blanks or control characters.
    Name,
    /// Lanes other than 4, 8 or 16.
    Lanes(usize),
    /// More parameters than a kernel can have, or than there are pointers.
    Parameters(usize),
    /// More vector registers in use than the target has.
    Registers(usize),
    /// More pointers or registers than their numbers can name.
    TooMany(usize),
    /// A register beyond the program's.
    UnknownRegister(Register),
    /// A pointer beyond the program's.
    UnknownPointer(Pointer),
    /// A register that may be read before it is written.
    UndefinedRegister(Register),
    /// A pointer that may be read before it is set.
    UndefinedPointer(Pointer),
    /// A select's mask that may come from something else than a comparison.
    NotAMask(Register),
    /// A distance in bytes that is no multiple of the element's; of 4, where a pointer moves.
    Misaligned(i64),
    /// An element that no lane holds.
    Element(Element),
    /// A partial access to no lane or to more than the width has.
    Part(u8),
    /// A shift by 32 or more.
    Shift(u8),
    /// A loop with the constant count 0.
    EmptyCount,
    /// A loop over the items inside another one.
    NestedItems,
    /// Loops nested deeper than [`DEEPEST_NESTING`].
    TooDeep,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::Name => f.write_str("a name is not empty and has neither blanks nor control characters"),
            Flaw::Lanes(lanes) => write!(f, "a vector has 4, 8 or 16 lanes, not {lanes}"),
            Flaw::Parameters(count) => {
                write!(f, "{count} parameters; at most {MOST_PARAMETERS} are possible, and each is a pointer")
            }
            Flaw::Registers(count) => write!(f, "{count} registers are more than the target has"),
            Flaw::TooMany(count) => {
                write!(f, "{count} are more than 65536, which a number of 16 bits can name")
            }
            Flaw::UnknownRegister(Register(index)) => {
                write!(f, "r{index} is beyond the program's registers")
            }
            Flaw::UnknownPointer(Pointer(index)) => {
                write!(f, "p{index} is beyond the program's pointers")
            }
            Flaw::UndefinedRegister(Register(index)) => {
                write!(f, "r{index} may be read before it is written")
            }
            Flaw::UndefinedPointer(Pointer(index)) => {
                write!(f, "p{index} may be read before it is set")
            }
            Flaw::NotAMask(Register(index)) => {
                write!(f, "r{index} may hold something else than a comparison's result")
            }
            Flaw::Misaligned(bytes) => write!(f, "{bytes} bytes are no whole number of elements"),
            Flaw::Element(element) => write!(f, "a lane of 32 bits holds no {element}"),
            Flaw::Part(lanes) => write!(f, "a partial access cannot have {lanes} lanes"),
            Flaw::Shift(bits) => write!(f, "a shift of 32-bit lanes by {bits}"),
            Flaw::EmptyCount => f.write_str("a constant count is at least 1"),
            Flaw::NestedItems => f.write_str("a loop over the items stands inside another one"),
            Flaw::TooDeep => write!(f, "loops are nested deeper than {DEEPEST_NESTING}"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.instruction {
            Some(instruction) => {
                write!(f, "kernel {}, `{instruction}`: {}", self.kernel, self.flaw)
            }
            None => write!(f, "kernel {}: {}", self.kernel, self.flaw),
        }
    }
}

impl std::error::Error for Fault {}

/// Whether `program` keeps the rules.
///
/// # Errors
/// Every broken rule, in program order.
pub fn check(program: &Program) -> Result<(), Vec<Fault>> {
    let mut checker = Checker { program, faults: Vec::new(), in_items: false, depth: 0 };
    checker.head();
    let mut defined = Defined::default();
    (0..program.parameters).for_each(|index| defined.pointers.put(index as u16, true));
    checker.body(&program.body, &mut defined);
    if checker.faults.is_empty() { Ok(()) } else { Err(checker.faults) }
}

/// What is certainly written at a point of the program.
#[derive(Default, Clone)]
struct Defined {
    registers: Flags,
    pointers: Flags,
    /// Registers that certainly hold a comparison's result.
    masks: Flags,
}

/// A set of small numbers: every program is checked whenever it is compiled, so that looking one up must cost nothing.
#[derive(Default, Clone)]
struct Flags(Vec<bool>);

impl Flags {
    fn has(&self, number: u16) -> bool {
        self.0.get(usize::from(number)).is_some_and(|&flag| flag)
    }

    fn put(&mut self, number: u16, flag: bool) {
        let number = usize::from(number);
        if self.0.len() <= number {
            self.0.resize(number + 1, false);
        }
        self.0[number] = flag;
    }

    fn is_empty(&self) -> bool {
        !self.0.contains(&true)
    }
}

struct Checker<'a> {
    program: &'a Program,
    faults: Vec<Fault>,
    /// Inside a loop over the items.
    in_items: bool,
    /// Loops around the current instruction.
    depth: usize,
}

impl Checker<'_> {
    fn head(&mut self) {
        let program = self.program;
        if program.name.is_empty() || program.name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            self.fault(None, Flaw::Name);
        }
        if ![4, 8, 16].contains(&program.vectors.lanes) {
            self.fault(None, Flaw::Lanes(program.vectors.lanes));
        }
        if program.parameters > MOST_PARAMETERS || program.parameters > program.pointers {
            self.fault(None, Flaw::Parameters(program.parameters));
        }
        if program.registers > program.vectors.registers {
            self.fault(None, Flaw::Registers(program.registers));
        }
        let most = usize::from(u16::MAX) + 1;
        for count in [program.pointers, program.registers, program.vectors.registers] {
            if count > most {
                self.fault(None, Flaw::TooMany(count));
            }
        }
    }

    fn fault(&mut self, instruction: Option<&Instruction>, flaw: Flaw) {
        let instruction = instruction.map(Instruction::to_string);
        self.faults.push(Fault { kernel: self.program.name.clone(), instruction, flaw });
    }

    fn body(&mut self, body: &[Instruction], defined: &mut Defined) {
        for instruction in body {
            match instruction {
                Instruction::Loop { count, body } => self.repeat(instruction, *count, body, defined),
                _ => self.plain(instruction, defined),
            }
        }
    }

    fn repeat(
        &mut self,
        instruction: &Instruction,
        count: Count,
        body: &[Instruction],
        defined: &mut Defined,
    ) {
        if count == Count::Static(0) {
            self.fault(Some(instruction), Flaw::EmptyCount);
        }
        if count == Count::Items && self.in_items {
            self.fault(Some(instruction), Flaw::NestedItems);
        }
        if self.depth == DEEPEST_NESTING {
            self.fault(Some(instruction), Flaw::TooDeep);
            return;
        }
        // The second round begins with what the first one left in a register, so a mask must survive the body.
        forget_masks(body, &mut defined.masks);
        let before = defined.clone();
        let outer = self.in_items;
        self.in_items |= count == Count::Items;
        self.depth += 1;
        self.body(body, defined);
        self.depth -= 1;
        self.in_items = outer;
        if count == Count::Items {
            *defined = before;
        }
    }

    fn plain(&mut self, instruction: &Instruction, defined: &mut Defined) {
        let effect = Effect::of(instruction);
        for register in effect.reads.iter().flatten() {
            self.register(instruction, *register);
            if !defined.registers.has(register.0) {
                self.fault(Some(instruction), Flaw::UndefinedRegister(*register));
            }
        }
        if let Some(pointer) = effect.base {
            self.pointer(instruction, pointer);
            if !defined.pointers.has(pointer.0) {
                self.fault(Some(instruction), Flaw::UndefinedPointer(pointer));
            }
        }
        if effect.distance % effect.grain != 0 {
            self.fault(Some(instruction), Flaw::Misaligned(effect.distance));
        }
        if let Some(touch) = instruction.touch(1).filter(|touch| touch.address.element.bytes() > LANE) {
            self.fault(Some(instruction), Flaw::Element(touch.address.element));
        }
        self.immediates(instruction, defined);
        if let Some(register) = effect.writes {
            self.register(instruction, register);
            let mask = match instruction {
                Instruction::Compare { .. } => true,
                Instruction::Move { from, .. } => defined.masks.has(from.0),
                _ => false,
            };
            defined.registers.put(register.0, true);
            defined.masks.put(register.0, mask);
        }
        if let Some(pointer) = effect.sets {
            self.pointer(instruction, pointer);
            defined.pointers.put(pointer.0, true);
        }
    }

    fn immediates(&mut self, instruction: &Instruction, defined: &Defined) {
        match *instruction {
            Instruction::LoadPart { lanes, .. } | Instruction::StorePart { lanes, .. }
                if lanes == 0 || usize::from(lanes) > self.program.vectors.lanes =>
            {
                self.fault(Some(instruction), Flaw::Part(lanes));
            }
            Instruction::ShiftLeft { bits, .. } | Instruction::ShiftRight { bits, .. } if bits >= 32 => {
                self.fault(Some(instruction), Flaw::Shift(bits))
            }
            Instruction::Select { mask, .. } if !defined.masks.has(mask.0) => {
                self.fault(Some(instruction), Flaw::NotAMask(mask));
            }
            _ => {}
        }
    }

    fn register(&mut self, instruction: &Instruction, register: Register) {
        if usize::from(register.0) >= self.program.registers {
            self.fault(Some(instruction), Flaw::UnknownRegister(register));
        }
    }

    fn pointer(&mut self, instruction: &Instruction, pointer: Pointer) {
        if usize::from(pointer.0) >= self.program.pointers {
            self.fault(Some(instruction), Flaw::UnknownPointer(pointer));
        }
    }
}

/// Removes what `body` writes by anything but a comparison. A nest deeper than allowed is left out: it is a fault
/// already.
fn forget_masks(body: &[Instruction], masks: &mut Flags) {
    let mut bodies = if masks.is_empty() { Vec::new() } else { vec![body] };
    while let Some(body) = bodies.pop() {
        for instruction in body {
            match instruction {
                Instruction::Loop { body, .. } => bodies.push(body),
                Instruction::Compare { .. } => {}
                _ => {
                    if let Some(register) = Effect::of(instruction).writes {
                        masks.put(register.0, false);
                    }
                }
            }
        }
    }
}

/// Bytes of a lane.
const LANE: usize = 4;

/// What one instruction, other than a loop, reads and writes.
pub(crate) struct Effect {
    /// Registers read.
    pub(crate) reads: [Option<Register>; 3],
    /// The register written.
    pub(crate) writes: Option<Register>,
    /// The pointer read.
    pub(crate) base: Option<Pointer>,
    /// The pointer written.
    pub(crate) sets: Option<Pointer>,
    /// The constant distance in bytes.
    pub(crate) distance: i64,
    /// What it must be a multiple of.
    pub(crate) grain: i64,
}

impl Default for Effect {
    fn default() -> Effect {
        Effect { reads: [None; 3], writes: None, base: None, sets: None, distance: 0, grain: LANE as i64 }
    }
}

impl Effect {
    /// The effect of `instruction`; that of a loop is empty.
    pub(crate) fn of(instruction: &Instruction) -> Effect {
        use Instruction as I;
        match *instruction {
            I::Load { to, from } | I::LoadPart { to, from, .. } | I::Broadcast { to, from } => {
                Effect::at(from).writing(to, [None; 3])
            }
            I::Store { to, from } | I::StorePart { to, from, .. } => {
                Effect { reads: [Some(from), None, None], ..Effect::at(to) }
            }
            I::Constant { to, .. } => Effect::default().writing(to, [None; 3]),
            I::Move { to, from: a }
            | I::SquareRoot { to, a }
            | I::ShiftLeft { to, a, .. }
            | I::ShiftRight { to, a, .. } => Effect::default().writing(to, [Some(a), None, None]),
            I::MultiplyAdd { sum, a, b } => {
                Effect::operand(b).writing(sum, [Some(a), register(b), Some(sum)])
            }
            I::Add { to, a, b }
            | I::Subtract { to, a, b }
            | I::Multiply { to, a, b }
            | I::Divide { to, a, b }
            | I::Minimum { to, a, b }
            | I::Maximum { to, a, b } => Effect::operand(b).writing(to, [Some(a), register(b), None]),
            I::Compare { to, a, b, .. } | I::AddInteger { to, a, b } => {
                Effect::default().writing(to, [Some(a), Some(b), None])
            }
            I::Select { to, mask, yes, no } => {
                Effect::default().writing(to, [Some(mask), Some(yes), Some(no)])
            }
            I::SetPointer { to, base, offset } => {
                Effect { base: Some(base), sets: Some(to), distance: offset, ..Effect::default() }
            }
            I::Advance { pointer, bytes } => {
                Effect { base: Some(pointer), sets: Some(pointer), distance: bytes, ..Effect::default() }
            }
            I::Prefetch { from } => Effect::at(from),
            I::Loop { .. } => Effect::default(),
        }
    }

    fn at(address: Address) -> Effect {
        let (distance, grain) = (i64::from(address.offset), address.element.bytes() as i64);
        Effect { base: Some(address.base), distance, grain, ..Effect::default() }
    }

    fn operand(operand: Operand) -> Effect {
        match operand {
            Operand::Register(_) => Effect::default(),
            Operand::Memory(address) | Operand::Broadcast(address) => Effect::at(address),
        }
    }

    fn writing(self, to: Register, reads: [Option<Register>; 3]) -> Effect {
        Effect { writes: Some(to), reads, ..self }
    }
}

fn register(operand: Operand) -> Option<Register> {
    match operand {
        Operand::Register(register) => Some(register),
        Operand::Memory(_) | Operand::Broadcast(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::vector::{Vectors, interpret, parse::parse, random};

    fn flaws(body: &str) -> Vec<Flaw> {
        let head = "kernel k parameters 1 pointers 2 registers 3 lanes 4 of 16 fused";
        let program = parse(&format!("{head} {{\n{body}\n}}")).unwrap();
        check(&program).err().unwrap_or_default().into_iter().map(|fault| fault.flaw).collect()
    }

    #[test]
    fn a_register_must_be_written_before_it_is_read() {
        assert_eq!(flaws("store [p0], r0"), [Flaw::UndefinedRegister(Register(0))]);
        assert_eq!(flaws("madd r0, r1, r2").len(), 3);
        assert_eq!(flaws("load r0, [p0]\nstore [p0], r0"), []);
        assert_eq!(flaws("load r0, [p1]"), [Flaw::UndefinedPointer(Pointer(1))]);
    }

    #[test]
    fn a_loop_over_items_may_write_nothing_but_a_counted_one_always_runs() {
        let body = |count: &str| format!("loop {count} {{\nload r0, [p0]\nset p1, p0, 4\n}}\nstore [p1], r0");
        assert_eq!(flaws(&body("3")), []);
        assert_eq!(
            flaws(&body("items")),
            [Flaw::UndefinedRegister(Register(0)), Flaw::UndefinedPointer(Pointer(1))]
        );
        assert_eq!(
            flaws("loop 2 {\nstore [p0], r0\nload r0, [p0]\n}"),
            [Flaw::UndefinedRegister(Register(0))]
        );
    }

    #[test]
    fn a_mask_comes_from_a_comparison_on_every_round() {
        let loads = "load r0, [p0]\nload r1, [p0]\n";
        let select = "select r2, r1, r0, r0";
        assert_eq!(flaws(&format!("{loads}{select}")), [Flaw::NotAMask(Register(1))]);
        assert_eq!(flaws(&format!("{loads}less r1, r0, r0\n{select}")), []);
        assert_eq!(flaws(&format!("{loads}less r2, r0, r0\nmove r1, r2\n{select}")), []);
        assert_eq!(flaws(&format!("{loads}less r1, r0, r0\nloop 2 {{\n{select}\n}}")), []);
        let overwritten = format!("{loads}less r1, r0, r0\nloop 2 {{\n{select}\nload r1, [p0]\n}}");
        assert_eq!(flaws(&overwritten), [Flaw::NotAMask(Register(1))]);
        let skipped = format!("{loads}loop items {{\nless r1, r0, r0\n}}\n{select}");
        assert_eq!(flaws(&skipped), [Flaw::NotAMask(Register(1))]);
    }

    #[test]
    fn numbers_stay_in_range() {
        assert_eq!(flaws("load r3, [p0]"), [Flaw::UnknownRegister(Register(3))]);
        assert_eq!(flaws("set p2, p0, 0"), [Flaw::UnknownPointer(Pointer(2))]);
        assert_eq!(flaws("load r0, [p0+2]"), [Flaw::Misaligned(2)]);
        assert_eq!(flaws("load r0, [i64 p0+16]"), [Flaw::Element(Element::I64)]);
        assert_eq!(flaws("advance p0, -3"), [Flaw::Misaligned(-3)]);
        assert_eq!(flaws("load.part r0, [p0], 3\nload r1, [p0]"), []);
        assert_eq!(flaws("load.part r0, [p0], 0\nload.part r0, [p0], 5"), [Flaw::Part(0), Flaw::Part(5)]);
        assert_eq!(flaws("load r0, [p0]\nshift.left r0, r0, 32"), [Flaw::Shift(32)]);
        assert_eq!(flaws("load r0, [p0]\nshift.right r0, r0, 33"), [Flaw::Shift(33)]);
        assert_eq!(flaws("loop 0 {\n}"), [Flaw::EmptyCount]);
        assert_eq!(flaws("loop items {\nloop 2 {\nloop items {\n}\n}\n}"), [Flaw::NestedItems]);
        assert_eq!(flaws("loop items {\n}\nloop items {\n}"), []);
    }

    #[test]
    fn the_head_is_checked_and_a_fault_names_kernel_and_instruction() {
        let head = |line: &str| {
            let faults = check(&parse(&format!("kernel {line} {{\nprefetch [p5]\n}}")).unwrap()).unwrap_err();
            faults.iter().map(Fault::to_string).collect::<Vec<_>>()
        };
        let all = head("k parameters 9 pointers 9 registers 17 lanes 3 of 16 fused");
        assert_eq!(
            all,
            [
                "kernel k: a vector has 4, 8 or 16 lanes, not 3",
                "kernel k: 9 parameters; at most 8 are possible, and each is a pointer",
                "kernel k: 17 registers are more than the target has"
            ]
        );
        let one = head("k parameters 1 pointers 1 registers 0 lanes 4 of 16 fused");
        assert_eq!(one[0], "kernel k, `prefetch [p5]`: p5 is beyond the program's pointers");
    }

    proptest! {
        #[test]
        fn random_programs_are_well_formed_and_stay_in_their_memory(case in (4usize..=16, any::<bool>()).prop_flat_map(
            |(lanes, fused)| random::cases(Vectors { lanes: lanes.next_power_of_two(), registers: 16, fused })
        )) {
            prop_assert_eq!(check(&case.program), Ok(()), "{}", case.program);
            let mut memory = case.memory.clone();
            prop_assert_eq!(interpret::run(&case.program, &mut memory, &case.arguments, case.items), Ok(()));
        }
    }
}
