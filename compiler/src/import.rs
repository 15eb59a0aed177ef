//! From files to values: model descriptions to graphs, weights, labels, arrays and pictures.
//!
//! Whatever comes from outside is taken for hostile: sizes are checked before anything is allocated, a description names
//! files in its own folder only, and every fault of a file is told in one go, with line, column and path.
//!
//! # Names of layers
//!
//! A layer has the name that its description gives. One without a name is named after the nearest layer before it that was
//! given one, and its op: `batch_norm` and `relu6` behind `stem` are `stem/batch_norm` and `stem/relu6`; where that is taken,
//! `_2` and so on is added. The `activation` of a layer is a layer of its own, `LAYER/relu6`. Block 2 of the stage `s3` has the
//! layers `s3/2/expand`, `s3/2/depthwise` and `s3/2/project`, each followed by its `/batch_norm` and, where it has one, its
//! activation (`s3/2/expand/relu6`), and `s3/2/add`; in a bottleneck they are `reduce`, `spatial`, `expand` and `shortcut`. The
//! parts of the split `p` are `p/0`, `p/1` and so on. As an operand or output, a name means the layer's result: that of its
//! activation, or of a stage's last block; the layers inside are named in full.

pub mod array;
pub mod budget;
mod builder;
pub mod chain;
pub(crate) mod document;
mod files;
mod findings;
mod foreign;
mod identity;
pub mod json;
pub mod keras;
mod labels;
pub mod limits;
mod listing;
mod load;
mod nearest;
pub mod onnx;
mod order;
pub mod part;
pub mod picture;
mod reader;
mod request;
mod values;
mod window;

pub use identity::Identity;
pub use labels::load as labels;
pub use load::{load, preprocess};
pub use request::{GivenShape, Request, Source};

#[cfg(test)]
mod tests;
