use frit_ir::NodeId;
use frit_ir::ops::{Activation, Conv2d, Padding};
use proptest::prelude::*;

use crate::testing::{Draw, Net, around, assert_equal, conv, ops, optimised};

/// A linear branch of `x` that keeps its height and width at stride 1: of four kinds, the last two at stride 1 only.
fn branch(net: &mut Net, name: &str, kind: usize, like: Conv2d, x: NodeId) -> NodeId {
    match kind {
        0 => net.conv(name, Conv2d { kernel: [3, 3], padding: around(1), ..like }, x),
        1 => net.conv(name, like, x),
        2 => {
            // A shift: a row of two taps, beside the centre.
            let padding = Padding { left: 1, ..Padding::default() };
            net.conv(name, Conv2d { kernel: [1, 2], padding, ..like }, x)
        }
        3 => x,
        _ => net.batch_norm(name, x),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn branches_of_one_map_are_one_convolution(
        (groups, channels, height) in (1..4usize, 1..4usize, 3..7usize),
        kinds in prop::collection::vec((0..5usize, any::<bool>()), 1..5),
        (strided, activated) in any::<(bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let filters = groups * channels;
        let mut net = Net::new(seed);
        let x = net.input("x", &[height, 5, filters]);
        let stride = if strided { [2, 2] } else { [1, 1] };
        let like = Conv2d { groups, stride, ..conv(filters, 1) };
        let mut draw = Draw::new(seed);
        let mut y = branch(&mut net, "first", 0, like, x);
        for (index, &(kind, normed)) in kinds.iter().enumerate() {
            let kind = if strided { kind % 3 } else { kind };
            let mut part = branch(&mut net, &format!("part{index}"), kind, like, x);
            if normed && kind < 3 {
                part = net.batch_norm(&format!("norm{index}"), part);
            }
            let name = format!("sum{index}");
            y = if draw.below(2) == 0 { net.sum(&name, y, part) } else { net.sum(&name, part, y) };
        }
        y = net.batch_norm("last", y);
        if activated {
            y = net.activation("relu", Activation::Relu, y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        prop_assert_eq!(ops(&graph), [if activated { "conv2d+bias+relu" } else { "conv2d+bias" }]);
        prop_assert!(rewriting.firings.contains_key("sum-convs"));
        assert_equal(&source, &graph);
    }
}

#[test]
fn branches_are_added_in_any_order() {
    let mut net = Net::new(1);
    let x = net.input("x", &[6, 6, 4]);
    let parts: Vec<NodeId> =
        (0..4).map(|kind| branch(&mut net, &format!("p{kind}"), kind, conv(4, 1), x)).collect();
    let first = net.sum("first", parts[3], parts[0]);
    let second = net.sum("second", parts[1], parts[2]);
    let y = net.sum("both", first, second);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d"]);
    assert_equal(&source, &graph);
}

/// What is left of a 3×3 and another convolution, one of them of `relu(x)` where `apart`, with an activation between where
/// `activated`.
fn left(first: Conv2d, second: Conv2d, apart: bool, activated: bool) -> Vec<String> {
    let mut net = Net::new(2);
    let x = net.input("x", &[6, 6, 4]);
    let other = if apart { net.input("other", &[6, 6, 4]) } else { x };
    let first = net.conv("first", first, x);
    let mut second = net.conv("second", second, other);
    if activated {
        second = net.activation("tanh", Activation::Tanh, second);
    }
    let y = net.sum("add", first, second);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    assert!(!rewriting.firings.contains_key("sum-convs"));
    ops(&graph)
}

#[test]
fn what_differs_in_more_than_its_window_stays() {
    let three = Conv2d { kernel: [3, 3], padding: around(1), ..conv(4, 1) };
    for (second, apart, activated) in [
        (conv(4, 1), true, false),
        (conv(4, 1), false, true),
        (Conv2d { groups: 2, ..conv(4, 1) }, false, false),
        (Conv2d { padding: around(2), dilation: [2, 2], ..three }, false, false),
    ] {
        assert_eq!(left(three, second, apart, activated).len(), 2);
    }
    // Another stride over a map that is as large as the result of the other.
    let strided = Conv2d { stride: [2, 2], padding: around(3), ..conv(4, 1) };
    assert_eq!(left(conv(4, 1), strided, false, false).len(), 2);
}
