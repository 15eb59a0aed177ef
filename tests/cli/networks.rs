//! `zoo`, `check`, `cost` and `inspect`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{Folder, fields, list};

#[test]
fn check_prints_one_line_and_nothing_else() {
    let outcome = Folder::with_tiny().frit("check tiny.json");
    assert_eq!(outcome.stderr, "");
    let stdout = outcome.ok();
    assert!(stdout.starts_with("tiny: legal, ") && stdout.ends_with(" MACs\n"), "{stdout}");
    assert_eq!(stdout.lines().count(), 1);
}

#[test]
fn check_in_json_is_one_line_with_the_counts() {
    let value = Folder::with_tiny().frit("check tiny.json --format json").json();
    assert_eq!(fields(&value), ["layers", "legal", "macs", "model", "parameters", "transposes", "warnings"]);
    assert_eq!((&value["legal"], &value["warnings"]), (&json!(true), &json!(0)));
}

#[test]
fn the_zoo_lists_its_networks_and_describes_each() {
    let folder = Folder::new();
    let names = folder.frit("zoo").ok();
    assert!(names.lines().any(|name| name == "mobilenet_v2"), "{names}");
    for name in names.lines() {
        let description = folder.frit(&format!("zoo {name}")).ok();
        assert_eq!(description, folder.frit(&format!("zoo {name}")).ok());
        folder.frit_reading("check -", &description).ok();
    }
}

#[test]
fn mobilenet_v2_has_its_known_parameters_and_multiply_accumulates() {
    let folder = Folder::new();
    let description = folder.frit("zoo mobilenet_v2").ok();
    let line = folder.frit_reading("check -", &description).ok();
    assert!(line.ends_with(" 3,504,872 parameters, 300,774,272 MACs\n"), "{line}");
    let cost = folder.frit_reading("cost - --format json", &description).json();
    assert_eq!(cost["totals"]["parameters"], 3_504_872);
    assert_eq!(cost["totals"]["macs"], 300_774_272);
}

#[test]
fn zoo_options_change_what_they_say() {
    let folder = Folder::new();
    let cost = |options: &str| -> Value {
        let description = folder.frit(&format!("zoo mobilenet_v2 {options}")).ok();
        folder.frit_reading("cost - --format json", &description).json()
    };
    let (standard, narrow) = (cost(""), cost("--width 0.35 --resolution 96 --classes 10"));
    assert!(narrow["totals"]["parameters"].as_u64() < standard["totals"]["parameters"].as_u64());
    assert_eq!(list(&narrow["layers"])[0]["shape"], json!([96, 96, 3]));
    assert_eq!(list(&narrow["layers"]).last().unwrap()["shape"], json!([10]));
    assert_ne!(folder.frit("zoo mobilenet_v2 --seed 1").ok(), folder.frit("zoo mobilenet_v2 --seed 2").ok());
}

#[test]
fn cost_adds_up_by_layer_and_by_block() {
    let cost = Folder::with_tiny().frit("cost tiny.json --format json").json();
    for kind in ["blocks", "layers"] {
        for count in ["parameters", "macs", "weight_bytes", "activation_bytes"] {
            let sum: u64 = list(&cost[kind]).iter().map(|part| part[count].as_u64().unwrap()).sum();
            assert_eq!(sum, cost["totals"][count], "{count} of {kind}");
        }
    }
    let blocks: Vec<_> = list(&cost["blocks"]).iter().map(|block| block["name"].as_str().unwrap()).collect();
    assert!(blocks.contains(&"s1/1") && blocks.contains(&"s1/2"), "{blocks:?}");
}

#[test]
fn cost_in_text_has_a_line_a_layer_and_the_totals() {
    let folder = Folder::with_tiny();
    let text = folder.frit("cost tiny.json").ok();
    let cost = folder.frit("cost tiny.json --format json").json();
    for layer in list(&cost["layers"]) {
        let name = layer["name"].as_str().unwrap();
        assert!(text.lines().any(|line| line.split(' ').next() == Some(name)), "{name}");
    }
    assert!(text.lines().last().unwrap().starts_with("tiny: "), "{text}");
}

#[test]
fn every_stage_is_the_same_bytes_each_time_in_every_format() {
    let folder = Folder::with_tiny();
    for stage in ["imported", "legal", "optimized", "scheduled"] {
        for format in ["text", "dot", "json"] {
            let arguments = format!("inspect tiny.json --stage {stage} --format {format}");
            let first = folder.frit(&arguments).ok();
            assert!(!first.is_empty());
            assert_eq!(first, folder.frit(&arguments).ok(), "{arguments}");
        }
    }
}

