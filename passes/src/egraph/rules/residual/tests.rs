use frit_ir::ops::{Activation, Conv2d, Epilogue};
use proptest::prelude::*;

use crate::testing::{Net, assert_equal, conv, ops, optimised};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_residual_on_either_side_changes_no_value(
        (groups, channels, height) in (1..4usize, 1..4usize, 1..5usize),
        (swapped, activated, normed) in any::<(bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[height, 4, channels * groups]);
        let other = net.input("other", &[height, 4, channels * groups]);
        let mut y = net.conv("conv", Conv2d { groups, ..conv(channels * groups, 1) }, x);
        if normed {
            y = net.batch_norm("norm", y);
        }
        if activated {
            y = net.activation("relu", Activation::Relu, y);
        }
        let y = if swapped { net.sum("add", other, y) } else { net.sum("add", y, other) };
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph).len(), 1);
        prop_assert!(ops(&graph)[0].ends_with("+add"));
        assert_equal(&source, &graph);
    }

    #[test]
    fn a_residual_of_a_dense_layer_changes_no_value(units in 1..9usize, seed in any::<u64>()) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[units]);
        let y = net.dense("dense", units, x);
        let y = net.sum("add", x, y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph), ["dense+bias+add"]);
        assert_equal(&source, &graph);
    }
}

#[test]
fn a_layer_takes_one_residual_and_leaves_the_next_add_alone() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let other = net.input("other", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.sum("first", y, other);
    let y = net.sum("second", y, other);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+add", "add"]);
    assert_equal(&source, &graph);
}

#[test]
fn nothing_is_fused_behind_the_second_activation() {
    let mut net = Net::new(2);
    let x = net.input("x", &[4, 4, 3]);
    let other = net.input("other", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.sum("first", y, other);
    let y = net.activation("relu", Activation::Relu, y);
    let y = net.sum("second", y, other);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+add+relu", "add"]);
    assert_equal(&source, &graph);
}

#[test]
fn a_layer_added_to_itself_is_computed_once() {
    let mut net = Net::new(3);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.sum("add", y, y);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d", "add"]);
    assert!(rewriting.firings.is_empty());
    assert_equal(&source, &graph);
}

#[test]
fn an_add_of_two_outputs_stays_apart() {
    let mut net = Net::new(4);
    let x = net.input("x", &[4, 4, 3]);
    let first = net.conv("first", conv(3, 1), x);
    let second = net.conv("second", conv(3, 1), x);
    let y = net.sum("add", first, second);
    let source = net.finish(&[y, first, second]);
    assert_eq!(ops(&optimised(&source).0), ["conv2d", "conv2d", "add"]);
}

#[test]
fn of_two_layers_one_takes_the_sum() {
    let mut net = Net::new(5);
    let x = net.input("x", &[4, 4, 3]);
    let first = net.conv("first", conv(3, 1), x);
    let second = net.conv("second", conv(3, 3), x);
    let second = net.pad("pad", crate::testing::around(1), second);
    let y = net.sum("add", first, second);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d", "pad", "conv2d+add"]);
    assert_equal(&source, &graph);
}

#[test]
fn a_layer_whose_second_activation_is_set_takes_no_residual_before_it() {
    let mut net = Net::new(6);
    let x = net.input("x", &[4, 4, 3]);
    let epilogue = Epilogue { activation_after: Some(Activation::Relu), ..Epilogue::default() };
    let y = net.conv("conv", Conv2d { epilogue, ..conv(3, 1) }, x);
    let y = net.sum("add", y, x);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+relu", "add"]);
    assert_equal(&source, &graph);
}
