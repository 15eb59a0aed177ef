//! What people name when they name a place in a network.

use frit_ir::{SourceLayer, SourceTensor};

use super::order::Order;

/// A layer or tensor that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name in the source.
    pub name: String,
    /// The number of its layer in the framework's list, where it is there.
    pub index: Option<usize>,
    /// What the framework calls the layer's kind.
    pub class: String,
    /// The tensors that it stands for.
    pub tensors: Vec<SourceTensor>,
}

impl Found {
    /// The layer with its kind.
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.class)
    }

    fn layer(layer: &SourceLayer) -> Found {
        Found {
            name: layer.name.clone(),
            index: layer.index,
            class: layer.class.clone(),
            tensors: layer.results.clone(),
        }
    }

    fn tensor(layer: &SourceLayer, tensor: &SourceTensor) -> Found {
        Found { name: tensor.name.clone(), tensors: vec![tensor.clone()], ..Found::layer(layer) }
    }
}

/// There is no such layer, or no single one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unknown {
    /// No layer, tensor or node has this name.
    Name {
        /// Names that there are.
        known: Vec<String>,
    },
    /// The framework's list has fewer layers.
    Index {
        /// How many it has.
        layers: usize,
    },
    /// Several calls of one layer have this number.
    Ambiguous {
        /// Their names.
        calls: Vec<String>,
    },
}

/// What `at` names.
pub(super) fn find(order: &Order<'_>, at: &str) -> Result<Found, Unknown> {
    let with_results = || order.layers.iter().filter(|layer| !layer.results.is_empty());
    if let Some(layer) = with_results().find(|layer| layer.name == at) {
        return Ok(Found::layer(layer));
    }
    let tensors = || with_results().flat_map(|layer| layer.results.iter().map(move |tensor| (layer, tensor)));
    let found = tensors()
        .find(|(_, tensor)| tensor.name == at)
        .or_else(|| tensors().find(|(_, tensor)| tensor.node == at));
    if let Some((layer, tensor)) = found {
        return Ok(Found::tensor(layer, tensor));
    }
    if order.node(at).is_some() {
        let tensors = vec![SourceTensor::alike(at, at)];
        return Ok(Found { name: at.to_owned(), index: None, class: "inside a layer".to_owned(), tensors });
    }
    match at.parse::<usize>() {
        Ok(index) => numbered(order, index),
        Err(_) => Err(Unknown::Name { known: with_results().map(|layer| layer.name.clone()).collect() }),
    }
}

/// The layer of this number.
fn numbered(order: &Order<'_>, index: usize) -> Result<Found, Unknown> {
    let calls: Vec<&SourceLayer> = order.layers.iter().filter(|layer| layer.index == Some(index)).collect();
    match calls[..] {
        [only] => Ok(Found::layer(only)),
        [] => {
            let layers = order.layers.iter().filter_map(|layer| layer.index).max().map_or(0, |last| last + 1);
            Err(Unknown::Index { layers })
        }
        _ => Err(Unknown::Ambiguous { calls: calls.iter().map(|layer| layer.name.clone()).collect() }),
    }
}
