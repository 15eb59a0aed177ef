//! `bench` and `verify`.

use ndarray::{ArrayD, IxDyn};
use serde_json::{Value, json};

use super::{Folder, TINY, fields, list, npz};

#[test]
fn bench_has_the_promised_fields() {
    let arguments = "bench tiny.json --compare fused,unfused --threads 1,2 --batch 2 --runs 7 --format json";
    let value = Folder::with_tiny().frit(arguments).json();
    for field in ["model", "isa", "machine", "variants", "ratios", "probe"] {
        assert!(fields(&value).contains(&field), "{field}");
    }
    let variants = list(&value["variants"]);
    let named: Vec<(&Value, &Value)> =
        variants.iter().map(|variant| (&variant["name"], &variant["threads"])).collect();
    assert_eq!(json!(named), json!([["fused", 1], ["fused", 2], ["unfused", 1], ["unfused", 2]]));
    for variant in variants {
        let expected = [
            "batch",
            "images_per_second",
            "median_ms",
            "min_ms",
            "name",
            "p90_ms",
            "runs",
            "streams",
            "threads",
        ];
        assert_eq!(fields(variant), expected);
        assert_eq!((&variant["batch"], &variant["runs"]), (&json!(2), &json!(7)));
        let time = |field: &str| variant[field].as_f64().unwrap();
        assert!(
            0.0 < time("min_ms")
                && time("min_ms") <= time("median_ms")
                && time("median_ms") <= time("p90_ms")
        );
    }
    assert_eq!(fields(&value["probe"]), ["gb_per_s", "gflops", "round_trip_ns"]);
}

#[test]
fn bench_shares_images_out_among_streams_and_counts_them() {
    let folder = Folder::with_tiny();
    let value =
        folder.frit("bench tiny.json --streams 1,3 --threads 1,2 --runs 2 --profile --format json").json();
    let variants = list(&value["variants"]);
    let named: Vec<(&Value, &Value)> =
        variants.iter().map(|variant| (&variant["streams"], &variant["threads"])).collect();
    assert_eq!(json!(named), json!([[1, 1], [1, 2], [3, 1], [3, 2]]));
    for variant in variants {
        assert_eq!(variant["batch"], 3, "an image for each of the most streams");
        let rate = 3e3 / variant["median_ms"].as_f64().unwrap();
        assert!((variant["images_per_second"].as_f64().unwrap() / rate - 1.0).abs() < 1e-9, "{variant}");
    }
    let steps: Vec<&Value> = list(&value["profile"]).iter().map(|step| &step["step"]).collect();
    assert_eq!(steps.iter().filter(|step| **step == steps[0]).count(), 2, "once for each number of threads");
}

#[test]
fn a_ratio_is_the_median_of_each_other_variant_by_that_of_the_first() {
    let arguments = "bench tiny.json --compare fused,unfused --threads 1,2 --runs 5 --format json";
    let value = Folder::with_tiny().frit(arguments).json();
    let median = |name: &str, threads: &Value| {
        let variants = list(&value["variants"]);
        let found = variants.iter().find(|variant| variant["name"] == name && &variant["threads"] == threads);
        found.unwrap()["median_ms"].as_f64().unwrap()
    };
    let ratios = list(&value["ratios"]);
    assert_eq!(ratios.len(), 2);
    for ratio in ratios {
        assert_eq!(fields(ratio), ["of", "streams", "threads", "to", "value"]);
        assert_eq!((&ratio["of"], &ratio["to"]), (&json!("unfused"), &json!("fused")));
        let expected = median("unfused", &ratio["threads"]) / median("fused", &ratio["threads"]);
        assert!((ratio["value"].as_f64().unwrap() / expected - 1.0).abs() < 1e-9);
    }
}

#[test]
fn bench_alone_times_what_run_compiles() {
    let folder = Folder::with_tiny();
    let value = folder.frit("bench tiny.json --runs 1 --format json").json();
    assert_eq!(list(&value["variants"]).len(), 1);
    assert_eq!(list(&value["variants"])[0]["name"], "fused");
    assert_eq!(value["ratios"], json!([]));
    let text = folder.frit("bench tiny.json --runs 1 --no-fuse").ok();
    assert!(text.lines().any(|line| line.starts_with("unfused")), "{text}");
}

