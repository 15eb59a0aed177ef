//! Input from outside is not trusted: whatever it is, it gives a graph or diagnostics, never a panic.

use std::sync::LazyLock;

use frit_compiler::import::{Source, json};
use frit_ir::text;
use frit_passes::legality;
use frit_tests::{case, root, source};
use proptest::prelude::*;

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
