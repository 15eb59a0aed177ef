//! The third step: kernels and calls, a pure function of what was chosen and of where everything lies.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;

use super::candidates::Candidates;
use super::network::Network;
use super::predict;
use super::stage::{Effort, Kernels, Stage};
use crate::plan::{Step, Work};
use crate::vector::program::Program;

/// The steps of `stages`, in order, and their kernels.
///
/// # Errors
/// A kernel that can't be built, with the layer's name.
pub(super) fn build(
    net: &Network<'_>,
    candidates: &Candidates,
    stages: &[Stage<'_>],
) -> Result<(Vec<Step>, Vec<Program>), Diagnostic> {
    let mut kernels = Kernels::new(net.width);
    let mut steps = Vec::with_capacity(stages.len());
    for stage in stages {
        let work = (stage.build)(&mut kernels).map_err(|fault| {
            let node = net.graph.node(stage.last());
            fault.at(format!("{} ({})", node.name, node.op.name()))
        })?;
        steps.push(step(net, candidates, stage, work));
    }
    Ok((steps, kernels.into_programs()))
}

fn step(net: &Network<'_>, candidates: &Candidates, stage: &Stage<'_>, work: Work) -> Step {
    let name = |&id: &NodeId| net.name(id).to_owned();
    let (last, fused) = stage.nodes.split_last().expect("a stage computes a node");
    let sources = stage.nodes.iter().flat_map(|&id| net.graph.node(id).sources.layers());
    let layers: Vec<predict::Workload> = stage.nodes.iter().map(|&id| net.layer(id)).collect();
    let macs: u64 = layers.iter().map(|layer| layer.macs).sum();
    let alone = || net.predicted(|predictor| layers.iter().map(|layer| predictor.alone(layer)).sum::<f64>());
    let bytes_of_layers = bytes(&layers);
    let (macs, bytes, predicted_ms) = match stage.effort {
        Effort::Layers => (macs, bytes_of_layers, alone()),
        Effort::Part(parts) => (macs / parts, bytes_of_layers, alone()),
        Effort::Predicted(milliseconds) => (macs, bytes_of_layers, milliseconds),
        Effort::Pass(bytes) => {
            (0, bytes, net.predicted(|predictor| predictor.far(bytes / predictor.workers)))
        }
    };
    Step {
        node: name(last),
        block: net.name(candidates.block_of(*last)).to_owned(),
        fused: fused.iter().map(name).collect(),
        sources: sources.map(str::to_owned).collect(),
        macs,
        bytes: bytes as u64,
        predicted_ms,
        work,
    }
}

/// Bytes of the tensors that `layers` together read and write, and of their weights.
fn bytes(layers: &[predict::Workload]) -> usize {
    let own: usize = layers.iter().map(|layer| layer.read_bytes() + layer.weight_bytes).sum();
    let between: usize = layers.iter().map(|layer| layer.bytes).rev().skip(1).sum();
    own - between + layers.last().map_or(0, |layer| layer.bytes)
}
