//! Batch normalisations that a file has in training mode.

use std::collections::BTreeMap;

/// Batch normalisations in training mode, in the order in which they were found.
#[derive(Debug, Default)]
pub(super) struct Training {
    found: BTreeMap<String, usize>,
}

impl Training {
    /// Notes that `layer` is one.
    pub(super) fn note(&mut self, layer: &str) {
        let found = self.found.len();
        self.found.entry(layer.to_owned()).or_insert(found);
    }

    /// Their names.
    pub(super) fn layers(&self) -> Vec<String> {
        let mut layers: Vec<(&String, &usize)> = self.found.iter().collect();
        layers.sort_by_key(|(_, found)| **found);
        layers.into_iter().map(|(layer, _)| layer.clone()).collect()
    }
}
