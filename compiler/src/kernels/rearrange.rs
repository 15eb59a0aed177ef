//! Moves the elements of a dense tensor to other places: a transpose, a slice, a part of a concatenation, a repetition.
//!
//! ```text
//! for item: for axis: for axis: ... output[to] = input[from]
//! ```
//! Each axis has a stride on both sides; one of 0 repeats. The innermost axis goes in vectors where it is contiguous on
//! both sides or repeats one element, else element by element.
//!
//! Parameters: input, output. Items: the outermost axis.

use super::nest::{self, Loop};
use super::{F32, at};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Instruction, Pointer, Program, Register};

/// Builds the kernel; `item` is what both pointers move on by with an item, `axes` the others, outermost first.
pub fn build(width: Width, item: [usize; 2], axes: &[Loop<2>]) -> Result<Program, TooManyRegisters> {
    let counts: Vec<String> = axes.iter().map(|axis| axis.count.to_string()).collect();
    let name = format!("rearrange_{}", if counts.is_empty() { "1".to_owned() } else { counts.join("x") });
    let mut builder = Builder::new(name, width, 2);
    let value = builder.register();
    let vectors = axes.last().filter(|axis| axis.count > 1 && [[F32, F32], [0, F32]].contains(&axis.bytes));
    match vectors {
        Some(run) => {
            let outer = &axes[..axes.len() - 1];
            nest::items(&mut builder, item, outer, &mut |b, pointers| in_vectors(b, run, pointers, value));
        }
        None => nest::items(&mut builder, item, axes, &mut |b, [from, to]| {
            b.emit(Instruction::Broadcast { to: value, from: at(from, 0) });
            b.emit(Instruction::StorePart { to: at(to, 0), from: value, lanes: 1 });
        }),
    }
    builder.free(value);
    builder.finish()
}

/// The innermost axis, `lanes` elements at a time.
fn in_vectors(b: &mut Builder, run: &Loop<2>, pointers: [Pointer; 2], value: Register) {
    let lanes = b.width().lanes;
    let repeats = run.bytes[0] == 0;
    let load = |b: &mut Builder, from: Address, part: Option<u8>| {
        b.emit(match part {
            _ if repeats => Instruction::Broadcast { to: value, from },
            Some(lanes) => Instruction::LoadPart { to: value, from, lanes },
            None => Instruction::Load { to: value, from },
        });
    };
    let (vectors, rest) = (run.count / lanes, run.count % lanes);
    let whole = run.bytes.map(|bytes| bytes * lanes);
    if vectors > 0 {
        nest::nest(b, &[Loop { count: vectors, bytes: whole }], pointers, &mut |b, [from, to]| {
            load(b, at(from, 0), None);
            b.emit(Instruction::Store { to: at(to, 0), from: value });
        });
    }
    if rest > 0 {
        let [from, to] = [0, 1].map(|side| at(pointers[side], (vectors * whole[side]) as i64));
        load(b, from, Some(rest as u8));
        b.emit(Instruction::StorePart { to, from: value, lanes: rest as u8 });
    }
}
