use frit_ir::ops::{Activation, Conv2d, Scalar};
use frit_ir::{Graph, Op};
use proptest::prelude::*;

use crate::testing::{Net, around, assert_equal, conv, ops, optimised};

/// The prologues of the convolutions of `graph`.
fn prologues(graph: &Graph) -> Vec<Option<Activation>> {
    let ids = graph.topological().into_iter();
    ids.filter_map(|id| match &graph.node(id).op {
        Op::Conv2d(conv) => Some(conv.prologue),
        _ => None,
    })
    .collect()
}

fn depthwise(channels: usize, zeros: usize) -> Conv2d {
    Conv2d { groups: channels, padding: around(zeros), ..conv(channels, 3) }
}

proptest! {
    #[test]
    fn a_clamp_before_a_depthwise_convolution_changes_no_value(
        (height, width, channels) in (3..9usize, 3..9usize, 2..9usize),
        zeros in 0..3usize,
        before in prop::sample::select(vec![(0.0, f32::INFINITY), (0.0, 6.0), (-0.5, 1.0), (0.5, 1.5)]),
        (padded, norm) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let mut x = net.input("x", &[height, width, channels]);
        if padded {
            x = net.pad("pad", around(1), x);
        }
        let clip = Activation::Clip { low: Scalar::new(before.0), high: Scalar::new(before.1) };
        let y = net.activation("clip", clip, x);
        let mut y = net.conv("depthwise", depthwise(channels, zeros), y);
        if norm {
            y = net.batch_norm("norm", y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.firings.contains_key("fuse-prologue"));
        prop_assert!(prologues(&graph)[0].is_some());
        // Zeros that a clamp changes are no padding.
        let expected = if padded && before.0 > 0.0 { 2 } else { 1 };
        prop_assert_eq!(ops(&graph).len(), expected);
    }
}

#[test]
fn what_another_layer_reads_unclamped_is_clamped_where_it_is_read() {
    let mut net = Net::new(1);
    let x = net.input("x", &[19, 19, 16]);
    let other = net.input("other", &[19, 19, 16]);
    let u = net.conv("before", conv(16, 1), x);
    let sum = net.sum("sum", u, other);
    let relu = net.activation("relu", Activation::Relu, sum);
    let y = net.conv("depthwise", depthwise(16, 1), relu);
    let y = net.conv("pointwise", conv(16, 1), y);
    let y = net.batch_norm("norm", y);
    let y = net.sum("out", y, sum);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_equal(&source, &graph);
    assert_eq!(ops(&graph), ["conv2d+add", "conv2d", "conv2d+bias+add"]);
    assert_eq!(prologues(&graph), [None, Some(Activation::Relu), None]);
}

#[test]
fn behind_a_layer_that_nothing_else_reads_it_stays() {
    let mut net = Net::new(2);
    let x = net.input("x", &[9, 9, 8]);
    let y = net.conv("before", conv(8, 1), x);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.conv("depthwise", depthwise(8, 1), y);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+relu", "conv2d"]);
    assert_eq!(prologues(&graph), [None, None]);
}

#[test]
fn dense_convolutions_other_functions_and_outputs_stay_apart() {
    let build = |layer: Conv2d, activation: Activation, kept: bool| {
        let mut net = Net::new(3);
        let x = net.input("x", &[9, 9, 8]);
        let act = net.activation("act", activation, x);
        let y = net.conv("conv", layer, act);
        let outputs = if kept { vec![y, act] } else { vec![y] };
        let source = net.finish(&outputs);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        prologues(&graph)
    };
    let relu = Activation::Relu;
    assert_eq!(build(conv(8, 3), relu, false), [None]);
    assert_eq!(build(Conv2d { groups: 2, ..conv(8, 3) }, relu, false), [None]);
    assert_eq!(build(Conv2d { groups: 8, ..conv(16, 3) }, relu, false), [None]);
    assert_eq!(build(depthwise(8, 1), Activation::Swish, false), [None]);
    assert_eq!(build(depthwise(8, 1), relu, true), [None]);
    assert_eq!(build(depthwise(8, 1), relu, false), [Some(relu)]);
}
