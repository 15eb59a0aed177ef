//! What a program says of itself.

use frit_ir::graph::Preprocess;
use frit_ir::ops::Scalar;
use frit_ir::weights::Data;
use frit_ir::{Graph, Op};
use frit_runtime::program::{self, BlockWay, Metadata, Target};

use crate::machine::Machine;
use crate::plan::{Plan, Region, Step};
use crate::prove::Proved;

/// What a program made of `plan` for `machine` says, all but [`Metadata::source`] and what was fused.
pub fn metadata(plan: &Proved, machine: &Machine) -> Metadata {
    let block = |layers: &[String], way: &str| BlockWay { layers: layers.to_vec(), way: way.to_owned() };
    Metadata {
        name: plan.name.clone(),
        producer: concat!("frit ", env!("CARGO_PKG_VERSION")).to_owned(),
        target: target(machine),
        inputs: plan.inputs.clone(),
        outputs: plan.outputs.clone(),
        steps: plan.steps.iter().map(|step| told(plan, step)).collect(),
        blocks: plan.choices.iter().map(|choice| block(&choice.layers, choice.way.name)).collect(),
        arena_bytes: plan.arena_bytes,
        scratch_bytes: plan.scratch_bytes,
        reach: reach(plan),
        ..Metadata::default()
    }
}

/// What code for `machine` is made of.
pub(super) fn target(machine: &Machine) -> Target {
    Target {
        level: machine.level.to_string(),
        lowering: machine.lowering.name().to_owned(),
        lanes: machine.width().lanes,
        features: machine.features().into_iter().map(str::to_owned).collect(),
    }
}

/// What the runtime can tell of a step.
fn told(plan: &Plan, step: &Step) -> program::Step {
    let mut kernels: Vec<String> =
        step.work.calls().map(|call| plan.kernels[call.kernel].name.clone()).collect();
    kernels.dedup();
    program::Step {
        node: step.node.clone(),
        block: step.block.clone(),
        sources: step.sources.clone(),
        kernels,
        macs: step.macs,
        bytes: step.bytes,
        predicted_ms: step.predicted_ms,
    }
}

/// The byte behind the last that is touched of each region, in the order of the runtime's regions.
fn reach(plan: &Proved) -> Vec<usize> {
    let tensors =
        (0..plan.inputs.len()).map(Region::Input).chain((0..plan.outputs.len()).map(Region::Output));
    let of = |region| plan.reach(region);
    [of(Region::Weights), plan.arena_reach(), of(Region::Scratch)]
        .into_iter()
        .chain(tensors.map(of))
        .collect()
}

/// What the source says beyond what is computed: `graph` as it came.
pub fn source(graph: &Graph, macs: u64) -> program::Source {
    program::Source {
        weights: weights(graph),
        macs,
        preprocess: graph.preprocess.as_ref().map(preprocess),
        labels: graph.labels.clone(),
        gives_probabilities: gives_probabilities(graph),
    }
}

/// Where the weights came from, in words.
fn weights(graph: &Graph) -> String {
    let mut seeds: Vec<u64> = Vec::new();
    let mut given = 0;
    for (_, weight) in graph.weights.iter() {
        match weight.data {
            Data::Seeded(seed) => seeds.push(seed),
            Data::Values(_) | Data::Mapped(_) | Data::Digest(_) => given += 1,
        }
    }
    let drawn = seeds.len();
    seeds.sort_unstable();
    seeds.dedup();
    let seeds: Vec<String> = seeds.iter().map(u64::to_string).collect();
    match (given, drawn) {
        (0, 0) => "none".to_owned(),
        (_, 0) => "given".to_owned(),
        (0, _) => format!("drawn from seed {}, not trained", seeds.join(", ")),
        _ => format!("{given} given, {drawn} drawn from seed {}, not trained", seeds.join(", ")),
    }
}

/// Whether the last output adds up to one because a softmax made it.
fn gives_probabilities(graph: &Graph) -> bool {
    let mut id = graph.outputs().last().copied();
    while let Some(at) = id {
        let op = &graph.node(at).op;
        if !matches!(op, Op::Reshape(_)) {
            return matches!(op, Op::Softmax(_));
        }
        id = graph.operands(at).first().copied();
    }
    false
}

/// How pictures become inputs, as programs carry it.
pub fn preprocess(preprocess: &Preprocess) -> program::Preprocess {
    let &Preprocess { crop_center_square, bicubic, range, mean, std } = preprocess;
    let [mean, std] = [mean, std].map(|channels| channels.map(Scalar::get));
    let range = range.map(Scalar::get);
    program::Preprocess { crop_center_square, bicubic, range, mean, std }
}

#[cfg(test)]
mod tests {
    use frit_ir::ops::{Input, Reshape, Softmax};
    use frit_ir::{Node, Provenance, Shape};

    use super::*;

    #[test]
    fn a_softmax_is_seen_through_a_reshape() {
        let mut graph = Graph::new("head");
        let node = |name: &str, op| Node {
            name: name.into(),
            op,
            weights: Vec::new(),
            sources: Provenance::source(name),
        };
        let input = graph.add(node("x", Op::Input(Input { shape: Shape::new(&[1, 1, 4]) })), &[]);
        assert!(!gives_probabilities(&graph));
        let softmax = graph.add(node("p", Op::Softmax(Softmax::default())), &[input]);
        let flat = graph.add(node("f", Op::Reshape(Reshape::Flatten)), &[softmax]);
        graph.add_output(flat);
        assert!(gives_probabilities(&graph));
    }
}
