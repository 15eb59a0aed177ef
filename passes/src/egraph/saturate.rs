//! Saturation: search all rules, apply all matches, bring the classes into line, until nothing changes.
//!
//! The loop is our own over egg's e-graph: a match carries what it matched and what it builds, which makes
//! the log of derivations, and no clock limits it.

use std::collections::BTreeMap;

use egg::{Id, Language, Symbol};
use frit_ir::Op;

use super::Limits;
use super::analysis::EGraph;
use super::language::{ENode, Operator};
use super::rules::Rule;
use crate::report::Reached;

/// Where a rule looks: one e-node of its kind, and the class that it is in.
pub(crate) struct Site<'a> {
    pub(crate) egraph: &'a EGraph,
    pub(crate) class: Id,
    pub(crate) root: &'a ENode,
}

impl<'a> Site<'a> {
    /// The e-nodes of a child's class. None where that is the root's own class: `x = relu(x)` would have a
    /// rule look into what it builds, for ever.
    pub(crate) fn inside(&self, child: Id) -> &'a [ENode] {
        let child = self.egraph.find(child);
        if child == self.egraph.find(self.class) { &[] } else { &self.egraph[child].nodes }
    }

    /// The shape of a class.
    pub(crate) fn shape(&self, id: Id) -> Option<&'a frit_ir::Shape> {
        self.egraph[id].data.shape.as_ref()
    }

    /// Whether an e-node of a class is of a kind, and not one that computes the class from itself.
    pub(crate) fn is_made_by(&self, id: Id, is: impl Fn(&ENode) -> bool) -> bool {
        let class = self.egraph.find(id);
        let reads_itself = |node: &ENode| node.children.iter().any(|&child| self.egraph.find(child) == class);
        self.egraph[class].nodes.iter().any(|node| is(node) && !reads_itself(node))
    }

    /// The constant that a class is, where its values are known.
    pub(crate) fn constant(&self, id: Id) -> Option<Known<'a>> {
        let node = self.inside(id).iter().find(|node| matches!(node.op(), Some(Op::Constant(_))))?;
        self.known(node)
    }

    /// What the only weight of a layer holds, where that is known.
    pub(crate) fn known(&self, node: &'a ENode) -> Option<Known<'a>> {
        let weight = *node.weights().first()?;
        let mut terms = self.egraph[weight].nodes.iter();
        let values = terms.find_map(|term| match term.op {
            Operator::Weight(index) => self.egraph.analysis.values.get(&index),
            _ => None,
        });
        Some(Known { node, weight, values: values? })
    }
}

/// A layer with one weight: a constant, or one with slopes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known<'a> {
    /// The layer.
    pub(crate) node: &'a ENode,
    /// The class of its weight.
    pub(crate) weight: Id,
    /// What it holds.
    pub(crate) values: &'a [f32],
}

impl Known<'_> {
    /// The number that all elements are, where they are one number.
    pub(crate) fn uniform(&self) -> Option<f32> {
        let (&first, rest) = self.values.split_first()?;
        rest.iter().all(|&value| value == first).then_some(first)
    }
}

/// Ids from here on stand for e-nodes of the same term.
const LOCAL: usize = 1 << 30;

/// The e-nodes that a rule builds, children first.
#[derive(Debug, Default, Clone)]
pub(crate) struct Term(Vec<ENode>);

impl Term {
    /// Adds an e-node; what is returned can be a child of the next.
    pub(crate) fn push(&mut self, node: ENode) -> Id {
        self.0.push(node);
        Id::from(LOCAL + self.0.len() - 1)
    }
}

/// What the root is equal to.
enum Equal {
    /// The last e-node of a term.
    Term(Vec<ENode>),
    /// A class that exists.
    Class(Id),
}

/// One match of one rule.
struct Match {
    rule: usize,
    class: Id,
    matched: Vec<ENode>,
    equal: Equal,
}

/// Where a rule puts what it finds.
pub(crate) struct Found<'a> {
    rule: usize,
    class: Id,
    matches: &'a mut Vec<Match>,
}