#[test]
fn a_profile_has_every_step_of_every_variant_at_every_number_of_threads() {
    let folder = Folder::with_tiny();
    let arguments = "bench tiny.json --profile --compare whole,bands --threads 1,2 --runs 3 --format json";
    let value = folder.frit(arguments).json();
    let steps = list(&value["profile"]);
    for (variant, threads) in [("whole", 1), ("whole", 2), ("bands", 1), ("bands", 2)] {
        let of = |step: &&Value| step["variant"] == variant && step["threads"] == threads;
        let schedule = format!("inspect tiny.json --stage scheduled --schedule {variant} --format json");
        let nodes = folder.frit(&schedule).json();
        let planned = list(&nodes["nodes"]).iter().filter(|node| node.get("calls").is_some()).count();
        assert_eq!(steps.iter().filter(of).count(), planned, "{variant} with {threads}");
    }
    for step in steps {
        let expected = [
            "block",
            "bytes",
            "gflops",
            "kernel",
            "ms",
            "predicted_ms",
            "share",
            "step",
            "threads",
            "variant",
        ];
        assert_eq!(fields(step), expected);
        assert!(step["ms"].as_f64().unwrap() >= 0.0 && step["predicted_ms"].as_f64().unwrap() >= 0.0);
    }
    assert!(steps.iter().any(|step| step["gflops"].as_f64().unwrap() > 0.0));
    let text = folder.frit("bench tiny.json --profile --threads 1,2 --runs 1").ok();
    assert!(text.contains("fused at 2 threads, step by step") && text.contains("block, ms"), "{text}");
}

#[test]
fn bench_compares_lowerings() {
    let value = Folder::with_tiny().frit("bench tiny.json --compare portable --runs 1 --format json").json();
    assert_eq!(list(&value["variants"])[0]["name"], "portable");
}

#[test]
fn verify_passes_fused_and_unfused_with_the_same_bits_for_every_number_of_threads() {
    let value = Folder::with_tiny().frit("verify tiny.json --threads 1,2,3 --samples 2 --format json").json();
    assert_eq!((&value["passed"], &value["samples"]), (&json!(true), &json!(2)));
    for output in list(&value["outputs"]) {
        assert_eq!(fields(output), ["max_abs", "max_rel", "name", "ulp"]);
        assert!(output["max_rel"].as_f64().unwrap() <= 1e-4);
    }
    let runs: Vec<Value> = list(&value["runs"])
        .iter()
        .map(|run| json!([run["variant"], run["threads"], run["same_bits"]]))
        .collect();
    let expected = json!([
        ["fused", 1, true],
        ["fused", 2, true],
        ["fused", 3, true],
        ["unfused", 1, true],
        ["unfused", 2, true],
        ["unfused", 3, true],
    ]);
    assert_eq!(json!(runs), expected);
}

#[test]
fn verify_names_the_layer_that_leaves_what_f32_holds_and_passes() {
    let folder = Folder::with_tiny();
    let model = r#"{"frit": 1, "name": "net", "input": {"name": "image", "shape": [2, 2, 3]}, "weights": {"seed": 7},
        "layers": [{"name": "large", "op": "rescale", "scale": 1000}, {"name": "power", "op": "exp"}]}"#;
    folder.write("past.json", model);
    let outcome = folder.frit("verify past.json --format json");
    assert!(outcome.stderr.contains("FR0304") && outcome.stderr.contains("power"), "{}", outcome.stderr);
    let value = outcome.json();
    assert_eq!(value["passed"], true);
    assert_eq!(
        (&value["overflow"]["layer"], &value["overflow"]["code"]),
        (&json!("power"), &json!("FR0304"))
    );
    let none = folder.frit("verify tiny.json --format json").json();
    assert_eq!(none["overflow"], Value::Null);
}

#[test]
fn verify_takes_the_rounding_that_a_network_means_for_right() {
    let folder = Folder::with_tiny();
    let model = r#"{"frit": 1, "name": "net", "input": {"name": "image", "shape": [4, 4, 3]}, "weights": {"seed": 7},
        "layers": [{"name": "wide", "op": "rescale", "scale": 10}, {"name": "up", "op": "rescale", "scale": 1, "offset": 12582912},
                   {"name": "down", "op": "rescale", "scale": 1, "offset": -12582912}]}"#;
    folder.write("rounds.json", model);
    assert_eq!(folder.frit("verify rounds.json --format json").json()["passed"], true);
}

