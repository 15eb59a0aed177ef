//! The one list of passes, in order, and the way through them.

mod verify;

use std::time::Instant;

use frit_ir::{Diagnostic, Faults, Graph};

use crate::egraph::{self, CostModel, Limits};
use crate::legality::{self, Legal};
use crate::repair::{self, Policy};
use crate::report::Report;
pub use verify::verify;

/// A pass of the list.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// Its name, also in reports.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Does it to a network; no report where the options don't ask for it.
    run: fn(&mut Network, &Options) -> Result<Option<Report>, Refusal>,
}

/// All passes, in the order in which they run.
pub const PASSES: &[Pass] = &[
    Pass {
        name: repair::NAME,
        about: "residuals that don't fit, or are missing, as the policy says",
        run: Network::repair,
    },
    Pass {
        name: legality::NAME,
        about: "shapes, weights and joins are as they must be; changes nothing",
        run: Network::check,
    },
    Pass {
        name: egraph::NAME,
        about: "layers fused and folded by the rules, cheapest way extracted",
        run: Network::fuse,
    },
];

/// Whether each pass is verified: in tests and in builds with debug assertions.
const VERIFIES: bool = cfg!(any(debug_assertions, test));

/// How the passes run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What is done about residuals before anything else, where anything is.
    pub repair: Option<Policy>,
    /// The rates of the machine.
    pub model: CostModel,
    /// Limits of the e-graph, and rules that are switched off.
    pub limits: Limits,
    /// Whether layers are fused and folded at all.
    pub fuse: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { repair: None, model: CostModel::default(), limits: Limits::default(), fuse: true }
    }
}

/// What the passes made of a graph.
#[derive(Debug, Clone)]
pub struct Optimised {
    /// The graph as it came, with its repairs, found legal.
    pub legal: Legal<Graph>,
    /// What is to be scheduled; the legal graph itself where nothing is fused.
    pub graph: Legal<Graph>,
    /// What repair and legality warned of.
    pub warnings: Faults,
    /// One for each pass that ran, in order.
    pub reports: Vec<Report>,
}

/// A graph with its repairs, whose legality nobody has checked.
#[derive(Debug, Clone)]
pub struct Repaired {
    /// The graph.
    pub graph: Graph,
    /// What repair warned of.
    pub warnings: Faults,
    /// That of repair, where it was asked for.
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

impl From<Refusal> for Faults {
    fn from(refusal: Refusal) -> Faults {
        match refusal {
            Refusal::Illegal(faults) => faults,
            Refusal::Fault(fault) => Diagnostic::from(fault).into(),
            Refusal::Broken(fault) => (*fault).into(),
        }
    }
}

/// Runs all passes over `graph`.
///
/// # Errors
/// All faults of the network in one go, or a fault of frit itself.
pub fn run(graph: Graph, options: &Options) -> Result<Optimised, Refusal> {
    let mut network = Network::new(graph);
    PASSES.iter().try_for_each(|pass| network.pass(pass, options))?;
    let Network { warnings, reports, .. } = network;
    let legal = network.legal.expect("legality is in the list, and runs always");
    let graph = network.rewritten.unwrap_or_else(|| legal.clone());
    Ok(Optimised { legal, graph, warnings, reports })
}

/// Runs the passes in front of legality: for those who read a network that need not be legal.
///
/// # Errors
/// A fault of frit itself.
pub fn repaired(graph: Graph, options: &Options) -> Result<Repaired, Refusal> {
    let mut network = Network::new(graph);
    let mut before = PASSES.iter().take_while(|pass| pass.name != legality::NAME);
    before.try_for_each(|pass| network.pass(pass, options))?;
    Ok(Repaired { graph: network.given, warnings: network.warnings, reports: network.reports })
}

/// A network on its way through the passes.
struct Network {
    /// As it came, with its repairs; empty once it is found legal.
    given: Graph,
    /// The same, found legal.
    legal: Option<Legal<Graph>>,
    /// What was made of the legal one, where anything was.
    rewritten: Option<Legal<Graph>>,
    warnings: Faults,
    reports: Vec<Report>,
}

impl Network {
    fn new(given: Graph) -> Network {
        Network { given, legal: None, rewritten: None, warnings: Faults::new(), reports: Vec::new() }
    }

    /// The graph that the next pass gets.
    fn now(&self) -> &Graph {
        self.rewritten.as_ref().or(self.legal.as_ref()).map_or(&self.given, Legal::graph)
    }

    /// Runs `pass`, times it, and verifies what it made.
    fn pass(&mut self, pass: &Pass, options: &Options) -> Result<(), Refusal> {
        let before = VERIFIES.then(|| self.now().clone());
        let started = Instant::now();
        let Some(mut report) = (pass.run)(self, options)? else { return Ok(()) };
        report.milliseconds = started.elapsed().as_secs_f64() * 1e3;
        self.reports.push(report);
        let Some(before) = before else { return Ok(()) };
        let kept = match &self.rewritten {
            Some(after) => verify(pass.name, &before, after),
            None => verify::border(pass.name, &before, self.now()),
        };
        kept.map_err(|fault| Refusal::Broken(Box::new(fault)))
    }

    fn repair(&mut self, options: &Options) -> Result<Option<Report>, Refusal> {
        let Some(policy) = options.repair else { return Ok(None) };
        let repaired = repair::repair(std::mem::take(&mut self.given), policy);
        let report = repaired.report();
        self.given = repaired.graph;
        self.warnings.extend(repaired.warnings);
        Ok(Some(report))
    }

    fn check(&mut self, _: &Options) -> Result<Option<Report>, Refusal> {
        let (legal, warnings) = legality::check(std::mem::take(&mut self.given)).map_err(Refusal::Illegal)?;
        let mut report = Report::new(legality::NAME);
        report.count("layers", legal.len());
        report.count("warnings", warnings.iter().count());
        self.warnings.extend(warnings);
        self.legal = Some(legal);
        Ok(Some(report))
    }

    fn fuse(&mut self, options: &Options) -> Result<Option<Report>, Refusal> {
        let Some(legal) = self.legal.as_ref().filter(|_| options.fuse) else { return Ok(None) };
        let (graph, report) =
            egraph::optimise(legal, &options.model, &options.limits).map_err(Refusal::Fault)?;
        self.rewritten = Some(graph);
        Ok(Some(report))
    }
}

#[cfg(test)]
mod tests;
