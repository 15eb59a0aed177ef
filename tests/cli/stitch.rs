//! `frit stitch`: parts of several files as one network.

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors, serialize};
use serde_json::{Value, json};

use super::{Folder, fields, list};

/// A backbone whose features are 8x8x6, and whose names the tail has too.
const HEAD: &str = r#"{"frit": 1, "name": "backbone", "input": {"name": "image", "shape": [16, 16, 3],
   "preprocess": {"range": [0, 1]}}, "weights": {"seed": 7}, "defaults": {"padding": "same"},
 "layers": [
   {"name": "conv", "op": "conv2d", "filters": 6, "kernel": 3, "stride": 2, "activation": "relu"},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 5}]}
"#;

/// What is behind its layer `conv` takes 4x4x9.
const TAIL: &str = r#"{"frit": 1, "name": "classifier", "input": {"name": "image", "shape": [8, 8, 3]},
 "weights": {"seed": 8}, "defaults": {"padding": "same"},
 "layers": [
   {"name": "conv", "op": "conv2d", "filters": 9, "kernel": 3, "stride": 2},
   {"name": "block", "op": "conv2d", "filters": 9, "kernel": 3, "activation": "relu6"},
   {"name": "sum", "op": "add", "inputs": ["conv", "block"]},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 4}, "softmax"]}
"#;

fn parts() -> Folder {
    let folder = Folder::new();
    folder.write("head.json", HEAD);
    folder.write("tail.json", TAIL);
    folder.frit("convert tail.json -o tail.onnx").ok();
    folder
}

