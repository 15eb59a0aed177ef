use frit_ir::Op;
use frit_ir::ops::{Activation, Conv2d, Epilogue, Pad, Padding, Pool, PoolKind, Scalar};
use proptest::prelude::*;

use crate::testing::{Net, around, assert_equal, conv, ops, optimised};

fn padding() -> impl Strategy<Value = Padding> {
    (0..3usize, 0..3usize, 0..3usize, 0..3usize).prop_map(|(top, bottom, left, right)| Padding {
        top,
        bottom,
        left,
        right,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn zeros_before_a_convolution_change_no_value(
        pads in prop::collection::vec(padding(), 1..4),
        own in padding(),
        (kernel, stride, dilation) in (1..3usize, 1..3usize, 1..3usize),
        (depthwise, channels) in (any::<bool>(), 1..5usize),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let mut y = net.input("x", &[4, 5, channels]);
        for (index, &pad) in pads.iter().enumerate() {
            y = net.pad(&format!("pad{index}"), pad, y);
        }
        let groups = if depthwise { channels } else { 1 };
        let layer = Conv2d {
            padding: own,
            stride: [stride, 1],
            dilation: [1, dilation],
            groups,
            ..conv(2 * channels, kernel)
        };
        let y = net.conv("conv", layer, y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph), ["conv2d"]);
        assert_equal(&source, &graph);
    }
}

/// A pool over what `value` surrounds, behind a function or not; whether the two became one.
fn is_padded_by_the_pool(pad: Padding, value: f32, act: Option<Activation>, pool: Pool) -> bool {
    let mut net = Net::new(5);
    let mut y = net.input("x", &[7, 8, 3]);
    if let Some(act) = act {
        y = net.activation("act", act, y);
    }
    let y = net.add("pad", Op::Pad(Pad { padding: pad, value: Scalar::new(value) }), &[y]);
    let y = net.add("pool", Op::Pool(pool), &[y]);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    rewriting.firings.contains_key("fuse-pad-pool")
}

fn max(kernel: usize, padding: Padding) -> Pool {
    Pool { kind: PoolKind::Max, kernel: [kernel; 2], stride: [2, 1], padding, dilation: [1, 1] }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn zeros_before_a_mean_count(pad in padding(), own in padding(), counts in any::<bool>(), dilation in 1..3usize) {
        let counted = if counts { own } else { Padding::default() };
        let kind = PoolKind::Average { counted };
        let pool = Pool { kind, dilation: [dilation, 1], ..max(3, own) };
        prop_assert!(is_padded_by_the_pool(pad, 0.0, None, pool));
        if pad != Padding::default() {
            prop_assert!(!is_padded_by_the_pool(pad, 1.0, None, pool));
        }
    }

    #[test]
    fn zeros_before_a_maximum_go_where_nothing_is_below_them_and_every_window_has_an_element(
        pad in padding(),
        own in padding(),
        kernel in 1..5usize,
        dilation in 1..3usize,
        act in prop::sample::select(vec![
            (None, false),
            (Some(Activation::Relu), true),
            (Some(Activation::Sigmoid), true),
            (Some(Activation::Tanh), false),
            (Some(Activation::Clip { low: Scalar::new(-0.5), high: Scalar::new(6.0) }), false),
        ]),
    ) {
        let pool = Pool { dilation: [dilation, 1], ..max(kernel, own) };
        let sides = pad.sides().into_iter().zip(own.sides()).map(|(one, other)| one + other);
        let met = dilation == 1 && sides.max() < Some(kernel);
        if own.sides().iter().all(|&side| side < kernel) {
            prop_assert_eq!(is_padded_by_the_pool(pad, 0.0, act.0, pool), met && act.1);
            prop_assert!(is_padded_by_the_pool(pad, f32::NEG_INFINITY, act.0, pool));
        }
    }
}

#[test]
fn what_a_layer_leaves_last_tells_whether_anything_is_below_zero() {
    let pooled = |epilogue: Epilogue| {
        let mut net = Net::new(6);
        let x = net.input("x", &[5, 5, 3]);
        let operands: &[_] = if epilogue.residual { &[x, x] } else { &[x] };
        let y = net.add("conv", Op::Conv2d(Conv2d { epilogue, ..conv(3, 1) }), operands);
        let y = net.pad("pad", around(1), y);
        let y = net.add("pool", Op::Pool(max(3, Padding::default())), &[y]);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        rewriting.firings.contains_key("fuse-pad-pool")
    };
    let relu = Some(Activation::Relu);
    assert!(pooled(Epilogue { activation: relu, ..Epilogue::default() }));
    assert!(!pooled(Epilogue::default()));
    assert!(!pooled(Epilogue { activation: relu, residual: true, ..Epilogue::default() }));
    assert!(pooled(Epilogue { residual: true, activation_after: relu, ..Epilogue::default() }));
}

#[test]
fn a_pad_behind_which_something_else_comes_first_stays() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.pad("pad", around(1), x);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.conv("conv", conv(3, 3), y);
    let source = net.finish(&[y]);
    assert_eq!(ops(&optimised(&source).0), ["pad", "relu", "conv2d"]);
}

#[test]
fn a_pad_that_is_an_output_stays_apart() {
    let mut net = Net::new(2);
    let x = net.input("x", &[4, 4, 3]);
    let pad = net.pad("pad", around(1), x);
    let y = net.conv("conv", conv(3, 3), pad);
    let source = net.finish(&[pad, y]);
    assert_eq!(ops(&optimised(&source).0), ["pad", "conv2d"]);
}

#[test]
fn a_padded_residual_is_not_the_padding_of_the_layer() {
    let mut net = Net::new(3);
    let x = net.input("x", &[4, 4, 3]);
    let small = net.input("small", &[2, 2, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let shortcut = net.pad("pad", around(1), small);
    let y = net.sum("add", y, shortcut);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["pad", "conv2d+add"]);
    assert_equal(&source, &graph);
}

#[test]
fn a_pad_that_two_convolutions_read_goes_into_both() {
    let mut net = Net::new(4);
    let x = net.input("x", &[8, 8, 3]);
    let pad = net.pad("pad", around(1), x);
    let (first, second) = (net.conv("first", conv(3, 3), pad), net.conv("second", conv(4, 3), pad));
    let source = net.finish(&[first, second]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d", "conv2d"]);
    let computing =
        |layer: &str| rewriting.kernels.iter().filter(|k| k.sources.layers().any(|s| s == layer)).count();
    assert_eq!(computing("pad"), 2);
    assert_equal(&source, &graph);
}
