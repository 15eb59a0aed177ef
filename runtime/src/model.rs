//! An immutable model, shared by sessions.

use std::sync::Arc;

use crate::error::LoadError;
use crate::program::{Metadata, Program};

/// A program whose needs this CPU meets.
#[derive(Debug, Clone)]
pub struct Model(Arc<Program>);

impl Model {
    /// Checks the CPU and takes the program over.
    ///
    /// # Errors
    /// The CPU is of another architecture, or lacks a feature that the code uses.
    pub fn new(program: Program) -> Result<Model, LoadError> {
        crate::cpu::check(&program.metadata.target.features)?;
        Ok(Model(Arc::new(program)))
    }

    /// The program.
    pub fn program(&self) -> &Program {
        &self.0
    }

    /// What is known of the program.
    pub fn metadata(&self) -> &Metadata {
        &self.0.metadata
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
    fn a_program_for_another_architecture_is_refused_by_that_alone() {
        let other = crate::cpu::ARCHITECTURES.into_iter().find(|name| !crate::cpu::has(name)).unwrap();
        let error = Model::new(program(1.0, vec!["a-feature-of-no-cpu", other])).unwrap_err();
        assert!(matches!(&error, LoadError::Architecture { needed, .. } if needed == other), "{error}");
    }

    #[test]
    fn a_program_that_needs_nothing_is_taken() {
        assert_eq!(Model::new(program(1.0, Vec::new())).unwrap().metadata().name, "reverse");
    }
}
