//! What a pass did, as values; formatting is for others.

use std::collections::BTreeMap;

use frit_ir::Provenance;

use crate::egraph::Reached;

/// What one pass did.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The pass.
    pub name: &'static str,
    /// What changed, a line each, in graph order; none where the graph stayed as it was.
    pub changed: Vec<String>,
    /// What it counted, in a fixed order.
    pub counts: Vec<(&'static str, u64)>,
    /// How long it took; the only part that differs between runs, together with the phases of the rewriting.
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
