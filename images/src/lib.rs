//! Pictures in, names of classes out: what stands around a compiled classifier, for the compiler and for programs that only
//! run what it made.
//!
//! A model carries how pictures become its input and what its classes are called, so that a program needs nothing but the
//! model and a picture:
//!
//! ```no_run
//! use frit_images::{Picture, guesses};
//! use frit_runtime::{Model, Session};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // SAFETY: frit wrote the file, and nobody changes it while the model lives.
//! let model = unsafe { Model::load("mobilenet_v2.frit".as_ref(), Default::default())? };
//! let image = Picture::load("cat.png".as_ref())?.input_of(&model)?;
//! let mut scores = vec![0.0; model.metadata().outputs[0].elements()];
//! Session::new(&model, 2)?.run(&[(&image).into()], &mut [(&mut scores).into()], 1)?;
//! for guess in guesses(&model, &scores, 3) {
//!     println!("{:.3}  {guess}", guess.probability);
//! }
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]

pub mod classify;
pub mod picture;

pub use classify::{Guess, guesses};
pub use picture::{Picture, PictureError};
