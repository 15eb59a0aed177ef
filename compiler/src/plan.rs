//! What runs, in which order, on which memory: the value between the schedule and the code.

pub mod interpret;
mod print;

use frit_runtime::Port;

use crate::pack::Packing;
use crate::vector::Program;

/// Where a pointer argument of a kernel begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Region {
    /// The caller's input `index`, dense NHWC without the batch.
    Input(usize),
    /// The caller's output `index`, dense NHWC without the batch.
    Output(usize),
    /// The tensor `index` of [`Plan::tensors`], in the session's arena.
    Tensor(usize),
    /// Memory that only the worker itself uses, and only within a step.
    Scratch,
    /// The packed weights.
    Weights,
}

/// One pointer argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Argument {
    /// The memory that it points into.
    pub region: Region,
    /// Bytes from the region's begin to where item 0, or what belongs to band 0, begins.
    pub offset: usize,
    /// Bytes from one item or band to the next (0: all share it).
    pub stride: usize,
}

/// One call of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// Index into [`Plan::kernels`].
    pub kernel: usize,
    /// One for each of the kernel's pointer parameters.
    pub arguments: Vec<Argument>,
    /// How many items there are in all; at least 1.
    pub items: usize,
}

/// A tensor between the steps: its place in the arena, which it has to itself while it is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tensor {
    /// Bytes from the arena's begin to the tensor's, a multiple of 64.
    pub offset: usize,
    /// Its bytes.
    pub bytes: usize,
    /// Those of them that hold anything.
    pub blank: Blank,
    /// The first step that touches it.
    pub first: usize,
    /// The last step that does.
    pub last: usize,
}

/// Bytes that may be read before they are written, since what they hold flows into nothing: the lanes behind a map's last
/// channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Blank {
    /// Where the first lanes begin, in bytes from the tensor's begin.
    pub begin: usize,
    /// Their bytes; 0 where the last block is full.
    pub bytes: usize,
    /// Bytes from those of one pixel to those of the next.
    pub stride: usize,
    /// Pixels.
    pub count: usize,
}

/// What a step runs, and how the workers share it. Worker `w` of `n` takes `count * w / n .. count * (w + 1) / n`.
#[derive(Debug, Clone, PartialEq)]
pub enum Work {
    /// The items of all calls form one list that is shared out. Arguments step from item to item.
    Items(Vec<Call>),
    /// The bands of all sections form one list that is shared out; a worker runs its bands in order. Arguments step from
    /// band to band, and each call takes all of its items.
    Bands(Vec<Section>),
}

impl Work {
    /// All calls, in order.
    pub fn calls(&self) -> impl Iterator<Item = &Call> {
        let (items, sections) = match self {
            Work::Items(calls) => (calls.as_slice(), &[][..]),
            Work::Bands(sections) => (&[][..], sections.as_slice()),
        };
        items.iter().chain(sections.iter().flat_map(|section| section.halo.iter().chain(&section.calls)))
    }
}

/// Bands of rows that run the same kernels.
#[derive(Debug, Clone, PartialEq)]
pub struct Section {
    /// How many bands; at least 1.
    pub bands: usize,
    /// What a worker runs before the first of its bands: it computes what the band before it would have left behind.
    pub halo: Vec<Call>,
    /// What it runs for each band.
    pub calls: Vec<Call>,
}

/// What the workers do between two barriers: nothing in it reads what another worker writes in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The optimised graph's node, by name; the last of several that are computed together.
    pub node: String,
    /// The last node of the block that it belongs to; the node itself where it is in none.
    pub block: String,
    /// The nodes before it that are computed in the same step, in graph order.
    pub fused: Vec<String>,
    /// Source layers that this step computes, node by node, those of a node by name.
    pub sources: Vec<String>,
    /// Multiply-accumulates of the step, without those that bands compute twice.
    pub macs: u64,
    /// Bytes of the tensors that it reads and writes beyond itself, and of its weights.
    pub bytes: u64,
    /// Predicted milliseconds with 1 and with 2 workers.
    pub predicted_ms: [f64; 2],
    /// What runs.
    pub work: Work,
}

/// A way in which a block can go through the caches; the schedule has the table of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Way {
    /// Its name in reports and on the command line.
    pub name: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
}

/// What the schedule decided for a block, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// The block's layers by the names of their nodes, in order.
    pub layers: Vec<String>,
    /// The way that it takes.
    pub way: Way,
    /// The way that was asked for where the block can't take it.
    pub refused: Option<Way>,
    /// The ways that it could take, each with the predicted milliseconds with 1 and with 2 workers.
    pub costs: Vec<(Way, [f64; 2])>,
}

impl Choice {
    /// The predicted milliseconds of `way` with 1 and with 2 workers, where the block can take it.
    pub fn cost(&self, way: Way) -> Option<[f64; 2]> {
        self.costs.iter().find(|&&(possible, _)| possible == way).map(|&(_, cost)| cost)
    }

    /// The best of the ways that the block does not take: that whose larger loss against the chosen one is least.
    pub fn runner_up(&self) -> Option<(Way, [f64; 2])> {
        let chosen = self.cost(self.way)?;
        let loss = |cost: &[f64; 2]| (cost[0] / chosen[0]).max(cost[1] / chosen[1]);
        let others = self.costs.iter().filter(|(way, _)| *way != self.way);
        others.min_by(|(_, a), (_, b)| loss(a).total_cmp(&loss(b))).copied()
    }

    /// The way in words, with the one that was asked for in vain.
    pub fn told(&self) -> String {
        match self.refused {
            Some(refused) => format!("{} (can't go in {})", self.way.name, refused.name),
            None => self.way.name.to_owned(),
        }
    }
}

/// Everything that code generation needs, and nothing else.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The model's name.
    pub name: String,
    /// Inputs in order.
    pub inputs: Vec<Port>,
    /// Outputs in order.
    pub outputs: Vec<Port>,
    /// Distinct kernels, in the order of their first call.
    pub kernels: Vec<Program>,
    /// Steps in execution order.
    pub steps: Vec<Step>,
    /// What was decided for each block, in order.
    pub choices: Vec<Choice>,
    /// Tensors between the steps.
    pub tensors: Vec<Tensor>,
    /// The weights, and where they are to lie.
    pub weights: Packing,
    /// Bytes of the arena, a multiple of 64.
    pub arena_bytes: usize,
    /// Bytes of each worker's scratch memory, a multiple of 64.
    pub scratch_bytes: usize,
}

impl Plan {
    /// Bytes from the begin of the memory that `region` lies in to where it begins: 0 but for a tensor in the arena.
    pub fn begin(&self, region: Region) -> usize {
        match region {
            Region::Tensor(index) => self.tensors[index].offset,
            Region::Input(_) | Region::Output(_) | Region::Scratch | Region::Weights => 0,
        }
    }
}
