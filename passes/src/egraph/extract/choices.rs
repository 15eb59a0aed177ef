//! What the extraction chooses from: the classes that the root may need, in an order with users before what
//! they use, and for each its e-nodes with their costs. What is made of weights alone is left out: it costs
//! nothing.

use std::collections::{BTreeMap, BTreeSet};

use egg::Id;
use petgraph::algo::kosaraju_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use smallvec::SmallVec;

use crate::egraph::analysis::EGraph;
use crate::egraph::cost::CostModel;
use crate::egraph::language::ENode;

/// One e-node of a class.
#[derive(Debug, Clone)]
pub(super) struct Choice {
    /// Picoseconds.
    pub(super) cost: u64,
    /// The classes that it reads, as places in the order, sorted, each once.
    pub(super) needs: SmallVec<[u32; 4]>,
    /// Its place in the class.
    pub(super) node: usize,
}

/// All classes with their choices.
#[derive(Debug)]
pub(super) struct Choices {
    /// The classes; the root is the first.
    pub(super) classes: Vec<Id>,
    /// The choices of each class.
    pub(super) nodes: Vec<Vec<Choice>>,
    /// Whether no e-node was left out that a cheaper way might take.
    pub(super) lossless: bool,
}

impl Choices {
    /// The classes below `root`. E-nodes that would compute a class from itself are left out, and those that are `refused`.
    pub(super) fn new(egraph: &EGraph, root: Id, model: &CostModel, refused: &BTreeSet<ENode>) -> Choices {
        let mut choices = Choices::reachable(egraph, root, model, refused);
        choices.cut_cycles();
        choices.sort();
        choices
    }

    /// Drops e-nodes that cost no less than another of their class and need all that it needs: never wrong.
    pub(super) fn prune(&mut self) {
        for nodes in &mut self.nodes {
            let beaten = |index: usize| {
                let one = &nodes[index];
                nodes.iter().enumerate().any(|(other_index, other)| {
                    let no_dearer = other.cost < one.cost
                        || other.cost == one.cost
                            && (other.needs.len() < one.needs.len() || other_index < index);
                    other_index != index
                        && no_dearer
                        && other.needs.iter().all(|need| one.needs.contains(need))
                })
            };
            let beaten: Vec<bool> = (0..nodes.len()).map(beaten).collect();
            let mut beaten = beaten.into_iter();
            nodes.retain(|_| !beaten.next().expect("one verdict for each e-node"));
        }
    }

    /// Everything below the root, in the order found.
    fn reachable(egraph: &EGraph, root: Id, model: &CostModel, refused: &BTreeSet<ENode>) -> Choices {
        let root = egraph.find(root);
        let mut places = BTreeMap::from([(root, 0u32)]);
        let mut choices = Choices { classes: vec![root], nodes: Vec::new(), lossless: true };
        while let Some(&class) = choices.classes.get(choices.nodes.len()) {
            let mut nodes = Vec::new();
            let allowed =
                egraph[class].nodes.iter().enumerate().filter(|(_, enode)| !refused.contains(enode));
            for (node, enode) in allowed {
                let mut needs: SmallVec<[u32; 4]> = SmallVec::new();
                for child in enode.children.iter().map(|&child| egraph.find(child)) {
                    if !egraph[child].data.constant {
                        needs.push(*places.entry(child).or_insert_with(|| {
                            choices.classes.push(child);
                            place(choices.classes.len() - 1)
                        }));
                    }
                }
                needs.sort_unstable();
                needs.dedup();
                nodes.push(Choice { cost: model.picoseconds(egraph, class, enode), needs, node });
            }
            choices.nodes.push(nodes);
        }
        choices
    }

