use frit_ir::ops::{Activation, Conv2d, Padding};
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
