//! What stands before and behind each place where a network can be cut.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::{Graph, NodeId, Shape};
use frit_passes::cut::{Cut, Cutter};
use frit_passes::legality::Legal;

use super::{BYTES, Sizes, elements, layer};

/// A place where a network can be cut, and what its halves cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CutCost {
    /// The place.
    pub cut: Cut,
    /// Bytes of the tensor that crosses, in f32, for one image.
    pub bytes: u64,
    /// The half before it.
    pub before: Sizes,
    /// The half behind it. A weight that both halves have counts in each.
    pub after: Sizes,
}

/// All cuts of a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cuts {
    /// The model's name.
    pub model: String,
    /// How many layers the framework's own list has; 0 where it has none.
    pub layers: usize,
    /// Inputs first.
    pub cuts: Vec<CutCost>,
}

/// The cuts of `graph` with what their halves cost.
pub fn cuts(graph: &Legal<Graph>) -> Cuts {
    let cutter = Cutter::new(graph);
    let places = cutter.cuts();
    let shapes = graph.shapes().unwrap_or_default();
    let mut nodes: Vec<NodeId> = places.iter().map(|cut| cut.node).collect();
    nodes.dedup();
    let mut before = Half::new(graph, &shapes);
    let befores: BTreeMap<NodeId, Sizes> =
        nodes.iter().map(|&node| (node, before.up_to(&[node], None))).collect();
    let mut after = Half::new(graph, &shapes);
    let mut afters: BTreeMap<NodeId, Sizes> = BTreeMap::new();
    let mut ends = graph.outputs().to_vec();
    for &node in nodes.iter().rev() {
        afters.insert(node, after.up_to(&ends, Some(node)));
        ends = vec![node];
    }
    let cost = |cut: Cut| CutCost {
        bytes: BYTES.saturating_mul(elements(&cut.shape)),
        before: befores[&cut.node],
        after: afters[&cut.node],
        cut,
    };
    Cuts { model: graph.name.clone(), layers: cutter.layers(), cuts: places.into_iter().map(cost).collect() }
}

/// A half that grows from cut to cut: each holds all of the one before it.
struct Half<'g> {
    graph: &'g Graph,
    shapes: &'g BTreeMap<NodeId, Shape>,
    seen: BTreeSet<NodeId>,
    /// Names of weights.
    counted: BTreeSet<&'g str>,
    sizes: Sizes,
}

impl<'g> Half<'g> {
    fn new(graph: &'g Graph, shapes: &'g BTreeMap<NodeId, Shape>) -> Half<'g> {
        Half { graph, shapes, seen: BTreeSet::new(), counted: BTreeSet::new(), sizes: Sizes::default() }
    }

    /// Adds what `ends` need and is not in it yet; not `stop`, nor what only that needs.
    fn up_to(&mut self, ends: &[NodeId], stop: Option<NodeId>) -> Sizes {
        let mut waiting = ends.to_vec();
        while let Some(id) = waiting.pop() {
            if Some(id) != stop && self.seen.insert(id) {
                self.sizes.add(&layer(self.graph, self.shapes, id, &mut self.counted).sizes);
                waiting.extend(self.graph.operands(id));
            }
        }
        self.sizes
    }
}
