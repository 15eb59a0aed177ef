//! Input from outside is not trusted: whatever it is, it gives a graph or diagnostics, never a panic.

use std::sync::LazyLock;

use frit_compiler::Options;
use frit_compiler::import::{Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_ir::text;
use frit_passes::legality;
use frit_runtime::artifact;
use frit_tests::{case, root, source};
use proptest::prelude::*;

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
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

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
    fn a_damaged_text_never_panics(
        which: prop::sample::Index, changes in prop::collection::vec(change(), 1..4),
    ) {
        if let Ok(graph) = text::parse(&changed(which.get::<String>(&TEXTS), &changes)) {
            let _ = legality::check(graph);
        }
    }
}
