//! Networks: nodes, passes, costs.

use std::collections::BTreeMap;

use frit_ir::Shape;
use frit_passes::Report;
use serde::Serialize;

use super::findings::Finding;
use super::{Object, line};
use crate::cost::{Cost, Sizes};
use crate::plan::{Argument, Choice, Region};
use crate::report::results::{Summary, Transposes};
use crate::report::{Call, Item, Listing, text};

#[derive(Serialize)]
struct Node<'a> {
    name: &'a str,
    op: &'a str,
    epilogue: &'a [&'static str],
    shape: Option<&'a [usize]>,
    inputs: &'a [String],
    sources: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    macs: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls: Option<Vec<KernelCall<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fused_into: Option<&'a str>,
}

#[derive(Serialize)]
struct KernelCall<'a> {
    kernel: &'a str,
    items: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    bands: Option<usize>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    halo: bool,
    arguments: Vec<ArgumentRecord>,
}

#[derive(Serialize)]
struct ArgumentRecord {
    region: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    offset: usize,
    stride: usize,
}

/// `{"stage", "model", "outputs", "nodes": [{"name", "op", "epilogue", "shape", "inputs", "sources"}]}`.
///
/// A scheduled network's steps also have `macs` and `calls`, what is computed in a later step `fused_into`, and the whole has `kernels`, `arena_bytes`, `scratch_bytes`
/// (of each worker) and `weight_bytes`, and `blocks`, each `{"layers", "way", "refused", "predicted_ms"}` with the predicted
/// milliseconds of each way that it could take, with 1 and with 2 workers; `refused` is a way that was asked for in vain.
pub fn listing(listing: &Listing) -> String {
    let mut object = Object::default()
        .field("stage", &listing.stage.to_string())
        .field("model", &listing.model)
        .field("outputs", &listing.outputs);
    if let Some(footprint) = &listing.footprint {
        object = object
            .field("kernels", &footprint.kernels)
            .field("arena_bytes", &footprint.arena_bytes)
            .field("scratch_bytes", &footprint.scratch_bytes)
            .field("weight_bytes", &footprint.weight_bytes);
    }
    if !listing.choices.is_empty() {
        object = object.list("blocks", listing.choices.iter().map(scheduled));
    }
    object.list("nodes", listing.items.iter().map(node)).text()
}

#[derive(Serialize)]
struct Scheduled<'a> {
    layers: &'a [String],
    way: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'static str>,
    predicted_ms: BTreeMap<&'static str, [f64; 2]>,
}

fn scheduled(choice: &Choice) -> Scheduled<'_> {
    Scheduled {
        layers: &choice.layers,
        way: choice.way.name,
        refused: choice.refused.map(|way| way.name),
        predicted_ms: choice.costs.iter().map(|&(way, cost)| (way.name, cost)).collect(),
    }
}

fn node(item: &Item) -> Node<'_> {
    Node {
        name: &item.name,
        op: item.op,
        epilogue: &item.epilogue,
        shape: item.shape.as_ref().map(Shape::axes),
        inputs: &item.inputs,
        sources: &item.sources,
        macs: item.work.as_ref().map(|work| work.macs),
        calls: item.work.as_ref().map(|work| work.calls.iter().map(call).collect()),
        fused_into: item.fused_into.as_deref(),
    }
}

fn call(call: &Call) -> KernelCall<'_> {
    KernelCall {
        kernel: &call.kernel,
        items: call.items,
        bands: call.bands,
        halo: call.halo,
        arguments: call.arguments.iter().map(place).collect(),
    }
}

fn place(argument: &Argument) -> ArgumentRecord {
    let (region, index) = match argument.region {
        Region::Input(index) => ("input", Some(index)),
        Region::Output(index) => ("output", Some(index)),
        Region::Tensor(_) => ("arena", None),
        Region::Scratch => ("scratch", None),
        Region::Weights => ("weights", None),
    };
    ArgumentRecord { region, index, offset: argument.offset, stride: argument.stride }
}

#[derive(Serialize)]
struct Pass<'a> {
    name: &'a str,
    unchanged: bool,
    changed: Vec<String>,
    counts: BTreeMap<&'a str, u64>,
    milliseconds: f64,
}

/// `{"passes": [{"name", "unchanged", "changed", "counts", "milliseconds"}]}`; the times differ between runs.
pub fn passes(reports: &[Report]) -> String {
    let pass = |report| {
        let Report { name, changed, counts, milliseconds, .. }: &Report = report;
        let unchanged = changed.is_empty();
        Pass {
            name,
            unchanged,
            changed: changed.iter().map(text::edit).collect(),
            counts: counts.iter().copied().collect(),
            milliseconds: *milliseconds,
        }
    };
    Object::default().list("passes", reports.iter().map(pass)).text()
}

#[derive(Serialize)]
struct Legal<'a> {
    model: &'a str,
    legal: bool,
    layers: usize,
    parameters: u64,
    macs: u64,
    transposes: Transposes,
    warnings: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    findings: Option<Vec<Finding<'a>>>,
}

/// `{"model", "legal", "layers", "parameters", "macs", "transposes", "warnings"}` on one line; `legal` is true, an illegal network has
/// no summary. Where it was linted, `findings` are `{"rule", "code", "severity", "message", "layers", "why", "what", "sure"}`.
pub fn summary(summary: &Summary) -> String {
    let legal = Legal {
        model: &summary.model,
        legal: true,
        layers: summary.layers,
        parameters: summary.totals.parameters,
        macs: summary.totals.macs,
        transposes: summary.transposes,
        warnings: summary.warnings,
        findings: summary.findings.as_ref().map(|findings| findings.iter().map(Finding::from).collect()),
    };
    line(&legal) + "\n"
}

#[derive(Serialize)]
pub(super) struct Totals {
    parameters: u64,
    statistics: u64,
    macs: u64,
    weight_bytes: u64,
    activation_bytes: u64,
}

impl From<&Sizes> for Totals {
    fn from(sizes: &Sizes) -> Totals {
        let &Sizes { parameters, statistics, macs, weight_bytes, activation_bytes } = sizes;
        Totals { parameters, statistics, macs, weight_bytes, activation_bytes }
    }
}

#[derive(Serialize)]
struct BlockRecord<'a> {
    name: &'a str,
    layers: usize,
    shape: &'a [usize],
    #[serde(flatten)]
    sizes: Totals,
}

#[derive(Serialize)]
struct LayerRecord<'a> {
    name: &'a str,
    op: &'a str,
    block: &'a str,
    shape: &'a [usize],
    #[serde(flatten)]
    sizes: Totals,
}

/// `{"model", "totals": {"parameters", "statistics", "macs", "weight_bytes", "activation_bytes"}, "blocks", "layers"}`.
///
/// Blocks have `name`, `layers` (how many), `shape` and the fields of `totals`; layers `name`, `op`, `block`, `shape` and
/// the fields of `totals`.
pub fn cost(cost: &Cost) -> String {
    let blocks = cost.blocks.iter().map(|block| BlockRecord {
        name: &block.name,
        layers: block.layers,
        shape: block.shape.axes(),
        sizes: Totals::from(&block.sizes),
    });
    let layers = cost.layers.iter().map(|layer| LayerRecord {
        name: &layer.name,
        op: layer.op,
        block: &layer.block,
        shape: layer.shape.axes(),
        sizes: Totals::from(&layer.sizes),
    });
    let totals = Totals::from(&cost.totals);
    let object = Object::default().field("model", &cost.model).field("totals", &totals);
    object.list("blocks", blocks).list("layers", layers).text()
}
