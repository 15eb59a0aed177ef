//! What `cut` and `stitch` tell, as values.

use frit_ir::{Faults, Graph, Shape};
use frit_passes::legality::Legal;
use frit_passes::stitch::Adapter;

use crate::cost::{self, Sizes};

/// A network that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The file.
    pub file: String,
    /// The model's name.
    pub model: String,
    /// What it is, in words.
    pub what: String,
    /// Layers, the inputs included.
    pub layers: usize,
    /// What they cost together.
    pub sizes: Sizes,
    /// Its inputs, in order.
    pub inputs: Vec<Port>,
    /// Its outputs, in order.
    pub outputs: Vec<Port>,
}

/// A tensor at the border of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Its name.
    pub name: String,
    /// Its shape, without the batch.
    pub shape: Shape,
}

impl Made {
    /// `graph`, which is `what` and was written to `file`.
    ///
    /// # Errors
    /// All faults of shape inference.
    pub fn new(graph: &Legal<Graph>, what: String, file: String) -> Result<Made, Faults> {
        let (cost, shapes) = (cost::cost(graph)?, graph.shapes()?);
        let port = |id| Port { name: graph.node(id).name.clone(), shape: shapes[&id].clone() };
        Ok(Made {
            file,
            model: graph.name.clone(),
            what,
            layers: graph.len(),
            sizes: cost.totals,
            inputs: graph.inputs().iter().copied().map(port).collect(),
            outputs: graph.outputs().iter().map(|&id| port(id)).collect(),
        })
    }
}

/// A place where two networks are joined, and what can stand there.
#[derive(Debug, Clone)]
pub struct Joint {
    /// What is before it, and its shape.
    pub from: Port,
    /// What is behind it, and its shape.
    pub to: Port,
    /// The adapters, the best first; none where the shapes are alike.
    pub adapters: Vec<Adapter>,
}
