//! Lints: what is legal, and probably not meant. They read a network as its author wrote it, before anything is rewritten, and
//! change nothing. A rule is a function in the file of its subject and a line in [`LINTS`].

mod dead;
mod equal;
mod gate;
mod groups;
mod lanes;
mod multiplier;
mod network;
mod norm;
mod preprocess;
mod residual;
mod softmax;
mod stride;

use std::collections::BTreeMap;
use std::fmt;

use frit_ir::diagnostic::{Code, codes};
use frit_ir::{Diagnostic, Graph, NodeId, Severity, Shape};

use network::Network;

/// A rule.
pub struct Lint {
    /// The code of its findings; the page of that code explains it.
    pub code: Code,
    /// Its name, as findings and tests have it.
    pub name: &'static str,
    /// A warning where the numbers are probably wrong, a hint where only time or parameters are lost.
    pub severity: Severity,
    find: fn(&Network<'_>) -> Vec<Found>,
}

/// All rules, in the order of their codes.
pub const LINTS: &[Lint] = &[
    Lint::warning(codes::NORM_AXIS, "norm-axis", norm::axis),
    Lint::warning(codes::NORM_STATISTICS, "norm-statistics", norm::statistics),
    Lint::hint(codes::BIAS_BEFORE_NORM, "bias-before-norm", norm::bias),
    Lint::warning(codes::SQUEEZE_BEHIND_PROJECTION, "squeeze-behind-projection", gate::behind_projection),
    Lint::warning(codes::GATE_ABOVE_HALF, "gate-above-half", gate::above_half),
    Lint::warning(codes::SAME_SLICE, "same-slice", groups::same_slice),
    Lint::hint(codes::SPLIT_CONVOLUTION, "split-convolution", groups::split_convolution),
    Lint::warning(codes::SYMMETRIC_PADDING, "symmetric-padding", stride::symmetric_padding),
    Lint::warning(codes::STRIDE_TWICE, "stride-twice", stride::twice),
    Lint::hint(codes::MISSING_RESIDUAL, "missing-residual", residual::missing),
    Lint::hint(codes::IDLE_LANES, "idle-lanes", lanes::idle),
    Lint::warning(codes::DEAD_LAYERS, "dead-layers", dead::layers),
    Lint::hint(codes::EQUAL_WEIGHTS, "equal-weights", equal::weights),
    Lint::warning(codes::SOFTMAX_TWICE, "softmax-twice", softmax::twice),
    Lint::warning(codes::PREPROCESS_STATISTICS, "preprocess-statistics", preprocess::statistics),
    Lint::warning(codes::MULTIPLIER_EVERYWHERE, "multiplier-everywhere", multiplier::everywhere),
];

impl Lint {
    const fn warning(code: Code, name: &'static str, find: fn(&Network<'_>) -> Vec<Found>) -> Lint {
        Lint { code, name, severity: Severity::Warning, find }
    }

    const fn hint(code: Code, name: &'static str, find: fn(&Network<'_>) -> Vec<Found>) -> Lint {
        Lint { code, name, severity: Severity::Hint, find }
    }
}

impl fmt::Debug for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.name)
    }
}

/// How sure a finding is that something is not meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sure {
    /// There are networks that are trained so.
    Possible,
    /// Hardly anybody means that.
    Likely,
    /// It follows from the network alone.
    Certain,
}

impl Sure {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Sure::Possible => "possible",
            Sure::Likely => "likely",
            Sure::Certain => "certain",
        }
    }
}

/// A layer that a finding is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Involved {
    /// Its part in the finding, such as `bias`.
    pub role: &'static str,
    /// Its name.
    pub name: String,
    /// Its number in the source's own list, or that of the stage around it, where either is known.
    pub index: Option<usize>,
    /// What it computes.
    pub op: &'static str,
    /// The shape of its result, where that is known.
    pub shape: Option<Shape>,
}

