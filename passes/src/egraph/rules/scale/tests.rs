use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Conv2d, Dense, Epilogue, Scalar};
use proptest::prelude::*;

use crate::testing::{Net, around, assert_equal, conv, difference, ops, optimised, rounding};

fn rescale(scale: f32, offset: f32) -> Activation {
    Activation::Rescale { scale: Scalar::new(scale), offset: Scalar::new(offset) }
}

/// Groups, input channels, filters.
fn channels() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        (1..5usize, 1..5usize).prop_map(|(inputs, filters)| (1, inputs, filters)),
        (2..4usize, 1..4usize, 1..4usize).prop_map(|(groups, inputs, filters)| (
            groups,
            groups * inputs,
            groups * filters
        )),
        (2..6usize, 1..3usize).prop_map(|(channels, times)| (channels, channels, channels * times)),
    ]
}

/// Exact in f32, whatever the tests' weights are.
const NUMBERS: [f32; 4] = [0.0, 0.5, -2.0, 1.5];

proptest! {
    #[test]
    fn a_rescale_behind_a_layer_changes_no_value(
        (groups, inputs, filters) in channels(),
        scale in prop::sample::select(NUMBERS.to_vec()),
        offset in prop::sample::select(NUMBERS.to_vec()),
        (bias, norm, added) in any::<(bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[4, 5, inputs]);
        let layer = Conv2d { groups, padding: around(1), epilogue: Epilogue::with_bias(bias), ..conv(filters, 3) };
        let mut y = net.conv("conv", layer, x);
        if norm {
            y = net.batch_norm("norm", y);
        }
        y = net.activation("rescale", rescale(scale, offset), y);
        if added {
            let other = net.conv("other", conv(filters, 1), x);
            let other = net.activation("kept", Activation::Sigmoid, other);
            y = net.sum("add", y, other);
            y = net.activation("relu", Activation::Relu, y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.firings.contains_key("fold-rescale"));
        let left = ops(&graph);
        prop_assert!(left.iter().all(|op| !op.contains("rescale") && op != "relu" && op != "add"), "{:?}", left);
    }

    #[test]
    fn a_scale_before_a_convolution_changes_no_value(
        (groups, inputs, filters) in channels(),
        scale in prop::sample::select(NUMBERS.to_vec()),
        offset in prop::sample::select(NUMBERS.to_vec()),
        zeros in 0..2usize,
        (bias, by_norm, norm, act) in any::<(bool, bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[4, 5, inputs]);
        let before = if by_norm {
            net.batch_norm("before", x)
        } else {
            net.activation("before", rescale(scale, offset), x)
        };
        let layer = Conv2d { groups, padding: around(zeros), epilogue: Epilogue::with_bias(bias), ..conv(filters, 2) };
        let mut y = net.conv("conv", layer, before);
        if norm {
            y = net.batch_norm("norm", y);
        }
        if act {
            y = net.activation("relu", Activation::Relu, y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        // Sums at the border would miss a part of what is added.
        let shifts = by_norm || offset != 0.0;
        let folds = zeros == 0 || !shifts;
        prop_assert_eq!(rewriting.firings.contains_key("fold-scale-before"), folds);
        prop_assert_eq!(ops(&graph).len(), if folds { 1 } else { 2 });
    }
}

/// One number a channel, not all the same, and exact with its reciprocal.
const CHANNELS: [f32; 4] = [0.5, -2.0, 4.0, 1.0];

/// The kinds of arithmetic that go into weights: which, and whether the constant comes first.
fn arithmetic() -> impl Strategy<Value = (Binary, bool)> {
    prop::sample::select(vec![
        (Binary::Add, false),
        (Binary::Add, true),
        (Binary::Sub, false),
        (Binary::Sub, true),
        (Binary::Mul, false),
        (Binary::Mul, true),
        (Binary::Div, false),
    ])
}

proptest! {
    #[test]
    fn one_number_a_channel_behind_a_layer_changes_no_value(
        (groups, inputs, filters) in channels(),
        (binary, swapped) in arithmetic(),
        rank in 1..4usize,
        (bias, norm, again) in any::<(bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[4, 5, inputs]);
        let layer = Conv2d { groups, padding: around(1), epilogue: Epilogue::with_bias(bias), ..conv(filters, 3) };
        let mut y = net.conv("conv", layer, x);
        if norm {
            y = net.batch_norm("norm", y);
        }
        let axes = [vec![1; rank - 1], vec![filters]].concat();
        for turn in 0..=usize::from(again) {
            let constant = net.constant(&format!("constant{turn}"), &axes, &CHANNELS);
            let (first, second) = if swapped { (constant, y) } else { (y, constant) };
            y = net.binary(&format!("join{turn}"), binary, first, second);
        }
        let y = net.activation("relu", Activation::Relu, y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        let rule = if filters == 1 { "fold-rescale" } else { "fold-channels" };
        prop_assert!(rewriting.firings.contains_key(rule));
        prop_assert!(ops(&graph).len() == 1, "{:?}", ops(&graph));
    }

    #[test]
    fn one_number_a_channel_before_a_convolution_changes_no_value(
        (groups, inputs, filters) in channels(),
        (binary, swapped) in arithmetic(),
        rank in 1..4usize,
        zeros in 0..2usize,
        bias in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[4, 5, inputs]);
        let constant = net.constant("constant", &[vec![1; rank - 1], vec![inputs]].concat(), &CHANNELS);
        let (first, second) = if swapped { (constant, x) } else { (x, constant) };
        let y = net.binary("join", binary, first, second);
        let layer = Conv2d { groups, padding: around(zeros), epilogue: Epilogue::with_bias(bias), ..conv(filters, 2) };
        let y = net.conv("conv", layer, y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        let folds = zeros == 0 || [Binary::Mul, Binary::Div].contains(&binary);
        prop_assert_eq!(rewriting.firings.contains_key("fold-scale-before"), folds);
    }

    #[test]
    fn one_number_a_unit_behind_a_dense_layer_changes_no_value(
        (inputs, units) in (1..5usize, 2..6usize),
        (binary, swapped) in arithmetic(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[inputs]);
        let y = net.dense("dense", units, x);
        let constant = net.constant("constant", &[units], &CHANNELS);
        let (first, second) = if swapped { (constant, y) } else { (y, constant) };
        let y = net.binary("join", binary, first, second);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert_eq!(ops(&graph), ["dense+bias"]);
    }
}

proptest! {
    #[test]
    fn a_scale_before_a_dense_layer_changes_no_value(
        (inputs, units) in (2..6usize, 1..6usize),
        by in prop::option::of(arithmetic()),
        bias in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[inputs]);
        let y = match by {
            None => net.batch_norm("norm", x),
            Some((binary, swapped)) => {
                let constant = net.constant("constant", &[inputs], &CHANNELS);
                let (first, second) = if swapped { (constant, x) } else { (x, constant) };
                net.binary("join", binary, first, second)
            }
        };
        let y = net.add("dense", Op::Dense(Dense { units, epilogue: Epilogue::with_bias(bias) }), &[y]);
        let y = net.activation("relu", Activation::Relu, y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.firings.contains_key("fold-scale-before-dense"));
        prop_assert!(ops(&graph).len() == 1, "{:?}", ops(&graph));
    }
}

/// What a sixth that is rounded may move a value by.
const ROUNDED: f64 = 1e-6;

proptest! {
    #[test]
    fn a_hard_sigmoid_behind_a_clamp_changes_no_value(
        (groups, inputs, filters) in channels(),
        clamp in prop::sample::select(vec![(0.0, f32::INFINITY), (0.0, 6.0), (-1.0, 1.0), (-4.0, 2.0), (4.0, 5.0)]),
        (bias, dense) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let epilogue = Epilogue::with_bias(bias);
        let y = if dense {
            let x = net.input("x", &[inputs]);
            net.add("sum", Op::Dense(Dense { units: filters, epilogue }), &[x])
        } else {
            let x = net.input("x", &[4, 5, inputs]);
            net.conv("sum", Conv2d { groups, epilogue, ..conv(filters, 2) }, x)
        };
        let (low, high) = (Scalar::new(clamp.0), Scalar::new(clamp.1));
        let y = net.activation("clamp", Activation::Clip { low, high }, y);
        let y = net.activation("gate", Activation::HardSigmoid, y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        prop_assert!(difference(&source, &graph) <= ROUNDED + rounding(&source));
        prop_assert!(rewriting.firings.contains_key("fold-hard-sigmoid"));
        prop_assert!(ops(&graph).len() == 1, "{:?}", ops(&graph));
    }
}

#[test]
fn a_hard_sigmoid_behind_a_residual_or_what_is_no_clamp_stays() {
    for residual in [false, true] {
        let mut net = Net::new(8);
        let x = net.input("x", &[3, 3, 2]);
        let mut y = net.conv("conv", conv(2, 1), x);
        if residual {
            y = net.activation("relu", Activation::Relu, y);
            y = net.sum("add", y, x);
        } else {
            y = net.activation("tanh", Activation::Tanh, y);
        }
        let y = net.activation("gate", Activation::HardSigmoid, y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        assert!(!rewriting.firings.contains_key("fold-hard-sigmoid"));
    }
}

#[test]
fn a_constant_on_another_axis_or_that_widens_stays() {
    // Height, width and channels are alike: only the axis tells them apart.
    for of in [&[3, 1][..], &[3, 1, 1], &[3, 3], &[3, 3, 3], &[1, 1, 1, 3]] {
        let mut net = Net::new(4);
        let x = net.input("x", &[3, 3, 2]);
        let y = net.conv("conv", conv(3, 1), x);
        let constant = net.constant("constant", of, &CHANNELS);
        let y = net.binary("mul", Binary::Mul, y, constant);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        assert!(!rewriting.firings.contains_key("fold-channels"), "{of:?}");
    }
    let mut net = Net::new(5);
    let x = net.input("x", &[1, 3, 2]);
    let y = net.conv("conv", conv(1, 1), x);
    let constant = net.constant("constant", &[3], &CHANNELS);
    let y = net.binary("add", Binary::Add, y, constant);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_equal(&source, &graph);
    assert_eq!(ops(&graph), ["conv2d", "constant", "add"]);
}

#[test]
fn what_has_no_end_or_is_close_to_nothing_stays() {
    for (binary, value) in [(Binary::Mul, f32::INFINITY), (Binary::Add, f32::NAN), (Binary::Div, 1e-40)] {
        let mut net = Net::new(6);
        let x = net.input("x", &[3, 3, 2]);
        let y = net.conv("conv", conv(2, 1), x);
        let constant = net.constant("constant", &[2], &[1.0, value]);
        let y = net.binary("join", binary, y, constant);
        let source = net.finish(&[y]);
        let (_, rewriting) = optimised(&source);
        assert!(!rewriting.firings.contains_key("fold-channels"), "{binary:?}");
    }
}

#[test]
fn a_sum_that_others_read_too_is_there_for_them() {
    let mut net = Net::new(7);
    let x = net.input("x", &[3, 3, 2]);
    let sum = net.conv("conv", conv(2, 1), x);
    let constant = net.constant("constant", &[2], &CHANNELS);
    let y = net.binary("add", Binary::Add, sum, constant);
    let inside = net.activation("tanh", Activation::Tanh, sum);
    let source = net.finish(&[y, inside, constant]);
    let (graph, _) = optimised(&source);
    assert_equal(&source, &graph);
    let names: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    assert_eq!(names, ["add", "tanh", "constant"]);
}

#[test]
fn an_activation_or_a_residual_between_keeps_them_apart() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.activation("rescale", rescale(0.5, 0.0), y);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    assert!(!rewriting.firings.contains_key("fold-rescale"));
    assert_eq!(ops(&graph), ["conv2d+relu", "rescale"]);
}

#[test]
fn what_is_rescaled_behind_a_residual_is_rescaled_there() {
    let mut net = Net::new(2);
    let x = net.input("x", &[4, 4, 3]);
    let other = net.input("other", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.sum("add", y, other);
    let y = net.activation("rescale", rescale(0.5, 0.25), y);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    assert!(!rewriting.firings.contains_key("fold-rescale"));
    assert_eq!(ops(&graph), ["conv2d+add+rescale"]);
}

#[test]
fn a_normalisation_between_two_layers_goes_into_the_first() {
    let mut net = Net::new(3);
    let x = net.input("x", &[4, 4, 3]);
    let mut y = x;
    for index in 0..12 {
        y = net.conv(&format!("conv{index}"), conv(3, 1), y);
        y = net.batch_norm(&format!("norm{index}"), y);
    }
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    assert!(!rewriting.firings.contains_key("fold-scale-before"));
    assert_eq!(ops(&graph), vec!["conv2d+bias"; 12]);
}
