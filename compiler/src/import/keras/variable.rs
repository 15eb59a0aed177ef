//! The weights of layers: what Keras calls them, how they lie in a file, and which a network needs.

use frit_ir::Shape;

use crate::import::document::Value;

/// A weight that a layer has in Keras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Variable {
    /// The part of the layer that has it; empty for the layer itself.
    pub(super) owner: &'static str,
    /// What Keras calls it.
    pub(super) name: &'static str,
    /// Whether training changes it.
    pub(super) trained: bool,
}

impl Variable {
    pub(super) const fn trained(name: &'static str) -> Variable {
        Variable { owner: "", name, trained: true }
    }

    pub(super) const fn followed(name: &'static str) -> Variable {
        Variable { owner: "", name, trained: false }
    }
}

/// How a weight of an op lies in a file.
#[derive(Debug, Clone)]
pub(super) struct Stored {
    /// Which of the variables of the layer, or of the part of it that has it, it is.
    pub(super) variable: usize,
    /// What is put behind the layer's name.
    pub(super) name: &'static str,
    /// Its shape in the file.
    pub(super) shape: Shape,
    /// For each axis of the op's weight, the one that it is in the file; none where they lie alike.
    pub(super) order: Option<&'static [usize]>,
    /// What is done with its values.
    pub(super) change: Change,
}

/// What is done with the values of a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    /// `max(x, 1e-14)`: what Keras' normalisation divides by is at least 1e-7.
    VarianceFloor,
    /// `max(sqrt(x), 1e-7)`
    Deviation,
}

impl Stored {
    /// A weight that lies as the op wants it.
    pub(super) fn new(variable: usize, name: &'static str, shape: Shape) -> Stored {
        Stored { variable, name, shape, order: None, change: Change::None }
    }
}

/// A weight that the network needs.
pub(super) struct Needed<'a> {
    /// Its name.
    pub(super) name: String,
    /// Its shape in the graph.
    pub(super) shape: Shape,
    /// The path of the layer that it belongs to, the layer as faults name it, and where that is described.
    pub(super) layer: String,
    pub(super) label: String,
    pub(super) value: Value<'a>,
    /// The part of the layer that has it; empty for the layer itself.
    pub(super) owner: &'static str,
    pub(super) stored: Stored,
}
