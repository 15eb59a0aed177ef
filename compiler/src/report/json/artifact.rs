//! What an artifact says of itself.

use frit_runtime::Port;
use frit_runtime::program::{Preprocess, Step, Target};
use serde::Serialize;
use serde_json::{Value, json};

use super::Object;
use crate::report::results::Artifact;

#[derive(Serialize)]
struct For<'a> {
    level: &'a str,
    lowering: &'a str,
    lanes: usize,
    features: &'a [String],
    lacks: &'a [String],
}

#[derive(Serialize)]
struct Tensor<'a> {
    name: &'a str,
    element: &'static str,
    shape: &'a [usize],
    unbatched: bool,
}

#[derive(Serialize)]
struct Part<'a> {
    node: &'a str,
    sources: &'a [String],
    kernels: &'a [String],
    macs: u64,
    bytes: u64,
    predicted_ms: [f64; 2],
}

/// `{"file", "bytes", "format", "calling_convention", "model", "producer", "fused", "target", "pictures", "probabilities", "weights",
/// "macs", "code_bytes", "weight_bytes", "arena_bytes", "scratch_bytes", "inputs", "outputs", "labels", "steps"}`.
pub fn artifact(artifact: &Artifact) -> String {
    let Artifact { metadata, lacks, .. } = artifact;
    let source = &metadata.source;
    Object::default()
        .field("file", &artifact.file)
        .field("bytes", &artifact.bytes)
        .field("format", &artifact.format)
        .field("calling_convention", &artifact.calling_convention)
        .field("model", &metadata.name)
        .field("producer", &metadata.producer)
        .field("fused", &metadata.fused)
        .field("target", &target(&metadata.target, lacks))
        .field("pictures", &source.preprocess.as_ref().map(pictures))
        .field("probabilities", &source.gives_probabilities)
        .field("weights", &source.weights)
        .field("macs", &source.macs)
        .field("code_bytes", &artifact.code_bytes)
        .field("weight_bytes", &artifact.weight_bytes)
        .field("arena_bytes", &metadata.arena_bytes)
        .field("scratch_bytes", &metadata.scratch_bytes)
        .list("inputs", metadata.inputs.iter().map(tensor))
        .list("outputs", metadata.outputs.iter().map(tensor))
        .list("labels", source.labels.iter().flatten())
        .list("steps", metadata.steps.iter().map(part))
        .text()
}

fn target<'a>(target: &'a Target, lacks: &'a [String]) -> For<'a> {
    let Target { level, lowering, lanes, features } = target;
    For { level, lowering, lanes: *lanes, features, lacks }
}

fn tensor(port: &Port) -> Tensor<'_> {
    let Port { name, shape, is_unbatched, .. } = port;
    Tensor { name, element: port.element.name(), shape, unbatched: *is_unbatched }
}

fn pictures(preprocess: &Preprocess) -> Value {
    let Preprocess { crop_center_square, bicubic, range, mean, std } = preprocess;
    json!({
        "crop_center_square": crop_center_square,
        "bicubic": bicubic,
        "range": range,
        "mean": mean,
        "std": std,
    })
}

fn part(step: &Step) -> Part<'_> {
    let Step { node, sources, kernels, macs, bytes, predicted_ms, .. } = step;
    Part { node, sources, kernels, macs: *macs, bytes: *bytes, predicted_ms: *predicted_ms }
}
