//! Functions of two tensors element by element, in channel blocks; either may be repeated along rows, columns or channels.
//!
//! ```text
//! for block in items
//!     for row: for pixel: output = f(a, b)
//! ```
//! A stride of 0 repeats. What stays the same for a whole block, such as a gate, is loaded once.
//!
//! Parameters: a, b, output. Items: blocks of channels.

use frit_ir::ops::{Binary, Scalar};

use super::formula::Formula;
use super::functions;
use super::transcendental::Held;
use super::{Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

/// Pixels whose computations are spelled out in one pass of the inner loop.
const UNROLL: usize = 8;

/// What becomes of two elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Function {
    /// An op.
    Binary(Binary),
    /// The first to the power of this constant; the second is not read.
    Power(Scalar),
    /// The first where it is not below 0, else their product.
    Prelu,
}

/// An operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Side {
    /// Its strides; 0 where it is repeated.
    pub strides: Strides,
    /// Whether it has one channel, which is repeated.
    pub spreads: bool,
}

/// What to compute.
#[derive(Debug, Clone, Copy)]
pub struct Join {
    /// What becomes of two elements.
    pub function: Function,
    /// Rows and columns of the result.
    pub size: [usize; 2],
    /// The operands.
    pub sides: [Side; 2],
    /// Strides of the result.
    pub output: Strides,
}

impl Join {
    /// The same with all rows as one, where nothing lies between them.
    fn flat(mut self) -> Join {
        let [rows, columns] = self.size;
        let joins = |strides: Strides| strides.row == columns * strides.pixel;
        if self.sides.iter().all(|side| joins(side.strides)) && joins(self.output) {
            self.size = [1, rows * columns];
        }
        self
    }
}

/// Builds the kernel.
pub fn build(width: Width, join: &Join) -> Result<Program, TooManyRegisters> {
    let join = join.flat();
    let what = match join.function {
        Function::Binary(binary) => binary.name().to_owned(),
        Function::Power(exponent) => format!("pow_{}", exponent.get()),
        Function::Prelu => "prelu".to_owned(),
    };
    let [rows, columns] = join.size;
    let mut builder = Builder::new(format!("{what}_{rows}x{columns}"), width, 3);
    let b = &mut builder;
    let parameters = [0, 1, 2].map(|index| b.parameter(index));
    let level = |b: &mut Builder| parameters.map(|base| b.pointer(base, 0));
    let (block, row, pixel) = (level(b), level(b), level(b));
    let strides = [join.sides[0].strides, join.sides[1].strides, join.output];
    let unroll = if is_long(join.function) { 1 } else { UNROLL };
    b.repeat(Count::Items, |b| {
        let held = [0, 1].map(|side| join.held(b, side, block[side]));
        set(b, row, block, [0; 3]);
        b.repeat(Count::Static(rows as u32), |b| {
            set(b, pixel, row, [0; 3]);
            b.repeat(Count::Static((columns / unroll) as u32), |b| join.pass(b, pixel, held, unroll));
            join.pass(b, pixel, held, columns % unroll);
            advance(b, row, strides.map(|strides| strides.row));
        });
        b.free_all(held.into_iter().flatten());
        advance(b, block, strides.map(|strides| strides.block));
    });
    builder.finish()
}

/// Whether the code for one element is long.
fn is_long(function: Function) -> bool {
    matches!(function, Function::Binary(Binary::Pow) | Function::Power(_))
}

impl Join {
    /// The operand, where it is the same for all pixels of a block.
    fn held(&self, b: &mut Builder, side: usize, from: Pointer) -> Option<Register> {
        let Strides { row, pixel, .. } = self.sides[side].strides;
        (row == 0 && pixel == 0).then(|| self.load(b, side, from, 0))
    }

    fn load(&self, b: &mut Builder, side: usize, from: Pointer, offset: usize) -> Register {
        let (to, from) = (b.register(), at(from, offset as i64));
        b.emit(if self.sides[side].spreads {
            Instruction::Broadcast { to, from }
        } else {
            Instruction::Load { to, from }
        });
        to
    }

    /// `count` pixels, and the pointers moved behind them.
    fn pass(&self, b: &mut Builder, pixel: [Pointer; 3], held: [Option<Register>; 2], count: usize) {
        for index in 0..count {
            let operand = |b: &mut Builder, side: usize| {
                let stride = self.sides[side].strides.pixel;
                held[side].unwrap_or_else(|| self.load(b, side, pixel[side], index * stride))
            };
            let operands = [operand(b, 0), operand(b, 1)];
            let to = b.register();
            apply(b, self.function, to, operands);
            b.emit(Instruction::Store { to: at(pixel[2], (index * self.output.pixel) as i64), from: to });
            b.free(to);
            b.free_all([0, 1].into_iter().filter(|&side| held[side].is_none()).map(|side| operands[side]));
        }
        let [x, y] = self.sides.map(|side| side.strides.pixel);
        advance(b, pixel, [x, y, self.output.pixel].map(|bytes| count * bytes));
    }
}

