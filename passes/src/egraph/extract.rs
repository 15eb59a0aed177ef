//! Extraction: the cheapest e-node for every class that is needed, shared values paid once.
//!
//! A dynamic programme over the set of classes still owed. Classes are taken users first; a state is the set
//! of classes that the choices so far need and that are still to be computed. At every tensor that all paths
//! pass, all states are the same set, so the work is the sum over the regions between them. Costs of trees
//! would count a shared value once a user, and a greedy walk over the DAG computes a value twice wherever two
//! users want it in two forms.

mod choices;

use std::collections::{BTreeMap, BTreeSet};

use egg::Id;
use smallvec::SmallVec;

use super::analysis::EGraph;
use super::cost::CostModel;
use super::language::ENode;
use choices::Choices;

/// The cheapest way to compute the root.
#[derive(Debug)]
pub(crate) struct Selection {
    /// Each class that is needed, with the e-node that computes it; operands first, the root last.
    pub(crate) picks: Vec<(Id, ENode, u64)>,
    /// Picoseconds.
    pub(crate) cost: u64,
    /// Whether it is proven that nothing is cheaper: the bound on states was not reached, and no cycle of
    /// several classes had to be cut.
    pub(crate) exact: bool,
}

/// Extracts `root` without the e-nodes that are `refused`, keeping at most `bound` states a class.
pub(crate) fn extract(
    egraph: &EGraph,
    root: Id,
    model: &CostModel,
    (bound, refused): (usize, &BTreeSet<ENode>),
) -> Selection {
    let mut choices = Choices::new(egraph, root, model, refused);
    choices.prune();
    let search = search(&choices, bound.clamp(1, 1 << 24));
    let pick = |&(class, choice): &(usize, usize)| {
        let (id, choice) = (choices.classes[class], &choices.nodes[class][choice]);
        (id, egraph[id].nodes[choice.node].clone(), choice.cost)
    };
    Selection {
        picks: search.picks.iter().map(pick).collect(),
        cost: search.cost,
        exact: search.exact && choices.lossless,
    }
}

/// Up to this many classes owed at once the bound on states holds as it is; it shrinks for wider ones, so that a
/// very wide network costs no more than a usual one.
const USUAL_WIDTH: usize = 16;

/// Classes still owed, as places in the order, sorted.
type Owed = SmallVec<[u32; 8]>;

/// The cheapest way to a state: its cost, and the last choice made (none at the start).
#[derive(Debug, Clone, Copy)]
struct State {
    cost: u64,
    made: Option<u32>,
}

/// A choice made, and the one before it.
struct Made {
    before: Option<u32>,
    class: usize,
    choice: usize,
}

/// What the search found: class and choice, from the last class to the root.
struct Found {
    picks: Vec<(usize, usize)>,
    cost: u64,
    exact: bool,
}

fn search(choices: &Choices, bound: usize) -> Found {
    // For each class the states in which it is the first class owed, by the rest that is owed.
    let mut owed: Vec<BTreeMap<Owed, Option<State>>> = vec![BTreeMap::new(); choices.classes.len()];
    let mut trail: Vec<Made> = Vec::new();
    let mut done: Option<State> = None;
    let mut exact = true;
    owed[0].insert(Owed::new(), Some(State { cost: 0, made: None }));
    for class in 0..choices.classes.len() {
        let mut states: Vec<(Owed, State)> = std::mem::take(&mut owed[class])
            .into_iter()
            .filter_map(|(rest, state)| Some((rest, state?)))
            .collect();
        let widest = states.iter().map(|(rest, _)| rest.len()).max().unwrap_or(0);
        let most = (bound * USUAL_WIDTH / widest.max(USUAL_WIDTH)).max(1);
        if states.len() > most {
            exact = false;
            states.sort_by_key(|(_, state)| state.cost);
            states.truncate(most);
        }
        for (rest, State { cost, made: before }) in states {
            for (choice, chosen) in choices.nodes[class].iter().enumerate() {
                let cost = cost.saturating_add(chosen.cost);
                let mut rest = union(&rest, &chosen.needs);
                let state = match rest.is_empty() {
                    true => &mut done,
                    false => owed[rest.remove(0) as usize].entry(rest).or_default(),
                };
                if state.is_none_or(|known| cost < known.cost) {
                    let made =
                        u32::try_from(trail.len()).expect("the bound keeps the search far below 2^32 states");
                    *state = Some(State { cost, made: Some(made) });
                    trail.push(Made { before, class, choice });
                }
            }
        }
    }
    let done = done.expect("every class has an e-node over classes further down the order");
    let back = std::iter::successors(done.made, |&made| trail[made as usize].before);
    let picks = back.map(|made| (trail[made as usize].class, trail[made as usize].choice)).collect();
    Found { picks, cost: done.cost, exact }
}

/// Both sets, sorted.
fn union(owed: &Owed, needs: &[u32]) -> Owed {
    let mut union = owed.clone();
    for &class in needs {
        if let Err(place) = union.binary_search(&class) {
            union.insert(place, class);
        }
    }
    union
}

#[cfg(test)]
mod tests;
