//! What nodes are called, in the graph and in faults.

use crate::import::limits;
use crate::onnx::Node;

/// A node in words: `c2 (Conv)`, or by what it makes where it has no name.
pub(super) fn label(node: &Node) -> String {
    format!("{} ({})", shown(name(node)), shown(node.op_type()))
}

/// As much of a name as a fault says: there may be many faults of one name, and a file's names are as long as it likes.
pub(super) fn shown(name: &str) -> &str {
    &name[..name.floor_char_boundary(limits::NAME_BYTES)]
}

/// A node's name; that of its first result where it has none.
pub(super) fn name(node: &Node) -> &str {
    match node.name() {
        "" => node.output.iter().map(String::as_str).find(|output| !output.is_empty()).unwrap_or_default(),
        name => name,
    }
}
