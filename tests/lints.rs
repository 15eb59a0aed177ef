//! Lints of whole networks: silent about good ones, sure of what known ones have, and never at a loss.

use std::collections::BTreeMap;

use frit_compiler::import::{self, Request, Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_ir::diagnostic::codes::{self, Code};
use frit_ir::ops::Scalar;
use frit_ir::{Graph, Preprocess, random};
use frit_passes::lint::{self, Finding, LINTS, Sure};
use frit_tests::{cases, manifest, root};
use proptest::prelude::*;

/// Numbers of a vector, on all targets.
const LANES: [usize; 3] = [4, 8, 16];

#[test]
fn the_networks_of_the_zoo_have_no_findings() {
    for name in zoo::names() {
        let text = zoo::description(name, &ZooOptions::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let source = Source { file: format!("{name}.json"), ..Source::default() };
        let (graph, _) = json::read(&text, &source).unwrap_or_else(|faults| panic!("{faults}"));
        for lanes in LANES {
            assert_eq!(lint::findings(&graph, lanes), [], "{name} on {lanes} lanes");
        }
    }
}

#[test]
fn each_lint_has_a_code_of_its_own_in_order() {
    assert!(LINTS.windows(2).all(|pair| pair[0].code < pair[1].code), "{LINTS:?}");
}

/// Files below the folder of models, and how often each rule finds something in them on 8 lanes.
const KNOWN: [(&str, &[(Code, usize)]); 10] = [
    // Torchvision's MobileNetV3 has TensorFlow's epsilon and PyTorch's padding.
    ("onnx/mobilenet_v3_small_torchvision.legacy.opset17.onnx", &[(codes::SYMMETRIC_PADDING, 1)]),
    ("onnx/mobilenet_v2_035.dynamo.opset20.onnx", &[]),
    ("onnx/shufflenet_v2_x0_5.legacy.opset17.onnx", &[]),
    ("pretrained/mobilenet_v2_imagenet.keras", &[]),
    // MobileNetV2 with a bias on every convolution, and with a width multiplier on the depthwise ones alone.
    ("seeds/s1_width_multiplier_1.keras", &[(codes::BIAS_BEFORE_NORM, 1)]),
    ("seeds/s1_width_multiplier_2.json", &[(codes::BIAS_BEFORE_NORM, 1), (codes::MULTIPLIER_EVERYWHERE, 1)]),
    // Residuals behind a dropout.
    ("seeds/s3_efficientnet_b0.keras", &[]),
    // Gates behind the projection, with a ReLU before their hard sigmoid.
    (
        "seeds/s3_mobilenet_v3_bottleneck.keras",
        &[(codes::SQUEEZE_BEHIND_PROJECTION, 1), (codes::GATE_ABOVE_HALF, 1)],
    ),
    // Grouped convolutions of slices: those of a loop that bound its variable too late, and right ones.
    ("seeds/s4_lambda.onnx", &[(codes::SAME_SLICE, 6)]),
    ("seeds/s4_split.keras", &[(codes::BIAS_BEFORE_NORM, 1), (codes::SPLIT_CONVOLUTION, 6)]),
];

#[test]
#[cfg_attr(not(frit_models), ignore = "needs FRIT_MODELS")]
fn known_files_have_their_findings() {
    for (file, expected) in KNOWN {
        let (folder, name) = file.split_once('/').expect("a folder and a name");
        let path = manifest::folder(folder).join(name);
        let (graph, _) = import::load(&path, &Request::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let mut found: BTreeMap<Code, usize> = BTreeMap::new();
        let findings = lint::findings(&graph, 8);
        findings.iter().for_each(|finding| *found.entry(finding.code).or_default() += 1);
        assert_eq!(found, expected.iter().copied().collect(), "{file}: {findings:#?}");
    }
}

/// The trained network of the examples with pictures of `range` less `mean`, by `std`.
fn prepared(range: [f32; 2], mean: [f32; 3], std: [f32; 3]) -> Vec<(Code, Sure)> {
    let path = root().join("examples/mobilenet_v2/model.json");
    let (mut graph, _) = import::load(&path, &Request::default()).unwrap_or_else(|faults| panic!("{faults}"));
    let told = graph.preprocess.take().expect("the example says how pictures are prepared");
    let (range, mean, std) = (range.map(Scalar::new), mean.map(Scalar::new), std.map(Scalar::new));
    graph.preprocess = Some(Preprocess { range, mean, std, ..told });
    lint::findings(&graph, 8).iter().map(|finding| (finding.code, finding.sure)).collect()
}

#[test]
fn a_trained_network_tells_which_pictures_it_saw() {
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let found = [(codes::PREPROCESS_STATISTICS, Sure::Likely)];
    assert_eq!(prepared([0.0, 1.0], mean, std), []);
    // So near that nobody could tell.
    assert_eq!(prepared([-1.0, 1.0], [0.0; 3], [1.0; 3]), []);
    assert_eq!(prepared([0.0, 1.0], [0.0; 3], [1.0; 3]), found);
    assert_eq!(prepared([0.0, 255.0], [0.0; 3], [1.0; 3]), found);
    assert_eq!(prepared([0.0, 255.0], mean, std), found);
}

/// What is wrong with the findings of `graph`: each names layers that it has, in their order, and says all that it should.
fn check(graph: &Graph) -> Result<(), TestCaseError> {
    let findings = lint::findings(graph, 8);
    let order = graph.topological();
    let place = |name: &str| order.iter().position(|&id| graph.node(id).name == name);
    let first = |finding: &Finding| finding.layers.first().and_then(|layer| place(&layer.name));
    prop_assert!(findings.is_sorted_by_key(|finding| (first(finding), finding.code)), "{findings:#?}");
    for finding in &findings {
        prop_assert!(finding.layers.iter().all(|layer| place(&layer.name).is_some()), "{finding:?}");
        prop_assert!(![&finding.message, &finding.why, &finding.what].iter().any(|text| text.is_empty()));
    }
    prop_assert_eq!(lint::findings(graph, 8), findings);
    Ok(())
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_graph_has_findings_about_its_own_layers(
        graph in random::graphs(),
        fused in random::fused_graphs(),
        composed in random::composed(),
    ) {
        check(&graph)?;
        check(&composed.graph)?;
        check(&fused)?;
    }

    /// A grouped convolution that is written out is found whichever its size, and so is one whose slices are all the last.
    #[test]
    fn written_out_groups_are_found(groups in 2usize..9, channels in 1usize..5, late in any::<bool>()) {
        let layers: Vec<String> = (0..groups)
            .map(|group| {
                let start = if late { groups - 1 } else { group } * channels;
                let stop = start + channels;
                format!(
                    r#"{{"name": "part{group}", "op": "slice", "axis": -1, "start": {start}, "stop": {stop},
                         "inputs": ["image"]}},
                       {{"name": "conv{group}", "op": "conv2d", "filters": 3, "kernel": 3, "bias": false}}"#
                )
            })
            .collect();
        let joined: Vec<String> = (0..groups).map(|group| format!("\"conv{group}\"")).collect();
        let text = format!(
            r#"{{"frit": 1, "name": "net", "input": {{"name": "image", "shape": [8, 8, {}]}}, "weights": {{"seed": 1}},
               "defaults": {{"padding": "same"}},
               "layers": [{}, {{"name": "all", "op": "concat", "inputs": [{}]}}]}}"#,
            groups * channels,
            layers.join(",\n"),
            joined.join(", ")
        );
        let source = Source { file: "net.json".to_owned(), ..Source::default() };
        let (graph, _) = json::read(&text, &source).unwrap_or_else(|faults| panic!("{faults}"));
        let found: Vec<(Code, Sure)> =
            lint::findings(&graph, 8).iter().map(|finding| (finding.code, finding.sure)).collect();
        let code = if late { codes::SAME_SLICE } else { codes::SPLIT_CONVOLUTION };
        prop_assert_eq!(found, [(code, Sure::Certain)]);
    }
}
