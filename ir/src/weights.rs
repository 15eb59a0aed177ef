//! The weights of a network: by name, with values from a file or from a seed.

mod mapped;
mod order;
mod same;

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::element::Element;
use crate::memory;
use crate::noise::Noise;
use crate::tensor::Shape;

pub use mapped::{Mapped, Owner, Spot, permuted};
pub use same::Distinct;

/// One weight tensor, dense and row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct Weight {
    /// What its elements are; whoever reads values gets them as `f32`.
    pub element: Element,
    /// Its shape.
    pub shape: Shape,
    /// Its values, or how they are made.
    pub data: Data,
}

/// Where a weight's values come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// Given values, as many as the shape has elements.
    Values(Values),
    /// In a file, as many as the shape has elements, read when they are asked for.
    Mapped(Mapped),
    /// Drawn from a seed and the weight's name when they are asked for.
    Seeded(u64),
    /// Known by their digest only: a graph read back from text, to which no values were attached.
    Digest(u64),
}

/// Values of a weight in the order of its elements, as they are computed with; copies share them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Values(Arc<[f32]>);

impl Values {
    /// So many zeros.
    pub fn zeros(count: usize) -> Values {
        std::iter::repeat_n(0.0, count).collect()
    }

    /// The f32 nearest to each of `numbers`.
    pub fn nearest(numbers: impl IntoIterator<Item = f64>) -> Values {
        numbers.into_iter().map(|number| number as f32).collect()
    }

    /// The values, to be written; none where someone shares them.
    pub fn unshared(&mut self) -> Option<&mut [f32]> {
        Arc::get_mut(&mut self.0)
    }
}

impl Deref for Values {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Values {
    type Item = &'a f32;
    type IntoIter = std::slice::Iter<'a, f32>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<f32> for Values {
    fn from_iter<I: IntoIterator<Item = f32>>(values: I) -> Values {
        Values(values.into_iter().collect())
    }
}

impl<T: Into<Arc<[f32]>>> From<T> for Values {
    fn from(values: T) -> Values {
        Values(values.into())
    }
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

    /// The values of the weight `name`, read or drawn now where they are mapped or seeded.
    ///
    /// # Errors
    /// There is no such weight, only its digest is known, or the system has no memory for its values.
    pub fn values(&self, name: &str) -> Result<Values, Diagnostic> {
        let weight = self
            .get(name)
            .ok_or_else(|| Diagnostic::error(codes::WEIGHT_MISSING, format!("there is no weight {name}")))?;
        match &weight.data {
            Data::Values(values) => Ok(values.clone()),
            Data::Mapped(mapped) => room(mapped.len(), name).map(|()| mapped.values()),
            Data::Seeded(seed) => {
                room(weight.shape.elements().unwrap_or(0), name).map(|()| draw(*seed, name, &weight.shape))
            }
            Data::Digest(_) => Err(Diagnostic::error(
                codes::WEIGHT_MISSING,
                format!("of the weight {name} only the digest is known, not its values"),
            )),
        }
    }

    /// All weights, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Weight)> {
        self.0.iter().map(|(name, weight)| (name.as_str(), weight))
    }
}

/// Whether there is memory for `count` values of the weight `name`.
fn room(count: usize, name: &str) -> Result<(), Diagnostic> {
    memory::room::<f32>(count, &format!("the weight {name}"))
}

impl Weight {
    /// A weight of `f32`, or of whatever a file lends.
    pub fn new(shape: Shape, data: Data) -> Weight {
        let element = match &data {
            Data::Mapped(mapped) => mapped.element(),
            Data::Values(_) | Data::Seeded(_) | Data::Digest(_) => Element::F32,
        };
        Weight { element, shape, data }
    }

    /// A hash of shape and content (64-bit FNV-1a) that is the same in every process. Of a seeded weight the content is the
    /// seed: two of one seed have one digest under any name, though they have other values.
    pub fn digest(&self) -> u64 {
        let mut hash = Fnv::default();
        for &axis in self.shape.axes() {
            hash.word(axis as u64);
        }
        let mut content =
            |values: &[f32]| values.iter().for_each(|value| hash.word(u64::from(value.to_bits())));
        match &self.data {
            Data::Values(values) => content(values),
            Data::Mapped(mapped) => content(&mapped.values()),
            Data::Seeded(seed) => hash.word(*seed),
            Data::Digest(digest) => return *digest,
        }
        hash.0
    }
}

/// Fowler, Noll and Vo's hash, a word at a time.
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Fnv {
        Fnv(0xcbf2_9ce4_8422_2325)
    }
}

impl Fnv {
    fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    }
}

/// Values for the weight `name`, by the part that it plays (its name's last part).
///
/// Kernels are He-normal (He et al., Delving Deep into Rectifiers, 2015), so that activations keep their variance through
/// layers of rectifiers; statistics are far enough from 0 and 1 that a batch normalisation folded wrongly shows.
fn draw(seed: u64, name: &str, shape: &Shape) -> Values {
    let mut hash = Fnv::default();
    name.bytes().for_each(|byte| hash.word(u64::from(byte)));
    let mut noise = Noise::new(seed ^ hash.0);
    let count = shape.elements().unwrap_or(0);
    let role = name.rsplit('.').next().unwrap_or(name);
    let filters = shape.channels().max(1);
    let deviation = (2.0 / (count / filters).max(1) as f64).sqrt();
    let value = |noise: &mut Noise| match role {
        "gamma" => noise.between(0.8, 1.2),
        "beta" => noise.between(-0.2, 0.3),
        "mean" => noise.between(-0.2, 0.2),
        "variance" => noise.between(0.6, 1.4),
        "bias" => noise.between(-0.1, 0.1),
        "slope" => noise.between(0.05, 0.4),
        "value" => noise.normal(),
        _ => noise.normal() * deviation,
    };
    (0..count).map(|_| value(&mut noise) as f32).collect()
}

#[cfg(test)]
mod tests;
