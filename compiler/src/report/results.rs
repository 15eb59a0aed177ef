//! What `check`, `run` and `bench` tell, as values.

use std::collections::BTreeSet;

use frit_images::Guess;
use frit_ir::{Graph, NodeId, Op, Shape};
use frit_passes::lint::Finding;
use frit_runtime::program::Metadata;
use serde::Serialize;

use crate::alternatives::Study;
use crate::bench::Bench;
use crate::cost::Sizes;
use crate::probe::Probe;

/// A legal network in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The model's name.
    pub model: String,
    /// Layers, the inputs included.
    pub layers: usize,
    /// What they cost together.
    pub totals: Sizes,
    /// How often axes change their order.
    pub transposes: Transposes,
    /// Warnings.
    pub warnings: usize,
    /// What lints found, where they were asked.
    pub findings: Option<Vec<Finding>>,
}

/// Layers that give axes another order: where a file counts channels first, the graph's order meets the file's in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Transposes {
    /// Between an input or output and the layers that compute.
    pub border: usize,
    /// All others.
    pub inside: usize,
}

impl Transposes {
    /// Those of `graph`.
    pub fn of(graph: &Graph) -> Transposes {
        let moves =
            |id: &NodeId| matches!(graph.node(*id).op, Op::Transpose(_) | Op::Reshape(_) | Op::Identity);
        let order = graph.topological();
        let (mut before, mut behind): (BTreeSet<NodeId>, BTreeSet<NodeId>) = Default::default();
        for &id in &order {
            let is_input = matches!(graph.node(id).op, Op::Input(_));
            if is_input || (moves(&id) && graph.operands(id).iter().all(|operand| before.contains(operand))) {
                before.insert(id);
            }
        }
        let outputs: BTreeSet<NodeId> = graph.outputs().iter().copied().collect();
        for &id in order.iter().rev().filter(|id| moves(id)) {
            let users = graph.users(id);
            let is_last = if users.is_empty() {
                outputs.contains(&id)
            } else {
                users.iter().all(|user| behind.contains(user))
            };
            if is_last {
                behind.insert(id);
            }
        }
        let transposes = order.iter().filter(|id| matches!(graph.node(**id).op, Op::Transpose(_)));
        let (border, inside): (Vec<&NodeId>, Vec<&NodeId>) =
            transposes.partition(|id| before.contains(id) || behind.contains(id));
        Transposes { border: border.len(), inside: inside.len() }
    }
}

/// One output of a run, of all images.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// Its name in the source.
    pub name: String,
    /// Its shape, the batch first where it has one.
    pub shape: Shape,
    /// The smallest value, NaN left out; NaN where there is no other.
    pub min: f32,
    /// The largest value, NaN left out; NaN where there is no other.
    pub max: f32,
    /// The mean of all values.
    pub mean: f64,
    /// How many values are NaN or infinite.
    pub not_finite: usize,
}

impl Output {
    /// Of `values`, which have `shape`.
    pub fn new(name: String, shape: Shape, values: &[f32]) -> Output {
        let sum: f64 = values.iter().copied().map(f64::from).sum();
        Output {
            name,
            shape,
            min: values.iter().copied().fold(f32::NAN, f32::min),
            max: values.iter().copied().fold(f32::NAN, f32::max),
            mean: sum / values.len().max(1) as f64,
            not_finite: values.iter().filter(|value| !value.is_finite()).count(),
        }
    }
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// The outputs, in order.
    pub outputs: Vec<Output>,
    /// The likeliest classes of each image, where they were asked for.
    pub top: Option<Vec<Vec<Guess>>>,
    /// Where each image came from.
    pub images: Vec<String>,
}

/// A file that was compiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Written {
    /// The file.
    pub file: String,
    /// The C header beside it, where one was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The model's name.
    pub model: String,
    /// Instruction sets and lowering.
    pub isa: String,
    /// Distinct kernels.
    pub kernels: usize,
    /// Steps.
    pub steps: usize,
    /// Bytes of the code.
    pub code_bytes: usize,
    /// Bytes of the packed weights.
    pub weight_bytes: usize,
    /// Bytes of memory between the steps.
    pub arena_bytes: usize,
    /// Bytes of memory of each worker.
    pub scratch_bytes: usize,
    /// Whether it was run against the interpreter.
    pub verified: bool,
}

/// An artifact, as it says of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// The file.
    pub file: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Bytes of the code.
    pub code_bytes: usize,
    /// Bytes of the packed weights.
    pub weight_bytes: usize,
    /// The version of the file's format.
    pub format: u32,
    /// The version of the calling convention.
    pub calling_convention: u32,
    /// What is known of the program.
    pub metadata: Metadata,
    /// CPU features that it needs and this CPU has not.
    pub lacks: Vec<String>,
}

/// The blocks of a network and what could stand in their places.
#[derive(Debug, Clone)]
pub struct Alternatives {
    /// The model's name.
    pub model: String,
    /// What it is compiled for; empty where no times were asked for.
    pub isa: String,
    /// The CPU, where times were measured.
    pub machine: Option<String>,
    /// The distinct blocks.
    pub studies: Vec<Study>,
}

/// Times, and where they were taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The model's name.
    pub model: String,
    /// Instruction sets and lowering.
    pub isa: String,
    /// The CPU.
    pub machine: String,
    /// The times.
    pub bench: Bench,
    /// What the CPU can do at best.
    pub probe: Probe,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nan_is_counted_and_left_out_of_the_extremes() {
        let output = Output::new("y".into(), Shape::new(&[1, 3]), &[f32::NAN, -1.0, 2.0]);
        assert_eq!((output.min, output.max, output.not_finite), (-1.0, 2.0, 1));
        assert!(output.mean.is_nan());
        let nothing = Output::new("y".into(), Shape::new(&[1, 1]), &[f32::NAN]);
        assert!(nothing.min.is_nan() && nothing.max.is_nan());
    }
}
