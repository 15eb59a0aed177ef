//! The layers of a source file as its framework lists them: what people count when they say "layer 36".

use smallvec::SmallVec;

/// A layer of the source, or one call of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceLayer {
    /// Its number in the framework's own list (`model.layers` of Keras, the nodes of an ONNX file, `layers` of a description);
    /// none for what that list leaves out: inputs of some, operations, layers inside others.
    pub index: Option<usize>,
    /// Its name there.
    pub name: String,
    /// What the framework calls its kind: `ZeroPadding2D`, `Conv`.
    pub class: String,
    /// Its results, in order.
    pub results: Vec<SourceTensor>,
}

/// A tensor as the source has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceTensor {
    /// Its name in the source.
    pub name: String,
    /// The name of the node that makes it. A layer that computes nothing hands on what another node makes.
    pub node: String,
    /// For each axis of the source, batch left out, which axis of the node's result it is; empty where both count alike.
    pub axes: SmallVec<[usize; 4]>,
}

impl SourceTensor {
    /// A tensor whose axes the source counts as the graph does.
    pub fn alike(name: impl Into<String>, node: impl Into<String>) -> SourceTensor {
        SourceTensor { name: name.into(), node: node.into(), axes: SmallVec::new() }
    }
}