/// Something that is legal, and probably not meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The code of its rule.
    pub code: Code,
    /// The name of its rule.
    pub rule: &'static str,
    /// Warning or hint.
    pub severity: Severity,
    /// What was found, in one line.
    pub message: String,
    /// The layers that it is about; the first is where it is told.
    pub layers: Vec<Involved>,
    /// Why it matters, with this network's numbers.
    pub why: String,
    /// What to do about it.
    pub what: String,
    /// How sure it is.
    pub sure: Sure,
}

/// Layers that a finding names in text.
const NAMED: usize = 8;

impl From<&Finding> for Diagnostic {
    fn from(finding: &Finding) -> Diagnostic {
        let message = format!("{} ({})", finding.message, finding.rule);
        let diagnostic = Diagnostic::warning(finding.code, message);
        let mut diagnostic = Diagnostic { severity: finding.severity, ..diagnostic };
        if let Some(first) = finding.layers.first() {
            diagnostic = diagnostic.at(format!("{} ({})", first.name, first.op));
        }
        for layer in finding.layers.iter().take(NAMED) {
            let place = layer.index.map(|index| format!("layer {index}"));
            let shape = layer.shape.as_ref().map(Shape::to_string);
            let known: Vec<String> = place.into_iter().chain(shape).collect();
            diagnostic = diagnostic.operand(layer.role, layer.name.as_str(), known.join(", "));
        }
        if let more @ 1.. = finding.layers.len().saturating_sub(NAMED) {
            diagnostic = diagnostic.note(format!("and {}", counted(more, "more layer")));
        }
        // A line for each part of a sentence.
        diagnostic = finding.why.split("; ").fold(diagnostic, Diagnostic::note);
        diagnostic = diagnostic.note(format!("how sure: {}", finding.sure.name()));
        finding.what.split("; ").fold(diagnostic, Diagnostic::help)
    }
}

/// What a rule found.
struct Found {
    layers: Vec<(&'static str, NodeId)>,
    message: String,
    why: String,
    what: String,
    sure: Sure,
}

/// All findings of a network, ordered by their first layers; `lanes` are the numbers of a vector of the machine that it is for.
/// Of a network that is not legal, those of the layers whose shapes can be known.
pub fn findings(graph: &Graph, lanes: usize) -> Vec<Finding> {
    let network = Network::new(graph, lanes);
    let places: BTreeMap<NodeId, usize> =
        network.order.iter().enumerate().map(|(place, &id)| (id, place)).collect();
    let indices = source_indices(graph);
    let mut all: Vec<(usize, Finding)> = Vec::new();
    for lint in LINTS {
        for found in (lint.find)(&network) {
            let place = found.layers.first().and_then(|(_, id)| places.get(id)).copied().unwrap_or_default();
            let layers = found.layers.iter().map(|&(role, id)| layer(&network, &indices, role, id)).collect();
            let Lint { code, name: rule, severity, .. } = *lint;
            let Found { message, why, what, sure, .. } = found;
            all.push((place, Finding { code, rule, severity, message, layers, why, what, sure }));
        }
    }
    all.sort_by_key(|(place, finding)| (*place, finding.code));
    all.into_iter().map(|(_, finding)| finding).collect()
}

/// The numbers of the source's layers by their names.
fn source_indices(graph: &Graph) -> BTreeMap<&str, usize> {
    let indexed = graph.source_layers.iter().filter_map(|layer| Some((layer.name.as_str(), layer.index?)));
    indexed.collect()
}

fn layer(network: &Network<'_>, indices: &BTreeMap<&str, usize>, role: &'static str, id: NodeId) -> Involved {
    let node = network.graph.node(id);
    let index = |name: &str| indices.get(name).copied();
    let named = std::iter::once(node.name.as_str()).chain(node.sources.layers()).find_map(index);
    // What a stage or a nested model is made of stands in no list; the stage does.
    let around = || node.name.rmatch_indices('/').find_map(|(end, _)| index(&node.name[..end]));
    Involved {
        role,
        name: node.name.clone(),
        index: named.or_else(around),
        op: node.op.name(),
        shape: network.shapes.get(&id).cloned(),
    }
}

/// `count` of a thing, with the plural's s where it is due.
fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A share in percent.
fn percent(part: u64, whole: u64) -> String {
    format!("{:.0} %", 100.0 * part as f64 / whole.max(1) as f64)
}
