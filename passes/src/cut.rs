//! Where a network can be cut in two, and the halves.
//!
//! A cut is a tensor that every path from the inputs to the outputs passes: a dominator of all outputs (Lengauer and Tarjan, A
//! Fast Algorithm for Finding Dominators in a Flowgraph, 1979; petgraph has it after Cooper, Harvey and Kennedy). Constants are
//! no inputs: what depends on none is computed again in each half that reads it. Anywhere else several tensors cross, and all
//! of them are told.

mod halves;
mod order;
mod resolve;

use std::collections::BTreeSet;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, NodeId, Op, Shape, SourceTensor};
use smallvec::SmallVec;

pub use halves::{Border, head, tail};
use order::Order;
pub use resolve::{Found, Unknown};

use crate::legality::Legal;

/// A tensor at which the network can be cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The number of its layer in the framework's own list, where that has it.
    pub index: Option<usize>,
    /// The layer whose result it is.
    pub layer: String,
    /// What the framework calls the layer's kind.
    pub class: String,
    /// Its name in the source.
    pub tensor: String,
    /// The node that makes it.
    pub node: NodeId,
    /// Its shape in the graph.
    pub shape: Shape,
}

/// A tensor that one half hands to the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// The node that makes it.
    pub node: NodeId,
    /// Its name at the border of a half.
    pub name: String,
    /// Its shape in the graph.
    pub shape: Shape,
    /// For each axis of the source, which axis of the graph's tensor it is; empty where both count alike.
    pub axes: SmallVec<[usize; 4]>,
}

/// The tensors that cross from the head to the tail, in the order of the data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boundary {
    /// At least one.
    pub crossing: Vec<Crossing>,
}

/// How many tensors may cross.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// One.
    Single,
    /// As many as must.
    Multi,
}

/// A network that is to be cut.
#[derive(Debug)]
pub struct Cutter<'g> {
    graph: &'g Graph,
    order: Order<'g>,
}

