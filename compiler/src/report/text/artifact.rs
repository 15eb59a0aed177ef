//! What an artifact says of itself.

use frit_ir::Shape;
use frit_runtime::Port;
use frit_runtime::program::{Metadata, Preprocess, Source};

use super::{bytes, counted, grouped};
use crate::report::results::Artifact;
use crate::report::table::{Align, Table};

/// A line a fact.
pub fn artifact(artifact: &Artifact) -> String {
    let metadata = &artifact.metadata;
    let mut table = Table::new(&[("", Align::Left), ("", Align::Left)]);
    let mut row = |name: &str, value: String| table.row([name.to_owned(), value]);
    row("file", format!("{}, {}", artifact.file, bytes(artifact.bytes)));
    row("model", metadata.name.clone());
    row("compiled by", producer(artifact));
    row("for", target(artifact));
    metadata.inputs.iter().for_each(|port| row("input", port_line(port)));
    if let Some(preprocess) = &metadata.source.preprocess {
        row("pictures", pictures(preprocess));
    }
    metadata.outputs.iter().for_each(|port| row("output", port_line(port)));
    if let Some(classes) = classes(&metadata.source) {
        row("classes", classes);
    }
    row("weights", format!("{}, {} packed", metadata.source.weights, of(artifact.weight_bytes)));
    row("code", code(artifact));
    row(
        "memory",
        format!("{}, and {} for each thread", of(metadata.arena_bytes), of(metadata.scratch_bytes)),
    );
    row("costs", format!("{} multiply-accumulates an image", grouped(metadata.source.macs)));
    table.text()
}

fn of(count: usize) -> String {
    bytes(count as u64)
}

fn producer(artifact: &Artifact) -> String {
    let Artifact { metadata, format, calling_convention, .. } = artifact;
    format!("{} (format {format}, calling convention {calling_convention})", metadata.producer)
}

fn target(artifact: &Artifact) -> String {
    let target = &artifact.metadata.target;
    let here = match artifact.lacks.as_slice() {
        [] => "this CPU has all that it needs".to_owned(),
        lacks => format!("not for this CPU, which lacks {}", lacks.join(", ")),
    };
    format!("{}, {}, {} bits; {here}", target.level, target.lowering, 32 * target.lanes)
}

fn port_line(port: &Port) -> String {
    let batch = if port.is_unbatched { "" } else { ", and an axis for the batch before" };
    format!("{}, {} of {}{batch}", port.name, Shape::new(&port.shape), port.element.name())
}

fn pictures(preprocess: &Preprocess) -> String {
    let Preprocess { crop_center_square, bicubic, range: [low, high], mean, std } = preprocess;
    let crop = if *crop_center_square { "cropped to the square in the middle, " } else { "" };
    let filter = if *bicubic { "bicubic" } else { "bilinear" };
    format!("{crop}resized ({filter}), {low} to {high}, mean {mean:?}, std {std:?}")
}

fn classes(source: &Source) -> Option<String> {
    let labels = source.labels.as_ref()?;
    let scores = if source.gives_probabilities { "probabilities" } else { "scores before a softmax" };
    Some(format!("{} named, as {scores}", grouped(labels.len() as u64)))
}

fn code(artifact: &Artifact) -> String {
    let Metadata { steps, fused, .. } = &artifact.metadata;
    let layers = if *fused { "layers fused" } else { "layer by layer" };
    format!("{}, {}, {layers}", of(artifact.code_bytes), counted(steps.len(), "step"))
}