#[test]
fn inspect_in_json_has_the_promised_fields_at_every_stage() {
    let folder = Folder::with_tiny();
    for stage in ["imported", "legal", "optimized", "scheduled"] {
        let value = folder.frit(&format!("inspect tiny.json --stage {stage} --format json")).json();
        assert_eq!(value["stage"], stage);
        for node in list(&value["nodes"]) {
            let names = fields(node);
            for name in ["name", "op", "epilogue", "shape", "inputs", "sources"] {
                assert!(names.contains(&name), "{name} of {node}");
            }
        }
    }
}

#[test]
fn an_optimized_network_has_no_lone_batch_norm_activation_or_add_and_loses_no_layer() {
    let folder = Folder::with_tiny();
    let names = |stage: &str, field: &str| -> Vec<Value> {
        let value = folder.frit(&format!("inspect tiny.json --stage {stage} --format json")).json();
        list(&value["nodes"]).iter().map(|node| node[field].clone()).collect()
    };
    let operations: BTreeSet<String> =
        names("optimized", "op").iter().map(|op| op.as_str().unwrap().to_owned()).collect();
    for op in ["batch_norm", "relu6", "add"] {
        assert!(!operations.contains(op), "{op}");
    }
    let sources: BTreeSet<String> = names("optimized", "sources")
        .iter()
        .flat_map(|sources| list(sources).to_vec())
        .map(|source| source.as_str().unwrap().to_owned())
        .collect();
    let layers: BTreeSet<String> =
        names("legal", "name").iter().map(|name| name.as_str().unwrap().to_owned()).collect();
    assert_eq!(sources, layers);
}

#[test]
fn a_fused_node_has_what_it_absorbed_in_its_epilogue_in_order() {
    let value = Folder::with_tiny().frit("inspect tiny.json --format json").json();
    let node = list(&value["nodes"]).iter().find(|node| node["name"] == "s1/2/add").unwrap();
    assert_eq!((&node["op"], &node["epilogue"]), (&json!("conv2d"), &json!(["bias", "add"])));
    assert_eq!(node["sources"], json!(["s1/2/project", "s1/2/project/batch_norm", "s1/2/add"]));
    assert_eq!(list(&node["inputs"]).len(), 2);
}

#[test]
fn no_fuse_keeps_every_layer_and_disable_switches_one_rule_off() {
    let folder = Folder::with_tiny();
    let ops = |flags: &str| -> Vec<String> {
        let value = folder.frit(&format!("inspect tiny.json --format json {flags}")).json();
        list(&value["nodes"]).iter().map(|node| node["op"].as_str().unwrap().to_owned()).collect()
    };
    let layers = list(&folder.frit("inspect tiny.json --stage legal --format json").json()["nodes"]).len();
    assert_eq!(ops("--no-fuse").len(), layers);
    let unfolded = ops("--disable fold-batch-norm");
    assert!(unfolded.iter().any(|op| op == "batch_norm"), "{unfolded:?}");
}

#[test]
fn the_textual_form_is_read_back_as_it_was() {
    let text = Folder::with_tiny().frit("inspect tiny.json --stage optimized").ok();
    let graph = frit_ir::text::parse(&text).unwrap();
    assert_eq!(frit_ir::text::print(&graph), text);
}

#[test]
fn a_schedule_names_kernels_and_their_memory() {
    let folder = Folder::with_tiny();
    let value = folder.frit("inspect tiny.json --stage scheduled --format json").json();
    assert!(value["arena_bytes"].as_u64().unwrap() > 0);
    let calls: Vec<&Value> =
        list(&value["nodes"]).iter().filter_map(|node| node.get("calls")).flat_map(list).collect();
    assert!(!calls.is_empty());
    let text = folder.frit("inspect tiny.json --stage scheduled").ok();
    for call in calls {
        assert!(text.contains(call["kernel"].as_str().unwrap()), "{call}");
    }
}

#[test]
fn a_schedule_tells_the_way_of_each_block_and_what_it_cost_to_go_otherwise() {
    let folder = Folder::with_tiny();
    let value = folder.frit("inspect tiny.json --stage scheduled --format json").json();
    let blocks = list(&value["blocks"]);
    assert!(!blocks.is_empty());
    for block in blocks {
        let predicted = &block["predicted_ms"];
        assert!(predicted[block["way"].as_str().unwrap()][1].as_f64().unwrap() > 0.0, "{block}");
    }
    let text = folder.frit("inspect tiny.json --stage scheduled").ok();
    assert!(text.contains("runner-up"), "{text}");
}

#[test]
fn a_forced_schedule_is_taken_by_all_blocks_that_can_take_it() {
    let folder = Folder::with_tiny();
    for way in ["whole", "bands", "groups"] {
        let arguments = format!("inspect tiny.json --stage scheduled --schedule {way} --format json");
        let value = folder.frit(&arguments).json();
        let blocks = list(&value["blocks"]);
        assert!(!blocks.is_empty() && blocks.iter().all(|block| block["way"] == way), "{blocks:?}");
        let calls: Vec<&Value> =
            list(&value["nodes"]).iter().filter_map(|node| node.get("calls")).flat_map(list).collect();
        assert_eq!(calls.iter().any(|call| call.get("bands").is_some()), way == "bands");
    }
    folder.frit("inspect tiny.json --no-fuse --schedule bands").fails(2);
}

