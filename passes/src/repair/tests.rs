use frit_ir::ops::{Activation, Conv2d, Conv2dTranspose, Epilogue};
use frit_ir::weights::Data;
use frit_ir::{Graph, NodeId, Op, Shape};
use proptest::prelude::*;

use super::{Policy, ProjectionWeights, Repaired, repair};
use crate::legality;
use crate::report::{Edit, Residual};
use crate::testing::{Draw, Net, around, conv, difference, ops};

const SEEDED: Policy = Policy::Project(ProjectionWeights::Seeded);
const ZERO: Policy = Policy::Project(ProjectionWeights::Zero);

/// Expand, depthwise with the stride, project, all with a bias of their own.
fn block(net: &mut Net, name: &str, (channels, filters, stride): (usize, usize, usize), x: NodeId) -> NodeId {
    let y = net.conv(&format!("{name}/expand"), conv(channels * 2, 1), x);
    let y = net.activation(&format!("{name}/relu6"), Activation::Relu6, y);
    let depthwise =
        Conv2d { stride: [stride; 2], groups: channels * 2, padding: around(1), ..conv(channels * 2, 3) };
    let y = net.conv(&format!("{name}/depthwise"), depthwise, y);
    net.conv(&format!("{name}/project"), conv(filters, 1), y)
}

/// A stem, a block at stride 2 from 4 to 6 channels whose input is added to its end, and a head.
fn broken() -> Graph {
    let mut net = Net::new(1);
    let x = net.input("image", &[8, 8, 3]);
    let x = net.conv("stem", conv(4, 1), x);
    let y = block(&mut net, "b", (4, 6, 2), x);
    let sum = net.sum("add_1", y, x);
    let head = net.conv("head", conv(2, 1), sum);
    net.graph.add_output(head);
    net.graph
}

fn legal(repaired: Repaired) -> Graph {
    let (legal, _) = legality::check(repaired.graph).unwrap_or_else(|faults| panic!("{faults}"));
    legal.into_inner()
}

#[test]
fn a_dropped_edge_leaves_the_main_path() {
    let repaired = repair(broken(), Policy::Drop);
    let [done] = &repaired.repairs[..] else { panic!("one repair") };
    let [at, main, shortcut] = ["add_1", "b/project", "stem"].map(str::to_owned);
    let shapes = [Shape::new(&[4, 4, 6]), Shape::new(&[8, 8, 4])];
    assert_eq!(*done, Edit::Dropped(Residual { at, main, shortcut, shapes }));
    assert!(repaired.warnings.is_empty());
    assert_eq!(repaired.report().changed, repaired.repairs);
    assert_eq!(repaired.report().counts, [("repairs", 1)]);
    let graph = legal(repaired);
    assert_eq!(graph.find("add_1"), None);
    let project = graph.find("b/project").expect("it stays");
    assert_eq!(graph.node(project).sources.layers().collect::<Vec<_>>(), ["add_1", "b/project"]);
}

#[test]
fn every_output_keeps_its_name_and_its_place() {
    let mut net = Net::new(1);
    let x = net.input("image", &[8, 8, 4]);
    let y = block(&mut net, "b", (4, 6, 1), x);
    let sum = net.sum("sum", x, y);
    let relu = net.add("relu", Op::Activation(Activation::Relu), &[sum]);
    [sum, y, relu].into_iter().for_each(|id| net.graph.add_output(id));
    let graph = legal(repair(net.graph, Policy::Drop));
    let names: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    assert_eq!(names, ["sum", "b/project", "relu"]);
    assert_eq!((&graph.node(sum).op, graph.operands(sum)), (&Op::Identity, vec![y]));
}

#[test]
fn a_projection_has_the_stride_and_the_channels_of_the_main_path() {
    let repaired = repair(broken(), SEEDED);
    assert_eq!(repaired.repairs[0].layers(), ["add_1", "b/project", "stem", "add_1/projection"]);
    let [warning] = &repaired.warnings.iter().collect::<Vec<_>>()[..] else { panic!("one warning") };
    assert_eq!(warning.code, frit_ir::diagnostic::codes::UNTRAINED_PROJECTION);
    let graph = legal(repaired);
    let node = graph.node(graph.find("add_1/projection").expect("it is new"));
    assert_eq!(node.op, Op::Conv2d(Conv2d { stride: [2, 2], ..conv(6, 1) }));
    assert_eq!(node.sources.layers().collect::<Vec<_>>(), ["add_1", "add_1/projection"]);
    assert_eq!(graph.weights.get("add_1/projection.kernel").expect("it has one").data, Data::Seeded(0));
}

