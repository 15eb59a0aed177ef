use frit_ir::Op;
use frit_ir::ops::{Activation, BatchNorm, Conv2d, Dense, Epilogue, Padding, Scalar};
use frit_ir::weights::Data;
use proptest::prelude::*;

use crate::testing::{EPSILON, Net, assert_equal, conv, ops, optimised};

fn norm(scale: bool, center: bool) -> Op {
    Op::BatchNorm(BatchNorm { epsilon: Scalar::new(EPSILON), scale, center })
}

/// Groups, channels of each, and filters of each: 1 group, some, or as many as channels.
fn grouping() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        (Just(1usize), 1..6usize, 1..6usize),
        (2..4usize, 2..4usize, 1..4usize),
        (2..7usize, Just(1usize), 1..4usize)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_fold_into_a_convolution_changes_no_value(
        (groups, inputs, filters) in grouping(),
        (height, width) in (3..6usize, 3..6usize),
        (kernel, stride, zeros) in (1..4usize, 1..3usize, 0..2usize),
        (bias, scale, center) in any::<(bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[height, width, inputs * groups]);
        let layer = Conv2d {
            groups,
            stride: [stride, 1],
            padding: Padding { top: zeros, left: 1, ..Padding::default() },
            epilogue: Epilogue::with_bias(bias),
            ..conv(filters * groups, kernel)
        };
        let y = net.conv("conv", layer, x);
        let y = net.add("norm", norm(scale, center), &[y]);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph), ["conv2d+bias"]);
        assert_equal(&source, &graph);
    }

    #[test]
    fn a_fold_into_a_dense_layer_changes_no_value(
        (inputs, units) in (1..9usize, 1..9usize),
        (bias, scale, center) in any::<(bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[inputs]);
        let y = net.add("dense", Op::Dense(Dense { units, epilogue: Epilogue::with_bias(bias) }), &[x]);
        let y = net.add("norm", norm(scale, center), &[y]);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph), ["dense+bias"]);
        assert_equal(&source, &graph);
    }

    #[test]
    fn norms_in_a_row_fold_one_after_the_other(count in 2..6usize, seed in any::<u64>()) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[4, 4, 3]);
        let mut y = net.conv("conv", conv(5, 3), x);
        for index in 0..count {
            y = net.batch_norm(&format!("norm{index}"), y);
        }
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph), ["conv2d+bias"]);
        assert_equal(&source, &graph);
    }
}

#[test]
fn no_fold_behind_an_activation() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(4, 3), x);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.batch_norm("norm", y);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+relu", "batch_norm"]);
    assert_equal(&source, &graph);
}

#[test]
fn no_fold_into_a_convolution_that_is_an_output() {
    let mut net = Net::new(2);
    let x = net.input("x", &[4, 4, 3]);
    let conv = net.conv("conv", conv(4, 3), x);
    let y = net.batch_norm("norm", conv);
    let source = net.finish(&[y, conv]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d", "batch_norm"]);
    assert_equal(&source, &graph);
}

#[test]
fn a_norm_of_an_input_stays() {
    let mut net = Net::new(3);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.batch_norm("norm", x);
    let source = net.finish(&[y]);
    assert_eq!(ops(&optimised(&source).0), ["batch_norm"]);
}

#[test]
fn weights_that_nothing_folds_into_keep_their_name_and_values() {
    let mut net = Net::new(5);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("kept", Conv2d { epilogue: Epilogue::with_bias(true), ..conv(4, 3) }, x);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.conv("folded", conv(4, 1), y);
    let y = net.batch_norm("norm", y);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    let names: Vec<&str> = graph.weights.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["kept.bias", "kept.kernel", "norm.bias", "norm.kernel"]);
    let (Some(Data::Values(before)), Some(Data::Values(after))) = (
        source.weights.get("kept.kernel").map(|w| &w.data),
        graph.weights.get("kept.kernel").map(|w| &w.data),
    ) else {
        panic!("both have values");
    };
    assert!(std::ptr::eq(&**before, &**after), "the values are shared, not copied");
}

proptest! {
    #[test]
    fn a_rescale_before_a_norm_changes_no_value(
        factor in prop::sample::select(vec![0.5f32, -2.0, 0.25]),
        offset in prop::sample::select(vec![0.0f32, 1.5, -1.0]),
        (scale, center, padded, dense) in any::<(bool, bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = if dense { net.input("x", &[3]) } else { net.input("x", &[5, 4, 3]) };
        let rescale = Activation::Rescale { scale: Scalar::new(factor), offset: Scalar::new(offset) };
        let y = net.activation("rescale", rescale, x);
        let mut y = net.add("norm", norm(scale, center), &[y]);
        // What takes in the norm takes its factors in their folded form.
        if dense {
            y = net.dense("dense", 2, y);
        } else if padded {
            y = net.conv("conv", Conv2d { padding: crate::testing::around(1), ..conv(4, 3) }, y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.firings.contains_key("fold-rescale-before-norm"));
        prop_assert_eq!(ops(&graph).len(), 1 + usize::from(padded && !dense));
        if dense {
            prop_assert_eq!(rewriting.firings["fold-scale-before-dense"], 1);
        }
    }
}

#[test]
fn a_rescale_to_nothing_and_one_that_a_layer_takes_in_stay_out_of_the_norm() {
    for factor in [0.0, 0.5] {
        let mut net = Net::new(9);
        let mut y = net.input("x", &[5, 4, 3]);
        if factor != 0.0 {
            y = net.conv("conv", conv(4, 3), y);
        }
        let rescale = Activation::Rescale { scale: Scalar::new(factor), offset: Scalar::new(1.0) };
        let y = net.activation("rescale", rescale, y);
        let y = net.batch_norm("norm", y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        assert!(!rewriting.firings.contains_key("fold-rescale-before-norm"));
    }
}
