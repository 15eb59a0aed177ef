//! MobileNetV2 (Sandler et al., 2018) through the e-graph.

use frit_ir::ops::{Activation, Conv2d, Padding};
use frit_ir::{Graph, NodeId, Op};

use super::names::lines;
use crate::legality::Legal;
use crate::testing::{Net, around, assert_equal, conv, ops, optimised};

/// Expansion, filters, repeats, stride of the first.
const STAGES: [(usize, usize, usize, usize); 7] = [
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
];

/// The network at a resolution; padding at stride 2 stands apart, as in Keras.
pub(super) fn build(resolution: usize) -> Legal<Graph> {
    let mut net = Net::new(2018);
    let x = net.input("image", &[resolution, resolution, 3]);
    let stem = Conv2d { stride: [2, 2], padding: after(1), ..conv(32, 3) };
    let mut x = normed(&mut net, "stem", stem, x, true);
    let mut channels = 32;
    for (stage, &(expand, filters, repeats, first_stride)) in STAGES.iter().enumerate() {
        for repeat in 0..repeats {
            let name = format!("s{}/{}", stage + 1, repeat + 1);
            let stride = if repeat == 0 { first_stride } else { 1 };
            let y = block(&mut net, &name, (channels, channels * expand, filters, stride), x);
            x = if stride == 1 && channels == filters { net.sum(&format!("{name}/add"), y, x) } else { y };
            channels = filters;
        }
    }
    x = normed(&mut net, "head", conv(1280, 1), x, true);
    x = net.pool("pool", false, x);
    x = net.dense("logits", 1000, x);
    x = net.softmax("softmax", x);
    net.finish(&[x])
}

fn after(zeros: usize) -> Padding {
    Padding { bottom: zeros, right: zeros, ..Padding::default() }
}

fn block(
    net: &mut Net,
    name: &str,
    (inputs, expanded, filters, stride): (usize, usize, usize, usize),
    x: NodeId,
) -> NodeId {
    let mut y = x;
    if expanded != inputs {
        y = normed(net, &format!("{name}/expand"), conv(expanded, 1), y, true);
    }
    let mut depthwise =
        Conv2d { groups: expanded, stride: [stride; 2], padding: around(1), ..conv(expanded, 3) };
    if stride == 2 {
        y = net.pad(&format!("{name}/pad"), after(1), y);
        depthwise.padding = Padding::default();
    }
    y = normed(net, &format!("{name}/depthwise"), depthwise, y, true);
    normed(net, &format!("{name}/project"), conv(filters, 1), y, false)
}

fn normed(net: &mut Net, name: &str, layer: Conv2d, x: NodeId, activated: bool) -> NodeId {
    let y = net.conv(name, layer, x);
    let y = net.batch_norm(&format!("{name}/batch_norm"), y);
    if activated { net.activation(&format!("{name}/relu6"), Activation::Relu6, y) } else { y }
}

#[test]
fn only_fused_layers_are_left() {
    let source = build(224);
    let (graph, rewriting) = optimised(&source);
    let ops = ops(&graph);
    let count = |start: &str| ops.iter().filter(|op| op.split('+').next() == Some(start)).count();
    assert_eq!(count("conv2d"), 52);
    assert_eq!((count("global_avg_pool"), count("dense"), count("softmax")), (1, 1, 1));
    assert_eq!(ops.len(), 55);
    assert_eq!(ops.iter().filter(|op| op.ends_with("+add")).count(), 10);
    assert_eq!(ops.iter().filter(|op| *op == "conv2d+bias+relu6").count(), 35);
    assert_eq!(rewriting.reached, None);
    assert!(rewriting.exact);
    assert!(rewriting.iterations <= 8, "{} iterations", rewriting.iterations);
    assert!(rewriting.enodes <= 4 * rewriting.encoded, "{} of {}", rewriting.enodes, rewriting.encoded);
}

#[test]
fn the_sum_is_fused_into_the_projection_of_its_own_block() {
    let (graph, _) = optimised(&build(224));
    let add = graph.find("s2/2/add").expect("named after the last layer that it computes");
    let sources: Vec<&str> = graph.node(add).sources.layers().collect();
    assert_eq!(sources, ["s2/2/add", "s2/2/project", "s2/2/project/batch_norm"]);
    let shortcut = graph.operands(add)[1];
    assert_eq!(graph.node(shortcut).name, "s2/1/project/batch_norm");
}

#[test]
fn values_stay() {
    let source = build(64);
    assert_equal(&source, &optimised(&source).0);
}

#[test]
fn two_runs_give_the_same() {
    let (first, second) = (optimised(&build(96)), optimised(&build(96)));
    assert_eq!(lines(&first.0), lines(&second.0));
    assert_eq!(first.0.weights, second.0.weights);
    assert_eq!(first.1.kernels, second.1.kernels);
    assert_eq!(first.1.firings, second.1.firings);
}

#[test]
fn the_chain_of_rules_is_known_for_every_kernel() {
    let source = build(224);
    let (graph, rewriting) = optimised(&source);
    for kernel in &rewriting.kernels {
        let node = graph.node(graph.find(&kernel.name).expect("kernels are nodes"));
        assert_eq!(kernel.sources, node.sources);
        assert_eq!(kernel.rules.is_empty(), kernel.sources.layers().count() == 1, "{kernel:?}");
        let folded = matches!(node.op, Op::Conv2d(_));
        assert_eq!(kernel.rules.contains(&"fold-batch-norm"), folded, "{kernel:?}");
    }
}

#[test]
fn every_phase_is_timed() {
    let source = build(224);
    let (_, rewriting) = optimised(&source);
    let names: Vec<&str> = rewriting.phases.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, ["encode", "saturate", "extract", "decode", "weights"]);
}
