use frit_ir::ops::{Activation, Dense, Epilogue, Reshape};
use frit_ir::{NodeId, Op, Shape};
use proptest::prelude::*;

use crate::testing::{Net, assert_equal, ops, optimised};

/// A dense layer of what `x`, of so many elements, is as a vector; the result in shape `to`.
fn between(net: &mut Net, dense: Dense, x: NodeId, to: &[usize]) -> NodeId {
    let y = net.reshape("vector", Reshape::Flatten, x);
    let y = net.add("dense", Op::Dense(dense), &[y]);
    net.reshape("back", Reshape::To(Shape::new(to)), y)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn from_pixel_to_pixel_it_is_a_convolution(
        (inputs, units) in (1..6usize, 1..6usize),
        (bias, norm, inner, outer) in any::<(bool, bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[1, 1, inputs]);
        let y = net.reshape("vector", Reshape::Flatten, x);
        let mut y = net.add("dense", Op::Dense(Dense { units, epilogue: Epilogue::with_bias(bias) }), &[y]);
        if norm {
            y = net.batch_norm("norm", y);
        }
        if inner {
            y = net.activation("inner", Activation::Relu6, y);
        }
        let mut y = net.reshape("back", Reshape::To(Shape::new(&[1, 1, units])), y);
        if outer {
            y = net.activation("outer", Activation::Relu, y);
        }
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        let left = ops(&graph);
        prop_assert!(left.len() == 1 && left[0].starts_with("conv2d"), "{:?}", left);
    }
}

#[test]
fn of_more_pixels_or_to_more_it_stays() {
    for (from, to) in [([1, 2, 3], [1, 1, 4]), ([1, 1, 6], [1, 2, 2]), ([1, 1, 6], [4, 1, 1])] {
        let mut net = Net::new(1);
        let x = net.input("x", &from);
        let y = between(&mut net, Dense { units: 4, epilogue: Epilogue::with_bias(true) }, x, &to);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        assert_eq!(ops(&graph), ["reshape", "dense+bias", "reshape"]);
    }
}

#[test]
fn what_a_layer_adds_has_no_place_in_another_shape() {
    let mut net = Net::new(2);
    let (x, other) = (net.input("x", &[1, 1, 3]), net.input("other", &[4]));
    let vector = net.reshape("vector", Reshape::Flatten, x);
    let epilogue = Epilogue { residual: true, ..Epilogue::default() };
    let y = net.add("dense", Op::Dense(Dense { units: 4, epilogue }), &[vector, other]);
    let y = net.reshape("back", Reshape::To(Shape::new(&[1, 1, 4])), y);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_equal(&source, &graph);
    assert_eq!(ops(&graph), ["reshape", "dense+add", "reshape"]);
}
