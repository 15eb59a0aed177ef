//! What a rule is, what it sees of the e-graph, and what it says of it.

use egg::Id;
use frit_ir::Op;
use frit_ir::ops::{Activation, Scalar};
use frit_ir::weights::Values;

use super::analysis::EGraph;
use super::language::{ENode, Kind, Operator};

/// A rewrite: a function over one e-node of the kind that it is rooted at.
#[derive(Debug)]
pub struct Rule {
    /// Unique; what `--disable` takes.
    pub name: &'static str,
    /// Why both sides are equal.
    pub sound: &'static str,
    pub(crate) root: Kind,
    pub(crate) find: fn(&Site<'_>, &mut Found<'_>),
}

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

    /// Whether what computes a class ends in a layer that `is`, which rules take in one after the other from there. Not where the
    /// class is a function of another kind too: then such a layer only spells it out, and nothing takes it in.
    pub(crate) fn ends_in(&self, id: Id, is: impl Fn(&ENode) -> bool) -> bool {
        let is_function = |activation: &Activation| !matches!(activation, Activation::Rescale { .. });
        let is_another = |node: &ENode| {
            matches!(node.op(), Some(Op::Activation(activation)) if is_function(activation)) && !is(node)
        };
        self.is_made_by(id, &is) && !self.is_made_by(id, is_another)
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
    pub(crate) values: &'a Values,
}

impl Known<'_> {
    /// The number that all elements are, where they are one number.
    pub(crate) fn uniform(&self) -> Option<Scalar> {
        let (&first, rest) = self.values.split_first()?;
        rest.iter().all(|&value| value == first).then_some(Scalar::new(first))
    }
}

/// Ids from here on stand for e-nodes of the same term.
pub(super) const LOCAL: usize = 1 << 30;

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
pub(super) enum Equal {
    /// The last e-node of a term.
    Term(Vec<ENode>),
    /// A class that exists.
    Class(Id),
}

/// One match of one rule.
pub(super) struct Match {
    pub(super) rule: usize,
    pub(super) class: Id,
    pub(super) matched: Vec<ENode>,
    pub(super) equal: Equal,
}

/// Where a rule puts what it finds.
pub(crate) struct Found<'a> {
    pub(super) rule: usize,
    pub(super) class: Id,
    pub(super) matches: &'a mut Vec<Match>,
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
