//! What the tensors of a graph are called in the file.

use std::collections::BTreeMap;

use frit_ir::{Graph, NodeId, Shape};

/// In which order the axes behind the batch lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// As in the graph.
    Plain,
    /// Of a map: channels, height, width.
    ChannelsFirst,
}

impl Form {
    /// The other one.
    pub(super) fn other(self) -> Form {
        match self {
            Form::Plain => Form::ChannelsFirst,
            Form::ChannelsFirst => Form::Plain,
        }
    }

    /// Where axis `axis` of the graph's tensor lies, the batch counted.
    pub(super) fn axis(self, axis: usize) -> usize {
        match self {
            Form::Plain => axis + 1,
            Form::ChannelsFirst => [2, 3, 1][axis],
        }
    }

    /// `axes` of the graph in this order, without the batch.
    pub(super) fn order<T: Copy>(self, axes: &[T]) -> Vec<T> {
        match (self, axes) {
            (Form::ChannelsFirst, &[rows, columns, channels]) => vec![channels, rows, columns],
            _ => axes.to_vec(),
        }
    }
}

/// Shapes of all tensors, and the names that they have so far.
pub(super) struct Tensors {
    shapes: BTreeMap<NodeId, Shape>,
    names: BTreeMap<(NodeId, Form), String>,
}

impl Tensors {
    /// Names of the inputs only.
    pub(super) fn new(graph: &Graph, shapes: BTreeMap<NodeId, Shape>) -> Tensors {
        let inputs = graph.inputs().iter().copied();
        let names = inputs.map(|id| ((id, Form::Plain), graph.node(id).name.clone())).collect();
        Tensors { shapes, names }
    }

    /// The shape of `id`'s tensor.
    pub(super) fn shape(&self, id: NodeId) -> &Shape {
        &self.shapes[&id]
    }

    /// The name of `id`'s tensor in `form`, where there is one.
    pub(super) fn get(&self, id: NodeId, form: Form) -> Option<&str> {
        self.names.get(&(id, form)).map(String::as_str)
    }

    /// Calls it `name`.
    pub(super) fn set(&mut self, id: NodeId, form: Form, name: String) {
        self.names.insert((id, form), name);
    }

    /// The form that `id`'s tensor has already; channels first where it has both.
    pub(super) fn form(&self, id: NodeId) -> Form {
        match self.names.contains_key(&(id, Form::ChannelsFirst)) {
            true => Form::ChannelsFirst,
            false => Form::Plain,
        }
    }
}
