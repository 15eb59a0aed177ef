//! Input from outside is not trusted: whatever it is, it gives a graph or diagnostics, never a panic.

use std::sync::LazyLock;

use frit_compiler::Options;
use frit_compiler::import::{Request, Source, json, onnx};
use frit_compiler::onnx::Model;
use frit_compiler::zoo::{self, ZooOptions};
use frit_ir::text;
use frit_passes::legality;
use frit_runtime::artifact;
use frit_tests::{case, cases, nodes, root, source};
use proptest::prelude::*;
use prost::Message;

/// A small network with every part of an artifact.
fn artifact() -> Vec<u8> {
    let options = ZooOptions { width: 0.25, resolution: Some(32), classes: 10, ..ZooOptions::default() };
    let text = zoo::description("mobilenet_v2", &options).expect("the zoo has it");
    let (graph, _) = json::read(&text, &Source::default()).expect("descriptions of the zoo are read");
    let mut bytes = Vec::new();
    let built = frit_compiler::build(graph, &Options::native(), &mut |_, _| {}).expect("it is legal");
    built.write(&mut bytes).expect("memory takes all that is written to it");
    bytes
}

/// Where 10,000 times one to four bits are flipped, nothing is run that was not written so: the artifact is refused before
/// any of it is mapped to be executed.
#[test]
fn an_artifact_with_flipped_bits_is_refused() {
    let mut bytes = artifact();
    let whole = artifact::decode(&bytes).unwrap();
    let original = bytes.clone();
    let mut state = 1u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..10_000 {
        // Half of the flips hit the header and the metadata, which are a small part of the file.
        let end = if round % 2 == 0 { bytes.len() } else { whole.code.start };
        let bits: Vec<usize> = (0..1 + round % 4).map(|_| draw(8 * end)).collect();
        bits.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
        let unchanged = bits.len() > 1 && bytes == original;
        assert_eq!(artifact::decode(&bytes).is_ok(), unchanged, "bits {bits:?}");
        bits.iter().for_each(|bit| bytes[bit / 8] ^= 1 << (bit % 8));
    }
    assert_eq!(artifact::decode(&bytes).unwrap(), whole);
}

/// The bodies of all file tests of a stage, valid and faulty ones: what is close to being right.
fn bodies(stage: &str) -> Vec<String> {
    let paths = source::files(&root().join("tests/files").join(stage), "test");
    paths.iter().map(|path| case::Case::read(path).body).collect()
}

/// The ONNX files among the goldens, and those that file tests describe.
static NODES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let goldens = source::files(&root().join("tests/goldens/onnx"), "onnx");
    let goldens = goldens.iter().map(|path| std::fs::read(path).expect("goldens can be read"));
    goldens.chain(bodies("onnx").iter().map(|body| nodes::file(body))).collect()
});
static DESCRIPTIONS: LazyLock<Vec<String>> = LazyLock::new(|| bodies("json"));
static TEXTS: LazyLock<Vec<String>> = LazyLock::new(|| ["text", "legality", "egraph"].map(bodies).concat());

/// One change of a text: a piece cut out, doubled, or replaced by something that hurts.
#[derive(Debug, Clone)]
struct Change {
    at: prop::sample::Index,
    length: usize,
    with: String,
}

fn change() -> impl Strategy<Value = Change> {
    let hurts = prop_oneof![
        Just(String::new()),
        Just("0".to_owned()),
        Just("-1".to_owned()),
        Just("18446744073709551615".to_owned()),
        Just("1e308".to_owned()),
        Just("NaN".to_owned()),
        Just("null".to_owned()),
        Just("[[[[".to_owned()),
        Just("\u{0}\u{202e}\"".to_owned()),
        "[a-z\"{}:,x0-9@%]{1,6}",
    ];
    (any::<prop::sample::Index>(), 0usize..12, hurts).prop_map(|(at, length, with)| Change {
        at,
        length,
        with,
    })
}

/// What stands in the place of a byte, or beside it: small numbers are the tags, lengths and values of messages.
fn byte() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u8>().prop_map(|byte| vec![byte]),
        (0u8..16).prop_map(|byte| vec![byte]),
        Just(Vec::new()),
        Just(vec![0xff; 9]),
        Just([[0xff; 9].as_slice(), &[1]].concat()),
    ]
}

