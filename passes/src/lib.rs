//! A graph in, a better graph out: legality, lints, and rewriting in an e-graph.
//!
//! This crate knows no machine beyond the [`egraph::CostModel`] that it is given, schedules nothing and reads
//! no files.
#![forbid(unsafe_code)]

pub mod cut;
pub mod egraph;
pub mod legality;
pub mod lint;
pub mod pipeline;
pub mod repair;
pub mod report;
pub mod stitch;

#[cfg(test)]
mod testing;

pub use egraph::{CostModel, Fault, Limits};
pub use legality::Legal;
pub use report::Report;
