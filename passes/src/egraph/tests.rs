//! Whole networks through the e-graph.

mod faults;
mod mobilenet_v2;
mod names;
mod random;

use std::collections::BTreeSet;

use frit_ir::ops::{Activation, BatchNorm, Scalar};
use frit_ir::weights::Data;
use frit_ir::{Graph, Node, NodeId, Op, Provenance, Shape, Weight};

use super::{CostModel, Limits, optimise};
use crate::legality::{self, Legal};
use crate::report::Reached;
use crate::testing::{EPSILON, Net, assert_equal, conv, ops, optimised};

/// A chain of `length` layers that take turns, all over the same weights.
fn chain(length: usize, turns: &[(Op, &[&str])]) -> Legal<Graph> {
    let mut graph = Graph::new("chain");
    for name in ["bias", "gamma", "beta", "mean"] {
        graph.weights.insert(name, Weight::new(Shape::new(&[1]), Data::Values([0.5].into())));
    }
    graph.weights.insert("variance", Weight::new(Shape::new(&[1]), Data::Values([0.75].into())));
    graph.weights.insert("kernel", Weight::new(Shape::new(&[1, 1, 1, 1]), Data::Values([0.5].into())));
    let mut add = |index: usize, op: &Op, weights: &[&str], operands: &[NodeId]| {
        let name = format!("layer{index}");
        let weights = weights.iter().map(|&weight| weight.to_owned()).collect();
        graph.add(Node { sources: Provenance::source(&*name), name, op: op.clone(), weights }, operands)
    };
    let input = Op::Input(frit_ir::ops::Input { shape: Shape::new(&[2, 2, 1]) });
    let mut last = add(0, &input, &[], &[]);
    for index in 1..=length {
        let (op, weights) = &turns[index % turns.len()];
        last = add(index, op, weights, &[last]);
    }
    graph.add_output(last);
    legality::check(graph).unwrap_or_else(|faults| panic!("{faults:?}")).0
}

fn norm() -> (Op, &'static [&'static str]) {
    let norm = BatchNorm { epsilon: Scalar::new(EPSILON), scale: true, center: true };
    (Op::BatchNorm(norm), &["gamma", "beta", "mean", "variance"])
}

#[test]
fn twenty_thousand_layers_stay_linear_and_use_no_stack() {
    let turns =
        [(Op::Activation(Activation::Relu), &[][..]), (Op::Conv2d(conv(1, 1)), &["kernel"][..]), norm()];
    let source = chain(19_998, &turns);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(graph.len(), 1 + 19_998 / 3);
    assert!(rewriting.iterations <= 8, "{} iterations", rewriting.iterations);
    assert!(rewriting.enodes <= 4 * rewriting.encoded, "{} of {}", rewriting.enodes, rewriting.encoded);
    assert!(rewriting.exact);
}

#[test]
fn twenty_thousand_equal_activations_are_one() {
    let source = chain(20_000, &[(Op::Activation(Activation::Relu), &[])]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(ops(&graph), ["relu"]);
    assert_eq!(rewriting.kernels[1].sources.layers().count(), 20_000);
}

#[test]
fn a_limit_that_is_reached_is_told_and_the_result_is_right() {
    let mut turns = vec![norm(); 61];
    turns[1] = (Op::Conv2d(conv(1, 1)), &["kernel"]);
    let source = chain(60, &turns);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(rewriting.reached, Some(Reached::Iterations(40)));
    assert_equal(&source, &graph);
    let limits = Limits { growth: 1, slack: 0, ..Limits::default() };
    let (graph, report) = optimise(&source, &CostModel::default(), &limits).expect("no rule is wrong");
    assert!(matches!(report.rewriting.expect("it has one").reached, Some(Reached::Nodes(_))));
    assert_equal(&source, &graph);
}

#[test]
fn a_rule_that_is_switched_off_does_not_fire() {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(4, 3), x);
    let y = net.batch_norm("norm", y);
    let y = net.activation("relu", Activation::Relu, y);
    let source = net.finish(&[y]);
    let limits = Limits { disabled: BTreeSet::from(["fold-batch-norm".to_owned()]), ..Limits::default() };
    let (graph, _) = optimise(&source, &CostModel::default(), &limits).expect("no rule is wrong");
    assert_eq!(ops(&graph), ["conv2d", "batch_norm", "relu"]);
}

#[test]
fn what_is_optimised_does_not_change_when_optimised_again() {
    let source = mobilenet_v2::build(32);
    let once = optimised(&source).0;
    let legal = legality::check(once.clone()).unwrap_or_else(|faults| panic!("{faults:?}")).0;
    let (twice, rewriting) = optimised(&legal);
    assert_eq!(names::lines(&once), names::lines(&twice));
    assert!(rewriting.firings.is_empty());
}

#[test]
fn weights_known_by_digest_only_fold_to_digests() {
    let build = |digest: u64| {
        let mut net = Net::new(1);
        let x = net.input("x", &[4, 4, 3]);
        let y = net.conv("conv", conv(4, 3), x);
        let y = net.batch_norm("norm", y);
        let names: Vec<String> = net.graph.weights.iter().map(|(name, _)| name.to_owned()).collect();
        for (index, name) in names.into_iter().enumerate() {
            let shape = net.graph.weights.get(&name).expect("just listed").shape.clone();
            net.graph.weights.insert(name, Weight::new(shape, Data::Digest(digest + index as u64)));
        }
        let (graph, _) = optimised(&net.finish(&[y]));
        ["norm.kernel", "norm.bias"].map(|name| graph.weights.get(name).expect("folded").data.clone())
    };
    assert_eq!(build(1), build(1));
    let digests: BTreeSet<u64> = [build(1), build(2)]
        .into_iter()
        .flatten()
        .map(|data| if let Data::Digest(digest) = data { digest } else { panic!("{data:?}") })
        .collect();
    assert_eq!(digests.len(), 4);
}

#[test]
fn a_map_pooled_and_reshaped_back_and_forth_is_right_though_the_classes_need_each_other() {
    let mut net = Net::new(1);
    let x = net.input("x", &[3, 3, 4]);
    let pixel = net.pool("pool", true, x);
    let vector = net.reshape("flatten", frit_ir::ops::Reshape::Flatten, pixel);
    let back = net.reshape("back", frit_ir::ops::Reshape::To(Shape::new(&[1, 1, 4])), vector);
    let gate = net.conv("gate", conv(2, 1), back);
    let vector = net.softmax("softmax", vector);
    let source = net.finish(&[gate, vector]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(ops(&graph).iter().filter(|op| *op == "global_avg_pool").count(), 1);
    assert!(!rewriting.exact, "an e-node on a cycle was left out");
    assert_equal(&source, &graph);
}
