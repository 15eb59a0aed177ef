use frit_ir::Graph;
use frit_ir::ops::Activation;

use super::{Options, PASSES, Refusal, run};
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
    assert_eq!(names, PASSES.iter().map(|pass| pass.name).collect::<Vec<_>>());
    assert_eq!(optimised.reports.iter().map(|report| report.unchanged()).collect::<Vec<_>>(), [true, false]);
    assert_eq!(optimised.reports[1].changed, ["relu from conv, relu"]);
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
    let mut net = Net::new(1);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(2, 1), x);
    let y = net.sum("add", y, x);
    net.graph.add_output(y);
    let Err(Refusal::Illegal(faults)) = run(net.graph, &Options::default()) else { panic!("it is illegal") };
    assert_eq!(faults.iter().count(), 1);
}
