//! Reports: values first, and a writer for each format over the same values.

pub mod dot;
pub mod json;
pub mod npz;
pub mod parts;
pub mod results;
mod table;
pub mod text;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use frit_ir::ops::{Conv2d, Padding};
use frit_ir::{Graph, NodeId, Op, Shape};

use crate::plan::{self, Argument, Choice, Plan};

/// Where on its way through the compiler a network is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// As the description says.
    Imported,
    /// Found legal.
    Legal,
    /// Fused and folded.
    Optimized,
    /// As steps that call kernels.
    Scheduled,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Imported => "imported",
            Stage::Legal => "legal",
            Stage::Optimized => "optimized",
            Stage::Scheduled => "scheduled",
        })
    }
}

/// What a node is for, as far as pictures tell by colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// What the caller hands in.
    Input,
    /// A convolution that mixes channels.
    Convolution,
    /// A convolution that keeps channels apart.
    Depthwise,
    /// A fully connected layer.
    Dense,
    /// A batch normalisation.
    Normalisation,
    /// A function of each element.
    Activation,
    /// Two tensors made one.
    Join,
    /// A mean over the map.
    Pool,
    /// A gate for each channel.
    Gate,
    /// The same values elsewhere: pads and reshapes.
    Movement,
    /// Exponentials that add up to one.
    Softmax,
}

/// One node, or one step of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Its main op.
    pub op: &'static str,
    /// What it is for.
    pub kind: Role,
    /// The attributes that tell it from others of its op, in a few characters; empty where there is none.
    pub detail: String,
    /// What it absorbed, in the order in which it is applied.
    pub epilogue: Vec<&'static str>,
    /// The shape of its result, where it can be known.
    pub shape: Option<Shape>,
    /// The nodes that it reads, in order.
    pub inputs: Vec<String>,
    /// The source layers that it computes, in graph order.
    pub sources: Vec<String>,
    /// What runs for it, once it is scheduled.
    pub work: Option<Work>,
    /// The later node in whose step it is computed, once it is scheduled.
    pub fused_into: Option<String>,
}

/// What runs for a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    /// Multiply-accumulates.
    pub macs: u64,
    /// Calls of kernels, which may run at once.
    pub calls: Vec<Call>,
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The kernel's name.
    pub kernel: String,
    /// Items, to be split over the workers; all of them for each band where there are bands.
    pub items: usize,
    /// For how many bands of rows it runs; none where its items are split instead.
    pub bands: Option<usize>,
    /// Whether it runs only before a worker's first band.
    pub halo: bool,
    /// The memory that it reads and writes.
    pub arguments: Vec<Argument>,
}

/// The memory of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Footprint {
    /// Distinct kernels.
    pub kernels: usize,
    /// Bytes between the steps.
    pub arena_bytes: usize,
    /// Bytes of each worker within a step.
    pub scratch_bytes: usize,
    /// Bytes of packed weights.
    pub weight_bytes: usize,
}

/// A network at one stage, as all writers take it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The stage.
    pub stage: Stage,
    /// The model's name.
    pub model: String,
    /// Nodes or steps, operands first.
    pub items: Vec<Item>,
    /// Names of the outputs, in order.
    pub outputs: Vec<String>,
    /// The memory, once it is scheduled.
    pub footprint: Option<Footprint>,
    /// How blocks go through the caches, once it is scheduled.
    pub choices: Vec<Choice>,
}

impl Listing {
    /// The nodes of `graph`, with their sources in the order of `source`.
    pub fn graph(stage: Stage, graph: &Graph, source: &Graph) -> Listing {
        let shapes = graph.shapes().unwrap_or_default();
        let places = places(source);
        let items = graph.topological().into_iter().map(|id| item(graph, &shapes, &places, id)).collect();
        let outputs = graph.outputs().iter().map(|&output| graph.node(output).name.clone()).collect();
        Listing { stage, model: graph.name.clone(), items, outputs, footprint: None, choices: Vec::new() }
    }

