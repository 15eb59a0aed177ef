//! `frit cut`: the list, the halves, a new head, and what is refused.

use std::io::{Cursor, Read};

use serde_json::{Value, json};

use super::{Folder, fields, list, manifest};

/// Two branches between a stem and a head, and a padding that belongs to a window.
const BRANCHES: &str = r#"{"frit": 1, "name": "net", "input": {"name": "image", "shape": [12, 12, 3]},
 "weights": {"seed": 7}, "defaults": {"padding": "valid"}, "labels": "labels.json",
 "layers": [
   {"name": "stem", "op": "conv2d", "filters": 4, "kernel": 3, "activation": "relu"},
   {"name": "stem_pad", "op": "pad", "padding": [0, 1, 0, 1]},
   {"name": "down", "op": "conv2d", "filters": 6, "kernel": 3, "stride": 2},
   {"name": "left", "op": "conv2d", "filters": 4, "kernel": 1},
   {"name": "right", "op": "conv2d", "filters": 5, "kernel": 1, "inputs": ["down"]},
   {"name": "both", "op": "concat", "inputs": ["left", "right"]},
   "global_avg_pool", {"name": "logits", "op": "dense", "units": 2}, "softmax"]}
"#;

fn branches() -> Folder {
    let folder = Folder::new();
    folder.write("net.json", BRANCHES);
    folder.write("labels.json", r#"["cat", "dog"]"#);
    folder
}

#[test]
fn the_list_has_every_layer_behind_which_one_tensor_crosses() {
    let cuts = branches().frit("cut net.json --list --format json").json();
    let told: Vec<(&str, Value)> =
        list(&cuts).iter().map(|cut| (cut["layer"].as_str().unwrap(), cut["index"].clone())).collect();
    let expected = [
        ("image", json!(null)),
        ("stem", json!(0)),
        ("stem_pad", json!(1)),
        ("down", json!(2)),
        ("both", json!(5)),
        ("both/global_avg_pool", json!(6)),
        ("logits", json!(7)),
    ];
    assert_eq!(told, expected);
    assert_eq!(
        fields(&cuts[1]),
        [
            "bytes",
            "index",
            "kind",
            "layer",
            "macs_after",
            "macs_before",
            "parameters_after",
            "parameters_before",
            "shape",
            "tensor"
        ]
    );
    let stem = &cuts[1];
    assert_eq!(
        (&stem["tensor"], &stem["shape"], &stem["bytes"]),
        (&json!("stem/relu"), &json!([10, 10, 4]), &json!(1600))
    );
    assert_eq!((&stem["macs_before"], &stem["parameters_before"]), (&json!(10_800), &json!(112)));
    // The layer inside, before its activation, is none of the list; by name it can be cut at all the same.
    branches().frit("cut net.json --at stem/relu --keep head -o head.json").ok();
}

#[test]
fn halves_cost_together_what_the_whole_costs() {
    let folder = branches();
    let whole = folder.frit("cost net.json --format json").json();
    for cut in list(&folder.frit("cut net.json --format json").json()) {
        for what in ["macs", "parameters"] {
            let sum = |side: &str| cut[format!("{what}_{side}")].as_u64().unwrap();
            assert_eq!(sum("before") + sum("after"), whole["totals"][what].as_u64().unwrap(), "{cut}");
        }
        let layer = cut["layer"].as_str().unwrap();
        for (keep, side) in [("head", "before"), ("tail", "after")] {
            let made =
                folder.frit(&format!("cut net.json --at {layer} --keep {keep} -o half.json --format json"));
            let made = made.json();
            assert_eq!(made["macs"], cut[format!("macs_{side}")], "{layer}");
            let half = folder.frit("cost half.json --format json").json();
            assert_eq!(half["totals"]["parameters"], cut[format!("parameters_{side}")], "{layer}");
        }
    }
}

#[test]
fn a_half_is_a_network_that_runs_and_the_right_one_keeps_the_labels() {
    let folder = branches();
    let said = folder.frit("cut net.json --at 5 --keep tail -o tail.json").ok();
    assert!(said.contains("the tail of net, cut behind both (layer 5 of 9, concat)"), "{said}");
    assert!(said.contains("takes both 5x5x9"), "{said}");
    folder.frit("cut net.json --at both --keep head -o head.onnx").ok();
    assert!(folder.names().contains(&"tail.labels.json".to_owned()), "{:?}", folder.names());
    for half in ["head.onnx", "tail.json"] {
        folder.frit(&format!("check {half}")).ok();
        folder.frit(&format!("verify {half}")).ok();
    }
    folder.frit("run net.json -o whole.npz").ok();
    folder.frit("run head.onnx -o head.npz").ok();
    folder.frit("run tail.json head.npz -o both.npz").ok();
    assert_alike(&folder, "whole.npz", "both.npz");
}

/// The arrays of an .npz file by name.
fn arrays(folder: &Folder, name: &str) -> Vec<(String, Vec<f32>)> {
    let mut archive = zip::ZipArchive::new(Cursor::new(folder.read(name))).unwrap();
    let entries = (0..archive.len()).map(|index| {
        let mut entry = archive.by_index(index).unwrap();
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        let begin = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let values = bytes[begin..].chunks_exact(4).map(|word| f32::from_le_bytes(word.try_into().unwrap()));
        (entry.name().unwrap().into_owned(), values.collect())
    });
    entries.collect()
}

/// That two files have the same arrays, but for rounding.
#[track_caller]
fn assert_alike(folder: &Folder, one: &str, other: &str) {
    let (one, other) = (arrays(folder, one), arrays(folder, other));
    assert_eq!(one.len(), other.len());
    for ((name, values), (other_name, others)) in one.iter().zip(&other) {
        assert_eq!((name, values.len()), (other_name, others.len()));
        let largest = values.iter().fold(0f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 0.0, "{name}");
        for (a, b) in values.iter().zip(others) {
            assert!((a - b).abs() <= 1e-5 * largest, "{name}: {a} and {b}");
        }
    }
}

#[test]
fn beside_a_branch_all_tensors_are_told_with_the_nearest_cuts() {
    let folder = branches();
    let stderr = folder.frit("cut net.json --at 4 --keep tail -o tail.json").fails(1);
    for part in [
        "error[FR0601]: right is no cut: 2 tensors cross in front of it",
        "right (conv2d) of net.json",
        "crosses, layer 2  down  5x5x6",
        "crosses, layer 3  left  5x5x4",
        "right is layer 4 of 9",
        "cut before it    --at down ",
        "(down, layer 2, 5x5x6)",
        "cut behind it    --at both ",
        "cut all 2        --at right --multi",
    ] {
        assert!(stderr.contains(part), "{part}: {stderr}");
    }
    assert_eq!(folder.names(), ["labels.json", "net.json"]);
    let fault = folder.frit("cut net.json --at 4 --keep tail -o tail.json --format json").fails(1);
    let fault: Value = serde_json::from_str(&fault).unwrap();
    assert_eq!(
        (&fault["layers"], &fault["shapes"]),
        (&json!(["right", "down", "left"]), &json!(["5x5x6", "5x5x4"]))
    );
}

#[test]
fn several_tensors_cross_where_that_is_asked_for() {
    let folder = branches();
    let ports = |made: &Value, side: &str| -> Vec<String> {
        list(&made[side]).iter().map(|port| port["name"].as_str().unwrap().to_owned()).collect()
    };
    for at in ["--at right", "--at left --at down", "--at left --at right"] {
        let half = |keep: &str, ending: &str| {
            folder
                .frit(&format!("cut net.json {at} --multi --keep {keep} -o half.{ending} --format json"))
                .json()
        };
        let (head, tail) = (half("head", "json"), half("tail", "onnx"));
        assert_eq!(list(&head["outputs"]).len(), 2);
        assert_eq!(ports(&head, "outputs"), ports(&tail, "inputs"), "{at}");
        folder.frit("check half.onnx").ok();
    }
    let stderr = folder.frit("cut net.json --at left --at logits --multi --keep head -o h.json").fails(1);
    assert!(stderr.contains("left is no part of the cut: behind the others nothing reads it"), "{stderr}");
    folder.frit("cut net.json --at left --at right --keep head -o h.json").fails(2);
}

#[test]
fn a_cut_behind_a_padding_is_made_and_the_better_one_offered() {
    let folder = branches();
    let outcome = folder.frit("cut net.json --at 1 --keep head -o head.json");
    for part in [
        "warning[FR0602]: the cut is behind stem_pad, whose padding belongs to down behind it",
        "stem_pad  10x10x4 → 11x11x4",
        "stem_pad is layer 1 of 9",
        "cut before it    --at 0    (stem, layer 0, 10x10x4)",
    ] {
        assert!(outcome.stderr.contains(part), "{part}: {}", outcome.stderr);
    }
    assert!(outcome.ok().contains("gives stem_pad 11x11x4"));
}

#[test]
fn what_is_no_place_is_refused_with_the_nearest() {
    let folder = branches();
    let fails = |at: &str| folder.frit(&format!("cut net.json --at {at} --keep head -o head.json")).fails(1);
    assert!(
        fails("rihgt")
            .contains("error[FR0006]: there is no layer rihgt\n  ┌ net.json\n  = help: the nearest is right")
            || fails("rihgt").contains("the nearest is right")
    );
    assert!(fails("99").contains("numbers up to 8"), "{}", fails("99"));
    assert!(fails("8").contains("nothing is behind it"), "{}", fails("8"));
    folder.frit("cut net.json --at both -o head.json").fails(2);
    folder.frit("cut net.json --at both --keep head").fails(2);
    folder.frit("cut net.json --list --at both --keep head -o head.json").fails(2);
    assert_eq!(folder.names(), ["labels.json", "net.json"]);
}

#[test]
fn a_new_head_is_one_flag() {
    let folder = branches();
    let outcome =
        folder.frit("cut net.json --at both --head global_avg_pool,dense:5,softmax --seed 3 -o mine.json");
    assert!(
        outcome
            .stderr
            .contains("warning[FR0604]: the new head has weights that nobody trained, drawn from seed 3"),
        "{}",
        outcome.stderr
    );
    assert!(outcome.stderr.contains("head/dense.kernel"), "{}", outcome.stderr);
    assert!(outcome.ok().contains("gives head/softmax 5"));
    folder.frit("verify mine.json").ok();
    // The layers that it keeps are those of the network, weights and all.
    folder.frit("cut mine.json --at both --keep head -o kept.json").ok();
    folder.frit("cut net.json --at both --keep head -o head.json").ok();
    folder.frit("run kept.json -o kept.npz").ok();
    folder.frit("run head.json -o head.npz").ok();
    assert_alike(&folder, "kept.npz", "head.npz");
    let stderr = folder.frit("cut net.json --at both --head dense:5 -o bad.json").fails(1);
    assert!(stderr.contains("dense takes a vector, not 5x5x9"), "{stderr}");
    let stderr = folder.frit("cut net.json --at both --head denes:5 -o bad.json").fails(1);
    assert!(stderr.contains("denes"), "{stderr}");
}

#[test]
fn a_description_may_begin_where_a_layer_of_another_model_ends() {
    let folder = branches();
    let mine = r#"{"frit": 1, "name": "mine", "input": {"model": "net.json", "until": "both"}, "weights": {"seed": 1},
      "layers": [{"name": "stem", "op": "conv2d", "filters": 3, "kernel": 1}, "global_avg_pool",
                 {"name": "classes", "op": "dense", "units": 4}, "softmax"]}"#;
    folder.write("mine.json", mine);
    folder.frit("verify mine.json").ok();
    let inspected = folder.frit("inspect mine.json --stage imported").ok();
    // Both have a layer of this name.
    assert!(inspected.contains("%stem ") && inspected.contains("%mine/stem "), "{inspected}");
    let cuts = folder.frit("cut mine.json --format json").json();
    assert!(list(&cuts).iter().any(|cut| cut["layer"] == "classes" && cut["index"] == 2), "{cuts}");
    folder.write("wrong.json", mine.replace("\"both\"", "\"right\""));
    let stderr = folder.frit("check wrong.json").fails(1);
    assert!(stderr.contains("error[FR0601]: right is no cut") && stderr.contains("net.json"), "{stderr}");
    folder.write("gone.json", mine.replace("net.json", "gone.onnx"));
    assert!(folder.frit("check gone.json").fails(1).contains("gone.onnx"));
    folder.write("outside.json", mine.replace("net.json", "../net.json"));
    assert!(folder.frit("check outside.json").fails(1).contains("must be a file in the folder of the model"));
    folder.write("itself.json", mine.replace("net.json", "itself.json"));
    let stderr = folder.frit("check itself.json").fails(1);
    assert!(stderr.contains("FR0010") && stderr.contains("made of others"), "{stderr}");
}