impl<'g> Cutter<'g> {
    /// Finds all cuts of `graph`.
    pub fn new(graph: &'g Legal<Graph>) -> Cutter<'g> {
        Cutter { graph, order: Order::new(graph) }
    }

    /// Every layer behind which one tensor crosses, inputs first. A layer that computes nothing hands on the tensor of the one
    /// before: both are told.
    pub fn cuts(&self) -> Vec<Cut> {
        let layers = self.order.layers.iter().enumerate();
        let mut cuts: Vec<(usize, usize, Cut)> = layers
            .filter_map(|(place, layer)| {
                let [tensor] = layer.results.as_slice() else { return None };
                let node = self.order.node(&tensor.node)?;
                let at = self.order.cut_place(node)?;
                let shape = self.order.shapes[&node].clone();
                let (layer_name, class) = (layer.name.clone(), layer.class.clone());
                let tensor = tensor.name.clone();
                Some((at, place, Cut { index: layer.index, layer: layer_name, class, tensor, node, shape }))
            })
            .collect();
        cuts.sort_by_key(|(at, place, cut)| (*at, cut.index, *place));
        cuts.into_iter().map(|(.., cut)| cut).collect()
    }

    /// How many layers the framework's own list has; none where it has none.
    pub fn layers(&self) -> usize {
        self.order.layers.iter().filter_map(|layer| layer.index).max().map_or(0, |last| last + 1)
    }

    /// The layer or tensor that `at` names: by the name of a layer, of a tensor or of a node, or by a number in the framework's
    /// list.
    ///
    /// # Errors
    /// There is none, or several.
    pub fn find(&self, at: &str) -> Result<Found, Unknown> {
        resolve::find(&self.order, at)
    }

    /// The boundary at `at`, with warnings. One that is no cut begins the tail where several tensors may cross: they are all
    /// that the layers from it on, in the framework's order, read of those before. Several are exactly those that cross.
    ///
    /// # Errors
    /// More tensors cross than `width` allows, or than are named; nothing is behind the place, or it depends on no input.
    pub fn cut(&self, at: &[Found], width: Width) -> Result<(Boundary, Faults), Faults> {
        match (at, width) {
            ([only], _) => self.cut_at(only, width),
            _ => self.named(at).map(|boundary| (boundary, Faults::new())),
        }
    }

    /// The boundary behind `at`, which may be an output too, with warnings: where a part of a network ends.
    ///
    /// # Errors
    /// As [`Cutter::cut`] of one tensor.
    pub fn end(&self, at: &Found) -> Result<(Boundary, Faults), Faults> {
        if let [tensor] = at.tensors.as_slice() {
            let node = self.node(tensor, at)?;
            if self.is_end(node) {
                return Ok((Boundary { crossing: vec![self.crossing(node, tensor)] }, Faults::new()));
            }
        }
        self.cut_at(at, Width::Single)
    }

    /// Whether `node` is an output, or what an output has in another order of axes.
    fn is_end(&self, node: NodeId) -> bool {
        let is_output = |id: &NodeId| self.graph.outputs().contains(id);
        let turned = |user: &NodeId| is_output(user) && matches!(self.graph.node(*user).op, Op::Transpose(_));
        is_output(&node) || self.graph.users(node).iter().all(turned)
    }

    fn cut_at(&self, at: &Found, width: Width) -> Result<(Boundary, Faults), Faults> {
        if let [tensor] = at.tensors.as_slice() {
            let node = self.node(tensor, at)?;
            if self.order.cut_place(node).is_some() {
                let warnings = self.behind_padding(node, at).map(Faults::from).unwrap_or_default();
                return Ok((Boundary { crossing: vec![self.crossing(node, tensor)] }, warnings));
            }
        }
        let nodes: Vec<NodeId> =
            at.tensors.iter().map(|tensor| self.node(tensor, at)).collect::<Result<_, _>>()?;
        let boundary = self.in_front_of(&nodes, at);
        match width {
            _ if nodes.iter().all(|node| self.graph.outputs().contains(node)) => {
                Err(self.nothing_behind(at, &nodes).into())
            }
            Width::Multi if !boundary.crossing.is_empty() => Ok((boundary, Faults::new())),
            _ => Err(self.several_cross(at, &nodes, &boundary).into()),
        }
    }

    /// The node that makes a tensor, which must depend on an input and an output on it.
    fn node(&self, tensor: &SourceTensor, at: &Found) -> Result<NodeId, Diagnostic> {
        let fault = |why: &str| {
            let message = format!("{} is no cut: {why}", at.name);
            Diagnostic::error(codes::NO_CUT, message).at(at.label())
        };
        let node = self.order.node(&tensor.node).ok_or_else(|| fault("no output needs it"))?;
        if !self.order.live.contains(&node) {
            return Err(fault("it is the same for every input"));
        }
        if !self.order.needed.contains(&node) {
            return Err(fault("no output needs it"));
        }
        Ok(node)
    }

    /// The tensors that what is not before `nodes`, the results of `at`, reads of what is, in the framework's order. A layer of its
    /// list begins with its first node, any other with the one that is named.
    fn in_front_of(&self, nodes: &[NodeId], at: &Found) -> Boundary {
        let first = nodes.iter().map(|node| self.order.keys[node]).min().unwrap_or_default();
        let first = if at.index.is_some() { self.order.begin(first) } else { first };
        let before = |id: &NodeId| self.order.keys[id] < first;
        let needed = &self.order.needed;
        let crosses = |id: &&NodeId| {
            before(id)
                && self.order.live.contains(*id)
                && self.graph.users(**id).iter().any(|user| needed.contains(user) && !before(user))
        };
        self.boundary(needed.iter().filter(crosses).copied())
    }

    /// The boundary of exactly the tensors that are named.
    fn named(&self, at: &[Found]) -> Result<Boundary, Faults> {
        let mut nodes = BTreeSet::new();
        let mut crossing = Vec::new();
        for found in at {
            for tensor in &found.tensors {
                let node = self.node(tensor, found)?;
                if nodes.insert(node) {
                    crossing.push(self.crossing(node, tensor));
                }
            }
        }
        let (missing, unread) = halves::misfits(self.graph, &nodes, &self.order.live);
        if !missing.is_empty() {
            let names: Vec<&str> = at.iter().map(|found| found.name.as_str()).collect();
            let (names, more) = (names.join(", "), self.boundary(missing));
            let message = format!(
                "{names} are no cut: what is behind them reads {}",
                tensors(more.crossing.len(), "other ")
            );
            let fault = self.list(Diagnostic::error(codes::NO_CUT, message), "crosses too", &more);
            let all: Vec<&str> = more.crossing.iter().map(|crossing| crossing.name.as_str()).collect();
            return Err(fault.help(format!("name them too: {}", all.join(", "))).into());
        }
        if let Some(unread) = crossing.iter().find(|crossing| unread.contains(&crossing.node)) {
            let message =
                format!("{} is no part of the cut: behind the others nothing reads it", unread.name);
            return Err(Diagnostic::error(codes::NO_CUT, message).help("leave it out").into());
        }
        crossing.sort_by_key(|crossing| self.order.keys[&crossing.node]);
        Ok(Boundary { crossing })
    }

    fn boundary(&self, nodes: impl IntoIterator<Item = NodeId>) -> Boundary {
        let mut nodes: Vec<NodeId> = nodes.into_iter().collect();
        nodes.sort_by_key(|node| self.order.keys[node]);
        let crossing = nodes.into_iter().map(|node| match self.order.tensor(node) {
            Some(tensor) => self.crossing(node, tensor),
            None => {
                let name = &self.graph.node(node).name;
                self.crossing(node, &SourceTensor::alike(name, name))
            }
        });
        Boundary { crossing: crossing.collect() }
    }

    fn crossing(&self, node: NodeId, tensor: &SourceTensor) -> Crossing {
        let shape = self.order.shapes[&node].clone();
        Crossing { node, name: tensor.name.clone(), shape, axes: tensor.axes.clone() }
    }

    /// Adds the tensors of `boundary` as operands.
    fn list(&self, fault: Diagnostic, role: &str, boundary: &Boundary) -> Diagnostic {
        boundary.crossing.iter().fold(fault, |fault, crossing| {
            let index = self.order.index(crossing.node);
            let role = index.map_or(role.to_owned(), |index| format!("{role}, layer {index}"));
            fault.operand(role, crossing.name.as_str(), crossing.shape.to_string())
        })
    }

    fn several_cross(&self, at: &Found, nodes: &[NodeId], boundary: &Boundary) -> Diagnostic {
        let count = boundary.crossing.len();
        let message = format!("{} is no cut: {} cross in front of it", at.name, tensors(count, ""));
        let fault = Diagnostic::error(codes::NO_CUT, message).at(at.label());
        let fault = self.list(fault, "crosses", boundary);
        let fault = match at.index {
            Some(index) => fault.note(format!("{} is layer {index} of {}", at.name, self.layers())),
            None => fault,
        };
        let fault = fault.note("a cut is a tensor that every path from the inputs to the outputs passes");
        let fault = self.nearest(fault, nodes);
        if count == 0 {
            return fault;
        }
        let remark = format!("the halves then have {count} outputs and inputs");
        fault.help_flag(format!("cut all {count}"), format!("--at {} --multi", at.name), remark)
    }

    fn nothing_behind(&self, at: &Found, nodes: &[NodeId]) -> Diagnostic {
        let message = format!("{} is no cut: nothing is behind it", at.name);
        self.nearest(Diagnostic::error(codes::NO_CUT, message).at(at.label()), nodes)
    }

    /// Offers the cuts next to `nodes`.
    fn nearest(&self, fault: Diagnostic, nodes: &[NodeId]) -> Diagnostic {
        let cuts = self.cuts();
        let place = |node: &NodeId| self.order.keys[node];
        let (first, last) = (nodes.iter().map(place).min(), nodes.iter().map(place).max());
        let before = cuts.iter().rev().find(|cut| Some(self.order.keys[&cut.node]) < first);
        let behind = cuts.iter().find(|cut| Some(self.order.keys[&cut.node]) > last);
        [("before", before), ("behind", behind)].into_iter().fold(fault, |fault, (side, cut)| match cut {
            Some(cut) => fault.help_flag(format!("cut {side} it"), format!("--at {}", cut.layer), about(cut)),
            None => fault,
        })
    }

    /// The warning that `node` only pads the map for the window that follows, and where the cut belongs instead.
    fn behind_padding(&self, node: NodeId, at: &Found) -> Option<Diagnostic> {
        let is_window = |user: &NodeId| {
            matches!(self.graph.node(*user).op, Op::Conv2d(_) | Op::Pool(_) | Op::Conv2dTranspose(_))
        };
        let users = self.graph.users(node);
        if !matches!(self.graph.node(node).op, Op::Pad(_)) || users.is_empty() || !users.iter().all(is_window)
        {
            return None;
        }
        let operand = *self.graph.operands(node).first()?;
        let window = &self.graph.node(*users.first()?).name;
        let (from, to) = (&self.order.shapes[&operand], &self.order.shapes[&node]);
        let message = format!("the cut is behind {}, whose padding belongs to {window} behind it", at.name);
        let fault = Diagnostic::warning(codes::CUT_BEHIND_PADDING, message).at(at.label()).operand(
            "padded",
            at.name.as_str(),
            format!("{from} → {to}"),
        );
        let fault = match at.index {
            Some(index) => fault.note(format!("{} is layer {index} of {}", at.name, self.layers())),
            None => fault,
        };
        let cut = self.cuts().into_iter().rev().find(|cut| cut.node == operand);
        Some(match cut {
            Some(cut) => fault.help_flag("cut before it", flag(&cut), about(&cut)),
            None => fault,
        })
    }
}

fn tensors(count: usize, other: &str) -> String {
    if count == 1 { format!("1 {other}tensor") } else { format!("{count} {other}tensors") }
}

/// How to ask for a cut: by the number, where it has one, since that is how it was counted.
fn flag(cut: &Cut) -> String {
    cut.index.map_or_else(|| format!("--at {}", cut.layer), |index| format!("--at {index}"))
}

fn about(cut: &Cut) -> String {
    match cut.index {
        Some(index) => format!("{}, layer {index}, {}", cut.layer, cut.shape),
        None => format!("{}, {}", cut.layer, cut.shape),
    }
}