    /// The steps of `plan`, which was made of `graph`, and between them the nodes for which nothing runs.
    pub fn schedule(plan: &Plan, graph: &Graph, source: &Graph) -> Listing {
        let mut listing = Listing::graph(Stage::Scheduled, graph, source);
        let scheduled: BTreeSet<&str> = plan.steps.iter().map(|step| step.node.as_str()).collect();
        let mut items: Vec<Option<Item>> = std::mem::take(&mut listing.items).into_iter().map(Some).collect();
        let (places, sources) = (places(graph), places(source));
        for step in &plan.steps {
            for name in &step.fused {
                let fused = places.get(name.as_str()).and_then(|&place| items[place].as_mut());
                fused.into_iter().for_each(|item| item.fused_into = Some(step.node.clone()));
            }
        }
        let mut passed = 0;
        for step in &plan.steps {
            let Some(&place) = places.get(step.node.as_str()) else { continue };
            for earlier in items.iter_mut().take(place).skip(passed) {
                listing.items.extend(earlier.take_if(|item| !scheduled.contains(item.name.as_str())));
            }
            passed = passed.max(place);
            if let Some(item) = &items[place] {
                listing.items.push(Item {
                    sources: in_order(step.sources.iter().map(String::as_str), &sources),
                    work: Some(work(plan, step)),
                    ..item.clone()
                });
            }
        }
        let rest = items.into_iter().skip(passed).flatten();
        listing.items.extend(rest.filter(|item| !scheduled.contains(item.name.as_str())));
        listing.choices = plan.choices.clone();
        listing.footprint = Some(Footprint {
            kernels: plan.kernels.len(),
            arena_bytes: plan.arena_bytes,
            scratch_bytes: plan.scratch_bytes,
            weight_bytes: plan.weights.bytes(),
        });
        listing
    }
}

fn work(plan: &Plan, step: &crate::plan::Step) -> Work {
    // In the arena as a whole, which shows who shares memory with whom.
    let place =
        |argument: &Argument| Argument { offset: plan.begin(argument.region) + argument.offset, ..*argument };
    let call = |call: &crate::plan::Call, bands: Option<usize>, halo: bool| Call {
        kernel: plan.kernels[call.kernel].name.clone(),
        items: call.items,
        bands,
        halo,
        arguments: call.arguments.iter().map(place).collect(),
    };
    let mut calls = Vec::new();
    match &step.work {
        plan::Work::Items(all) => calls.extend(all.iter().map(|it| call(it, None, false))),
        plan::Work::Bands(sections) => {
            for plan::Section { bands, halo, calls: each } in sections {
                calls.extend(halo.iter().map(|it| call(it, Some(*bands), true)));
                calls.extend(each.iter().map(|it| call(it, Some(*bands), false)));
            }
        }
    }
    Work { macs: step.macs, calls }
}

/// Each value once, in the order of the first ones.
pub fn distinct<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for value in values {
        if !distinct.contains(&value) {
            distinct.push(value);
        }
    }
    distinct
}

/// The place of each node in graph order, by name.
fn places(graph: &Graph) -> BTreeMap<&str, usize> {
    graph
        .topological()
        .into_iter()
        .enumerate()
        .map(|(place, id)| (graph.node(id).name.as_str(), place))
        .collect()
}

/// Source layers in the order of `places`.
fn in_order<'a>(layers: impl Iterator<Item = &'a str>, places: &BTreeMap<&str, usize>) -> Vec<String> {
    let mut layers: Vec<String> = layers.map(str::to_owned).collect();
    layers.sort_by_key(|layer| places.get(layer.as_str()).copied());
    layers
}

fn item(graph: &Graph, shapes: &BTreeMap<NodeId, Shape>, places: &BTreeMap<&str, usize>, id: NodeId) -> Item {
    let node = graph.node(id);
    let operands = graph.operands(id);
    let channels = operands.first().and_then(|operand| shapes.get(operand)).map(Shape::channels);
    Item {
        name: node.name.clone(),
        op: node.op.name(),
        kind: kind(&node.op, channels),
        detail: detail(&node.op),
        epilogue: node.op.parts(),
        shape: shapes.get(&id).cloned(),
        inputs: operands.iter().map(|&operand| graph.node(operand).name.clone()).collect(),
        sources: in_order(node.sources.layers(), places),
        work: None,
        fused_into: None,
    }
}

