//! One number out of all elements along some axes of a dense tensor.
//!
//! ```text
//! for item: for kept axis: ... for vector
//!     sum = 0                            or the first element
//!     for reduced axis: ... sum = sum + input      or the larger, the smaller
//!     output = sum                       or sum / count
//! ```
//! Where the last axis is kept its elements go side by side in vectors; else each sum is one element, spread over all
//! lanes. No lane meets another, and the order of the additions is that of the elements.
//!
//! Parameters: input, output. Items: the outermost kept axis.

use frit_ir::ops::{Binary, ReduceKind, Scalar};

use super::nest::{self, Loop};
use super::{F32, at, binary};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Instruction, Operand, Pointer, Program, Register};

/// What to compute.
#[derive(Debug, Clone)]
pub struct Reduction {
    /// Which number.
    pub kind: ReduceKind,
    /// Bytes from one item to the next, of input and output.
    pub item: [usize; 2],
    /// The other kept axes but for the vectors', outermost first.
    pub kept: Vec<Loop<2>>,
    /// Elements of the last axis, where that is kept.
    pub run: Option<usize>,
    /// The reduced axes, outermost first.
    pub reduced: Vec<Loop<1>>,
}

/// Builds the kernel.
pub fn build(width: Width, spec: &Reduction) -> Result<Program, TooManyRegisters> {
    let count = spec.count();
    let kind = match spec.kind {
        ReduceKind::Mean => "mean",
        ReduceKind::Sum => "sum",
        ReduceKind::Max => "max",
        ReduceKind::Min => "min",
    };
    let mut builder = Builder::new(format!("reduce_{kind}_{count}to{}", spec.run.unwrap_or(1)), width, 2);
    let lanes = width.lanes;
    nest::items(&mut builder, spec.item, &spec.kept, &mut |b, pointers| match spec.run {
        None => spec.vector(b, pointers, Part::Spread),
        Some(run) => {
            if run >= lanes {
                let vectors = Loop { count: run / lanes, bytes: [lanes * F32; 2] };
                nest::nest(b, &[vectors], pointers, &mut |b, pointers| {
                    spec.vector(b, pointers, Part::Lanes(lanes));
                });
            }
            if run % lanes > 0 {
                let behind = pointers.map(|base| b.pointer(base, (run / lanes * lanes * F32) as i64));
                spec.vector(b, behind, Part::Lanes(run % lanes));
            }
        }
    });
    builder.finish()
}

/// Which elements a vector holds.
#[derive(Clone, Copy)]
enum Part {
    /// One, in every lane.
    Spread,
    /// So many neighbours.
    Lanes(usize),
}

impl Reduction {
    /// Elements that become one.
    fn count(&self) -> usize {
        self.reduced.iter().map(|axis| axis.count).product()
    }

    /// One vector of results.
    fn vector(&self, b: &mut Builder, [from, to]: [Pointer; 2], part: Part) {
        let (sum, value) = (b.register(), b.register());
        let join = match self.kind {
            ReduceKind::Mean | ReduceKind::Sum => {
                b.emit(Instruction::Constant { to: sum, value: 0.0 });
                Binary::Add
            }
            kind => {
                load(b, sum, from, part);
                if kind == ReduceKind::Max { Binary::Max } else { Binary::Min }
            }
        };
        nest::nest(b, &self.reduced, [from], &mut |b, [from]| {
            load(b, value, from, part);
            binary::apply(b, binary::Function::Binary(join), sum, [sum, value]);
        });
        if self.kind == ReduceKind::Mean {
            b.emit(Instruction::Constant { to: value, value: Scalar::nearest(self.count() as f64).get() });
            b.emit(Instruction::Divide { to: sum, a: sum, b: Operand::Register(value) });
        }
        let lanes = match part {
            Part::Spread => 1,
            Part::Lanes(lanes) => lanes,
        };
        b.emit(Instruction::StorePart { to: at(to, 0), from: sum, lanes: lanes as u8 });
        b.free_all([sum, value]);
    }
}

fn load(b: &mut Builder, to: Register, from: Pointer, part: Part) {
    let from = at(from, 0);
    b.emit(match part {
        Part::Spread => Instruction::Broadcast { to, from },
        Part::Lanes(lanes) if lanes == b.width().lanes => Instruction::Load { to, from },
        Part::Lanes(lanes) => Instruction::LoadPart { to, from, lanes: lanes as u8 },
    });
}
