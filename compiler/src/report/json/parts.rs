//! Where networks can be cut and how they can be joined.

use frit_passes::stitch::Adapter;
use serde_json::{Value, json};

use super::{Object, line};
use crate::cost::{CutCost, Cuts};
use crate::report::parts::{Joint, Made, Port};

/// The places where a network can be cut: a list with one a line.
pub fn cuts(cuts: &Cuts) -> String {
    let cut = |cut: &CutCost| {
        let value = json!({
            "tensor": cut.cut.tensor,
            "layer": cut.cut.layer,
            "index": cut.cut.index,
            "kind": cut.cut.class,
            "shape": cut.cut.shape.axes(),
            "bytes": cut.bytes,
            "macs_before": cut.before.macs,
            "parameters_before": cut.before.parameters,
            "macs_after": cut.after.macs,
            "parameters_after": cut.after.parameters,
        });
        format!("  {}", line(&value))
    };
    let lines: Vec<String> = cuts.cuts.iter().map(cut).collect();
    if lines.is_empty() { "[]\n".to_owned() } else { format!("[\n{}\n]\n", lines.join(",\n")) }
}

/// A network that was written.
pub fn made(made: &Made) -> String {
    Object::default()
        .field("file", &made.file)
        .field("model", &made.model)
        .field("what", &made.what)
        .field("layers", &made.layers)
        .field("parameters", &made.sizes.parameters)
        .field("macs", &made.sizes.macs)
        .list("inputs", made.inputs.iter().map(port))
        .list("outputs", made.outputs.iter().map(port))
        .text()
}

/// The adapters of each place, the best first.
pub fn adapters(joints: &[Joint]) -> String {
    let joint = |joint: &Joint| {
        let adapters: Vec<Value> = joint.adapters.iter().map(adapter).collect();
        json!({"from": port(&joint.from), "to": port(&joint.to), "adapters": adapters})
    };
    Object::default().list("joints", joints.iter().map(joint)).text()
}

fn adapter(adapter: &Adapter) -> Value {
    json!({
        "name": adapter.name,
        "macs": adapter.macs,
        "parameters": adapter.parameters,
        "field": adapter.field,
        "lost": adapter.lost,
        "zeros": adapter.empty,
        "does": adapter.loses,
    })
}

fn port(port: &Port) -> Value {
    json!({"name": port.name, "shape": port.shape.axes()})
}