/// Whole numbers that hurt.
const NUMBERS: [i64; 12] = [0, 1, 2, -1, -2, 3, 7, 64, 1 << 31, 1 << 40, i64::MAX, i64::MIN];

/// Changes one thing of a model in the way `how`: an operator, an operand, a number or the shape of something.
fn exchange(model: &mut Model, at: prop::sample::Index, how: u8, with: prop::sample::Index) {
    let Some(graph) = &mut model.graph else { return };
    if graph.node.is_empty() {
        return;
    }
    let names: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.input.iter().chain(&node.output))
        .chain(graph.initializer.iter().filter_map(|weight| weight.name.as_ref()))
        .cloned()
        .collect();
    let ops: Vec<String> = graph.node.iter().map(|node| node.op_type().to_owned()).collect();
    let number = *with.get(&NUMBERS);
    let node = at.index(graph.node.len());
    let node = &mut graph.node[node];
    match how {
        0 => node.op_type = Some(with.get(&ops).clone()),
        1 if !node.input.is_empty() => {
            let input = at.index(node.input.len());
            node.input[input] = with.get(&names).clone();
        }
        2 => {
            node.input.pop();
        }
        3 => node.attribute.iter_mut().for_each(|attribute| {
            attribute.ints.iter_mut().take(1 + with.index(4)).for_each(|value| *value = number);
            attribute.i = attribute.i.map(|_| number);
        }),
        4 if !graph.initializer.is_empty() => {
            let weight = at.index(graph.initializer.len());
            let weight = &mut graph.initializer[weight];
            weight.dims = match with.index(4) {
                0 => weight.dims.iter().rev().copied().collect(),
                1 => vec![weight.dims.iter().copied().fold(1, i64::wrapping_mul)],
                2 => [vec![1], weight.dims.clone()].concat(),
                _ => weight.dims.iter().map(|_| number).collect(),
            };
        }
        5 => graph.initializer.iter_mut().filter(|weight| weight.data_type() == 7).for_each(|weight| {
            let count = weight.raw_data.as_ref().map_or(0, |data| data.len() / 8);
            weight.raw_data = Some(number.to_le_bytes().repeat(count).into());
        }),
        _ => {
            if let Some(attribute) = node.attribute.pop() {
                graph.node[0].attribute.push(attribute);
            }
        }
    }
}

fn changed(text: &str, changes: &[Change]) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    for change in changes {
        let start = change.at.index(letters.len() + 1);
        let end = (start + change.length).min(letters.len());
        letters.splice(start..end, change.with.chars());
    }
    letters.into_iter().collect()
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn a_damaged_description_never_panics(
        which: prop::sample::Index, changes in prop::collection::vec(change(), 1..4),
    ) {
        let text = changed(which.get::<String>(&DESCRIPTIONS), &changes);
        let source = Source { file: "model.json".to_owned(), ..Source::default() };
        if let Ok((graph, _)) = json::read(&text, &source) {
            let _ = legality::check(graph);
        }
    }

    #[test]
    fn a_damaged_onnx_file_never_panics(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), byte(), 0usize..3), 1..6),
    ) {
        let mut bytes = which.get::<Vec<u8>>(&NODES).clone();
        for (at, byte, cut) in changes {
            let start = at.index(bytes.len() + 1);
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, byte);
        }
        if let Ok((graph, _)) = onnx::read(bytes.into(), None, &Request::default()) {
            let _ = legality::check(graph);
        }
    }

    #[test]
    fn an_onnx_file_of_other_nodes_never_panics(
        which: prop::sample::Index,
        changes in prop::collection::vec((any::<prop::sample::Index>(), 0u8..7, any::<prop::sample::Index>()), 1..5),
    ) {
        let mut model = Model::decode(which.get::<Vec<u8>>(&NODES).as_slice()).expect("goldens are models");
        for (at, how, with) in changes {
            exchange(&mut model, at, how, with);
        }
        if let Ok((graph, _)) = onnx::read(model.encode_to_vec().into(), None, &Request::default()) {
            let _ = legality::check(graph);
        }
    }

    #[test]
    fn a_damaged_text_never_panics(
        which: prop::sample::Index, changes in prop::collection::vec(change(), 1..4),
    ) {
        if let Ok(graph) = text::parse(&changed(which.get::<String>(&TEXTS), &changes)) {
            let _ = legality::check(graph);
        }
    }
}