#[test]
fn shapes_that_differ_are_refused_with_the_best_adapter() {
    let folder = parts();
    let stderr = folder.frit("stitch head.json@conv tail.onnx@conv -o both.onnx").fails(1);
    for part in [
        "error[FR0603]: the shapes differ",
        "gives  conv of backbone  8x8x6",
        "takes  conv of tail      4x4x9",
        "--adapter auto",
        "avg_pool2x2/2+conv1x1: averages 2x2",
        "--adapter list",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert_eq!(folder.names(), ["head.json", "tail.json", "tail.onnx"]);
}

#[test]
fn adapters_are_listed_with_what_they_cost_and_lose() {
    let folder = parts();
    let table = folder.frit("stitch head.json@conv tail.onnx@conv --adapter list").ok();
    assert!(table.starts_with("conv of backbone 8x8x6 → conv of tail 4x4x9\n"), "{table}");
    let listed = folder.frit("stitch head.json@conv tail.onnx@conv --adapter list --format json").json();
    let adapters = list(&listed["joints"][0]["adapters"]);
    assert_eq!(fields(&adapters[0]), ["does", "field", "lost", "macs", "name", "parameters", "zeros"]);
    let find = |name: &str| {
        adapters.iter().find(|adapter| adapter["name"] == name).unwrap_or_else(|| panic!("{name}: {listed}"))
    };
    let best = find("avg_pool2x2/2+conv1x1");
    assert_eq!(best, &adapters[0]);
    assert_eq!(
        (&best["macs"], &best["parameters"], &best["field"]),
        (&json!(16 * 54), &json!(63), &json!([2, 2]))
    );
    let strided = find("conv1x1/2");
    assert_eq!(
        (&strided["lost"], &strided["macs"], &strided["field"]),
        (&json!(0.75), &json!(16 * 54), &json!([1, 1]))
    );
    let window = find("conv3x3/2");
    assert_eq!(
        (&window["lost"], &window["macs"], &window["field"]),
        (&json!(0.0), &json!(16 * 54 * 9), &json!([3, 3]))
    );
    assert_eq!(find("crop+conv1x1")["lost"], json!(0.75));
    assert_eq!(
        (&find("avg_pool2x2/2+pad_channels")["macs"], &find("avg_pool2x2/2+pad_channels")["parameters"]),
        (&json!(0), &json!(0))
    );
    for name in table.lines().skip(2).map(|line| line.split_whitespace().nth(1).unwrap()) {
        folder.frit(&format!("stitch head.json@conv tail.onnx@conv --adapter {name} -o both.json")).ok();
        folder.frit("verify both.json").ok();
        folder.frit("convert both.json -o both.onnx").ok();
        folder.frit("verify both.onnx").ok();
    }
}

#[test]
fn a_stitched_network_is_one_that_runs_and_exports() {
    let folder = parts();
    for (target, more) in [("both.json", ""), ("both.onnx", "--seed 3")] {
        let outcome =
            folder.frit(&format!("stitch head.json@conv tail.onnx@conv --adapter auto {more} -o {target}"));
        assert!(
            outcome.stderr.contains("warning[FR0604]: the adapter avg_pool2x2/2+conv1x1 has weights"),
            "{}",
            outcome.stderr
        );
        let said = outcome.ok();
        assert!(
            said.contains("backbone up to conv (layer 0), then avg_pool2x2/2+conv1x1, then tail behind conv"),
            "{said}"
        );
        assert!(said.contains("takes image 16x16x3"), "{said}");
        for command in ["check", "verify", "compile -o both.frit", "inspect"] {
            let (command, more) = command.split_once(' ').unwrap_or((command, ""));
            folder.frit(&format!("{command} {target} {more}")).ok();
        }
    }
    let text = String::from_utf8(folder.read("both.json")).unwrap();
    assert!(text.contains("\"preprocess\""), "the picture comes in at the head: {text}");
    let nodes = folder.frit("inspect both.json --stage imported --format json").json();
    let names: Vec<&str> = list(&nodes["nodes"]).iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert!(
        names.contains(&"conv") && names.contains(&"adapter/conv2d") && names.contains(&"block"),
        "{names:?}"
    );
}

#[test]
fn the_weights_of_an_adapter_may_come_from_a_file() {
    let folder = parts();
    let zeros = |elements: usize| vec![0u8; 4 * elements];
    let (kernel, bias) = (zeros(54), zeros(9));
    let view = |shape: &[usize], bytes| TensorView::new(Dtype::F32, shape.to_vec(), bytes).unwrap();
    let tensors =
        [("adapter/conv2d.kernel", view(&[1, 1, 6, 9], &kernel)), ("adapter/conv2d.bias", view(&[9], &bias))];
    folder.write("adapter.safetensors", serialize(tensors, None).unwrap());
    let outcome = folder.frit(
        "stitch head.json@conv tail.json@conv --adapter auto --adapter-weights adapter.safetensors -o both.json",
    );
    assert!(!outcome.stderr.contains("FR0604"), "{}", outcome.stderr);
    outcome.ok();
    let written = folder.read("both.safetensors");
    let written = SafeTensors::deserialize(&written).unwrap();
    assert_eq!(written.tensor("adapter/conv2d.kernel").unwrap().data(), kernel);
    let missing = folder.frit(
        "stitch head.json@conv tail.json@conv --adapter conv3x3/2 --adapter-weights adapter.safetensors -o x.json",
    );
    assert!(missing.fails(1).contains("FR0022"));
    let none = "stitch head.json@conv tail.json@conv --adapter avg_pool2x2/2+pad_channels --adapter-weights adapter.safetensors -o x.json";
    folder.frit(none).fails(2);
}

#[test]
fn more_than_two_parts_and_no_adapter_where_shapes_agree() {
    let folder = parts();
    let said = folder.frit("stitch tail.json@conv tail.json@conv..sum tail.onnx@conv -o three.json");
    assert!(!said.stderr.contains("FR0604"), "{}", said.stderr);
    assert!(said.stderr.contains("names that a part before has too begin with tail/ now"), "{}", said.stderr);
    said.ok();
    folder.frit("verify three.json").ok();
    let macs = |of: &str| {
        folder.frit(&format!("cost {of} --format json")).json()["totals"]["macs"].as_u64().unwrap()
    };
    let block = 4 * 4 * 9 * 9 * 9;
    assert_eq!(macs("three.json"), macs("tail.json") + block);
    let chosen = folder
        .frit("stitch head.json@conv tail.json@conv..sum head.json@conv --adapter list --format json")
        .json();
    assert_eq!(list(&chosen["joints"]).len(), 2);
    folder
        .frit("stitch head.json@conv tail.json@conv..sum head.json@conv --adapter 1 --adapter 1 -o x.json")
        .ok();
    folder.frit("stitch head.json@conv tail.json@conv..sum head.json@conv --adapter 1 --adapter 1 --adapter 1 -o y.json").fails(2);
    folder.frit("stitch head.json@conv tail.json@conv head.json@conv -o y.json").fails(2);
}

#[test]
fn what_can_not_be_joined_is_refused() {
    let folder = parts();
    let stderr = folder.frit("stitch head.json tail.json@conv --adapter auto -o x.json").fails(1);
    assert!(stderr.contains("error[FR0603]: no adapter makes one shape of the other"), "{stderr}");
    let stderr = folder.frit("stitch head.json@conv tail.json@conv --adapter magic -o x.json").fails(1);
    assert!(stderr.contains("there is no adapter magic here") && stderr.contains("conv3x3/2"), "{stderr}");
    let stderr = folder.frit("stitch head.json@conv tail.json@block -o x.json").fails(1);
    assert!(stderr.contains("error[FR0601]: block is no cut") && stderr.contains("tail.json"), "{stderr}");
    folder.frit("stitch head.json@conv tail.json@conv").fails(2);
    folder.frit("stitch head.json@conv").fails(2);
    folder
        .frit("stitch head.json@conv tail.json@conv --adapter auto --weights w.safetensors -o x.json")
        .fails(2);
    let stderr = folder.frit("stitch head.json@conv nothing.onnx@conv --adapter auto -o x.json").fails(1);
    assert!(stderr.contains("nothing.onnx"), "{stderr}");
    assert_eq!(folder.names(), ["head.json", "tail.json", "tail.onnx"]);
}

#[test]
fn scripts_are_told_what_was_made() {
    let folder = parts();
    let made: Value =
        folder.frit("stitch head.json@conv tail.onnx@conv --adapter auto -o both.onnx --format json").json();
    assert_eq!(fields(&made), ["file", "inputs", "layers", "macs", "model", "outputs", "parameters", "what"]);
    assert_eq!(made["inputs"], json!([{"name": "image", "shape": [16, 16, 3]}]));
}
