//! Whole networks: compiled in every way that this CPU has, with 1, 2 and 3 threads, against the interpreter in f64.

use frit_compiler::import::{Source, json};
use frit_compiler::zoo;
use frit_ir::{Graph, random};
use frit_tests::compare::{self, Way, agree, ways};
use frit_tests::networks;
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_random_network_computes_what_the_interpreter_computes(graph in random::graphs(), seed: u64) {
        agree(&graph, &ways(), &networks::inputs(&graph, seed)).map_err(TestCaseError::fail)?;
    }

    #[test]
    fn so_does_one_whose_layers_carry_epilogues_already(graph in random::fused_graphs(), seed: u64) {
        agree(&graph, &ways(), &networks::inputs(&graph, seed)).map_err(TestCaseError::fail)?;
    }
}

/// A network of the zoo, made small.
fn small(name: &str, width: f64, resolution: usize) -> Graph {
    let options = zoo::ZooOptions { width, resolution: Some(resolution), ..zoo::ZooOptions::default() };
    let text = zoo::description(name, &options).unwrap_or_else(|faults| panic!("{faults}"));
    let source = Source { file: format!("{name}.json"), ..Source::default() };
    json::read(&text, &source).unwrap_or_else(|faults| panic!("{faults}")).0
}

/// Networks with ops that have no kernel; the interpreter runs them.
const WITHOUT_KERNELS: [&str; 3] = ["resnext50_32x4d", "xception", "inception_resnet_v2"];

#[test]
fn networks_without_kernels_are_interpreted_and_not_compiled() {
    for name in WITHOUT_KERNELS {
        let graph = small(name, 0.25, 96);
        let outputs = compare::interpreted(&graph, &networks::inputs(&graph, 3)).unwrap();
        let sum: f64 = outputs[0].iter().sum();
        assert!((sum - 1.0).abs() < 1e-4, "{name}: the probabilities add up to {sum}");
        assert!(
            agree(&graph, &ways(), &networks::inputs(&graph, 3)).is_err(),
            "{name} has kernels now: compile it"
        );
    }
}

#[test]
fn every_network_of_the_zoo_made_small_computes_what_the_interpreter_computes() {
    for name in zoo::names().filter(|name| !WITHOUT_KERNELS.contains(name)) {
        let graph = small(name, 0.25, 64);
        agree(&graph, &ways(), &networks::inputs(&graph, 3))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn mobilenet_v2_made_small_computes_what_the_interpreter_computes() {
    let graph = small("mobilenet_v2", 0.35, 96);
    agree(&graph, &ways(), &networks::inputs(&graph, 1)).unwrap();
}

#[test]
fn mobilenet_v2_at_an_odd_resolution_computes_what_the_interpreter_computes() {
    let graph = small("mobilenet_v2", 0.5, 75);
    agree(&graph, &ways(), &networks::inputs(&graph, 2)).unwrap();
}

#[test]
fn fusing_leaves_52_convolutions_and_nothing_else_beside_the_head() {
    let graph = small("mobilenet_v2", 0.35, 96);
    let options = Way { fuse: true, ..ways()[0] }.options();
    let compiled = frit_compiler::compile(graph, &options).unwrap();
    let count = |name: &str| {
        compiled.optimised.ids().filter(|&id| compiled.optimised.node(id).op.name() == name).count()
    };
    assert_eq!([count("conv2d"), count("batch_norm"), count("relu6"), count("add")], [52, 0, 0, 0]);
    assert_eq!(compiled.optimised.len(), 52 + 4, "input, global average, dense and softmax");
}
