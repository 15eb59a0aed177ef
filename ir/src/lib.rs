//! What a network is and means: the graph, its ops, shapes, weights, text and reference interpreter.
//!
//! This crate knows no file format of other projects, rewrites nothing and generates no code. A tensor is one image:
//! shapes carry no batch axis, maps are height × width × channels (NHWC without N), vectors have one axis.
#![forbid(unsafe_code)]

pub mod diagnostic;
pub mod element;
pub mod graph;
pub mod infer;
pub mod interpret;
pub mod memory;
pub mod names;
pub mod noise;
pub mod number;
pub mod ops;
pub mod provenance;
#[cfg(any(test, feature = "random"))]
pub mod random;
pub mod source;
pub mod tensor;
pub mod text;
pub mod weights;
pub mod window;

pub use diagnostic::{Diagnostic, Faults, Severity};
pub use element::Element;
pub use graph::{Graph, Node, NodeId, Preprocess};
pub use names::Names;
pub use ops::Op;
pub use provenance::Provenance;
pub use source::{SourceLayer, SourceTensor};
pub use tensor::{Shape, Tensor, Type};
pub use weights::{Weight, Weights};
pub use window::Window;
