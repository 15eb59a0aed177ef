//! The graph that a file becomes, node by node.

use std::collections::BTreeMap;

use frit_ir::ops::WeightRole;
use frit_ir::{Diagnostic, Graph, Names, Node, NodeId, Op, Provenance, Shape};
use frit_passes::legality::residual::Branches;

use super::limits;
use super::listing::{Listing, Product};

/// A graph that is being built: each node's shape is known when it is added, and its name is no other's.
#[derive(Debug, Default)]
pub(super) struct GraphBuilder {
    pub(super) graph: Graph,
    /// What each node makes.
    pub(super) shapes: BTreeMap<NodeId, Shape>,
    /// Names that nodes have, or are about to have.
    pub(super) names: Names,
    listing: Listing,
    branches: Branches,
    /// Values of constants that the file says.
    constants: usize,
}

impl GraphBuilder {
    /// The network `name`, without a node.
    pub(super) fn new(name: &str) -> GraphBuilder {
        GraphBuilder { graph: Graph::new(name), ..GraphBuilder::default() }
    }

    /// The shape of what `node` makes.
    pub(super) fn shape(&self, node: NodeId) -> Shape {
        self.shapes.get(&node).cloned().unwrap_or_default()
    }

    /// The shape of what `op` makes of `operands`, and the weights that it needs.
    ///
    /// # Errors
    /// It does not take them.
    pub(super) fn infer(&self, op: &Op, operands: &[NodeId]) -> Result<(Shape, Vec<WeightRole>), Diagnostic> {
        let shapes: Vec<Shape> = operands.iter().map(|&operand| self.shape(operand)).collect();
        Ok((op.shape(&shapes)?, op.weight_roles(&shapes)))
    }

    /// Adds the node `name`, which is a source of its own and makes something of `shape`. Behind a residual that is at fault the
    /// network goes on with the shape of its main path, as it will once that is repaired: legality tells the fault.
    pub(super) fn add(
        &mut self,
        name: String,
        (op, weights): (Op, Vec<String>),
        operands: &[NodeId],
        shape: Shape,
    ) -> NodeId {
        let sources = Provenance::source(&name);
        let id = self.graph.add(Node { name, op, weights, sources }, operands);
        self.branches.push(id);
        self.shapes.insert(id, shape);
        if let Some(broken) = self.branches.broken_at(&self.graph, &self.shapes, id) {
            self.shapes.insert(id, Shape::new(&broken.to));
        }
        id
    }

    /// Counts a constant of so many values, before it is made.
    ///
    /// # Errors
    /// All of them together have more than may be.
    pub(super) fn count_constant(&mut self, values: usize) -> Result<(), Diagnostic> {
        self.constants = self.constants.saturating_add(values);
        limits::constants(self.constants)
    }

    /// Gives `node` another name, unless that is taken.
    pub(super) fn rename(&mut self, node: NodeId, name: &str) {
        if !self.names.take(name) {
            return;
        }
        let node = self.graph.node_mut(node);
        self.names.release(&node.name);
        node.sources = Provenance::source(name);
        node.name = name.to_owned();
    }

    /// Notes a layer of the file: its place in the framework's list, its name and class, and what it makes.
    pub(super) fn list(&mut self, index: Option<usize>, name: &str, class: &str, results: Vec<Product>) {
        self.listing.add(index, name, class, results);
    }

    /// The graph, with the list of the file's layers.
    pub(super) fn finish(mut self) -> Graph {
        self.listing.finish(&mut self.graph);
        self.graph
    }
}
