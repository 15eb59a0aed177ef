//! Exponentials along the last axis that add up to one.

/// Softmax over the last axis; the largest element is subtracted first, so that nothing overflows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Softmax;
