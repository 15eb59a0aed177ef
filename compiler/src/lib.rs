//! From a model description to a native kernel.
//!
//! The rooms, in the order in which a model passes them: `import`, (legality and e-graph in `frit_passes`), `schedule`,
//! `kernels` on `vector` programs, `lower`, `driver`, `emit`. A room uses only those behind it; `report` and the command
//! read all, nothing reads them.
#![deny(unsafe_code)]

pub mod driver;
pub mod emit;
pub mod kernels;
pub mod lower;
pub mod machine;
pub mod pack;
pub mod plan;
pub mod schedule;
pub mod vector;
