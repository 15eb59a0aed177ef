//! The textual form: one instruction a line, destination first, loops indented.
//!
//! ```text
//! kernel scale_8x parameters 2 pointers 2 registers 2 lanes 4 of 16 fused {
//!   constant r0, 0x40000000 ; 2.0
//!   loop items {
//!     mul r1, r0, [p0+16]
//!     store [p1], r1
//!     advance p0, 32
//!   }
//! }
//! ```
//! An address says what lies there where that is no f32: `[i64 p0+16]`. A constant is printed by its bits, which read back exactly; what it is in decimal stands behind as a comment.

use std::fmt::{self, Display, Formatter};

use frit_ir::Element;

use super::program::{Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {} parameters {} pointers {} ", self.name, self.parameters, self.pointers)?;
        let rounding = if self.vectors.fused { "fused" } else { "unfused" };
        let vectors = self.vectors;
        writeln!(
            f,
            "registers {} lanes {} of {} {rounding} {{",
            self.registers, vectors.lanes, vectors.registers
        )?;
        body(f, &self.body, 1)?;
        writeln!(f, "}}")
    }
}

fn body(f: &mut Formatter<'_>, instructions: &[Instruction], depth: usize) -> fmt::Result {
    for instruction in instructions {
        write!(f, "{:1$}", "", depth * 2)?;
        writeln!(f, "{instruction}")?;
        if let Instruction::Loop { body: inner, .. } = instruction {
            body(f, inner, depth + 1)?;
            writeln!(f, "{:1$}}}", "", depth * 2)?;
        }
    }
    Ok(())
}

/// One line; of a loop, the line that opens it.
impl Display for Instruction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        use Instruction as I;
        match self {
            I::Load { to, from } => write!(f, "load {to}, {from}"),
            I::Store { to, from } => write!(f, "store {to}, {from}"),
            I::LoadPart { to, from, lanes } => write!(f, "load.part {to}, {from}, {lanes}"),
            I::StorePart { to, from, lanes } => write!(f, "store.part {to}, {from}, {lanes}"),
            I::Broadcast { to, from } => write!(f, "broadcast {to}, {from}"),
            I::Constant { to, value } => {
                write!(f, "constant {to}, {:#010x} ; {value:?}", value.to_bits())
            }
            I::Move { to, from } => write!(f, "move {to}, {from}"),
            I::MultiplyAdd { sum, a, b } => write!(f, "madd {sum}, {a}, {b}"),
            I::Add { to, a, b } => write!(f, "add {to}, {a}, {b}"),
            I::Subtract { to, a, b } => write!(f, "sub {to}, {a}, {b}"),
            I::Multiply { to, a, b } => write!(f, "mul {to}, {a}, {b}"),
            I::Divide { to, a, b } => write!(f, "div {to}, {a}, {b}"),
            I::SquareRoot { to, a } => write!(f, "sqrt {to}, {a}"),
            I::Minimum { to, a, b } => write!(f, "min {to}, {a}, {b}"),
            I::Maximum { to, a, b } => write!(f, "max {to}, {a}, {b}"),
            I::Compare { to, comparison: Comparison::Less, a, b } => write!(f, "less {to}, {a}, {b}"),
            I::Compare { to, comparison: Comparison::LessOrEqual, a, b } => {
                write!(f, "less.equal {to}, {a}, {b}")
            }
            I::Select { to, mask, yes, no } => write!(f, "select {to}, {mask}, {yes}, {no}"),
            I::AddInteger { to, a, b } => write!(f, "add.integer {to}, {a}, {b}"),
            I::ShiftLeft { to, a, bits } => write!(f, "shift.left {to}, {a}, {bits}"),
            I::ShiftRight { to, a, bits } => write!(f, "shift.right {to}, {a}, {bits}"),
            I::SetPointer { to, base, offset } => write!(f, "set {to}, {base}, {offset}"),
            I::Advance { pointer, bytes } => write!(f, "advance {pointer}, {bytes}"),
            I::Prefetch { from } => write!(f, "prefetch {from}"),
            I::Loop { count, .. } => write!(f, "loop {count} {{"),
        }
    }
}

impl Display for Register {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "r{}", self.0)
    }
}

impl Display for Pointer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl Display for Address {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let element = match self.element {
            Element::F32 => String::new(),
            element => format!("{element} "),
        };
        match self.offset {
            0 => write!(f, "[{element}{}]", self.base),
            offset => write!(f, "[{element}{}{offset:+}]", self.base),
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Register(register) => register.fmt(f),
            Operand::Memory(address) => address.fmt(f),
            Operand::Broadcast(address) => write!(f, "each {address}"),
        }
    }
}

impl Display for Count {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Count::Static(count) => count.fmt(f),
            Count::Items => f.write_str("items"),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::vector::{Address, Builder, Count, Instruction, Operand, Width};

    #[test]
    fn a_kernel_reads_line_by_line() {
        let mut b = Builder::new("scale_8x", Width::new(4, 16, true), 2);
        let (input, output) = (b.parameter(0), b.parameter(1));
        let (factor, value) = (b.register(), b.register());
        b.emit(Instruction::Constant { to: factor, value: 2.0 });
        b.repeat(Count::Items, |b| {
            let from = Address::new(input, -16);
            b.emit(Instruction::Multiply { to: value, a: factor, b: Operand::Memory(from) });
            b.emit(Instruction::MultiplyAdd { sum: value, a: factor, b: Operand::Broadcast(from) });
            b.emit(Instruction::StorePart { to: Address::new(output, 4), from: value, lanes: 3 });
        });
        let text = b.finish().unwrap().to_string();
        let expected = "\
kernel scale_8x parameters 2 pointers 2 registers 2 lanes 4 of 16 fused {
  constant r0, 0x40000000 ; 2.0
  loop items {
    mul r1, r0, [p0-16]
    madd r1, r0, each [p0-16]
    store.part [p1+4], r1, 3
  }
}
";
        assert_eq!(text, expected);
    }
}
