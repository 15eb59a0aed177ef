//! Repairs of whole networks: blocks that are described without their residuals get exactly those that they should have.

use frit_compiler::import::{Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_ir::{Graph, Provenance, text};
use frit_passes::legality;
use frit_passes::repair::{Policy, repair};

/// Networks with the number of their residuals.
const RESIDUALS: [(&str, usize); 7] = [
    ("mobilenet_v1", 0),
    ("mobilenet_v2", 10),
    ("mobilenet_v3_large", 10),
    ("mobilenet_v3_small", 6),
    ("mnasnet_b1", 10),
    ("mnasnet_a1", 9),
    ("efficientnet_b0", 9),
];

fn read(description: &str) -> Graph {
    let source = Source { file: "zoo.json".to_owned(), ..Source::default() };
    json::read(description, &source).unwrap_or_else(|faults| panic!("{faults}")).0
}

/// The graph as text, each layer as its own source.
fn plain(mut graph: Graph) -> String {
    for id in graph.ids().collect::<Vec<_>>() {
        let node = graph.node_mut(id);
        node.sources = Provenance::source(node.name.as_str());
    }
    text::print(&graph)
}

#[test]
fn insert_adds_what_id_skip_would_have_added() {
    for (name, count) in RESIDUALS {
        let description =
            zoo::description(name, &ZooOptions::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let stage = "\"stage\": \"inverted_residual\"";
        let without = description.replace(stage, &format!("{stage}, \"id_skip\": false"));
        let bare = read(&without);
        assert_eq!(bare.ids().filter(|&id| bare.node(id).op.name() == "add").count(), 0, "{name}");
        let repaired = repair(bare, Policy::Insert);
        assert_eq!(repaired.repairs.len(), count, "{name}");
        assert_eq!(plain(repaired.graph), plain(read(&description)), "{name}");
    }
}

#[test]
fn nothing_is_inserted_into_a_network_that_has_its_residuals() {
    for name in zoo::names() {
        let description =
            zoo::description(name, &ZooOptions::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let graph = read(&description);
        let before = text::print(&graph);
        let repaired = repair(graph, Policy::Insert);
        assert_eq!(repaired.repairs, [], "{name}");
        assert_eq!(text::print(&repaired.graph), before, "{name}");
        legality::check(repaired.graph).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    }
}
