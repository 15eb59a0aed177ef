use frit_ir::diagnostic::codes;
use frit_ir::ops::Activation;
use frit_ir::{Graph, NodeId, Op, Provenance};

use super::{Network, Options, PASSES, Pass, Refusal, repaired, run, verify};
use crate::legality;
use crate::repair::Policy;
use crate::report::{Edit, Report};
use crate::testing::{Net, conv, ops};

fn network() -> Graph {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 1), x);
    let y = net.activation("relu", Activation::Relu, y);
    net.finish(&[y]).into_inner()
}

#[test]
fn every_pass_that_ran_reports_under_the_name_in_the_list() {
    let optimised = run(network(), &Options::default()).expect("it is legal");
    let names: Vec<&str> = optimised.reports.iter().map(|report| report.name).collect();
    assert_eq!(names, ["legality", "egraph"]);
    assert_eq!(optimised.reports.iter().map(|report| report.unchanged()).collect::<Vec<_>>(), [true, false]);
    let layers = ["conv", "relu"].map(str::to_owned).to_vec();
    assert_eq!(optimised.reports[1].changed, [Edit::Fused { kernel: "relu".to_owned(), layers }]);
    assert_eq!(ops(&optimised.graph), ["conv2d+relu"]);
    assert_eq!(optimised.legal.len(), 3);
}

#[test]
fn nothing_is_fused_where_that_is_asked_for() {
    let optimised = run(network(), &Options { fuse: false, ..Options::default() }).expect("it is legal");
    assert_eq!(ops(&optimised.graph), ["conv2d", "relu"]);
    assert_eq!(optimised.reports.len(), 1);
}

#[test]
fn an_illegal_network_is_refused_with_its_faults() {
    let Err(Refusal::Illegal(faults)) = run(illegal(), &Options::default()) else { panic!("it is illegal") };
    assert_eq!(faults.iter().count(), 1);
}

/// A residual whose shortcut has other channels than its main path.
fn illegal() -> Graph {
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(2, 1), x);
    let y = net.sum("add", y, x);
    net.graph.add_output(y);
    net.graph
}

#[test]
fn repair_is_the_first_pass_where_there_is_a_policy() {
    let options = Options { repair: Some(Policy::Drop), ..Options::default() };
    let optimised = run(illegal(), &options).expect("it is repaired");
    let names: Vec<&str> = optimised.reports.iter().map(|report| report.name).collect();
    assert_eq!(names, PASSES.iter().map(|pass| pass.name).collect::<Vec<_>>());
    let first = repaired(illegal(), &options).expect("nothing is broken");
    assert_eq!(first.reports.len(), 1);
    assert_eq!(first.reports[0].changed, optimised.reports[0].changed);
    assert_eq!(ops(&first.graph), ["conv2d", "identity"]);
}

#[test]
fn a_pass_that_breaks_the_border_is_named() {
    let breaks = |run| Pass { name: "planted", about: "", run };
    let refused = |graph: Graph, pass: Pass| match Network::new(graph).pass(&pass, &Options::default()) {
        Err(Refusal::Broken(fault)) => fault.notes,
        other => panic!("{other:?}"),
    };
    let output = breaks(|network, _| {
        let first = network.given.outputs()[0];
        network.given.add_output(first);
        Ok(Some(Report::new("planted")))
    });
    assert_eq!(refused(network(), output), ["there were 1 outputs and are 2"]);
    let input = breaks(|network, _| {
        let first = network.given.inputs()[0];
        network.given.node_mut(first).name = "image".to_owned();
        Ok(Some(Report::new("planted")))
    });
    assert_eq!(refused(network(), input), ["the inputs were [x 4x4x3] and are [image 4x4x3]"]);
}

/// What is said of a pass that does no more to the network than `change`.
fn planted(change: impl FnOnce(&mut Graph)) -> Vec<String> {
    let (legal, _) = legality::check(network()).expect("it is legal");
    let mut graph = legal.graph().clone();
    change(&mut graph);
    let Err(fault) = verify("planted", &legal, &graph) else { return Vec::new() };
    assert_eq!(fault.code, codes::INTERNAL);
    assert_eq!(fault.message, "the pass planted broke the network");
    fault.notes
}

fn node(graph: &Graph, name: &str) -> NodeId {
    graph.find(name).expect("the network has it")
}

#[test]
fn a_pass_that_breaks_nothing_is_not_at_fault() {
    assert_eq!(planted(|_| ()), Vec::<String>::new());
}

#[test]
fn a_pass_that_changes_a_shape_is_named() {
    let notes = planted(|graph| {
        let id = node(graph, "conv");
        let Op::Conv2d(conv) = &mut graph.node_mut(id).op else { unreachable!("it is a convolution") };
        conv.stride = [2, 1];
    });
    assert_eq!(notes, ["the outputs were [relu 4x4x3] and are [relu 2x4x3]"]);
}

#[test]
fn a_pass_that_breaks_a_weight_is_named() {
    let notes = planted(|graph| {
        let id = node(graph, "conv");
        let Op::Conv2d(conv) = &mut graph.node_mut(id).op else { unreachable!("it is a convolution") };
        conv.kernel = [3, 1];
        conv.padding.top = 2;
    });
    assert_eq!(notes, ["conv (conv2d): the weight conv.kernel has another shape than its layer needs"]);
}

#[test]
fn a_pass_that_closes_a_circle_is_named() {
    let notes = planted(|graph| {
        let (conv, relu) = (node(graph, "conv"), node(graph, "relu"));
        graph.set_operands(conv, &[relu]);
    });
    let cycle = ": layers read each other in a cycle: conv, relu";
    assert_eq!(notes, [cycle, "the outputs were [relu 4x4x3] and are [relu ?]"]);
}

#[test]
fn a_pass_that_changes_the_signature_is_named() {
    let renamed = planted(|graph| {
        let id = node(graph, "x");
        graph.node_mut(id).name = "image".to_owned();
    });
    assert_eq!(renamed, ["the inputs were [x 4x4x3] and are [image 4x4x3]"]);
    let added = planted(|graph| {
        let id = node(graph, "conv");
        graph.add_output(id);
    });
    assert_eq!(added, ["the outputs were [relu 4x4x3] and are [relu 4x4x3, conv 4x4x3]"]);
    let unlabelled = planted(|graph| graph.labels = Some(vec!["cat".to_owned()]));
    assert_eq!(unlabelled, ["the preparation of pictures or the labels are others"]);
}

#[test]
fn a_pass_that_loses_or_invents_a_source_layer_is_named() {
    let notes = planted(|graph| {
        let id = node(graph, "conv");
        graph.node_mut(id).sources = Provenance::source("elsewhere");
    });
    assert_eq!(notes, ["no source layer is named elsewhere", "no layer comes from conv"]);
    let notes = planted(|graph| {
        let (conv, relu) = (node(graph, "conv"), node(graph, "relu"));
        graph.node_mut(relu).sources = graph.node(conv).sources.clone();
        graph.node_mut(conv).name = "relu".to_owned();
        graph.node_mut(conv).sources = Provenance::default();
    });
    let [nameless, twice, lost] =
        ["relu comes from no source layer", "two layers are named relu", "no layer comes from relu"];
    assert_eq!(notes, [nameless, twice, lost]);
}
