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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::tests::program;

    #[test]
    fn a_program_for_another_cpu_is_refused_with_what_this_one_lacks() {
        let error = Model::new(program(1.0, vec!["a-feature-of-no-cpu"])).unwrap_err();
        assert!(matches!(&error, LoadError::MissingFeatures(missing) if missing == &["a-feature-of-no-cpu"]));
        assert!(error.to_string().contains("a-feature-of-no-cpu"), "{error}");
    }

    #[test]
    fn a_program_that_needs_nothing_is_taken() {
        assert_eq!(Model::new(program(1.0, Vec::new())).unwrap().program().name, "reverse");
    }
}