    /// Leaves out e-nodes until no class needs itself, keeping at least one for each class.
    ///
    /// An e-node that reads its own class is never part of a way to compute it. On a cycle of several classes
    /// each gets a rank, how many of them it takes to compute it at least, and e-nodes read only lower ones:
    /// that may leave out a cheaper way, and is remembered.
    fn cut_cycles(&mut self) {
        for (class, nodes) in self.nodes.iter_mut().enumerate() {
            nodes.retain(|choice| !choice.needs.contains(&place(class)));
        }
        for cycle in self.cycles() {
            let ranks = self.ranks(&cycle);
            for &class in &cycle {
                let lower =
                    |need: &u32| ranks.get(need).is_none_or(|&rank| (rank, *need) < (ranks[&class], class));
                let nodes = &mut self.nodes[class as usize];
                let before = nodes.len();
                nodes.retain(|choice| choice.needs.iter().all(lower));
                self.lossless &= nodes.len() == before;
            }
        }
    }

    /// Sets of several classes that need each other.
    fn cycles(&self) -> Vec<Vec<u32>> {
        let edges = self.nodes.iter().enumerate().flat_map(|(class, nodes)| {
            nodes.iter().flat_map(move |choice| choice.needs.iter().map(move |&need| (place(class), need)))
        });
        let mut graph: DiGraph<(), (), u32> = DiGraph::from_edges(edges);
        while graph.node_count() < self.classes.len() {
            graph.add_node(());
        }
        let components = kosaraju_scc(&graph).into_iter().filter(|component| component.len() > 1);
        components.map(|component| component.into_iter().map(index).collect()).collect()
    }

    /// For each class on a cycle the least number of others on it that it takes to compute it.
    fn ranks(&self, cycle: &[u32]) -> BTreeMap<u32, u32> {
        let mut ranks: BTreeMap<u32, u32> = cycle.iter().map(|&class| (class, u32::MAX)).collect();
        loop {
            let mut changed = false;
            for &class in cycle {
                let rank = |choice: &Choice| {
                    let needs = choice.needs.iter().filter_map(|need| ranks.get(need));
                    needs.map(|rank| rank.saturating_add(1)).max().unwrap_or(0)
                };
                let least = self.nodes[class as usize].iter().map(rank).min().unwrap_or(u32::MAX);
                if least < ranks[&class] {
                    ranks.insert(class, least);
                    changed = true;
                }
            }
            if !changed {
                return ranks;
            }
        }
    }

    /// Puts users before what they use: the reverse of the order in which a depth-first walk leaves classes.
    fn sort(&mut self) {
        let needs = |class: usize| -> Vec<u32> {
            self.nodes[class].iter().flat_map(|choice| choice.needs.iter().copied()).collect()
        };
        let mut seen = vec![false; self.classes.len()];
        let mut left: Vec<usize> = Vec::with_capacity(self.classes.len());
        let mut open: Vec<(usize, std::vec::IntoIter<u32>)> = vec![(0, needs(0).into_iter())];
        seen[0] = true;
        while let Some((class, pending)) = open.last_mut() {
            match pending.next() {
                None => {
                    left.push(*class);
                    open.pop();
                }
                Some(need) if !std::mem::replace(&mut seen[need as usize], true) => {
                    open.push((need as usize, needs(need as usize).into_iter()));
                }
                Some(_) => {}
            }
        }
        left.reverse();
        self.reorder(&left);
    }

    /// Keeps the classes in `order`, and renumbers what they need.
    fn reorder(&mut self, order: &[usize]) {
        let mut places = vec![0; self.classes.len()];
        for (new, &old) in order.iter().enumerate() {
            places[old] = place(new);
        }
        self.classes = order.iter().map(|&old| self.classes[old]).collect();
        self.nodes = order.iter().map(|&old| std::mem::take(&mut self.nodes[old])).collect();
        for choice in self.nodes.iter_mut().flatten() {
            for need in &mut choice.needs {
                *need = places[*need as usize];
            }
            choice.needs.sort_unstable();
        }
    }
}

fn place(index: usize) -> u32 {
    u32::try_from(index).expect("the e-graph's ids are u32")
}

fn index(node: NodeIndex<u32>) -> u32 {
    place(node.index())
}
