//! An immutable model, shared by sessions.

use std::sync::Arc;

use crate::error::LoadError;
use crate::program::Program;

/// A program whose needs this CPU meets.
#[derive(Debug, Clone)]
pub struct Model(Arc<Program>);

impl Model {
    /// Checks the CPU and takes the program over.
    ///
    /// # Errors
    /// The CPU lacks a feature that the code uses.
    pub fn new(program: Program) -> Result<Model, LoadError> {
        let missing = crate::cpu::missing(&program.features);
        if !missing.is_empty() {
            return Err(LoadError::MissingFeatures(missing));
        }
        Ok(Model(Arc::new(program)))
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.0
    }
}
