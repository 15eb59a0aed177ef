use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::{Graph, text};

use super::{Beside, Written, write};
use crate::import::{Source, json};
use crate::zoo::{self, ZooOptions};

const BESIDE: Beside<'_> = Beside { weights: "model.safetensors", labels: "model.labels.json" };

fn read(text: &str, folder: Option<&Path>) -> Graph {
    let source =
        Source { file: "model.json".into(), folder: folder.map(Path::to_path_buf), ..Source::default() };
    let (graph, warnings) = json::read(text, &source).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
    assert!(warnings.is_empty(), "{warnings}");
    graph
}

/// What is written of `graph`, read back.
fn again(graph: &Graph) -> Graph {
    let Written { description, weights, labels } =
        write(graph, &BESIDE).unwrap_or_else(|faults| panic!("{faults}"));
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [(BESIDE.weights, weights), (BESIDE.labels, labels.map(String::into_bytes))] {
        if let Some(content) = content {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
    }
    read(&description, Some(folder.path()))
}

#[test]
fn every_network_of_the_zoo_reads_back_as_it_was() {
    for name in zoo::names() {
        let graph = read(&zoo::description(name, &ZooOptions::default()).unwrap(), None);
        let read_back = again(&graph);
        assert_eq!(text::print(&read_back), text::print(&graph), "{name}");
        assert_eq!(read_back.weights, graph.weights, "{name}");
    }
}

/// Every op of descriptions, pictures and two outputs.
const EVERYTHING: &str = r#"{"frit": 1, "name": "all \"of\" it",
 "input": {"name": "image", "shape": [9, 8, 3], "preprocess": {"crop": "none", "resize": "bilinear",
   "range": [-1, 1], "mean": [0.485, 0.456, 0.406], "std": [0.1, 0.2, 0.3]}},
 "weights": {"seed": 18446744073709551615},
 "layers": [
   {"name": "pad", "op": "pad", "padding": [0, 1, 2, 3]},
   {"name": "stem", "op": "conv2d", "filters": 8, "kernel": [3, 2], "stride": [2, 1], "dilation": [1, 2],
    "padding": [1, 0, 2, 1], "groups": 1, "activation": "hard_swish"},
   {"name": "norm", "op": "batch_norm", "epsilon": 1e-7, "scale": false},
   {"name": "off", "op": "batch_norm", "epsilon": 0.3, "center": false, "training": false},
   {"name": "clip", "op": "clip", "low": -0.1, "high": 3e20},
   {"name": "grouped", "op": "conv2d", "filters": 4, "kernel": 1, "groups": 4, "bias": false},
   {"name": "twice", "op": "depthwise_conv2d", "multiplier": 2, "kernel": 1},
   {"name": "sum", "op": "add", "inputs": ["clip", "twice"]},
   {"name": "mean", "op": "global_avg_pool", "keep_dims": true},
   {"name": "gate", "op": "sigmoid"},
   {"name": "gated", "op": "mul", "inputs": ["sum", "gate"]},
   {"name": "flat", "op": "flatten"},
   {"name": "shaped", "op": "reshape", "shape": [1, 1, 8], "inputs": "mean"},
   {"name": "vector", "op": "flatten"},
   {"name": "dense", "op": "dense", "units": 3, "bias": false}, "softmax"],
 "outputs": ["gated", "flat", "dense/softmax"]}"#;

#[test]
fn every_op_reads_back_as_it_was() {
    let graph = read(EVERYTHING, None);
    let read_back = again(&graph);
    assert_eq!(text::print(&read_back), text::print(&graph));
    assert_eq!((&read_back.preprocess, &read_back.labels), (&graph.preprocess, &graph.labels));
    assert_eq!(write(&read_back, &BESIDE).unwrap(), write(&graph, &BESIDE).unwrap());
}

#[test]
fn weights_and_labels_that_lie_in_files_are_written_beside_it() {
    let mut graph = read(EVERYTHING, None);
    let seeded: Vec<String> = graph.weights.iter().map(|(name, _)| name.to_owned()).collect();
    for name in &seeded[1..] {
        let values = graph.weights.values(name).unwrap();
        let shape = graph.weights.get(name).unwrap().shape.clone();
        graph.weights.insert(name, frit_ir::Weight::new(shape, frit_ir::weights::Data::Values(values)));
    }
    graph.labels = Some(vec!["cat".into(), "dog".into(), "\u{e4}".into()]);
    let read_back = again(&graph);
    assert_eq!(read_back.labels, graph.labels);
    for name in &seeded {
        assert_eq!(read_back.weights.values(name).unwrap(), graph.weights.values(name).unwrap(), "{name}");
    }
}

#[test]
fn what_a_description_cannot_hold_is_refused_all_at_once() {
    let source = "model m
@a.kernel : 1x1x3x2 seeded(1)
%x = input {shape=4x4x3}
%y = input {shape=4x4x3}
%a = conv2d %x, @a.kernel {kernel=1x1, act=relu} : 4x4x2
%b = clip %y {low=-inf, high=1.0}
output %a, %b
";
    let graph = text::parse(source).unwrap_or_else(|faults| panic!("{faults}"));
    let faults = write(&graph, &BESIDE).unwrap_err();
    let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
    assert_eq!(codes, [codes::NOT_EXPRESSIBLE; 3], "{faults}");
}
