//! Repairs of residuals, as edits of the graph: drop the edge, project it, or insert the one that is missing.
//!
//! Nothing here decides that a network is repaired; who asks for it says how, and gets told of every edit.

pub(crate) mod insert;

use std::borrow::Cow;

use frit_ir::diagnostic::codes;
use frit_ir::ops::Conv2d;
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Faults, Graph, Names, Node, NodeId, Op, Provenance, Shape, Weight};

use crate::legality;
use crate::legality::residual::{Broken, spelled};
use crate::report::Report;

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

/// What was done to one residual.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repair {
    /// What was done, in words that name the layers.
    pub what: String,
    /// The layer that adds, then the ends of main path and shortcut; where a layer is new, it is the last one.
    pub layers: Vec<String>,
    /// The shapes of main path and shortcut.
    pub shapes: Vec<Shape>,
}

/// A graph and what was done to it.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The graph with its repairs; what they can't repair is in it as it was.
    pub graph: Graph,
    /// One for each edit, in the order of the data.
    pub repairs: Vec<Repair>,
    /// What is odd about them: weights that nobody trained.
    pub warnings: Faults,
}

impl Repaired {
    /// The report of the pass.
    pub fn report(&self) -> Report {
        let mut report = Report::new(NAME);
        report.changed = self.repairs.iter().map(|repair| repair.what.clone()).collect();
        report.count("repairs", self.repairs.len());
        report
    }
}

/// Repairs the residuals of `graph`. Other faults stay for [`legality::check`] to find.
pub fn repair(graph: Graph, policy: Policy) -> Repaired {
    let mut edit = Edit::new(graph);
    match policy {
        Policy::Insert => insert::insert(&mut edit),
        Policy::Drop => edit.broken().iter().for_each(|broken| edit.drop_edge(broken)),
        Policy::Project(weights) => {
            for broken in edit.broken().iter().filter(|broken| broken.can_be_projected()) {
                edit.project(broken, weights);
            }
        }
    }
    edit.repaired
}

/// `graph` with each of `broken` as its main path alone.
pub(crate) fn without_shortcuts<'g>(graph: &'g Graph, broken: &[Broken]) -> Cow<'g, Graph> {
    if broken.is_empty() {
        return Cow::Borrowed(graph);
    }
    let mut graph = graph.clone();
    for broken in broken {
        drop_edge(&mut graph, broken);
    }
    Cow::Owned(graph)
}

/// Takes the shortcut from a layer that adds. A fused convolution goes on with its own sum; an addition is then nothing but
/// its main path, whose layer takes its place. One that is an output stays, as the identity: who runs the network asks for
/// outputs by their names, and the main path may be an output of its own.
fn drop_edge(graph: &mut Graph, broken: &Broken) {
    let operands = graph.operands(broken.at);
    let main = operands[1 - broken.shortcut];
    let node = graph.node_mut(broken.at);
    let sources = node.sources.clone();
    let epilogue = match &mut node.op {
        Op::Conv2d(conv) => Some(&mut conv.epilogue),
        Op::Dense(dense) => Some(&mut dense.epilogue),
        _ => None,
    };
    if let Some(epilogue) = epilogue {
        epilogue.residual = false;
        graph.set_operands(broken.at, &[main]);
        return;
    }
    if graph.outputs().contains(&broken.at) {
        graph.node_mut(broken.at).op = Op::Identity;
        graph.set_operands(broken.at, &[main]);
        return;
    }
    graph.node_mut(main).sources.merge(&sources);
    graph.redirect(broken.at, main);
    graph.remove(broken.at);
}

/// A graph under repair.
struct Edit {
    repaired: Repaired,
    /// The names of its layers.
    names: Names,
}

impl Edit {
    fn new(graph: Graph) -> Edit {
        let names = graph.ids().map(|id| graph.node(id).name.as_str()).collect();
        Edit { repaired: Repaired { graph, repairs: Vec::new(), warnings: Faults::new() }, names }
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
        let at = self.name(broken.at);
        let [main, shortcut] = self.sides(broken).map(|id| self.name(id));
        drop_edge(&mut self.repaired.graph, broken);
        let what = format!("dropped the residual edge from {shortcut} into {at}: {main} goes on alone");
        self.record(what, vec![at, main, shortcut], broken);
    }

    fn project(&mut self, broken: &Broken, weights: ProjectionWeights) {
        let at = self.name(broken.at);
        let [main, shortcut] = self.sides(broken);
        let name = self.names.free(&format!("{at}/projection"));
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
        let [main, shortcut] = [main, shortcut].map(|id| self.name(id));
        let [from, to] = [broken.from[2], broken.to[2]];
        let what = format!(
            "inserted the projection {name} from {shortcut} into {at}: conv 1x1, {from}→{to}, stride {}",
            spelled(broken.stride)
        );
        self.record(what, vec![at, main, shortcut, name], broken);
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

    fn record(&mut self, what: String, layers: Vec<String>, broken: &Broken) {
        let shapes = vec![Shape::new(&broken.to), Shape::new(&broken.from)];
        self.repaired.repairs.push(Repair { what, layers, shapes });
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
