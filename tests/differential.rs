//! Whole networks: compiled in every way that this CPU has, with 1, 2 and 3 threads, against the interpreter in f64.

use frit_compiler::import::{Source, json};
use frit_compiler::zoo;
use frit_ir::{Graph, Op, random};
use frit_tests::compare::{self, Way, agree, ways};
use frit_tests::{cases, file, networks};
use proptest::prelude::*;

/// In process as the interpreter computes it, in every way of this CPU; out of a file the same bits, fused and unfused.
fn agrees_in_process_and_from_a_file(graph: &Graph, seed: u64) -> Result<(), String> {
    let inputs = networks::inputs(graph, seed);
    agree(graph, &ways(), &inputs)?;
    let inputs = compare::values(&inputs);
    let widest = ways().last().expect("there is a way").lowering;
    for way in [true, false].map(|fuse| Way { fuse, lowering: widest }) {
        let in_process = compare::run(&compare::model(graph, way)?, 1, &inputs)?;
        let from_file = compare::run(&file::model(graph, way)?, 2, &inputs)?;
        if compare::bits(&in_process) != compare::bits(&from_file) {
            return Err(format!("{way:?}: other bits out of a file"));
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn a_random_network_computes_what_the_interpreter_computes(graph in random::graphs(), seed: u64) {
        agrees_in_process_and_from_a_file(&graph, seed).map_err(TestCaseError::fail)?;
    }
}

proptest! {
    #![proptest_config(cases(64))]

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

#[test]
fn every_network_of_the_zoo_made_small_computes_what_the_interpreter_computes() {
    for name in zoo::names() {
        // Smaller maps than these have no room for the windows of some networks.
        let resolution = if ["xception", "inception_resnet_v2"].contains(&name) { 96 } else { 64 };
        let graph = small(name, 0.25, resolution);
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

/// Full size, so that the gate of early blocks goes into the weights and that of late ones scales the map.
#[test]
fn squeeze_and_excite_leaves_no_activation_pool_or_product_alone() {
    for (name, squeezes) in
        [("efficientnet_b0", 16), ("mobilenet_v3_large", 8), ("mobilenet_v3_small", 9), ("mnasnet_a1", 8)]
    {
        let graph = small(name, 1.0, 224);
        let optimised = frit_compiler::optimise(graph, &ways()[0].options()).unwrap().graph;
        let ops: Vec<&Op> = optimised.ids().map(|id| &optimised.node(id).op).collect();
        let alone = |op: &&&Op| matches!(op, Op::Activation(_) | Op::Binary(_) | Op::BatchNorm(_));
        assert!(!ops.iter().any(|op| alone(&op)), "{name}");
        let scales = |op: &&&Op| matches!(op, Op::SqueezeExcite(squeeze) if squeeze.scales);
        let (scaling, gated) =
            (ops.iter().filter(scales).count(), ops.iter().filter(|op| op.gate().is_some()).count());
        assert!(scaling > 0 && gated > 0 && scaling + gated == squeezes, "{name}: {scaling} and {gated}");
    }
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
