//! Loads and runs compiled programs. Knows no compiler: a deployed program links this crate alone.
//!
//! A [`Program`] is what the compiler hands over, in this process or through a file ([`artifact`]). A [`Model`] is a program whose needs this CPU meets; it is immutable
//! and shared. A [`Session`] owns the memory and the threads of one caller.
#![deny(unsafe_code)]

pub mod abi;
pub mod artifact;
pub mod barrier;
#[allow(unsafe_code)]
pub mod call;
#[allow(unsafe_code)]
pub mod code;
pub mod cpu;
pub mod error;
pub mod file;
#[cfg(all(test, loom))]
#[path = "tests/interleavings.rs"]
mod interleavings;
#[allow(unsafe_code)]
pub mod load;
#[allow(unsafe_code)]
pub mod map;
pub mod memory;
pub mod model;
#[allow(unsafe_code)]
pub mod pool;
pub mod port;
pub mod profile;
pub mod program;
pub mod session;
mod sync;
pub mod view;
pub mod weights;

pub use error::{LoadError, Refusal, RunError};
pub use model::Model;
pub use port::{Element, Port};
pub use program::Program;
pub use session::Session;
pub use view::{View, ViewMut};
