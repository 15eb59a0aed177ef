//! `libfrit`: loads artifacts and runs them, for C and whatever calls C. `include/frit.h` is its documentation.
//!
//! Nothing unwinds into the caller: a fault is a status, with a sentence about it that the thread keeps ([`fault`]).
#![deny(unsafe_code)]

pub mod fault;
#[allow(unsafe_code)]
pub mod functions;
pub mod model;