/// The seeds of the project, where they are there.
fn seed(name: &str) -> Option<String> {
    manifest::models().map(|folder| folder.join("seeds").join(name).display().to_string())
}

/// The seed is the network with a block of each kind: its layers have other numbers than in the whole one, of which the golden
/// file tells. Where they begin they are the same, and the reduction after the last `block17` is the same layers.
#[test]
fn the_cuts_of_inception_resnet_v2_are_those_that_keras_finds() {
    let (Some(model), Some(golden)) = (seed("s2_inception_resnet_v2.keras"), seed("s2_cut_points.json"))
    else {
        return;
    };
    let golden: Value = serde_json::from_slice(&std::fs::read(golden).unwrap()).unwrap();
    let found = Folder::new().frit(&format!("cut {model} --format json")).json();
    let told = |cut: &Value, class: &str| (cut["index"].clone(), cut[class].clone());
    let expected: Vec<(Value, Value)> =
        list(&golden["InceptionResNetV2"]).iter().map(|cut| told(cut, "class")).take(20).collect();
    let first: Vec<(Value, Value)> = list(&found).iter().map(|cut| told(cut, "kind")).take(20).collect();
    assert_eq!(first, expected);
    let names: Vec<&str> = list(&found).iter().map(|cut| cut["layer"].as_str().unwrap()).collect();
    let of = |name: &str| {
        names.iter().position(|other| *other == name).unwrap_or_else(|| panic!("{name}: {names:?}"))
    };
    assert_eq!(of("mixed_7a"), of("block17_1_ac") + 1, "nothing inside the reduction is a cut: {names:?}");
}
