//! Rewriting in an e-graph: encode the network, apply all rules until nothing changes, extract the cheapest
//! way, decode.
//!
//! Nothing here depends on time or on hash order: the same graph gives the same graph. egg reads a clock
//! while it brings classes into line; it gets one that stands still, which also takes every wall-clock limit
//! out of play.

mod analysis;
mod cost;
mod decode;
mod derivation;
mod encode;
mod extract;
mod fold;
mod language;
pub mod rule;
pub mod rules;
mod saturate;

use std::collections::BTreeSet;
use std::fmt;
use std::time::Instant;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Graph, Shape};

use crate::legality::Legal;
use crate::report::{Edit, Kernel, Report, Rewriting};
pub use cost::CostModel;

/// The name of the pass.
pub const NAME: &str = "egraph";

/// What ends a saturation that does not end by itself, and what it leaves out. Whatever ends it, the result
/// is right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Rounds of search and application, at most.
    pub iterations: usize,
    /// E-nodes, at most: this many times those encoded ...
    pub growth: usize,
    /// ... and so many more.
    pub slack: usize,
    /// States that the extraction keeps for each class, at most.
    pub states: usize,
    /// Names of the rules that are switched off; names that no rule has are ignored (see [`rules::ALL`]).
    pub disabled: BTreeSet<String>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { iterations: 40, growth: 20, slack: 10_000, states: 4_096, disabled: BTreeSet::new() }
    }
}

/// A fault of frit itself: a rule that is wrong, or weights that can't be had after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A rule found a value equal to one of another shape, or a weight equal to a tensor.
    Join {
        /// The rule that was applied last.
        rule: &'static str,
        /// One shape.
        left: Shape,
        /// The other.
        right: Shape,
    },
    /// A rule built a layer that can't be.
    Term {
        /// The rule.
        rule: &'static str,
        /// Why it can't.
        reason: String,
    },
    /// A kernel computes the value of no source layer, so that it has no name.
    Nameless {
        /// The kernel's op.
        op: &'static str,
    },
    /// A weight's values can't be had.
    Weights(Box<Diagnostic>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Join { rule, left, right } => write!(f, "rule {rule} joined {left} and {right}"),
            Fault::Term { rule, reason } => write!(f, "rule {rule} built a layer that can't be: {reason}"),
            Fault::Nameless { op } => write!(f, "a {op} computes the value of no source layer"),
            Fault::Weights(diagnostic) => f.write_str(&diagnostic.message),
        }
    }
}

impl std::error::Error for Fault {}

impl From<Fault> for Diagnostic {
    fn from(fault: Fault) -> Diagnostic {
        match fault {
            Fault::Weights(diagnostic) => *diagnostic,
            other => Diagnostic::error(codes::INTERNAL, other.to_string()),
        }
    }
}

/// The cheapest graph, by `model`, that the rules make of `graph`, with the same inputs and outputs under the
/// same names.
///
/// # Errors
/// A fault of a rule, or of weights whose values can't be read.
pub fn optimise(
    graph: &Legal<Graph>,
    model: &CostModel,
    limits: &Limits,
) -> Result<(Legal<Graph>, Report), Fault> {
    let (clock, _still) = quanta::Clock::mock();
    let (optimised, report) = quanta::with_clock(&clock, || rewrite(graph, &enabled(limits), model, limits))?;
    // The analysis held each layer that a rule built against the checks of legality.
    Ok((graph.rewritten(optimised), report))
}

fn enabled(limits: &Limits) -> Vec<&'static rules::Rule> {
    rules::ALL.iter().copied().filter(|rule| !limits.disabled.contains(rule.name)).collect()
}

fn rewrite(
    graph: &Graph,
    rules: &[&rules::Rule],
    model: &CostModel,
    limits: &Limits,
) -> Result<(Graph, Report), Fault> {
    let mut watch = Watch::start();
    let mut encoding = encode::encode(graph);
    let encoded = encoding.egraph.total_size();
    watch.phase("encode");
    let saturation = saturate::saturate(&mut encoding.egraph, rules, limits);
    if let Some(fault) = encoding.egraph.analysis.fault.take() {
        return Err(fault);
    }
    watch.phase("saturate");
    encoding.refresh();
    let mut folder = fold::Folder::new(graph, &encoding);
    let (selection, refused) = select(&encoding, &mut folder, model, limits)?;
    watch.phase("extract");
    let derivations = derivation::Derivations::new(&encoding, saturation.steps);
    let decoded = decode::decode(graph, &encoding, &derivations, &selection)?;
    watch.phase("decode");
    let (optimised, kernels) = decoded.write(graph, &encoding, folder)?;
    watch.phase("weights");
    let rewriting = Rewriting {
        iterations: saturation.iterations,
        reached: saturation.reached,
        encoded,
        enodes: encoding.egraph.total_size(),
        classes: encoding.egraph.number_of_classes(),
        firings: saturation.firings,
        exact: selection.exact,
        refused,
        picoseconds: selection.cost,
        kernels,
        unreached: encoding.unreached,
        phases: watch.phases,
    };
    let report = told(graph, &optimised, rewriting);
    Ok((optimised, report))
}

/// The cheapest way whose weights f32 holds, and how many e-nodes that left out.
fn select(
    encoding: &encode::Encoding,
    folder: &mut fold::Folder<'_>,
    model: &CostModel,
    limits: &Limits,
) -> Result<(extract::Selection, usize), Fault> {
    let mut refused = BTreeSet::new();
    loop {
        let selection = extract::extract(&encoding.egraph, encoding.root, model, (limits.states, &refused));
        let more = folder.refused(&selection.picks)?;
        if more.is_empty() {
            return Ok((selection, refused.len()));
        }
        refused.extend(more);
    }
}

fn told(before: &Graph, after: &Graph, rewriting: Rewriting) -> Report {
    let changed = |kernel: &&Kernel| !kernel.rules.is_empty();
    let fused = |kernel: &Kernel| Edit::Fused {
        kernel: kernel.name.clone(),
        layers: kernel.sources.layers().map(str::to_owned).collect(),
    };
    let unneeded = rewriting.unreached.iter().map(|layer| Edit::Unneeded { layer: layer.clone() });
    let mut report = Report::new(NAME);
    report.changed = rewriting.kernels.iter().filter(changed).map(fused).chain(unneeded).collect();
    report.count("layers before", before.len());
    report.count("layers after", after.len());
    report.count("iterations", rewriting.iterations);
    report.count("e-nodes encoded", rewriting.encoded);
    report.count("e-nodes", rewriting.enodes);
    if rewriting.refused > 0 {
        report.count("folds refused", rewriting.refused);
    }
    report.rewriting = Some(rewriting);
    report
}

/// Times the phases, for the report alone.
struct Watch {
    last: Instant,
    phases: Vec<(&'static str, f64)>,
}

impl Watch {
    fn start() -> Watch {
        Watch { last: Instant::now(), phases: Vec::new() }
    }

    fn phase(&mut self, name: &'static str) {
        self.phases.push((name, self.last.elapsed().as_secs_f64() * 1e3));
        self.last = Instant::now();
    }
}

#[cfg(test)]
mod tests;
