//! Vector programs to machine code: [`clif`] at 128 bits for every target of Cranelift, [`x64`] at 256 and 512 bits.

pub mod clif;
pub mod x64;
