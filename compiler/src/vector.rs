//! The vector program: a kernel as a few instructions on vectors, pointers and counted loops.
//!
//! A kernel is written once against [`Builder`], for the number of lanes and registers that its target states, and
//! lowered in several ways (see `lower`). [`interpret`](interpret::run) is the meaning that every lowering must equal
//! bit for bit; [`check`](check::check) is the list of what a well-formed program keeps.

pub mod builder;
pub mod check;
pub mod interpret;
pub mod parse;
pub mod print;
pub mod program;
#[cfg(test)]
pub(crate) mod random;

pub use builder::Builder;
pub use program::{
    Address, Comparison, Count, Instruction, Operand, Pointer, Program, Register, Touch, Vectors, Width,
};