#[test]
fn a_projection_takes_the_seed_of_the_network_and_a_name_that_is_free() {
    let mut graph = broken();
    let head = graph.find("head").expect("it is there");
    graph.node_mut(head).name = "add_1/projection".to_owned();
    let mut weight = graph.weights.get("head.kernel").expect("it is there").clone();
    weight.data = Data::Seeded(9);
    graph.weights.insert("head.kernel", weight);
    let graph = legal(repair(graph, SEEDED));
    let kernel = graph.weights.get("add_1/projection_2.kernel").expect("it is new");
    assert_eq!(kernel.data, Data::Seeded(9));
}

#[test]
fn a_projection_of_zero_starts_as_the_main_path_alone() {
    let (dropped, zero) = (legal(repair(broken(), Policy::Drop)), legal(repair(broken(), ZERO)));
    assert!(zero.len() > dropped.len());
    assert_eq!(difference(&dropped, &zero), 0.0);
    assert!(difference(&dropped, &legal(repair(broken(), SEEDED))) > 0.01);
}

#[test]
fn a_fused_residual_is_repaired_like_an_add() {
    let mut net = Net::new(1);
    let x = net.input("image", &[8, 8, 4]);
    let epilogue = Epilogue { residual: true, ..Epilogue::default() };
    let y = net.add("fused", Op::Conv2d(Conv2d { stride: [2, 2], epilogue, ..conv(6, 1) }), &[x, x]);
    net.graph.add_output(y);
    let dropped = legal(repair(net.graph.clone(), Policy::Drop));
    assert_eq!((ops(&dropped), dropped.operands(y).len()), (vec!["conv2d".to_owned()], 1));
    let projected = legal(repair(net.graph, SEEDED));
    assert_eq!(ops(&projected), ["conv2d", "conv2d+add"]);
}

#[test]
fn a_transposed_convolution_goes_on_with_its_own_sum() {
    let mut net = Net::new(1);
    let x = net.input("image", &[8, 8, 4]);
    let y = net.conv("conv", conv(6, 1), x);
    let up = Conv2dTranspose {
        filters: 6,
        kernel: [2, 2],
        stride: [2, 2],
        padding: around(0),
        output_padding: [0, 0],
        dilation: [1, 1],
        groups: 1,
        epilogue: Epilogue { residual: true, ..Epilogue::default() },
    };
    let y = net.add("up", Op::Conv2dTranspose(up), &[y, x]);
    let head = net.activation("relu", Activation::Relu, y);
    net.graph.add_output(head);
    let dropped = legal(repair(net.graph, Policy::Drop));
    assert_eq!(ops(&dropped), ["conv2d", "conv2d_transpose", "relu"]);
    assert_eq!(dropped.operands(y).len(), 1);
}

#[test]
fn what_no_projection_can_repair_stays_a_fault() {
    let mut net = Net::new(1);
    let x = net.input("image", &[9, 9, 4]);
    let y = net.conv("valid", Conv2d { stride: [2, 2], ..conv(6, 4) }, x);
    let sum = net.sum("sum", y, x);
    net.graph.add_output(sum);
    let repaired = repair(net.graph.clone(), SEEDED);
    assert_eq!(repaired.repairs, []);
    assert!(legality::check(repaired.graph).is_err());
    legal(repair(net.graph, Policy::Drop));
}

/// A block of 4 to 4 channels without its residual, changed by `change`.
fn block_alone(size: usize, change: impl Fn(&mut Net, NodeId) -> NodeId) -> Graph {
    let mut net = Net::new(1);
    let x = net.input("image", &[size, size, 4]);
    let y = change(&mut net, x);
    net.graph.add_output(y);
    net.graph
}

#[test]
fn a_block_gets_the_residual_that_it_lacks() {
    let graph = block_alone(8, |net, x| {
        let y = block(net, "b", (4, 4, 1), x);
        block(net, "c", (4, 4, 1), y)
    });
    let repaired = repair(graph, Policy::Insert);
    let layers: Vec<Vec<&str>> = repaired.repairs.iter().map(Edit::layers).collect();
    assert_eq!(layers, [["b/add", "b/project", "image"], ["c/add", "c/project", "b/add"]]);
    let is_output = |edit: &Edit| matches!(edit, Edit::Inserted { output: true, .. });
    assert_eq!(repaired.repairs.iter().map(is_output).collect::<Vec<_>>(), [false, true]);
    let graph = legal(repaired);
    let operands = |name: &str| -> Vec<&str> {
        let id = graph.find(name).expect("it is there");
        graph.operands(id).into_iter().map(|id| graph.node(id).name.as_str()).collect()
    };
    assert_eq!(operands("c/add"), ["b/add", "c/project"]);
    assert_eq!(operands("c/expand"), ["b/add"]);
}

