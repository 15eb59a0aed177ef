//! The weights of a network: by name, with values from a file or from a seed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tensor::Shape;

/// One weight tensor, dense and row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// Its shape.
    pub shape: Shape,
    /// Its values, or how they are made.
    pub data: Data,
}

/// Where a weight's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Given values, as many as the shape has elements.
    Values(Arc<[f32]>),
    /// Drawn from a seed and the weight's name when they are asked for.
    Seeded(u64),
    /// Known by their digest only: a graph read back from text, to which no values were attached.
    Digest(u64),
}

/// Weights by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights(BTreeMap<String, Weight>);

impl Weights {
    /// The weight of this name.
    pub fn get(&self, name: &str) -> Option<&Weight> {
        self.0.get(name)
    }

    /// Adds or replaces a weight.
    pub fn insert(&mut self, name: impl Into<String>, weight: Weight) {
        self.0.insert(name.into(), weight);
    }

    /// All weights, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Weight)> {
        self.0.iter().map(|(name, weight)| (name.as_str(), weight))
    }
}
