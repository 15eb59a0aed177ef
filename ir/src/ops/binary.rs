//! Two tensors of one shape, element by element.

/// A function of two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Binary {
    /// `a + b`
    Add,
}

impl Binary {
    /// The name in the textual form and in descriptions.
    pub fn name(&self) -> &'static str {
        match self {
            Binary::Add => "add",
        }
    }
}
