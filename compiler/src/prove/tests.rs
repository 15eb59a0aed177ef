use frit_ir::Graph;

use super::*;
use crate::machine::Machine;
use crate::plan::Way;
use crate::schedule::{Ways, schedule};
use crate::{Options, import, zoo};

/// A network of the zoo at a quarter of its width, as the e-graph leaves it, or as it came.
fn network(name: &str, fuse: bool) -> Graph {
    let resolution = if ["xception", "inception_resnet_v2"].contains(&name) { 96 } else { 64 };
    let options = zoo::ZooOptions { width: 0.25, resolution: Some(resolution), ..Default::default() };
    let text = zoo::description(name, &options).unwrap();
    let graph = import::json::read(&text, &Default::default()).unwrap().0;
    crate::optimise(graph, &Options { fuse, ..Options::native() }).unwrap().graph
}

const WAYS: [Ways; 4] = [Ways::Auto, Ways::All(Way::Whole), Ways::All(Way::Bands), Ways::All(Way::Groups)];

#[test]
fn every_network_of_the_zoo_is_proved_in_every_way_for_every_target() {
    for name in zoo::names() {
        for graph in [true, false].map(|fuse| network(name, fuse)) {
            for machine in Machine::all() {
                for ways in WAYS {
                    let plan = schedule(&graph, &machine, ways).unwrap();
                    let proved = prove(plan);
                    assert!(proved.is_ok(), "{name} for {}, {ways:?}: {}", machine.name, proved.unwrap_err());
                }
            }
        }
    }
}
