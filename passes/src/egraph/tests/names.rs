//! Names and provenance: no layer is lost, no kernel is without one.

use std::collections::BTreeSet;

use frit_ir::Graph;
use frit_ir::ops::{Activation, Reshape, Scalar};

use super::mobilenet_v2;
use crate::report::Rewriting;
use crate::testing::{Net, assert_equal, conv, optimised};

/// A graph, a line for each node.
pub(super) fn lines(graph: &Graph) -> Vec<String> {
    let line = |id| {
        let node = graph.node(id);
        let operands = graph.operands(id);
        let operands: Vec<&str> = operands.iter().map(|&operand| graph.node(operand).name.as_str()).collect();
        format!("{node:?} of {operands:?}")
    };
    graph.topological().into_iter().map(line).collect()
}

/// Asserts that every source layer is in some kernel or named as unreached, and that no kernel is without
/// one.
pub(super) fn assert_complete(source: &Graph, optimised: &Graph, rewriting: &Rewriting) {
    let mut told: BTreeSet<&str> = rewriting.unreached.iter().map(String::as_str).collect();
    for id in optimised.ids() {
        let node = optimised.node(id);
        assert!(!node.sources.is_empty(), "{} computes nothing", node.name);
        assert!(node.sources.layers().any(|layer| layer == node.name), "{} is not its own source", node.name);
        told.extend(node.sources.layers());
    }
    let layers: BTreeSet<&str> = source.ids().map(|id| source.node(id).name.as_str()).collect();
    assert_eq!(told, layers);
    let names: BTreeSet<&str> = optimised.ids().map(|id| optimised.node(id).name.as_str()).collect();
    assert_eq!(names.len(), optimised.len(), "names are unique");
}

#[test]
fn no_layer_of_mobilenet_v2_is_lost() {
    let source = mobilenet_v2::build(224);
    let (graph, rewriting) = optimised(&source);
    assert_complete(&source, &graph, &rewriting);
    let input = graph.inputs()[0];
    assert_eq!(graph.node(input).name, "image");
    assert_eq!(graph.node(graph.outputs()[0]).name, "softmax");
}

#[test]
fn layers_that_a_rule_passes_over_are_not_lost() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4]);
    let relu = net.activation("relu", Activation::Relu, x);
    let flat = net.reshape("flat", Reshape::Flatten, relu);
    let relu6 = net.activation("relu6", Activation::Relu6, flat);
    let other = net.activation("other", Activation::Relu6, x);
    let (a, b) = (net.dense("a", 3, relu6), net.dense("b", 3, other));
    let source = net.finish(&[a, b]);
    let (graph, rewriting) = optimised(&source);
    assert_complete(&source, &graph, &rewriting);
    assert_eq!(graph.len(), 4);
    assert_equal(&source, &graph);
}

#[test]
fn equal_outputs_both_keep_their_names() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 2]);
    let first = net.activation("first", Activation::Relu6, x);
    let second =
        net.activation("second", Activation::Clip { low: Scalar::new(0.0), high: Scalar::new(6.0) }, x);
    let third = net.pool("third", false, second);
    let source = net.finish(&[second, first, second, third]);
    let (graph, rewriting) = optimised(&source);
    let outputs: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    assert_eq!(outputs, ["second", "first", "second", "third"]);
    assert_complete(&source, &graph, &rewriting);
    assert_equal(&source, &graph);
}

#[test]
fn layers_that_no_output_needs_are_told_and_inputs_stay() {
    let mut net = Net::new(1);
    let unread = net.input("unread", &[2, 2, 1]);
    let x = net.input("x", &[4, 4, 2]);
    let y = net.conv("conv", conv(2, 3), x);
    net.activation("dead", Activation::Relu, unread);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(rewriting.unreached, ["dead"]);
    let inputs: Vec<&str> = graph.inputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    assert_eq!(inputs, ["unread", "x"]);
    assert_complete(&source, &graph, &rewriting);
    assert_equal(&source, &graph);
}

#[test]
fn an_input_that_is_an_output_stays_one_node() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 2]);
    let y = net.activation("relu", Activation::Relu, x);
    let source = net.finish(&[x, y]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(graph.len(), 2);
    assert_complete(&source, &graph, &rewriting);
    assert_equal(&source, &graph);
}
