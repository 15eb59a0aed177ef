//! Repairs of residuals, as edits of the graph: drop the edge, project it, or insert the one that is missing.
//!
//! Nothing here decides that a network is repaired; who asks for it says how, and gets told of every edit.

pub(crate) mod insert;

use frit_ir::diagnostic::codes;
use frit_ir::ops::Conv2d;
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Faults, Graph, Names, Node, NodeId, Op, Provenance, Shape, Weight};

use crate::legality;
use crate::legality::residual::Broken;
use crate::report::{Edit, Report, Residual};

/// The name of the pass.
pub const NAME: &str = "repair";

/// What is done about residuals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A residual whose shortcut is not the identity loses it: the main path goes on alone.
    Drop,
    /// It gets a 1×1 convolution on the shortcut, with the stride and the channels of the main path (He et al., 2016).
    Project(ProjectionWeights),
    /// A block with a linear end whose input could be added to its output gets that addition (Sandler et al., 2018).
    Insert,
}

/// The weights of a projection, which nobody trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectionWeights {
    /// Drawn from the seed of the network's weights (0 where they come from a file), by the weight's name.
    Seeded,
    /// Zero: the main path starts as if alone.
    Zero,
}

/// A graph and what was done to it.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The graph with its repairs; what they can't repair is in it as it was.
    pub graph: Graph,
    /// One for each edit, in the order of the data.
    pub repairs: Vec<Edit>,
    /// What is odd about them: weights that nobody trained.
    pub warnings: Faults,
}

impl Repaired {
    /// The report of the pass.
    pub fn report(&self) -> Report {
        let mut report = Report::new(NAME);
        report.changed.clone_from(&self.repairs);
        report.count("repairs", self.repairs.len());
        report
    }
}

/// Repairs the residuals of `graph`. Other faults stay for [`legality::check`] to find.
pub fn repair(graph: Graph, policy: Policy) -> Repaired {
    let mut workshop = Workshop::new(graph);
    match policy {
        Policy::Insert => insert::insert(&mut workshop),
        Policy::Drop => workshop.broken().iter().for_each(|broken| workshop.drop_edge(broken)),
        Policy::Project(weights) => {
            for broken in workshop.broken().iter().filter(|broken| broken.can_be_projected()) {
                workshop.project(broken, weights);
            }
        }
    }
    workshop.repaired
}

/// A graph under repair.
struct Workshop {
    repaired: Repaired,
    /// The names of its layers.
    names: Names,
}

impl Workshop {
    fn new(graph: Graph) -> Workshop {
        let names = graph.ids().map(|id| graph.node(id).name.as_str()).collect();
        Workshop { repaired: Repaired { graph, repairs: Vec::new(), warnings: Faults::new() }, names }
    }

    fn graph(&self) -> &Graph {
        &self.repaired.graph
    }

    fn name(&self, id: NodeId) -> String {
        self.graph().node(id).name.clone()
    }

    /// The residuals that need repair.
    fn broken(&self) -> Vec<Broken> {
        legality::joins(self.graph()).broken
    }

    /// The ends of the main path and of the shortcut; a fused convolution is the end of its own.
    fn sides(&self, broken: &Broken) -> [NodeId; 2] {
        let operands = self.graph().operands(broken.at);
        let fused = self.graph().node(broken.at).op.epilogue().is_some();
        [if fused { broken.at } else { operands[1 - broken.shortcut] }, operands[broken.shortcut]]
    }

    fn drop_edge(&mut self, broken: &Broken) {
        let residual = self.residual(broken);
        broken.drop_edge(&mut self.repaired.graph);
        self.repaired.repairs.push(Edit::Dropped(residual));
    }

    fn project(&mut self, broken: &Broken, weights: ProjectionWeights) {
        let residual = self.residual(broken);
        let [_, shortcut] = self.sides(broken);
        let name = self.names.free(&format!("{}/projection", residual.at));
        let op = Op::Conv2d(Conv2d { stride: broken.stride, ..Conv2d::pointwise(broken.to[2]) });
        let kernel = format!("{name}.kernel");
        let shape = Shape::new(&[1, 1, broken.from[2], broken.to[2]]);
        let (data, said) = match weights {
            ProjectionWeights::Seeded => {
                let seed = self.seed();
                (Data::Seeded(seed), format!("its weights are drawn from seed {seed}"))
            }
            ProjectionWeights::Zero => {
                let values = vec![0.0; shape.elements().unwrap_or(0)];
                (Data::Values(values.into()), "its weights are zero".to_owned())
            }
        };
        let sources = self.sources(&name, broken.at);
        let graph = &mut self.repaired.graph;
        graph.weights.insert(kernel.clone(), Weight::new(shape, data));
        let node = Node { name: name.clone(), op, weights: vec![kernel], sources };
        let projection = graph.add(node, &[shortcut]);
        let mut operands = graph.operands(broken.at);
        operands[broken.shortcut] = projection;
        graph.set_operands(broken.at, &operands);
        self.repaired.warnings.push(untrained(&name, said));
        self.repaired.repairs.push(Edit::Projected { residual, projection: name, stride: broken.stride });
    }

    /// The seed of the network's weights, 0 where none is seeded.
    fn seed(&self) -> u64 {
        let seed = |weight: &Weight| match weight.data {
            Data::Seeded(seed) => Some(seed),
            _ => None,
        };
        self.graph().weights.iter().find_map(|(_, weight)| seed(weight)).unwrap_or(0)
    }

    /// Where the new layer `name` comes from: itself, and the layers of `cause`.
    fn sources(&self, name: &str, cause: NodeId) -> Provenance {
        let mut sources = Provenance::source(name);
        sources.merge(&self.graph().node(cause).sources);
        sources
    }

    /// The residual as reports show it.
    fn residual(&self, broken: &Broken) -> Residual {
        let [main, shortcut] = self.sides(broken).map(|id| self.name(id));
        let shapes = [broken.to, broken.from].map(|shape| Shape::new(&shape));
        Residual { at: self.name(broken.at), main, shortcut, shapes }
    }
}

/// The warning that a projection has weights that nobody trained.
fn untrained(name: &str, said: String) -> Diagnostic {
    Diagnostic::warning(codes::UNTRAINED_PROJECTION, "the inserted projection is untrained")
        .at(format!("{name} (conv2d)"))
        .note(said)
        .help("train the network again with the projection")
        .help_flag("or do without it", "--residual drop", "")
}

#[cfg(test)]
mod tests;
