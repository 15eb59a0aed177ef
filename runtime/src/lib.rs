//! Loads and runs compiled programs. Knows no compiler: a deployed program links this crate alone.
//!
//! A [`Program`] is what the compiler hands over, in this process or through a file. A [`Model`] is a program whose needs this CPU
//! meets; it is immutable and shared. A [`Session`] owns the memory and the threads of one caller; [`Streams`] are several of
//! them, which share the images of a batch. Tensors are lent as views ([`View`], [`ViewMut`]) of the caller's own memory.
//!
//! ```no_run
//! use frit_runtime::{Model, Session, load::Pages};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // SAFETY: frit wrote the file, and nobody changes it while the model lives.
//! let model = unsafe { Model::load("model.frit".as_ref(), Pages::Shared)? };
//! for port in &model.metadata().inputs {
//!     println!("{} takes {:?} of {}", port.name, port.shape, port.element.name());
//! }
//! let image = vec![0.0; model.metadata().inputs[0].elements()];
//! let mut scores = vec![0.0; model.metadata().outputs[0].elements()];
//! let mut session = Session::new(&model, 2)?;
//! session.run(&[(&image).into()], &mut [(&mut scores).into()], 1)?;
//! # Ok(())
//! # }
//! ```
//!
//! What else is public is for frit's compiler and its tests, changes with them, and is left out here.
#![deny(unsafe_code)]

#[doc(hidden)]
pub mod abi;
#[doc(hidden)]
pub mod artifact;
#[doc(hidden)]
pub mod barrier;
#[allow(unsafe_code)]
#[doc(hidden)]
pub mod call;
#[allow(unsafe_code)]
#[doc(hidden)]
pub mod code;
#[doc(hidden)]
pub mod cpu;
pub mod error;
#[doc(hidden)]
pub mod file;
#[cfg(all(test, loom))]
#[path = "tests/interleavings.rs"]
mod interleavings;
#[allow(unsafe_code)]
pub mod load;
#[allow(unsafe_code)]
#[doc(hidden)]
pub mod map;
#[doc(hidden)]
pub mod memory;
mod model;
#[allow(unsafe_code)]
#[doc(hidden)]
pub mod pool;
mod port;
pub mod profile;
pub mod program;
mod session;
mod streams;
mod sync;
mod view;
#[doc(hidden)]
pub mod weights;

pub use error::{LoadError, Refusal, RunError};
pub use model::Model;
pub use port::{Element, Layout, Port};
pub use program::Program;
pub use session::Session;
pub use streams::Streams;
pub use view::{View, ViewMut};
