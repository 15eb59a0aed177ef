use frit_ir::Shape;
use frit_ir::ops::{Padding, Reshape};
use proptest::prelude::*;

use crate::testing::{Net, assert_equal, ops, optimised};

fn reshape() -> impl Strategy<Value = Reshape> {
    let shapes: Vec<Shape> =
        [&[24][..], &[2, 3, 4], &[4, 3, 2], &[1, 1, 24], &[6, 4]].map(Shape::new).to_vec();
    prop_oneof![Just(Reshape::Flatten), prop::sample::select(shapes).prop_map(Reshape::To)]
}

proptest! {
    #[test]
    fn chains_of_reshapes_become_one_or_none(reshapes in prop::collection::vec(reshape(), 1..7)) {
        let mut net = Net::new(1);
        let x = net.input("x", &[2, 3, 4]);
        let mut y = net.pad("pad", Padding { top: 0, ..Padding::default() }, x);
        for (index, reshape) in reshapes.iter().enumerate() {
            y = net.reshape(&format!("r{index}"), reshape.clone(), y);
        }
        let y = net.softmax("softmax", y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert!(ops(&graph) == ["softmax"] || ops(&graph) == ["reshape", "softmax"], "{:?}", ops(&graph));
        assert_equal(&source, &graph);
    }
}

#[test]
fn a_flatten_of_a_vector_goes_and_its_name_stays_among_the_sources() {
    let mut net = Net::new(1);
    let x = net.input("x", &[3, 3, 4]);
    let y = net.pool("pool", false, x);
    let y = net.reshape("flatten", Reshape::Flatten, y);
    let y = net.dense("dense", 5, y);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["global_avg_pool", "dense+bias"]);
    let pool = graph.node(graph.find("pool").expect("it keeps its name"));
    assert_eq!(pool.sources.layers().collect::<Vec<_>>(), ["flatten", "pool"]);
}

#[test]
fn a_reshape_that_changes_the_shape_stays() {
    let mut net = Net::new(1);
    let x = net.input("x", &[3, 3, 4]);
    let y = net.reshape("flatten", Reshape::Flatten, x);
    let y = net.dense("dense", 5, y);
    let source = net.finish(&[y]);
    assert_eq!(ops(&optimised(&source).0), ["reshape", "dense+bias"]);
}

#[test]
fn a_pad_by_nothing_goes_and_one_by_something_stays() {
    for (top, expected) in [(0, &["softmax"][..]), (1, &["pad", "softmax"])] {
        let mut net = Net::new(1);
        let x = net.input("x", &[3, 3, 4]);
        let y = net.pad("pad", Padding { top, ..Padding::default() }, x);
        let y = net.softmax("softmax", y);
        let source = net.finish(&[y]);
        assert_eq!(ops(&optimised(&source).0), expected);
    }
}

#[test]
fn an_identity_that_is_an_output_keeps_a_node_of_its_name() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4]);
    let y = net.reshape("flatten", Reshape::Flatten, x);
    let source = net.finish(&[y, x]);
    let (graph, _) = optimised(&source);
    let outputs: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    assert_eq!(outputs, ["flatten", "x"]);
    assert_eq!(ops(&graph), ["reshape"]);
    assert_equal(&source, &graph);
}
