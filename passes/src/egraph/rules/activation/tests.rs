use frit_ir::ops::{Activation, Scalar};
use proptest::prelude::*;

use super::{merged, named};
use crate::testing::{Net, assert_equal, assert_kept, conv, ops, optimised};

fn clip(low: f32, high: f32) -> Activation {
    Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) }
}

/// Clamps with bounds that meet and overlap in every way, a few that are no interval, and what is no clamp.
fn activation() -> impl Strategy<Value = Activation> {
    let bound = prop::sample::select(vec![f32::NEG_INFINITY, -1.0, -0.0, 0.0, 0.25, 1.0, 6.0, f32::INFINITY]);
    prop_oneof![
        prop::sample::select(Activation::BY_NAME.to_vec()),
        (bound.clone(), bound).prop_map(|(a, b)| clip(a, b))
    ]
}

/// One activation behind another, behind an input.
fn chain(activations: &[Activation]) -> (frit_ir::Graph, Vec<String>) {
    let mut net = Net::new(1);
    let mut y = net.input("x", &[3, 3, 4]);
    for (index, &activation) in activations.iter().enumerate() {
        y = net.activation(&format!("a{index}"), activation, y);
    }
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_equal(&source, &graph);
    let ops = ops(&graph);
    (graph, ops)
}

proptest! {
    #[test]
    fn a_merged_clamp_is_the_clamp_of_the_clamp(inner in activation(), outer in activation(), x in -9.0..9.0f64) {
        if let Some(both) = merged(inner, outer) {
            prop_assert_eq!(both.apply(x), outer.apply(inner.apply(x)));
        }
        let (named, plain) = (named(inner).apply(x), inner.apply(x));
        prop_assert!(named == plain || (named.is_nan() && plain.is_nan()), "{} is not {}", named, plain);
    }

    #[test]
    fn chains_of_clamps_keep_their_values(activations in prop::collection::vec(activation(), 1..6)) {
        chain(&activations);
    }

    #[test]
    fn chains_behind_a_convolution_keep_their_values(
        activations in prop::collection::vec(activation(), 1..5),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[3, 3, 2]);
        let mut y = net.conv("conv", conv(3, 2), x);
        for (index, &activation) in activations.iter().enumerate() {
            y = net.activation(&format!("a{index}"), activation, y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_kept(&source, &graph, &rewriting);
    }
}

#[test]
fn a_chain_of_ever_tighter_clamps_gets_an_e_node_for_each_and_not_for_each_span() {
    let mut net = Net::new(1);
    let mut y = net.input("x", &[3, 3, 4]);
    for index in 0..32u8 {
        let bound = f32::from(40 - index);
        y = net.activation(&format!("a{index}"), clip(-bound, bound), y);
    }
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(ops(&graph), ["clip"]);
    assert!(rewriting.enodes <= 3 * rewriting.encoded, "{} of {}", rewriting.enodes, rewriting.encoded);
}

#[test]
fn clips_get_the_names_of_the_activations_that_they_are() {
    assert_eq!(chain(&[clip(0.0, 6.0)]).1, ["relu6"]);
    assert_eq!(chain(&[clip(-0.0, f32::INFINITY)]).1, ["relu"]);
    assert_eq!(chain(&[clip(-1.0, 1.0)]).1, ["clip"]);
}

#[test]
fn relu_of_relu_is_one_relu_and_relu6_takes_in_both() {
    assert_eq!(chain(&[Activation::Relu, Activation::Relu]).1, ["relu"]);
    assert_eq!(chain(&[Activation::Relu, Activation::Relu6]).1, ["relu6"]);
    assert_eq!(chain(&[Activation::Relu6, Activation::Relu]).1, ["relu6"]);
}

#[test]
fn a_clip_without_bounds_goes() {
    let all = clip(f32::NEG_INFINITY, f32::INFINITY);
    assert_eq!(chain(&[Activation::Relu, all]).1, ["relu"]);
    assert_eq!(chain(&[all, clip(-2.0, 3.0), clip(-1.0, 4.0)]).1, ["clip"]);
}

#[test]
fn clamps_that_are_no_interval_are_left_alone() {
    assert_eq!(chain(&[clip(1.0, -1.0), Activation::Relu]).1, ["clip", "relu"]);
}

#[test]
fn what_is_no_clamp_merges_with_nothing_and_hides_no_clamps_behind_it() {
    let relu = Activation::Relu;
    for smooth in Activation::BY_NAME.into_iter().filter(|activation| activation.bounds().is_none()) {
        let name = smooth.name();
        assert_eq!(chain(&[smooth, smooth]).1, [name, name]);
        assert_eq!(chain(&[relu, smooth, relu]).1, ["relu", name, "relu"]);
        assert_eq!(chain(&[smooth, relu, clip(-1.0, 1.0)]).1, [name, "clip"]);
        assert_eq!(chain(&[smooth, relu, relu]).1, [name, "relu"]);
    }
}

#[test]
fn every_activation_goes_into_a_free_place_of_a_layer_and_into_no_taken_one() {
    for activation in Activation::BY_NAME {
        let behind = |first: Activation| {
            let mut net = Net::new(6);
            let x = net.input("x", &[4, 4, 3]);
            let y = net.conv("conv", conv(3, 1), x);
            let y = net.activation("first", first, y);
            let y = net.activation("second", activation, y);
            let source = net.finish(&[y]);
            let (graph, rewriting) = optimised(&source);
            assert_kept(&source, &graph, &rewriting);
            ops(&graph)
        };
        let name = activation.name();
        assert_eq!(behind(clip(f32::NEG_INFINITY, f32::INFINITY)), [format!("conv2d+{name}")]);
        assert_eq!(behind(Activation::Swish), ["conv2d+swish", name]);
        // Behind a clamp that is another clamp of other weights.
        if activation.bounds().is_none() && activation != Activation::HardSigmoid {
            assert_eq!(behind(Activation::Relu6), ["conv2d+relu6", name]);
        }
    }
}

#[test]
fn activations_before_and_after_a_residual_both_go_into_the_layer() {
    let mut net = Net::new(7);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.sum("add", y, x);
    let y = net.activation("relu6", Activation::Relu6, y);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+relu+add+relu6"]);
    assert_equal(&source, &graph);
}

#[test]
fn an_activation_behind_an_output_stays_apart() {
    let mut net = Net::new(8);
    let x = net.input("x", &[4, 4, 3]);
    let conv = net.conv("conv", conv(3, 3), x);
    let y = net.activation("relu", Activation::Relu, conv);
    let source = net.finish(&[conv, y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d", "relu"]);
}

#[test]
fn a_sum_that_is_dear_is_shared_and_one_that_is_cheap_is_computed_twice() {
    let shared = |channels: usize, kernel: usize| {
        let mut net = Net::new(9);
        let x = net.input("x", &[28, 28, channels]);
        let y = net.conv("conv", conv(channels, kernel), x);
        let relu = net.activation("relu", Activation::Relu, y);
        let clip = net.activation("clip", clip(-1.0, 1.0), y);
        let (first, second) = (net.pool("first", false, relu), net.pool("second", false, clip));
        let source = net.finish(&[first, second]);
        ops(&optimised(&source).0).iter().filter(|op| op.starts_with("conv2d")).count()
    };
    assert_eq!(shared(32, 5), 1);
    assert_eq!(shared(2, 1), 2);
}
