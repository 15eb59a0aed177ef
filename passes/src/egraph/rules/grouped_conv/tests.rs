use std::ops::Range;

use frit_ir::ops::{Activation, Concat, Conv2d, Epilogue, Slice};
use frit_ir::{NodeId, Op, Shape};
use proptest::prelude::*;

use crate::testing::{Net, around, assert_equal, conv, ops, optimised};

fn slice(net: &mut Net, name: &str, x: NodeId, axes: [usize; 3], channels: Range<usize>) -> NodeId {
    let slice = Slice::along(&Shape::new(&axes), 2, channels.start, channels.len());
    net.add(name, Op::Slice(slice), &[x])
}

fn concat(net: &mut Net, parts: &[NodeId]) -> NodeId {
    net.add("concat", Op::Concat(Concat { axis: 2, inputs: parts.len() }), parts)
}

/// A convolution of each of these channels of an input of `channels`, one behind the other.
fn apart(net: &mut Net, layer: Conv2d, channels: usize, parts: &[Range<usize>]) -> (Vec<NodeId>, NodeId) {
    let axes = [5, 6, channels];
    let x = net.input("x", &axes);
    let convs: Vec<NodeId> = (parts.iter().enumerate())
        .map(|(index, part)| {
            let part = slice(net, &format!("slice{index}"), x, axes, part.clone());
            net.conv(&format!("conv{index}"), layer, part)
        })
        .collect();
    let y = concat(net, &convs);
    (convs, y)
}