impl Found<'_> {
    /// The root, given what was matched (the root included), is equal to `node` over the e-nodes in `term`.
    pub(crate) fn equal(&mut self, matched: &[&ENode], mut term: Term, node: ENode) {
        term.push(node);
        self.put(matched, Equal::Term(term.0));
    }

    /// The root, given what was matched (the root included), is equal to the class `id`.
    pub(crate) fn same(&mut self, matched: &[&ENode], id: Id) {
        self.put(matched, Equal::Class(id));
    }

    fn put(&mut self, matched: &[&ENode], equal: Equal) {
        let matched = matched.iter().map(|&node| node.clone()).collect();
        self.matches.push(Match { rule: self.rule, class: self.class, matched, equal });
    }
}

/// A rewrite that was news: the e-nodes that it matched, and those that it built.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) rule: &'static str,
    pub(crate) class: Id,
    pub(crate) matched: Vec<ENode>,
    pub(crate) built: Vec<ENode>,
}

/// What saturation did.
#[derive(Debug, Default)]
pub(crate) struct Saturation {
    /// Rounds of search and application; the last one found nothing new unless a limit was reached.
    pub(crate) iterations: usize,
    /// The limit that ended it, if one did.
    pub(crate) reached: Option<Reached>,
    /// News by rule.
    pub(crate) firings: BTreeMap<&'static str, u64>,
    /// All news, in order.
    pub(crate) steps: Vec<Step>,
}

/// Applies `rules` to a fresh e-graph until nothing changes, a limit is reached or a rule turns out to be
/// wrong (then the e-graph's `fault` is set).
pub(crate) fn saturate(egraph: &mut EGraph, rules: &[&Rule], limits: &Limits) -> Saturation {
    let names: Vec<Symbol> = rules.iter().map(|rule| rule.name.into()).collect();
    let most = egraph.total_size().saturating_mul(limits.growth).saturating_add(limits.slack);
    let mut saturation = Saturation::default();
    loop {
        if saturation.iterations >= limits.iterations {
            saturation.reached = Some(Reached::Iterations(limits.iterations));
            return saturation;
        }
        saturation.iterations += 1;
        let matches = search(egraph, rules);
        let before = saturation.steps.len();
        for found in matches {
            let index = found.rule;
            if let Some(step) = apply(egraph, rules[index].name, names[index], found) {
                *saturation.firings.entry(step.rule).or_default() += 1;
                saturation.steps.push(step);
            }
            if egraph.analysis.fault.is_some() {
                return saturation;
            }
        }
        egraph.rebuild();
        if saturation.steps.len() == before || egraph.analysis.fault.is_some() {
            return saturation;
        }
        if egraph.total_size() > most {
            saturation.reached = Some(Reached::Nodes(most));
            return saturation;
        }
    }
}

/// Every match of every rule.
fn search(egraph: &EGraph, rules: &[&Rule]) -> Vec<Match> {
    let mut matches = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        for class in egraph.classes_for_op(&rule.root).into_iter().flatten() {
            let mut found = Found { rule: index, class, matches: &mut matches };
            for root in egraph[class].nodes.iter().filter(|node| node.kind() == rule.root) {
                (rule.find)(&Site { egraph, class, root }, &mut found);
            }
        }
    }
    matches
}

/// Builds what a match is equal to and joins it with the root; the step, if that was news.
fn apply(egraph: &mut EGraph, rule: &'static str, name: Symbol, found: Match) -> Option<Step> {
    egraph.analysis.acting = rule;
    let mut built = Vec::new();
    let equal = match found.equal {
        Equal::Class(id) => id,
        Equal::Term(term) => build(egraph, term, &mut built),
    };
    let news = egraph.analysis.fault.is_none() && egraph.union_trusted(found.class, equal, name);
    news.then_some(Step { rule, class: found.class, matched: found.matched, built })
}

/// Adds the e-nodes of a term; the class of the last.
fn build(egraph: &mut EGraph, term: Vec<ENode>, built: &mut Vec<ENode>) -> Id {
    let mut ids: Vec<Id> = Vec::with_capacity(term.len());
    for node in term {
        let node = node.map_children(|child| match usize::from(child).checked_sub(LOCAL) {
            Some(index) => ids[index],
            None => child,
        });
        ids.push(egraph.add(node.clone()));
        built.push(node);
    }
    *ids.last().expect("a term has at least the e-node that is equal to the root")
}
