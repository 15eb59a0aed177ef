//! Which layer reads which, and the order in which they can be built: a layer may be named before it is described.

use std::collections::BTreeMap;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::layer::WrittenLayer;
use crate::import::findings::Findings;
use crate::import::{limits, order as sorting};

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
    pub(super) fn new(input: &'n str, layers: &'n [WrittenLayer<'_>]) -> Index<'n> {
        let mut index = BTreeMap::new();
        for (place, layer) in layers.iter().enumerate() {
            index.entry(layer.name.as_str()).or_insert(place);
        }
        let names = std::iter::once(input).chain(layers.iter().map(|layer| layer.name.as_str())).collect();
        Index { input, layers: index, names }
    }

    /// What `name` stands for: a layer's name means its result, activation included; a longer name, a layer inside.
    /// None where there is no such layer.
    pub(super) fn find(&self, name: &str) -> Option<Target> {
        if name == self.input {
            return Some(Target::Input);
        }
        if let Some(&layer) = self.layers.get(name) {
            return Some(Target::Layer(layer));
        }
        // A name inside a stage is the stage's name and at most four more parts.
        if name.len() <= 2 * limits::NAME_BYTES {
            for (end, _) in name.rmatch_indices('/').take(4) {
                if let Some(&layer) = self.layers.get(&name[..end]) {
                    return Some(Target::Inside(layer, name.to_owned()));
                }
            }
        }
        None
    }

    /// The fault that there is no layer `name`.
    pub(super) fn unknown(&self, name: &str, findings: &Findings<'_>) -> Diagnostic {
        findings.unknown(codes::UNKNOWN_LAYER, "there is no layer", name, self.names.iter().copied())
    }
}

/// The operands of every layer; a name of no layer is a fault.
pub(super) fn operands<'a>(
    layers: &[WrittenLayer<'a>],
    index: &Index<'_>,
    findings: &mut Findings<'a>,
) -> Vec<Vec<Target>> {
    let mut all = Vec::with_capacity(layers.len());
    for (place, layer) in layers.iter().enumerate() {
        let before = if place == 0 { Target::Input } else { Target::Layer(place - 1) };
        let Some(names) = &layer.inputs else {
            let reads = layer.operation.as_ref().is_none_or(|operation| operation.arity(1) > 0);
            all.push(if reads { vec![before] } else { Vec::new() });
            continue;
        };
        let target = |(name, value): &(String, _)| {
            index.find(name).unwrap_or_else(|| {
                let fault = index.unknown(name, findings);
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
    layers: &[WrittenLayer<'a>],
    operands: &[Vec<Target>],
    findings: &mut Findings<'a>,
) -> Vec<usize> {
    let reads: Vec<Vec<usize>> =
        operands.iter().map(|targets| targets.iter().filter_map(Target::layer).collect()).collect();
    let (order, cycles) = sorting::sorted(&reads);
    for cycle in cycles {
        let names: Vec<&str> = cycle.iter().map(|&layer| layers[layer].name.as_str()).collect();
        findings.add(&layers[cycle[0]].value, sorting::cycle_fault(&names).at(names[0]));
    }
    order
}
