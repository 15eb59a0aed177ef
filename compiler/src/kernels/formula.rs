//! Formulas: arithmetic whose operands are registers or constants, over the instructions of a vector program.

use super::transcendental::Held;
use crate::vector::{Builder, Comparison, Instruction, Operand, Register};

/// An operand of a formula.
#[derive(Debug, Clone, Copy)]
pub(super) enum Term {
    Register(Register),
    Constant(f32),
}

impl From<Register> for Term {
    fn from(register: Register) -> Term {
        Term::Register(register)
    }
}

impl From<f32> for Term {
    fn from(value: f32) -> Term {
        Term::Constant(value)
    }
}

/// Emits formulas whose operands are registers or constants; the functions change their argument in place.
pub(super) struct Formula<'a> {
    pub(super) builder: &'a mut Builder,
    pub(super) held: &'a Held,
}

impl Formula<'_> {
    pub(super) fn register(&mut self) -> Register {
        self.builder.register()
    }

    pub(super) fn copy(&mut self, from: Register) -> Register {
        let to = self.register();
        self.builder.emit(Instruction::Move { to, from });
        to
    }

    pub(super) fn free<const N: usize>(&mut self, registers: [Register; N]) {
        self.builder.free_all(registers);
    }

    /// Runs `emit` with `term` in a register.
    fn with(&mut self, term: Term, emit: impl FnOnce(&mut Self, Register)) {
        match term {
            Term::Register(register) => emit(self, register),
            Term::Constant(value) => {
                let spare = self.register();
                let register = self.held.fetch(self.builder, spare, value);
                emit(self, register);
                self.free([spare]);
            }
        }
    }

    fn two(&mut self, a: Term, b: Term, make: impl FnOnce(Register, Operand) -> Instruction) {
        self.with(a, |f, a| f.with(b, |f, b| f.builder.emit(make(a, Operand::Register(b)))));
    }

    pub(super) fn set(&mut self, to: Register, value: f32) {
        self.held.set(self.builder, to, value);
    }

    pub(super) fn add(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Add { to, a, b });
    }

    pub(super) fn subtract(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Subtract { to, a, b });
    }

    pub(super) fn multiply(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Multiply { to, a, b });
    }

    pub(super) fn divide(&mut self, to: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::Divide { to, a, b });
    }

    pub(super) fn multiply_add(&mut self, sum: Register, a: impl Into<Term>, b: impl Into<Term>) {
        self.two(a.into(), b.into(), |a, b| Instruction::MultiplyAdd { sum, a, b });
    }

    /// At least `bound`; NaN stays NaN.
    pub(super) fn at_least(&mut self, x: Register, bound: f32) {
        self.two(bound.into(), x.into(), |a, b| Instruction::Maximum { to: x, a, b });
    }

    /// At most `bound`; NaN stays NaN.
    pub(super) fn at_most(&mut self, x: Register, bound: f32) {
        self.two(bound.into(), x.into(), |a, b| Instruction::Minimum { to: x, a, b });
    }

    pub(super) fn square_root(&mut self, x: Register) {
        self.builder.emit(Instruction::SquareRoot { to: x, a: x });
    }

    /// Without the sign, which is the first bit.
    pub(super) fn absolute(&mut self, x: Register) {
        self.builder.emit(Instruction::ShiftLeft { to: x, a: x, bits: 1 });
        self.builder.emit(Instruction::ShiftRight { to: x, a: x, bits: 1 });
    }

    /// `to = if a < b { yes } else { no }`
    pub(super) fn choose_less(
        &mut self,
        [a, b]: [Term; 2],
        to: Register,
        yes: impl Into<Term>,
        no: impl Into<Term>,
    ) {
        self.choose(Comparison::Less, [a, b], to, [yes.into(), no.into()]);
    }

    pub(super) fn choose(
        &mut self,
        comparison: Comparison,
        [a, b]: [Term; 2],
        to: Register,
        [yes, no]: [Term; 2],
    ) {
        let mask = self.register();
        self.with(a, |f, a| {
            f.with(b, |f, b| f.builder.emit(Instruction::Compare { to: mask, comparison, a, b }));
        });
        self.with(yes, |f, yes| {
            f.with(no, |f, no| f.builder.emit(Instruction::Select { to, mask, yes, no }));
        });
        self.free([mask]);
    }

    /// The polynomial with these coefficients, highest power first, in a fresh register.
    pub(super) fn polynomial(&mut self, x: Register, coefficients: &[f32]) -> Register {
        let [mut sum, mut next] = [self.register(), self.register()];
        for (place, &coefficient) in coefficients.iter().enumerate() {
            self.set(next, coefficient);
            if place > 0 {
                self.multiply_add(next, sum, x);
            }
            (sum, next) = (next, sum);
        }
        self.free([next]);
        sum
    }

    pub(super) fn add_bits(&mut self, to: Register, bits: u32) {
        self.with(f32::from_bits(bits).into(), |f, b| {
            f.builder.emit(Instruction::AddInteger { to, a: to, b });
        });
    }
}
