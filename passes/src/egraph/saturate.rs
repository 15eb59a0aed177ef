//! Saturation: search all rules, apply all matches, bring the classes into line, until nothing changes.
//!
//! The loop is our own over egg's e-graph: a match carries what it matched and what it builds, which makes
//! the log of derivations, and no clock limits it.

use std::collections::BTreeMap;

use egg::{Id, Language, Symbol};

use super::Limits;
use super::analysis::EGraph;
use super::language::ENode;
use super::rule::{Equal, Found, LOCAL, Match, Rule, Site};
use crate::report::Reached;

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

/// Builds what a match is equal to and joins it with the root; the step, if that was news. The same number as another element is
/// another value: an index times one is a number.
fn apply(egraph: &mut EGraph, rule: &'static str, name: Symbol, found: Match) -> Option<Step> {
    egraph.analysis.acting = rule;
    let mut built = Vec::new();
    let equal = match found.equal {
        Equal::Class(id) => id,
        Equal::Term(term) => build(egraph, term, &mut built),
    };
    let alike = egraph[found.class].data.element == egraph[equal].data.element;
    let news = alike && egraph.analysis.fault.is_none() && egraph.union_trusted(found.class, equal, name);
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
