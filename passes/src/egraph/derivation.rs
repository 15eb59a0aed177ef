//! Which source layers an e-node computes, and by which rules it came about: the log of saturation, read
//! backwards.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use egg::{Id, Language};

use super::encode::Encoding;
use super::language::ENode;
use super::saturate::Step;

/// The log, by what was built.
pub(crate) struct Derivations {
    steps: Vec<Step>,
    /// The source layers that an e-node is, by their place in the encoding.
    layers: HashMap<ENode, Vec<usize>>,
    /// The first step that built an e-node.
    built: HashMap<ENode, usize>,
    /// Steps that built nothing but found two classes to be one.
    joined: BTreeMap<Id, Vec<usize>>,
}

/// Where an e-node comes from.
#[derive(Debug, Default)]
pub(crate) struct Origin {
    /// Source layers by their place in the encoding.
    pub(crate) layers: BTreeSet<usize>,
    steps: BTreeSet<usize>,
}

impl Derivations {
    /// Indexes the steps of a saturation that is over; `encoding` is up to date with it.
    pub(crate) fn new(encoding: &Encoding, mut steps: Vec<Step>) -> Derivations {
        let mut layers: HashMap<ENode, Vec<usize>> = HashMap::new();
        for (place, layer) in encoding.layers.iter().enumerate() {
            layers.entry(layer.enode.clone()).or_default().push(place);
        }
        let mut built = HashMap::new();
        let mut joined: BTreeMap<Id, Vec<usize>> = BTreeMap::new();
        for (index, step) in steps.iter_mut().enumerate() {
            for node in step.matched.iter_mut().chain(&mut step.built) {
                node.update_children(|child| encoding.egraph.find(child));
            }
            for node in &step.built {
                built.entry(node.clone()).or_insert(index);
            }
            if step.built.is_empty() {
                joined.entry(encoding.egraph.find(step.class)).or_default().push(index);
            }
        }
        Derivations { steps, layers, built, joined }
    }

    /// The origin of an e-node that computes `class`.
    ///
    /// What a step matched is a source layer or was built by a step before it, so that the walk ends.
    pub(crate) fn origin(&self, class: Id, node: &ENode) -> Origin {
        let mut origin = Origin::default();
        origin.steps.extend(self.joined.get(&class).into_iter().flatten());
        let mut pending = vec![node];
        while let Some(node) = pending.pop() {
            if let Some(layers) = self.layers.get(node) {
                origin.layers.extend(layers);
            } else if let Some(&step) = self.built.get(node)
                && origin.steps.insert(step)
            {
                pending.extend(&self.steps[step].matched);
            }
        }
        origin
    }

    /// The names of the rules, in the order in which they fired.
    pub(crate) fn rules(&self, origin: &Origin) -> Vec<&'static str> {
        origin.steps.iter().map(|&step| self.steps[step].rule).collect()
    }
}