/// `to = f(a, b)`; `to` may be one of them.
pub(super) fn apply(b: &mut Builder, function: Function, to: Register, [x, y]: [Register; 2]) {
    let other = Operand::Register(y);
    match function {
        Function::Binary(Binary::Add) => b.emit(Instruction::Add { to, a: x, b: other }),
        Function::Binary(Binary::Sub) => b.emit(Instruction::Subtract { to, a: x, b: other }),
        Function::Binary(Binary::Mul) => b.emit(Instruction::Multiply { to, a: x, b: other }),
        Function::Binary(Binary::Div) => b.emit(Instruction::Divide { to, a: x, b: other }),
        Function::Binary(binary @ (Binary::Min | Binary::Max)) => extreme(b, binary, to, [x, y]),
        Function::Binary(Binary::Pow) => power(b, to, x, |b, exponent| {
            b.emit(Instruction::Move { to: exponent, from: y });
        }),
        Function::Power(exponent) => constant_power(b, to, x, exponent),
        Function::Prelu => prelu(b, to, [x, y]),
    }
}

/// The smaller or larger. An instruction gives the second operand where either is NaN: the first must not be lost.
fn extreme(b: &mut Builder, binary: Binary, to: Register, [x, y]: [Register; 2]) {
    let (mask, found) = (b.register(), b.register());
    b.emit(Instruction::Compare { to: mask, comparison: Comparison::LessOrEqual, a: x, b: x });
    b.emit(match binary {
        Binary::Min => Instruction::Minimum { to: found, a: x, b: Operand::Register(y) },
        _ => Instruction::Maximum { to: found, a: x, b: Operand::Register(y) },
    });
    b.emit(Instruction::Select { to, mask, yes: found, no: x });
    b.free_all([mask, found]);
}

fn prelu(b: &mut Builder, to: Register, [x, slope]: [Register; 2]) {
    let (mask, below) = (b.register(), b.register());
    b.emit(Instruction::Constant { to: mask, value: 0.0 });
    b.emit(Instruction::Compare { to: mask, comparison: Comparison::Less, a: x, b: mask });
    b.emit(Instruction::Multiply { to: below, a: x, b: Operand::Register(slope) });
    b.emit(Instruction::Select { to, mask, yes: below, no: x });
    b.free_all([mask, below]);
}

/// `to = x^exponent`, with the exponent that `load` puts into a register.
fn power(b: &mut Builder, to: Register, x: Register, load: impl FnOnce(&mut Builder, Register)) {
    let (base, exponent) = (b.register(), b.register());
    load(b, exponent);
    b.emit(Instruction::Move { to: base, from: x });
    functions::power(&mut Formula { builder: b, held: &Held::default() }, base, exponent);
    b.emit(Instruction::Move { to, from: base });
    b.free_all([base, exponent]);
}

/// The largest whole exponent that is a chain of products.
const MOST_FACTORS: Scalar = Scalar::new(16.0);

/// `to = x^exponent`: products where it is a small whole number, a square root for a half.
fn constant_power(b: &mut Builder, to: Register, x: Register, exponent: Scalar) {
    let exponent = exponent.get();
    let whole = exponent.fract() == 0.0 && exponent.abs() <= MOST_FACTORS.get();
    if exponent == 0.5 {
        b.emit(Instruction::SquareRoot { to, a: x });
    } else if whole {
        products(b, to, x, exponent.abs() as u32);
        if exponent < 0.0 {
            let one = b.register();
            b.emit(Instruction::Constant { to: one, value: 1.0 });
            b.emit(Instruction::Divide { to, a: one, b: Operand::Register(to) });
            b.free(one);
        }
    } else {
        power(b, to, x, |b, to| b.emit(Instruction::Constant { to, value: exponent }));
    }
}

/// `to = x * x * ...` by repeated squares.
fn products(b: &mut Builder, to: Register, x: Register, factors: u32) {
    let (square, product) = (b.register(), b.register());
    b.emit(Instruction::Move { to: square, from: x });
    b.emit(Instruction::Constant { to: product, value: 1.0 });
    for bit in 0..u32::BITS - factors.leading_zeros() {
        if factors >> bit & 1 == 1 {
            b.emit(Instruction::Multiply { to: product, a: product, b: Operand::Register(square) });
        }
        b.emit(Instruction::Multiply { to: square, a: square, b: Operand::Register(square) });
    }
    b.emit(Instruction::Move { to, from: product });
    b.free_all([square, product]);
}