#[test]
fn a_block_that_cannot_go_as_asked_goes_layer_by_layer_and_says_so() {
    let folder = Folder::new();
    let description = r#"{"frit": 1, "name": "separable", "input": {"name": "image", "shape": [8, 8, 8]},
        "weights": {"seed": 7}, "defaults": {"padding": "same"}, "layers": [
        {"name": "depthwise", "op": "conv2d", "filters": 8, "kernel": 3, "groups": 8, "bias": true},
        {"name": "project", "op": "conv2d", "filters": 16, "kernel": 1, "bias": true}]}"#;
    folder.write("separable.json", description);
    let arguments = "inspect separable.json --stage scheduled --schedule groups";
    let value = folder.frit(&format!("{arguments} --format json")).json();
    let block = &list(&value["blocks"])[0];
    assert_eq!((&block["way"], &block["refused"]), (&json!("whole"), &json!("groups")));
    assert!(folder.frit(arguments).ok().contains("whole (can't go in groups)"));
}

#[test]
fn passes_say_what_they_left_unchanged() {
    let folder = Folder::with_tiny();
    let text = folder.frit("inspect tiny.json --passes").ok();
    assert!(text.lines().any(|line| line.starts_with("legality") && line.contains("(unchanged)")), "{text}");
    let value = folder.frit("inspect tiny.json --passes --format json").json();
    for pass in list(&value["passes"]) {
        assert_eq!(fields(pass), ["changed", "counts", "milliseconds", "name", "unchanged"]);
    }
}

#[test]
fn inspect_writes_to_a_file_instead_of_stdout() {
    let folder = Folder::with_tiny();
    let expected = folder.frit("inspect tiny.json --format dot").ok();
    assert_eq!(folder.frit("inspect tiny.json --format dot -o tiny.dot").ok(), "");
    assert_eq!(folder.read("tiny.dot"), expected.into_bytes());
    assert_eq!(folder.names(), ["tiny.dot", "tiny.json"]);
}

#[test]
fn an_illegal_network_can_be_looked_at_as_it_was_imported() {
    let broken = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/broken/residual.json");
    let folder = Folder::new();
    folder.write("broken.json", std::fs::read(broken).unwrap());
    folder.frit("inspect broken.json --stage imported --format dot").ok();
    folder.frit("inspect broken.json --stage legal --format dot").fails(1);
}

/// The bottleneck of a hand-written MobileNetV3 at its own size: a projected shortcut, and squeeze and excite behind the last
/// convolution, whose gate is a hard sigmoid of a ReLU.
const LARGE_BLOCK: &str = r#"{"frit": 1, "name": "block", "input": {"name": "features", "shape": [300, 300, 80]},
 "weights": {"seed": 7}, "defaults": {"padding": "same", "batch_norm": {"epsilon": 1e-3}},
 "layers": [
   {"name": "expand", "op": "conv2d", "filters": 480, "kernel": 1, "bias": false}, "batch_norm", "hard_swish",
   {"name": "depthwise", "op": "depthwise_conv2d", "kernel": 3, "bias": false}, "batch_norm", "hard_swish",
   {"name": "project", "op": "conv2d", "filters": 112, "kernel": 1, "bias": false}, {"name": "map", "op": "batch_norm"},
   "global_avg_pool",
   {"name": "reduce", "op": "dense", "units": 28, "bias": false}, "relu",
   {"name": "gate", "op": "dense", "units": 112, "bias": false}, "relu", "hard_sigmoid",
   {"name": "vector", "op": "reshape", "shape": [1, 1, 112]},
   {"name": "mul", "op": "mul", "inputs": ["map", "vector"]},
   {"name": "shortcut", "op": "conv2d", "filters": 112, "kernel": 1, "bias": false, "inputs": "features"},
   {"name": "norm", "op": "batch_norm"},
   {"name": "add", "op": "add", "inputs": ["mul", "norm"]}]}
"#;

#[test]
fn a_block_on_a_large_map_is_scheduled_in_every_way_and_runs() {
    let folder = Folder::new();
    folder.write("block.json", LARGE_BLOCK);
    folder.frit("check block.json").ok();
    for way in ["--no-fuse", "--lower portable", "--schedule whole", "--schedule bands", "--schedule groups"]
    {
        folder.frit(&format!("inspect block.json --stage scheduled {way}")).ok();
    }
    let bench = folder.frit("bench block.json --compare fused,unfused --runs 1 --format json").json();
    assert!(list(&bench["variants"]).iter().all(|variant| variant["median_ms"].as_f64().unwrap() > 0.0));
}
