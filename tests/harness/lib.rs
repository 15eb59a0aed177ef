//! What the tests of this package share: the source tree as values, file tests, comparison, networks to test with.

pub mod case;
pub mod compare;
pub mod draw;
pub mod file;
pub mod licences;
pub mod manifest;
pub mod matches;
pub mod modules;
pub mod networks;
pub mod nodes;
pub mod npz;
pub mod source;
pub mod tokens;
pub mod types;

use std::path::PathBuf;

use proptest::test_runner::{Config, FileFailurePersistence};

/// The root of the source tree.
pub fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies inside the tree").to_owned()
}

/// How a property test of this package runs: on `cases` random cases, or as many as `PROPTEST_CASES` says, after those that
/// failed once. These lie beside its file under the ending `regressions`, and belong into the tree.
pub fn cases(cases: u32) -> Config {
    let said = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let beside = FileFailurePersistence::WithSource("regressions");
    Config { cases: said.unwrap_or(cases), failure_persistence: Some(Box::new(beside)), ..Config::default() }
}
