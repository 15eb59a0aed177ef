//! Which layer reads which, and the order in which they can be built: a layer may be named before it is described.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::fields::{Findings, unknown};
use super::layers::Layer;
use crate::import::limits;

/// Cycles that are told of one file.
const CYCLES: usize = 16;
/// Layers of a cycle that are named.
const NAMED: usize = 8;

/// What an operand is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// The network's input.
    Input,
    /// The result of a layer.
    Layer(usize),
    /// A layer inside a stage, or before the activation of a layer.
    Inside(usize, String),
    /// Nothing: the fault is told.
    Unknown,
}

impl Target {
    /// The layer that has to be built before.
    fn layer(&self) -> Option<usize> {
        match self {
            Target::Layer(layer) | Target::Inside(layer, _) => Some(*layer),
            Target::Input | Target::Unknown => None,
        }
    }
}

/// Finds layers by name.
pub(super) struct Index<'n> {
    input: &'n str,
    layers: BTreeMap<&'n str, usize>,
    /// As they are written, to be offered.
    names: Vec<&'n str>,
}

impl<'n> Index<'n> {
    pub(super) fn new(input: &'n str, layers: &'n [Layer<'_>]) -> Index<'n> {
        let mut index = BTreeMap::new();
        for (place, layer) in layers.iter().enumerate() {
            index.entry(layer.name.as_str()).or_insert(place);
        }
        let names = std::iter::once(input).chain(layers.iter().map(|layer| layer.name.as_str())).collect();
        Index { input, layers: index, names }
    }

    /// What `name` stands for: a layer's name means its result, activation included; a longer name, a layer inside.
    ///
    /// # Errors
    /// There is no such layer.
    pub(super) fn find(&self, name: &str) -> Result<Target, Box<Diagnostic>> {
        if name == self.input {
            return Ok(Target::Input);
        }
        if let Some(&layer) = self.layers.get(name) {
            return Ok(Target::Layer(layer));
        }
        // A name inside a stage is the stage's name and at most four more parts.
        if name.len() <= 2 * limits::NAME_BYTES {
            for (end, _) in name.rmatch_indices('/').take(4) {
                if let Some(&layer) = self.layers.get(&name[..end]) {
                    return Ok(Target::Inside(layer, name.to_owned()));
                }
            }
        }
        Err(Box::new(self.unknown(name)))
    }

    /// The fault that there is no layer `name`.
    pub(super) fn unknown(&self, name: &str) -> Diagnostic {
        unknown(codes::UNKNOWN_LAYER, "there is no layer", name, self.names.iter().copied())
    }
}

/// The operands of every layer; a name of no layer is a fault.
pub(super) fn operands<'a>(
    layers: &[Layer<'a>],
    index: &Index<'_>,
    findings: &mut Findings<'a>,
) -> Vec<Vec<Target>> {
    let mut all = Vec::with_capacity(layers.len());
    for (place, layer) in layers.iter().enumerate() {
        let before = if place == 0 { Target::Input } else { Target::Layer(place - 1) };
        let Some(names) = &layer.inputs else {
            let reads = layer.kind.as_ref().is_none_or(|kind| kind.arity(1) > 0);
            all.push(if reads { vec![before] } else { Vec::new() });
            continue;
        };
        let target = |(name, value): &(String, _)| {
            index.find(name).unwrap_or_else(|fault| {
                findings.add(value, fault.at(layer.name.clone()));
                Target::Unknown
            })
        };
        all.push(names.iter().map(target).collect());
    }
    all
}

/// The layers in an order in which each comes after those that it reads; among those that are ready, as they are written.
/// Each cycle is a fault, and its layers come last, as layers that can't be built.
pub(super) fn order<'a>(
    layers: &[Layer<'a>],
    operands: &[Vec<Target>],
    findings: &mut Findings<'a>,
) -> Vec<usize> {
    let mut queue = Queue::new(operands);
    let mut order = Vec::with_capacity(layers.len());
    queue.drain(&mut order);
    for _ in 0..CYCLES {
        let Some(cycle) = queue.cycle(operands) else { break };
        if let Some(first) = cycle.iter().min() {
            findings.add(&layers[*first].value, fault(layers, &cycle, *first));
        }
        for &layer in &cycle {
            queue.force(layer);
        }
        queue.drain(&mut order);
    }
    order
}

/// The fault of a cycle, told from its first layer in the description on.
fn fault(layers: &[Layer<'_>], cycle: &[usize], first: usize) -> Diagnostic {
    let start = cycle.iter().position(|&layer| layer == first).unwrap_or(0);
    let names: Vec<&str> = (0..cycle.len().min(NAMED))
        .map(|step| layers[cycle[(start + step) % cycle.len()]].name.as_str())
        .collect();
    let more = cycle.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" ← {more} more") } else { String::new() };
    let first = layers[first].name.as_str();
    Diagnostic::error(codes::CYCLE, "the layers read each other in a cycle")
        .at(first)
        .note(format!("{}{tail} ← {first}", names.join(" ← ")))
}

/// Layers that wait for those that they read.
struct Queue {
    /// Operands that are not there yet; none for a layer that was passed on.
    waiting: Vec<Option<usize>>,
    users: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    /// No layer before this one waits.
    cursor: usize,
}

impl Queue {
    fn new(operands: &[Vec<Target>]) -> Queue {
        let mut users = vec![Vec::new(); operands.len()];
        let mut waiting = Vec::with_capacity(operands.len());
        for (layer, targets) in operands.iter().enumerate() {
            let mut count = 0;
            for target in targets.iter().filter_map(Target::layer) {
                users[target].push(layer);
                count += 1;
            }
            waiting.push(Some(count));
        }
        let ready = (0..waiting.len()).filter(|&layer| waiting[layer] == Some(0)).collect();
        Queue { waiting, users, ready, cursor: 0 }
    }

    /// Passes on every layer whose operands are there.
    fn drain(&mut self, order: &mut Vec<usize>) {
        while let Some(layer) = self.ready.pop_first() {
            self.waiting[layer] = None;
            order.push(layer);
            for user in std::mem::take(&mut self.users[layer]) {
                if let Some(count) = self.waiting[user].as_mut() {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.ready.insert(user);
                    }
                }
            }
        }
    }

    /// Takes a layer for ready, whatever it waits for.
    fn force(&mut self, layer: usize) {
        self.waiting[layer] = Some(0);
        self.ready.insert(layer);
    }

    /// A cycle among the layers that wait, each followed by one that it reads.
    fn cycle(&mut self, operands: &[Vec<Target>]) -> Option<Vec<usize>> {
        self.cursor += self.waiting.get(self.cursor..)?.iter().position(Option::is_some)?;
        let (mut path, mut places) = (Vec::new(), BTreeMap::new());
        let mut at = self.cursor;
        // A layer that waits reads a layer that waits, so the walk goes on until it comes back to itself.
        while !places.contains_key(&at) {
            places.insert(at, path.len());
            path.push(at);
            at = operands[at].iter().filter_map(Target::layer).find(|&read| self.waiting[read].is_some())?;
        }
        let start = *places.get(&at)?;
        Some(path.split_off(start))
    }
}