#[test]
fn a_block_that_does_not_qualify_is_left_alone() {
    let depthwise = Conv2d { groups: 4, padding: around(1), ..conv(4, 3) };
    let others = [
        ("stride", block_alone(8, |net, x| block(net, "b", (4, 4, 2), x))),
        ("channels", block_alone(8, |net, x| block(net, "b", (4, 6, 1), x))),
        (
            "an activation at its end",
            block_alone(8, |net, x| {
                let y = block(net, "b", (4, 4, 1), x);
                net.activation("relu", Activation::Relu, y)
            }),
        ),
        (
            "a residual",
            block_alone(8, |net, x| {
                let y = block(net, "b", (4, 4, 1), x);
                net.sum("add", x, y)
            }),
        ),
        (
            "no padding",
            block_alone(8, |net, x| {
                let y = net.conv("depthwise", Conv2d { padding: around(0), ..depthwise }, x);
                net.conv("project", conv(4, 1), y)
            }),
        ),
        (
            "no depthwise convolution",
            block_alone(8, |net, x| {
                let y = net.conv("expand", conv(8, 1), x);
                net.conv("project", conv(4, 1), y)
            }),
        ),
    ];
    for (why, graph) in others {
        let repaired = repair(graph, Policy::Insert);
        assert_eq!(repaired.repairs, [], "{why}");
    }
}

#[test]
fn a_block_without_expansion_qualifies_and_one_behind_it_does_not_reach_back() {
    let depthwise = Conv2d { groups: 4, padding: around(1), ..conv(4, 3) };
    let graph = block_alone(8, |net, x| {
        let y = net.conv("b/depthwise", depthwise, x);
        // Behind a linear end comes the next block's depthwise convolution at once.
        let y = net.conv("b/project", conv(6, 1), y);
        let y = net.conv("c/depthwise", Conv2d { groups: 6, padding: around(1), ..conv(6, 3) }, y);
        net.conv("c/project", conv(6, 1), y)
    });
    let repaired = repair(graph, Policy::Insert);
    assert_eq!(repaired.repairs.len(), 1);
    assert_eq!(repaired.repairs[0].layers(), ["c/add", "c/project", "b/project"]);
}

/// Blocks of random strides and channels, each with its input added to its end; how many of the sums are at fault.
fn random(seed: u64) -> (Graph, usize) {
    let (mut net, mut drawn) = (Net::new(seed), Draw::new(seed));
    // Large enough that five strides leave more than a pixel, which would fit any stride.
    let mut x = net.input("image", &[40, 37, 3]);
    let (mut channels, mut broken) = (3, 0);
    let blocks = 1 + drawn.below(5);
    for index in 0..blocks {
        let (filters, stride) = (drawn.one(&[channels, 3, 5]), drawn.one(&[1, 1, 2]));
        let y = block(&mut net, &format!("b{index}"), (channels, filters, stride), x);
        let faulty = stride != 1 || filters != channels;
        // Weights behind a sum are made for its first operand.
        let swapped = drawn.below(2) == 0 && (!faulty || index + 1 == blocks);
        let name = format!("add{index}");
        x = if swapped { net.sum(&name, x, y) } else { net.sum(&name, y, x) };
        channels = filters;
        broken += usize::from(faulty);
    }
    net.graph.add_output(x);
    (net.graph, broken)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_broken_residual_is_repaired_and_reported_once(seed in any::<u64>()) {
        let (graph, broken) = random(seed);
        // An addition that is an output stays as the identity.
        let computing = |graph: &Graph| graph.ids().filter(|&id| graph.node(id).op != Op::Identity).count();
        let layers = computing(&graph);
        prop_assert_eq!(legality::join_faults(&graph).iter().count(), broken);
        for (policy, change) in [(Policy::Drop, -1), (SEEDED, 1), (ZERO, 1)] {
            let repaired = repair(graph.clone(), policy);
            prop_assert_eq!(repaired.repairs.len(), broken);
            prop_assert_eq!(computing(&repaired.graph) as i64, layers as i64 + change * broken as i64);
            let repaired = legal(repaired);
            prop_assert_eq!(difference(&repaired, &repaired), 0.0);
            prop_assert_eq!(repair(repaired, policy).repairs, []);
        }
    }
}
