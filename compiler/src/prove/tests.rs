mod faults;

use std::iter::zip;

use frit_ir::Graph;

use super::*;
use crate::machine::Machine;
use crate::plan::Way;
use crate::schedule::{schedule, ways};
use crate::{Options, import, zoo};

/// A description as the e-graph leaves it, or as it came.
fn network(text: &str, fuse: bool) -> Graph {
    let graph = import::json::read(text, &Default::default()).unwrap().0;
    crate::optimise(graph, &Options { fuse, ..Options::native() }).unwrap().graph.into_inner()
}

/// A network of the zoo at a quarter of its width.
fn of_zoo(name: &str) -> String {
    let resolution = if ["xception", "inception_resnet_v2"].contains(&name) { 96 } else { 64 };
    let options = zoo::ZooOptions { width: 0.25, resolution: Some(resolution), ..Default::default() };
    zoo::description(name, &options).unwrap()
}

const WAYS: [Option<Way>; 5] =
    [None, Some(ways::WHOLE), Some(ways::BANDS), Some(ways::GROUPS), Some(ways::WINOGRAD)];

/// Each way for each target meets several networks, each network every way and every number of lanes, and each of them as it
/// came some target.
#[test]
fn every_network_of_the_zoo_is_proved() {
    let machines = Machine::all();
    for (index, name) in zoo::names().enumerate() {
        let (text, turned) = (of_zoo(name), machines.iter().cycle().skip(index));
        let (fused, plain) = (network(&text, true), network(&text, false));
        let ways = WAYS.iter().cycle().copied();
        let runs = zip(turned, ways).take(2 * WAYS.len()).map(|(machine, ways)| (&fused, machine, ways));
        for (graph, machine, ways) in runs.chain([(&plain, &machines[index % machines.len()], None)]) {
            let proved = prove(schedule(graph, machine, ways).unwrap());
            assert!(proved.is_ok(), "{name} for {}, {ways:?}: {}", machine.name, proved.unwrap_err());
        }
    }
}

/// Small networks that have every kind of step, and how their blocks go through the caches; `tests/planted.sh` compiles them
/// too.
const SMALL: [(&str, Option<Way>); 11] = [
    (include_str!("../../../tests/planted/arranged.json"), None),
    (include_str!("../../../tests/planted/blocks.json"), WAYS[1]),
    (include_str!("../../../tests/planted/blocks.json"), WAYS[2]),
    (include_str!("../../../tests/planted/blocks.json"), WAYS[3]),
    (include_str!("../../../tests/planted/functions.json"), None),
    (include_str!("../../../tests/planted/grouped.json"), None),
    (include_str!("../../../tests/planted/joined.json"), None),
    (include_str!("../../../tests/planted/squeezed.json"), None),
    (include_str!("../../../tests/planted/transposed.json"), None),
    (include_str!("../../../tests/planted/windows.json"), None),
    (include_str!("../../../tests/planted/windows.json"), Some(ways::WINOGRAD)),
];

/// The plans of the small networks for each number of lanes.
pub(super) fn plans() -> Vec<Plan> {
    let machines = ["aarch64", "x86-64-v3", "x86-64-v4"].map(|target| target.parse::<Machine>().unwrap());
    let of = |(text, ways)| {
        let graph = network(text, true);
        machines.each_ref().map(|machine| schedule(&graph, machine, ways).unwrap())
    };
    SMALL.into_iter().flat_map(of).collect()
}

#[test]
fn every_kind_of_step_is_proved() {
    for plan in plans() {
        let name = plan.name.clone();
        let proved = prove(plan);
        assert!(proved.is_ok(), "{name}: {}", proved.unwrap_err());
    }
}
