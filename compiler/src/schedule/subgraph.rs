//! Layers that are scheduled together, and a way that they can take.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;

use super::blueprint::Blueprint;
use super::placement::Placement;
use crate::plan::Way;

/// Layers that are scheduled together.
pub(super) struct Subgraph<'a> {
    /// Its layers, in order.
    pub(super) layers: Vec<NodeId>,
    /// What they are together, where they are more than one convolution.
    pub(super) block: Option<Blueprint<'a>>,
}

/// A way that a subgraph can take.
pub(super) struct Candidate {
    pub(super) way: Way,
    /// Predicted milliseconds with 1 and with 2 workers.
    pub(super) cost: [f64; 2],
    /// Gives everything its place and adds the stages; where there is none, each layer is placed where its turn is.
    pub(super) place: Option<Box<dyn PlaceSubgraph>>,
}

/// What places a subgraph.
pub(super) trait PlaceSubgraph: Fn(&mut Placement<'_>) -> Result<(), Diagnostic> {}

impl<F: Fn(&mut Placement<'_>) -> Result<(), Diagnostic>> PlaceSubgraph for F {}

impl Subgraph<'_> {
    pub(super) fn last(&self) -> NodeId {
        *self.layers.last().expect("a subgraph has a layer")
    }
}
