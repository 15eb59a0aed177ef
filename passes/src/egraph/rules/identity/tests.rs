use frit_ir::ops::{Concat, Padding, Reshape, Slice, Span, Transpose};
use frit_ir::{Op, Shape};
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

proptest! {
    #[test]
    fn chains_of_transposes_become_one_or_none(
        orders in prop::collection::vec(Just([0usize, 1, 2]).prop_shuffle(), 1..7),
        axes in [1..4usize, 1..4usize, 1..4usize],
    ) {
        let mut net = Net::new(1);
        let x = net.input("x", &axes);
        let mut y = net.activation("tanh", frit_ir::ops::Activation::Tanh, x);
        let mut all = [0, 1, 2];
        for (index, order) in orders.iter().enumerate() {
            y = net.add(&format!("t{index}"), Op::Transpose(Transpose { axes: order.iter().copied().collect() }), &[y]);
            all = order.map(|axis| all[axis]);
        }
        let y = net.softmax("softmax", y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        let left = ops(&graph);
        let long: Vec<usize> = all.into_iter().filter(|&axis| axes[axis] > 1).collect();
        prop_assert_eq!(left.contains(&"transpose".to_owned()), !long.is_sorted(), "{:?}", left);
        prop_assert!(left.len() <= 3, "{:?}", left);
    }

    #[test]
    fn slices_of_slices_become_one_or_none(
        cuts in prop::collection::vec([(0..4usize, 1..9usize, 1..4usize), (0..4usize, 1..9usize, 1..4usize)], 1..5),
    ) {
        let mut net = Net::new(1);
        let mut y = net.input("x", &[9, 8]);
        let mut lengths = [9, 8];
        for (index, cut) in cuts.iter().enumerate() {
            let spans = cut.iter().zip(&mut lengths).map(|(&(start, count, step), length)| {
                let start = start.min(*length - 1);
                let count = count.min((*length - start).div_ceil(step));
                *length = count;
                // Of one element the step may be any.
                Span { start, count, step: if count == 1 { usize::MAX } else { step } }
            });
            y = net.add(&format!("s{index}"), Op::Slice(Slice { spans: spans.collect() }), &[y]);
        }
        let y = net.softmax("softmax", y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(ops(&graph).len() <= 2, "{:?}", ops(&graph));
        if lengths == [9, 8] {
            prop_assert_eq!(ops(&graph), ["softmax"]);
        }
    }
}

#[test]
fn a_concatenation_of_one_goes_and_of_two_stays() {
    for (count, expected) in [(1, &["softmax"][..]), (2, &["concat", "softmax"])] {
        let mut net = Net::new(1);
        let x = net.input("x", &[3, 4]);
        let y = net.add("concat", Op::Concat(Concat { axis: 1, inputs: count }), &vec![x; count]);
        let y = net.softmax("softmax", y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        assert_eq!(ops(&graph), expected);
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
