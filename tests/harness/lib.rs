//! What the tests of this package share: the source tree as values, file tests, comparison, networks to test with.

pub mod case;
pub mod compare;
pub mod file;
pub mod licences;
pub mod manifest;
pub mod networks;
pub mod nodes;
pub mod source;
pub mod tokens;

use std::path::PathBuf;

/// The root of the source tree.
pub fn root() -> PathBuf {
    let package = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    package.parent().expect("the package lies inside the tree").to_owned()
}
