//! The models of a file: their layers, which of them reads which, and the order in which they can be called.

use super::calls::{Call, Reference};
use super::layer::KerasLayer;
use super::tensors::Described;
use crate::import::document::Value;

/// A model: layers, and which tensors are its inputs and outputs.
pub(super) struct Model<'a> {
    pub(super) name: String,
    pub(super) definitions: Vec<Definition<'a>>,
    /// The definitions that are its inputs, each with the name under which a call may hand it over.
    pub(super) inputs: Vec<(Option<String>, usize)>,
    /// Its outputs, each with its name.
    pub(super) outputs: Vec<(String, Source<'a>)>,
    /// Whether these are all: none was at fault.
    pub(super) complete: bool,
    /// Calls, each behind those that it reads: definition and place.
    pub(super) order: Vec<(usize, usize)>,
}

/// A layer, an operation or a model as the file describes it; it may be called several times.
pub(super) struct Definition<'a> {
    pub(super) name: String,
    pub(super) at: Described<'a>,
    /// None where a fault was found.
    pub(super) kind: Option<DefinitionKind<'a>>,
    /// None where a fault was found.
    pub(super) calls: Vec<Option<Call<Source<'a>>>>,
    /// Whether its weights were trained: files list those that were before the others.
    pub(super) trainable: bool,
    /// Whether it is a function without weights, which files of weights don't list.
    pub(super) operation: bool,
    /// Its place in `model.layers`; none where it is not there.
    pub(super) index: Option<usize>,
}

/// What a definition is.
pub(super) enum DefinitionKind<'a> {
    /// An input, with its axes after that of the batch where they are known.
    Input(Vec<Option<usize>>),
    Model(Model<'a>),
    Layer(Box<dyn KerasLayer>),
}

impl DefinitionKind<'_> {
    /// Layers and calls that are looked at where it is called.
    pub(super) fn definitions(&self) -> usize {
        match self {
            DefinitionKind::Model(model) => model.definitions.len().saturating_add(model.order.len()),
            DefinitionKind::Input(_) | DefinitionKind::Layer(_) => 0,
        }
    }
}

/// A tensor: a result of a call of a definition.
#[derive(Clone)]
pub(super) struct Source<'a> {
    pub(super) definition: usize,
    pub(super) call: usize,
    pub(super) result: usize,
    pub(super) at: Value<'a>,
}

impl Definition<'_> {
    /// How often it is called; an input is there once.
    pub(super) fn count(&self) -> usize {
        if self.at.class == "InputLayer" { self.calls.len().max(1) } else { self.calls.len() }
    }
}

/// A layer whose calls name others.
pub(super) struct Unresolved<'a> {
    pub(super) definition: Definition<'a>,
    pub(super) calls: Vec<Call<Reference<'a>>>,
}
