//! What a pass did, as values; formatting is for others.

use std::collections::BTreeMap;
use std::fmt;

use frit_ir::{Provenance, Shape};

/// What one pass did.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The pass.
    pub name: &'static str,
    /// What changed, in graph order; nothing where the graph stayed as it was.
    pub changed: Vec<Edit>,
    /// What it counted, in a fixed order.
    pub counts: Vec<(&'static str, u64)>,
    /// How long it took, by the one clock of the pipeline; the only part that differs between runs, together with the phases
    /// of the rewriting.
    pub milliseconds: f64,
    /// What the e-graph did, for the pass that has one.
    pub rewriting: Option<Rewriting>,
}

impl Report {
    /// Of the pass `name`: nothing changed, nothing counted.
    pub fn new(name: &'static str) -> Report {
        Report { name, changed: Vec::new(), counts: Vec::new(), milliseconds: 0.0, rewriting: None }
    }

    /// Adds a count.
    pub fn count(&mut self, what: &'static str, count: usize) {
        self.counts.push((what, count as u64));
    }

    /// Whether the pass left the graph as it was: tables say "(unchanged)".
    pub fn unchanged(&self) -> bool {
        self.changed.is_empty()
    }
}

/// One change of a network: the names of the layers that it is about, and what else there is to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Edit {
    /// A residual lost its shortcut.
    Dropped(Residual),
    /// A residual got a 1×1 convolution on its shortcut.
    Projected {
        /// The residual.
        residual: Residual,
        /// The convolution, which is new.
        projection: String,
        /// Its stride.
        stride: [usize; 2],
    },
    /// A block got the residual that it lacked.
    Inserted {
        /// The residual: the layer that adds is new, the main path ends where the block did.
        residual: Residual,
        /// Whether the end of the block was an output, which the sum now is.
        output: bool,
    },
    /// A kernel computes layers of the source.
    Fused {
        /// The kernel.
        kernel: String,
        /// The layers.
        layers: Vec<String>,
    },
    /// A layer that no output needs is left out.
    Unneeded {
        /// The layer.
        layer: String,
    },
}

/// A residual that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Residual {
    /// The layer that adds.
    pub at: String,
    /// The last layer of the main path.
    pub main: String,
    /// The last layer of the shortcut.
    pub shortcut: String,
    /// The shapes of main path and shortcut.
    pub shapes: [Shape; 2],
}

impl Edit {
    /// The residual, where it is about one.
    pub fn residual(&self) -> Option<&Residual> {
        match self {
            Edit::Dropped(residual) | Edit::Projected { residual, .. } | Edit::Inserted { residual, .. } => {
                Some(residual)
            }
            Edit::Fused { .. } | Edit::Unneeded { .. } => None,
        }
    }

    /// The names of the layers that it is about; of a residual the layer that adds, then the ends of main path and shortcut,
    /// then a convolution that is new.
    pub fn layers(&self) -> Vec<&str> {
        let residual = self.residual().into_iter();
        let mut layers: Vec<&str> =
            residual.flat_map(|of| [&of.at, &of.main, &of.shortcut]).map(String::as_str).collect();
        match self {
            Edit::Projected { projection, .. } => layers.push(projection),
            Edit::Fused { kernel, layers: fused } => {
                layers.extend(std::iter::once(kernel).chain(fused).map(String::as_str));
            }
            Edit::Unneeded { layer } => layers.push(layer),
            Edit::Dropped(_) | Edit::Inserted { .. } => {}
        }
        layers
    }
}

/// The limit that ended a saturation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// So many iterations.
    Iterations(usize),
    /// So many e-nodes.
    Nodes(usize),
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reached::Iterations(limit) => write!(f, "rewriting stopped after {limit} iterations"),
            Reached::Nodes(limit) => write!(f, "rewriting stopped at {limit} e-nodes"),
        }
    }
}

/// What the e-graph did.
#[derive(Debug, Clone, PartialEq)]
pub struct Rewriting {
    /// Rounds of search and application.
    pub iterations: usize,
    /// The limit that ended them, if one did.
    pub reached: Option<Reached>,
    /// E-nodes of the network as it came.
    pub encoded: usize,
    /// E-nodes at the end.
    pub enodes: usize,
    /// E-classes at the end.
    pub classes: usize,
    /// How often each rule found something new.
    pub firings: BTreeMap<&'static str, u64>,
    /// Whether nothing in the e-graph is cheaper than what was extracted.
    pub exact: bool,
    /// How many e-nodes were left out because f32 does not hold their folded weights as well as what they were folded from.
    pub refused: usize,
    /// The cost of what was extracted, by the model that was given.
    pub picoseconds: u64,
    /// The extracted nodes, in the order of the optimised graph, inputs included.
    pub kernels: Vec<Kernel>,
    /// Layers that no output needs, by name; they are left out.
    pub unreached: Vec<String>,
    /// Phases with their milliseconds, in order.
    pub phases: Vec<(&'static str, f64)>,
}

/// One node of the optimised graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Kernel {
    /// Its name, that of the source layer whose value it computes.
    pub name: String,
    /// The source layers that it computes.
    pub sources: Provenance,
    /// The rules that made it, in the order in which they fired; none where it stood in the source.
    pub rules: Vec<&'static str>,
    /// Its cost by the model that was given.
    pub picoseconds: u64,
}