fn kind(op: &Op, channels: Option<usize>) -> Role {
    match op {
        Op::Input(_) => Role::Input,
        Op::Conv2d(conv) if channels.is_some_and(|channels| conv.is_depthwise(channels)) => Role::Depthwise,
        Op::Conv2d(_) => Role::Convolution,
        Op::BatchNorm(_) => Role::Normalisation,
        Op::Activation(_) | Op::Prelu(_) => Role::Activation,
        Op::Binary(_) | Op::Concat(_) => Role::Join,
        Op::Constant(_) => Role::Input,
        Op::Conv2dTranspose(_) => Role::Convolution,
        Op::Pad(_) | Op::Resize(_) | Op::Slice(_) | Op::Transpose(_) | Op::Reshape(_) | Op::Identity => {
            Role::Movement
        }
        Op::Pool(_) | Op::GlobalAveragePool(_) | Op::Reduce(_) | Op::ArgMax(_) => Role::Pool,
        Op::SqueezeExcite(_) => Role::Gate,
        Op::Dense(_) => Role::Dense,
        Op::Softmax(_) => Role::Softmax,
    }
}

fn detail(op: &Op) -> String {
    if let Op::Conv2d(conv) = op {
        window(conv)
    } else if let Op::Pad(pad) = op {
        sides(&pad.padding)
    } else {
        String::new()
    }
}

fn window(conv: &Conv2d) -> String {
    let pair = |[rows, columns]: [usize; 2]| format!("{rows}x{columns}");
    let mut detail = pair(conv.kernel);
    let mut add = |part: String| {
        detail.push(' ');
        detail.push_str(&part);
    };
    if conv.stride != [1, 1] {
        add(format!("stride {}", pair(conv.stride)));
    }
    if conv.dilation != [1, 1] {
        add(format!("dilation {}", pair(conv.dilation)));
    }
    if conv.groups != 1 {
        add(format!("groups {}", conv.groups));
    }
    if conv.padding != Padding::default() {
        add(format!("pad {}", sides(&conv.padding)));
    }
    detail
}

fn sides(padding: &Padding) -> String {
    format!("{}:{}:{}:{}", padding.top, padding.bottom, padding.left, padding.right)
}

/// How many source layers are named before the rest is counted.
const NAMED: usize = 5;

/// Source layers in few characters: the first in full, of the others what differs from the part that all share.
fn abbreviated(sources: &[String]) -> String {
    let Some((first, others)) = sources.split_first() else { return String::new() };
    let block = crate::cost::block(first);
    let short =
        |layer: &String| match layer.strip_prefix(first.as_str()).or_else(|| layer.strip_prefix(block)) {
            Some(rest) if rest.starts_with('/') => format!("…{rest}"),
            _ => layer.clone(),
        };
    let mut parts = vec![first.clone()];
    parts.extend(others.iter().take(NAMED - 1).map(short));
    if sources.len() > NAMED {
        parts.push(format!("{} more", sources.len() - NAMED));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn short(layers: &[&str]) -> String {
        abbreviated(&layers.iter().map(|&layer| layer.to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn source_layers_are_shortened_by_what_they_share() {
        assert_eq!(short(&["stem", "stem/batch_norm", "stem/relu6"]), "stem, …/batch_norm, …/relu6");
        assert_eq!(short(&["s2/1/project", "s2/1/add"]), "s2/1/project, …/add");
        assert_eq!(short(&["s1/1/a", "s2/1/b"]), "s1/1/a, s2/1/b");
        assert_eq!(short(&["a", "b", "c", "d", "e", "f", "g"]), "a, b, c, d, e, 2 more");
    }
}