#[test]
fn verify_compares_every_region_after_rewriting() {
    let folder = Folder::with_tiny();
    let value = folder.frit("verify tiny.json --format json").json();
    let nodes = folder.frit("inspect tiny.json --format json").json();
    let names = |list: &[Value]| list.iter().map(|part| part["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(list(&value["regions"])), names(list(&nodes["nodes"])));
    assert!(list(&value["regions"]).iter().all(|region| region["max_rel"].as_f64().unwrap() < 1e-5));
    let unfused = folder.frit("verify tiny.json --no-fuse --format json").json();
    assert_eq!(unfused["regions"], json!([]));
}

/// Writes the input and output of `run` as a golden file, changed by `change`.
fn golden(folder: &Folder, change: impl Fn(ArrayD<f32>, ArrayD<f32>) -> (ArrayD<f32>, ArrayD<f32>)) {
    let mut next = 0.0f32;
    let input = ArrayD::from_shape_simple_fn(IxDyn(&[2, 16, 16, 3]), || {
        next = (next * 1.7 + 0.31) % 1.0;
        next
    });
    ndarray_npy::write_npy(folder.path("x.npy"), &input).unwrap();
    folder.frit("run tiny.json x.npy -o y.npz").ok();
    let output = npz::read(&folder.path("y.npz"))["logits_softmax"].clone();
    let (input, output) = change(input, output);
    npz::write(&folder.path("golden.npz"), &[("input", input), ("output", output)]);
}

#[test]
fn verify_against_a_golden_passes_or_ends_with_1() {
    let folder = Folder::with_tiny();
    golden(&folder, |input, output| (input, output));
    let value = folder.frit("verify tiny.json --against golden.npz --format json").json();
    assert_eq!((&value["passed"], &value["samples"]), (&json!(true), &json!(2)));
    golden(&folder, |input, output| (input, output + 0.01));
    let outcome = folder.frit("verify tiny.json --against golden.npz --format json");
    assert_eq!(outcome.code, Some(1));
    let value: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(value["passed"], false);
    assert!(outcome.stderr.contains("FR0302"), "{}", outcome.stderr);
}

#[test]
fn a_golden_with_its_channels_in_front_is_turned_and_said_so() {
    let folder = Folder::with_tiny();
    golden(&folder, |input, output| {
        (input.permuted_axes(IxDyn(&[0, 3, 1, 2])).as_standard_layout().into_owned(), output)
    });
    let outcome = folder.frit("verify tiny.json --against golden.npz");
    assert!(outcome.stderr.contains("turned"), "{}", outcome.stderr);
    outcome.ok();
}

#[test]
fn a_golden_of_another_shape_is_refused() {
    let folder = Folder::with_tiny();
    golden(&folder, |input, output| (input, output));
    folder.write("tiny.json", TINY.replace("\"units\": 10", "\"units\": 11"));
    let stderr = folder.frit("verify tiny.json --against golden.npz").fails(1);
    assert!(stderr.starts_with("error[FR0031]: "), "{stderr}");
}

#[test]
fn convert_writes_by_the_ending_and_reports_nothing() {
    let folder = Folder::with_tiny();
    for options in ["tiny.json -o a.onnx", "tiny.json -o b.onnx --optimized", "tiny.json -o c.json"] {
        let outcome = folder.frit(&format!("convert {options}"));
        assert_eq!(outcome.stderr, "", "{options}");
        assert_eq!(outcome.ok(), "", "{options}");
    }
    // The ten layers of batch norms and activations are gone into the others.
    assert!(folder.read("b.onnx").len() < folder.read("a.onnx").len());
    let summary = |model: &str| folder.frit(&format!("check {model}")).ok();
    assert_eq!(summary("c.json"), summary("tiny.json"));
    assert_eq!(folder.read("a.onnx"), {
        folder.frit("convert tiny.json -o again.onnx").ok();
        folder.read("again.onnx")
    });
}

#[test]
fn convert_refuses_other_endings_and_leaves_nothing_of_what_a_format_can_not_hold() {
    let folder = Folder::with_tiny();
    let before = folder.names();
    let stderr = folder.frit("convert tiny.json -o a.tflite").fails(2);
    assert!(stderr.contains(".onnx or .json"), "{stderr}");
    let stderr = folder.frit("convert tiny.json -o a.json --optimized").fails(1);
    assert!(stderr.contains("FR0303"), "{stderr}");
    assert_eq!(folder.names(), before);
}
