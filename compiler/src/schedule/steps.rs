//! The third step: kernels and calls, a pure function of what was chosen and of where everything lies.

use std::collections::BTreeMap;

use frit_ir::NodeId;
use frit_ir::diagnostic::{Diagnostic, codes};

use super::candidates::Candidates;
use super::network::Network;
use super::predict;
use crate::plan::{Argument, Call, Step, Work};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::{Program, Width};

/// What builds a stage's work, with the kernels that were built before it.
pub(super) trait Build<'a>: Fn(&mut Kernels) -> Result<Work, Diagnostic> + 'a {}

impl<'a, F: Fn(&mut Kernels) -> Result<Work, Diagnostic> + 'a> Build<'a> for F {}

/// A step whose tensors have their places, yet to be built.
pub(super) struct Stage<'a> {
    /// The nodes that it computes, in order; it is named after the last.
    pub(super) nodes: Vec<NodeId>,
    pub(super) effort: Effort,
    pub(super) build: Box<dyn Build<'a>>,
}

/// What a stage costs.
#[derive(Clone, Copy)]
pub(super) enum Effort {
    /// The work of its layers.
    Layers,
    /// One of so many equal parts of the work of its layers.
    Part(u64),
    /// The work of its layers, which takes so many milliseconds with 1 and with 2 workers.
    Predicted([f64; 2]),
    /// A pass over so many bytes, beside the stage that does the work.
    Pass(usize),
}

/// The kernels of a plan, each once.
pub(super) struct Kernels {
    pub(super) width: Width,
    programs: Vec<Program>,
    by_name: BTreeMap<String, Vec<usize>>,
}

impl Kernels {
    /// The call of `program` with `arguments` on so many items.
    pub(super) fn call(
        &mut self,
        program: Result<Program, TooManyRegisters>,
        arguments: Vec<Argument>,
        items: usize,
    ) -> Result<Call, Diagnostic> {
        Ok(Call { kernel: self.index(program)?, arguments, items })
    }

    /// The work of a step that is this call alone.
    pub(super) fn items(
        &mut self,
        program: Result<Program, TooManyRegisters>,
        arguments: Vec<Argument>,
        items: usize,
    ) -> Result<Work, Diagnostic> {
        Ok(Work::Items(vec![self.call(program, arguments, items)?]))
    }

    /// The index of `program` among the kernels; an equal one is shared, one of the same name gets a number.
    fn index(&mut self, program: Result<Program, TooManyRegisters>) -> Result<usize, Diagnostic> {
        let mut program = program.map_err(|fault| {
            Diagnostic::error(
                codes::INTERNAL,
                format!("kernel {} needs {} registers of {}", fault.kernel, fault.needed, fault.available),
            )
        })?;
        let same_name = self.by_name.entry(program.name.clone()).or_default();
        if let Some(&index) = same_name.iter().find(|&&index| self.programs[index].body == program.body) {
            return Ok(index);
        }
        same_name.push(self.programs.len());
        if same_name.len() > 1 {
            program.name = format!("{}.{}", program.name, same_name.len());
        }
        self.programs.push(program);
        Ok(self.programs.len() - 1)
    }
}

/// The steps of `stages`, in order, and their kernels.
///
/// # Errors
/// A kernel that can't be built, with the layer's name.
pub(super) fn build(
    net: &Network<'_>,
    candidates: &Candidates,
    stages: &[Stage<'_>],
) -> Result<(Vec<Step>, Vec<Program>), Diagnostic> {
    let mut kernels = Kernels { width: net.width, programs: Vec::new(), by_name: BTreeMap::new() };
    let mut steps = Vec::with_capacity(stages.len());
    for stage in stages {
        let work = (stage.build)(&mut kernels).map_err(|fault| {
            let node = net.graph.node(stage.last());
            fault.at(format!("{} ({})", node.name, node.op.name()))
        })?;
        steps.push(stage.step(net, candidates, work));
    }
    Ok((steps, kernels.programs))
}

impl Stage<'_> {
    fn last(&self) -> NodeId {
        *self.nodes.last().expect("a stage computes a node")
    }

    fn step(&self, net: &Network<'_>, candidates: &Candidates, work: Work) -> Step {
        let name = |&id: &NodeId| net.name(id).to_owned();
        let (last, fused) = self.nodes.split_last().expect("a stage computes a node");
        let sources = self.nodes.iter().flat_map(|&id| net.graph.node(id).sources.layers());
        let layers: Vec<predict::Layer> = self.nodes.iter().map(|&id| net.layer(id)).collect();
        let macs: u64 = layers.iter().map(|layer| layer.macs).sum();
        let alone =
            || net.predicted(|predictor| layers.iter().map(|layer| predictor.alone(layer)).sum::<f64>());
        let bytes_of_layers = bytes(&layers);
        let (macs, bytes, predicted_ms) = match self.effort {
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
}

/// Bytes of the tensors that `layers` together read and write, and of their weights.
fn bytes(layers: &[predict::Layer]) -> usize {
    let own: usize = layers.iter().map(|layer| layer.input_bytes + layer.weight_bytes).sum();
    let between: usize = layers.iter().map(|layer| layer.bytes).rev().skip(1).sum();
    own - between + layers.last().map_or(0, |layer| layer.bytes)
}
