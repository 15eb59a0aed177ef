//! Which source layers a node computes.

use std::collections::BTreeSet;

/// A set of source layers, by name. Merging two nodes merges their sets; nothing ever drops a name silently.
#[derive(Debug, Clone, PartialEq, Eq, Default, PartialOrd, Ord, Hash)]
pub struct Provenance(BTreeSet<String>);

impl Provenance {
    /// The set of one source layer.
    pub fn source(layer: impl Into<String>) -> Provenance {
        Provenance(BTreeSet::from([layer.into()]))
    }

    /// The layers, sorted by name.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Adds the layers of `other`.
    pub fn merge(&mut self, other: &Provenance) {
        self.0.extend(other.0.iter().cloned());
    }

    /// Whether no layer is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<String> for Provenance {
    fn from_iter<I: IntoIterator<Item = String>>(layers: I) -> Provenance {
        Provenance(layers.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_keeps_every_layer_once_and_sorted() {
        let mut merged = Provenance::source("stem/relu6");
        merged.merge(&["stem", "stem/relu6"].map(str::to_owned).into_iter().collect());
        assert_eq!(merged.layers().collect::<Vec<_>>(), ["stem", "stem/relu6"]);
        assert!(Provenance::default().is_empty() && !merged.is_empty());
    }
}
