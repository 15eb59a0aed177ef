//! The one list of passes, in order, and the way through them.

mod verify;

use std::time::Instant;

use frit_ir::{Diagnostic, Faults, Graph};

use crate::egraph::{self, CostModel, Limits};
use crate::legality::{self, Legal};
use crate::report::Report;
pub use verify::verify;

/// A pass of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pass {
    /// Its name, also in reports.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// All passes, in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass { name: legality::NAME, about: "shapes, weights and joins are as they must be; changes nothing" },
    Pass { name: egraph::NAME, about: "layers fused and folded by the rules, cheapest way extracted" },
];

/// How the passes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The rates of the machine.
    pub model: CostModel,
    /// Limits of the e-graph, and rules that are switched off.
    pub limits: Limits,
    /// Whether layers are fused and folded at all.
    pub fuse: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { model: CostModel::default(), limits: Limits::default(), fuse: true }
    }
}

/// What the passes made of a graph.
#[derive(Debug, Clone)]
pub struct Optimised {
    /// The graph as it came, found legal.
    pub legal: Legal<Graph>,
    /// What is to be scheduled; the legal graph itself where nothing is fused.
    pub graph: Graph,
    /// What legality warned of.
    pub warnings: Faults,
    /// One for each pass that ran, in order.
    pub reports: Vec<Report>,
}

/// Why the passes returned no graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The network is at fault.
    Illegal(Faults),
    /// Frit is.
    Fault(egraph::Fault),
    /// A pass of frit is: what [`verify`] says of its graph.
    Broken(Box<Diagnostic>),
}

/// Runs all passes over `graph`.
///
/// # Errors
/// All faults of the network in one go, or a fault of frit itself.
pub fn run(graph: Graph, options: &Options) -> Result<Optimised, Refusal> {
    let started = Instant::now();
    let (legal, warnings) = legality::check(graph).map_err(Refusal::Illegal)?;
    let mut report = Report::new(legality::NAME);
    report.count("layers", legal.len());
    report.count("warnings", warnings.iter().count());
    report.milliseconds = started.elapsed().as_secs_f64() * 1e3;
    let mut reports = vec![report];
    let graph = if options.fuse {
        let optimise = |legal: &_| egraph::optimise(legal, &options.model, &options.limits);
        let (graph, report) = rewritten(egraph::NAME, &legal, optimise)?;
        reports.push(report);
        graph
    } else {
        legal.graph().clone()
    };
    Ok(Optimised { legal, graph, warnings, reports })
}

/// What `rewrite`, the pass `name`, makes of `legal`; tests and builds with debug assertions verify it.
fn rewritten(
    name: &str,
    legal: &Legal<Graph>,
    rewrite: impl FnOnce(&Legal<Graph>) -> Result<(Graph, Report), egraph::Fault>,
) -> Result<(Graph, Report), Refusal> {
    let (graph, report) = rewrite(legal).map_err(Refusal::Fault)?;
    if cfg!(any(debug_assertions, test)) {
        verify(name, legal, &graph).map_err(|fault| Refusal::Broken(Box::new(fault)))?;
    }
    Ok((graph, report))
}

#[cfg(test)]
mod tests;
