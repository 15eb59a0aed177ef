//! The source's own list of layers, as an importer meets them.

use std::collections::BTreeSet;

use frit_ir::{Graph, NodeId, SourceLayer, SourceTensor};
use smallvec::SmallVec;

/// A result of a layer: its name in the source, the node that makes it, and for each axis of the source which one of the node's
/// result it is (none where both count alike).
#[derive(Debug)]
pub(super) struct Product {
    pub(super) name: String,
    pub(super) node: NodeId,
    pub(super) axes: SmallVec<[usize; 4]>,
}

impl Product {
    /// A tensor whose axes the source counts as the graph does.
    pub(super) fn alike(name: impl Into<String>, node: NodeId) -> Product {
        Product { name: name.into(), node, axes: SmallVec::new() }
    }
}

/// The layers so far. Nodes are told by their identity: their names may change until the network is whole.
#[derive(Debug, Default)]
pub(super) struct Listing(Vec<(SourceLayer, Vec<Product>)>);

impl Listing {
    /// Adds the layer `name`, which has this place in the framework's list, and what it makes.
    pub(super) fn add(&mut self, index: Option<usize>, name: &str, class: &str, results: Vec<Product>) {
        let layer =
            SourceLayer { index, name: name.to_owned(), class: class.to_owned(), results: Vec::new() };
        self.0.push((layer, results));
    }

    /// Hands the list to the graph that was made. A layer whose results nothing needs is no part of it.
    pub(super) fn finish(self, graph: &mut Graph) {
        let there: BTreeSet<NodeId> = graph.ids().collect();
        let mut layers = Vec::with_capacity(self.0.len());
        for (mut layer, results) in self.0 {
            let tensor = |Product { name, node, axes }: Product| {
                there.contains(&node).then(|| SourceTensor {
                    name,
                    node: graph.node(node).name.clone(),
                    axes,
                })
            };
            layer.results = results.into_iter().filter_map(tensor).collect();
            layers.push(layer);
        }
        graph.source_layers = layers;
    }
}