/// `groups` parts of `size` channels each.
fn parts(groups: usize, size: usize) -> Vec<Range<usize>> {
    (0..groups).map(|group| group * size..(group + 1) * size).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn convolutions_of_all_parts_are_one(
        (groups, inner, inputs, filters) in (2..6usize, 1..3usize, 1..4usize, 1..4usize),
        (kernel, stride, zeros) in (1..4usize, 1..3usize, 0..2usize),
        biases in prop::collection::vec(any::<bool>(), 6),
        // A normalisation and an activation: none, in each part, behind all.
        (norm, act) in (0..3usize, 0..3usize),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let axes = [5, 6, groups * inner * inputs];
        let x = net.input("x", &axes);
        let mut convs = Vec::new();
        for (index, part) in parts(groups, inner * inputs).into_iter().enumerate() {
            let part = slice(&mut net, &format!("slice{index}"), x, axes, part);
            let layer = Conv2d {
                groups: inner,
                stride: [stride, 1],
                padding: around(zeros),
                epilogue: Epilogue::with_bias(biases[index]),
                ..conv(inner * filters, kernel)
            };
            let mut y = net.conv(&format!("conv{index}"), layer, part);
            if norm == 1 {
                y = net.batch_norm(&format!("norm{index}"), y);
            }
            if act == 1 && norm < 2 {
                y = net.activation(&format!("relu{index}"), Activation::Relu, y);
            }
            convs.push(y);
        }
        let mut y = concat(&mut net, &convs);
        if norm == 2 {
            y = net.batch_norm("norm", y);
        }
        if act == 2 {
            y = net.activation("relu", Activation::Relu, y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.firings.contains_key("group-convs"));
        let left = ops(&graph);
        prop_assert!(left.len() == 1 && left[0].starts_with("conv2d"), "{:?}", left);
        let last = graph.node(graph.outputs()[0]);
        let Op::Conv2d(joined) = &last.op else { panic!("{:?}", last.op) };
        prop_assert_eq!((joined.groups, joined.filters), (groups * inner, groups * inner * filters));
    }
}

/// Whether the parts were joined.
fn is_joined(build: impl FnOnce(&mut Net) -> Vec<NodeId>) -> bool {
    let mut net = Net::new(3);
    let outputs = build(&mut net);
    let source = net.finish(&outputs);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    rewriting.firings.contains_key("group-convs")
}

#[test]
fn parts_in_another_order_that_overlap_or_leave_a_gap_stay() {
    let joined = |channels: usize, parts: &[Range<usize>]| {
        is_joined(|net| {
            let layer = conv(3, 3);
            vec![apart(net, layer, channels, parts).1]
        })
    };
    assert!(joined(6, &parts(3, 2)));
    assert!(!joined(6, &[2..4, 0..2, 4..6]), "another order");
    assert!(!joined(6, &[0..2, 2..4]), "not all");
    assert!(!joined(6, &[2..4, 4..6]), "not from the first on");
    assert!(!joined(4, &[0..2, 1..3]), "overlapping");
    assert!(!joined(4, &[0..2, 0..2]), "twice the same");
    assert!(!joined(7, &[0..2, 2..4, 5..7]), "a gap");
}

#[test]
fn parts_of_several_sizes_or_with_other_attributes_stay() {
    let each = |layers: Vec<Conv2d>| {
        is_joined(|net| {
            let axes = [5, 5, 2 * layers.len()];
            let x = net.input("x", &axes);
            let convs: Vec<NodeId> = (layers.iter().enumerate())
                .map(|(index, layer)| {
                    let part = slice(net, &format!("slice{index}"), x, axes, 2 * index..2 * index + 2);
                    net.conv(&format!("conv{index}"), *layer, part)
                })
                .collect();
            vec![concat(net, &convs)]
        })
    };
    let same = Conv2d { padding: around(1), ..conv(2, 3) };
    assert!(each(vec![same, same]));
    assert!(!each(vec![same, Conv2d { padding: around(1), ..conv(3, 3) }]), "filters");
    assert!(!each(vec![same, conv(2, 1)]), "kernels");
    assert!(!each(vec![same, Conv2d { dilation: [2, 2], padding: around(2), ..same }]), "dilation");
    assert!(!each(vec![same, Conv2d { groups: 2, ..same }]), "groups");
    let uneven = is_joined(|net| vec![apart(net, same, 4, &[0..1, 1..4]).1]);
    assert!(!uneven, "sizes");
}

#[test]
fn parts_of_two_maps_or_along_another_axis_stay() {
    assert!(!is_joined(|net| {
        let (x, y) = (net.input("x", &[4, 4, 4]), net.input("y", &[4, 4, 4]));
        let first = slice(net, "first", x, [4, 4, 4], 0..2);
        let second = slice(net, "second", y, [4, 4, 4], 2..4);
        let convs = [net.conv("a", conv(2, 1), first), net.conv("b", conv(2, 1), second)];
        vec![concat(net, &convs)]
    }));
    assert!(!is_joined(|net| {
        let x = net.input("x", &[4, 4, 4]);
        let halves = [0, 2].map(|start| {
            let rows = Slice::along(&Shape::new(&[4, 4, 4]), 0, start, 2);
            net.add(&format!("rows{start}"), Op::Slice(rows), &[x])
        });
        let convs = [net.conv("a", conv(2, 1), halves[0]), net.conv("b", conv(2, 1), halves[1])];
        vec![concat(net, &convs)]
    }));
    assert!(!is_joined(|net| {
        let x = net.input("x", &[4, 4, 4]);
        let parts = [slice(net, "a", x, [4, 4, 4], 0..2), slice(net, "b", x, [4, 4, 4], 2..4)];
        let convs = [net.conv("c", conv(2, 1), parts[0]), net.conv("d", conv(2, 1), parts[1])];
        vec![net.add("concat", Op::Concat(Concat { axis: 0, inputs: 2 }), &convs)]
    }));
}

#[test]
fn a_part_that_is_an_output_or_read_elsewhere_is_there() {
    assert!(!is_joined(|net| {
        let (convs, y) = apart(net, conv(2, 3), 4, &parts(2, 2));
        vec![y, convs[1]]
    }));
    // Joined or not is a matter of cost here; what is read is right either way.
    is_joined(|net| {
        let (convs, y) = apart(net, conv(2, 3), 4, &parts(2, 2));
        vec![y, net.activation("tanh", Activation::Tanh, convs[1])]
    });
}

#[test]
fn thirty_two_parts_are_found_at_once() {
    let mut net = Net::new(4);
    let (_, y) = apart(&mut net, Conv2d { padding: around(1), ..conv(4, 3) }, 128, &parts(32, 4));
    let y = net.batch_norm("norm", y);
    let y = net.activation("relu", Activation::Relu, y);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    assert_eq!(ops(&graph), ["conv2d+bias+relu"]);
    assert_eq!(rewriting.firings["group-convs"], 1);
    assert!(rewriting.iterations <= 8, "{} iterations", rewriting.iterations);
    assert!(rewriting.enodes <= rewriting.encoded + 16, "{} of {}", rewriting.enodes, rewriting.encoded);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn convolutions_of_one_map_are_one(
        filters in prop::collection::vec((1..4usize, any::<bool>()), 2..5),
        (inputs, kernel, stride) in (1..5usize, 1..4usize, 1..3usize),
        norm in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[6, 5, inputs]);
        let mut convs = Vec::new();
        for (index, &(filters, bias)) in filters.iter().enumerate() {
            let epilogue = Epilogue::with_bias(bias);
            let layer = Conv2d { stride: [stride; 2], padding: around(1), epilogue, ..conv(filters, kernel) };
            let mut y = net.conv(&format!("conv{index}"), layer, x);
            if norm {
                y = net.batch_norm(&format!("norm{index}"), y);
            }
            convs.push(net.activation(&format!("relu{index}"), Activation::Relu, y));
        }
        let y = concat(&mut net, &convs);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.firings.contains_key("join-convs"));
        let left = ops(&graph);
        prop_assert!(left.len() == 1 && left[0].starts_with("conv2d"), "{:?}", left);
    }
}

#[test]
fn convolutions_of_several_maps_in_groups_or_unlike_each_other_are_not_joined() {
    let fired = |first: Conv2d, second: Conv2d, same: bool| {
        let mut net = Net::new(5);
        let (x, other) = (net.input("x", &[5, 5, 4]), net.input("other", &[5, 5, 4]));
        let convs = [net.conv("a", first, x), net.conv("b", second, if same { x } else { other })];
        let y = concat(&mut net, &convs);
        let source = net.finish(&[y, other]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        rewriting.firings.contains_key("join-convs")
    };
    let plain = Conv2d { padding: around(1), ..conv(4, 3) };
    assert!(fired(plain, Conv2d { filters: 2, ..plain }, true));
    assert!(!fired(plain, plain, false));
    assert!(!fired(plain, conv(4, 1), true));
    assert!(!fired(Conv2d { groups: 2, ..plain }, Conv2d { groups: 2, ..plain }, true));
    assert!(!fired(
        plain,
        Conv2d { epilogue: Epilogue { activation: Some(Activation::Relu), ..plain.epilogue }, ..plain },
        true
    ));
}
