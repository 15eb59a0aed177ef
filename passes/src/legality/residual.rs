//! The residual rule: a shortcut is the identity only where stride is 1 and channels match (He et al., 2016;
//! Sandler et al., 2018). One function, [`is_identity`], decides for block descriptions and for graphs.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Graph, NodeId, Op, Shape};

use super::Join;

/// Which of the two conditions of [`is_identity`] fails; at least one does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Violation {
    /// The stride is not 1 on both axes.
    pub stride: bool,
    /// The channels change.
    pub channels: bool,
}

/// Whether a block of this stride from `channels_in` to `channels_out` can have its input added to its
/// output.
///
/// # Errors
/// The conditions that fail.
pub fn is_identity(stride: [usize; 2], channels_in: usize, channels_out: usize) -> Result<(), Violation> {
    let violation = Violation { stride: stride != [1, 1], channels: channels_in != channels_out };
    if violation.stride || violation.channels { Err(violation) } else { Ok(()) }
}

/// A residual whose shortcut can't be the identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The layer that adds.
    pub at: NodeId,
    /// Which operand of `at` is the shortcut.
    pub shortcut: usize,
    /// Height, width and channels of the shortcut.
    pub from: [usize; 3],
    /// Height, width and channels of the main path.
    pub to: [usize; 3],
    /// By how much the main path strides more than the shortcut.
    pub stride: [usize; 2],
}

impl Broken {
    /// Whether a 1×1 convolution of this stride makes the main path's shape out of the shortcut's.
    pub fn can_be_projected(&self) -> bool {
        (0..2).all(|axis| self.from[axis].div_ceil(self.stride[axis].max(1)) == self.to[axis])
    }

    /// Takes the shortcut from a layer that adds. A fused convolution goes on with its own sum; an addition is then nothing but
    /// its main path, whose layer takes its place. One that is an output stays, as the identity: who runs the network asks for
    /// outputs by their names, and the main path may be an output of its own.
    pub(crate) fn drop_edge(&self, graph: &mut Graph) {
        let operands = graph.operands(self.at);
        let main = operands[1 - self.shortcut];
        let node = graph.node_mut(self.at);
        let sources = node.sources.clone();
        if let Some(epilogue) = node.op.epilogue_mut() {
            epilogue.residual = false;
            graph.set_operands(self.at, &[main]);
            return;
        }
        if graph.outputs().contains(&self.at) {
            graph.node_mut(self.at).op = Op::Identity;
            graph.set_operands(self.at, &[main]);
            return;
        }
        graph.node_mut(main).sources.merge(&sources);
        graph.redirect(self.at, main);
        graph.remove(self.at);
    }
}

/// `graph` with each of `broken` as its main path alone.
pub(super) fn without_shortcuts<'g>(graph: &'g Graph, broken: &[Broken]) -> Cow<'g, Graph> {
    if broken.is_empty() {
        return Cow::Borrowed(graph);
    }
    let mut graph = graph.clone();
    for broken in broken {
        broken.drop_edge(&mut graph);
    }
    Cow::Owned(graph)
}

/// The fault of a residual whose shortcut can't be the identity.
pub(super) fn diagnose(
    branches: &Branches,
    graph: &Graph,
    shapes: &BTreeMap<NodeId, Shape>,
    (join, broken): (&Join<'_>, &Broken),
) -> Option<Diagnostic> {
    let (start, paths) = branches.paths(graph, join)?;
    let (shortcut, main) = (broken.shortcut, 1 - broken.shortcut);
    let name = |side: usize| graph.node(join.sides[side]).name.as_str();
    let story = |side: usize| paths[side].story(shapes.get(&start), join.shapes[side]);
    let step = format!("{} → {}", broken.from[2], broken.to[2]);
    let mut fault = Diagnostic::error(codes::RESIDUAL_SHAPES, "residual add joins different shapes")
        .operand("main path", name(main), story(main))
        .operand("shortcut", name(shortcut), story(shortcut))
        .note(format!(
            "a residual is the identity only where stride is 1 and channels match (here stride {}, {step})",
            spelled(broken.stride)
        ));
    for path in [main, shortcut] {
        fault = paths[path].causes(graph).into_iter().fold(fault, Diagnostic::note);
    }
    Some(with_ways_out(fault, broken))
}

/// The repairs; a projection only where it would give the main path's shape.
fn with_ways_out(fault: Diagnostic, broken: &Broken) -> Diagnostic {
    let fault = fault.help_flag("drop the edge", "--residual drop", "what MobileNetV2 and V3 do");
    if !broken.can_be_projected() {
        return fault;
    }
    let [from, to] = [broken.from[2], broken.to[2]];
    let projection = format!("what ResNet does: conv 1x1, {from}→{to}, stride {}", spelled(broken.stride));
    fault.help_flag("insert 1x1 projection", "--residual project", projection)
}

/// The stride of a shortcut that keeps up with the main path.
fn relative(main: [usize; 2], shortcut: [usize; 2]) -> [usize; 2] {
    std::array::from_fn(|axis| match main[axis].checked_rem(shortcut[axis]) {
        Some(0) => main[axis] / shortcut[axis],
        _ => main[axis],
    })
}

/// `2` for both axes alike, else `2x1`.
pub fn spelled(stride: [usize; 2]) -> String {
    if stride[0] == stride[1] { stride[0].to_string() } else { format!("{}x{}", stride[0], stride[1]) }
}

/// One side of a join, from where the sides part to the join.
struct Path {
    /// Convolutions on it.
    convolutions: usize,
    /// The layers with a stride other than 1, in the order of the data.
    strides: Vec<(NodeId, [usize; 2])>,
}

impl Path {
    /// The product of the strides.
    fn stride(&self) -> [usize; 2] {
        self.strides.iter().fold([1, 1], |product, (_, stride)| {
            std::array::from_fn(|axis| usize::saturating_mul(product[axis], stride[axis]))
        })
    }

    /// How its shape came about: `128x128x16 → stride 2 → 64x64x24`.
    fn story(&self, start: Option<&Shape>, end: &Shape) -> String {
        match start {
            Some(start) if !self.strides.is_empty() => {
                format!("{start} → stride {} → {end}", spelled(self.stride()))
            }
            Some(start) if start != end => format!("{start} → {end}"),
            _ => end.to_string(),
        }
    }

    /// Which layers the stride stands on.
    fn causes(&self, graph: &Graph) -> Option<String> {
        let product = spelled(self.stride());
        let name = |id: NodeId| graph.node(id).name.as_str();
        match self.strides.as_slice() {
            [] => None,
            [(layer, _)] => Some(format!("stride {product} stands on {}", name(*layer))),
            several => {
                let layers: Vec<String> = several
                    .iter()
                    .map(|(layer, stride)| format!("{} ({})", name(*layer), spelled(*stride)))
                    .collect();
                Some(format!("stride {product} is the product of {}", layers.join(", ")))
            }
        }
    }
}

/// Layers that a residual goes over, at most: a hostile network of faulty adds is not searched as a whole for each.
const REACH: usize = 2_000;

/// The place of each layer in the order of a graph, to find where two sides of a join part. The order may still
/// grow with the graph.
#[derive(Debug, Default)]
pub struct Branches {
    order: Vec<NodeId>,
    places: BTreeMap<NodeId, usize>,
}

impl Branches {
    /// The next layer of the order, which reads only those before it.
    pub fn push(&mut self, id: NodeId) {
        self.places.insert(id, self.order.len());
        self.order.push(id);
    }

    /// The residual that the layer `at` is, where its shortcut can't be the identity.
    ///
    /// The branch starts at the nearest layer that both sides come from; the side with fewer convolutions since
    /// then is the shortcut. Sides with as many convolutions are two branches of equal rank and no residual, and
    /// what is no sum is none. The main path alone would still have a known shape: what follows can go on from that.
    pub fn broken_at(&self, graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, at: NodeId) -> Option<Broken> {
        super::joined(graph, shapes, at).iter().find_map(|join| self.broken(graph, join))
    }

    /// The same of one of its joins.
    pub(super) fn broken(&self, graph: &Graph, join: &Join<'_>) -> Option<Broken> {
        if join.fits() || !join.is_sum() {
            return None;
        }
        let at = join.at;
        let (_, paths) = self.paths(graph, join)?;
        let shortcut = match paths[0].convolutions.cmp(&paths[1].convolutions) {
            Ordering::Greater => 1,
            // A convolution's own sum can't be taken out of it.
            Ordering::Less if join.sides[0] != at => 0,
            _ => return None,
        };
        let main = 1 - shortcut;
        let (from, to) = (join.shapes[shortcut].map()?, join.shapes[main].map()?);
        let stride = relative(paths[main].stride(), paths[shortcut].stride());
        is_identity(stride, from[2], to[2]).err()?;
        Some(Broken { at, shortcut, from, to, stride })
    }

    /// The nearest layer that both sides come from, and the path from it to each side.
    fn paths(&self, graph: &Graph, join: &Join<'_>) -> Option<(NodeId, [Path; 2])> {
        let (start, between) = self.part(graph, join)?;
        Some((start, join.sides.map(|side| self.path(graph, (start, &between), join, side))))
    }

    /// Walks back from both sides at once, always from the later layer: the first that both reach is the
    /// nearest. Also returns the layers passed on the way.
    fn part(&self, graph: &Graph, join: &Join<'_>) -> Option<(NodeId, BTreeSet<usize>)> {
        let mut reached: BTreeMap<usize, [bool; 2]> = BTreeMap::new();
        let mut later = BinaryHeap::new();
        for (side, id) in join.sides.into_iter().enumerate() {
            let place = *self.places.get(&id)?;
            reached.entry(place).or_default()[side] = true;
            later.push(place);
        }
        while let Some(place) = later.pop().filter(|_| reached.len() <= REACH) {
            let by = reached[&place];
            if by == [true, true] {
                return Some((self.order[place], reached.into_keys().collect()));
            }
            for operand in operands(graph, self.order[place], join) {
                let operand = *self.places.get(&operand)?;
                let entry = reached.entry(operand).or_insert_with(|| {
                    later.push(operand);
                    [false; 2]
                });
                *entry = [entry[0] || by[0], entry[1] || by[1]];
            }
        }
        None
    }

    /// The path from a start to `end` through the layers `between`, along the first operand that leads there.
    fn path(
        &self,
        graph: &Graph,
        (start, between): (NodeId, &BTreeSet<usize>),
        join: &Join<'_>,
        end: NodeId,
    ) -> Path {
        let mut leads = BTreeSet::from([start]);
        for &place in between.range(self.places[&start] + 1..) {
            let id = self.order[place];
            if operands(graph, id, join).iter().any(|operand| leads.contains(operand)) {
                leads.insert(id);
            }
        }
        let mut path = Path { convolutions: 0, strides: Vec::new() };
        let mut at = end;
        while at != start {
            let (convolutions, stride) = if let Op::Conv2d(conv) = &graph.node(at).op {
                (1, conv.stride)
            } else if let Op::Conv2dTranspose(_) = &graph.node(at).op {
                // Its stride makes maps larger, as none of the others does.
                (1, [1, 1])
            } else if let Op::Pool(pool) = &graph.node(at).op {
                (0, pool.stride)
            } else {
                (0, [1, 1])
            };
            path.convolutions += convolutions;
            if stride != [1, 1] {
                path.strides.push((at, stride));
            }
            let back = operands(graph, at, join).into_iter().find(|operand| leads.contains(operand));
            at = back.expect("the walk back reached the start through this layer");
        }
        path.strides.reverse();
        path
    }
}

impl FromIterator<NodeId> for Branches {
    fn from_iter<I: IntoIterator<Item = NodeId>>(order: I) -> Branches {
        let mut branches = Branches::default();
        order.into_iter().for_each(|id| branches.push(id));
        branches
    }
}

/// The operands on the way back; a layer that adds a residual to its own sum comes from its first operand alone.
fn operands(graph: &Graph, id: NodeId, join: &Join<'_>) -> Vec<NodeId> {
    let mut operands = graph.operands(id);
    if id == join.at {
        operands.truncate(1);
    }
    operands
}
