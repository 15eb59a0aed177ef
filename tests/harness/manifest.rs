//! The folder named by `FRIT_MODELS`: model files of other frameworks, and in manifests what each of them must give.

use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::Value;

/// The kinds of files that hold a model, with that of the weights that belong to it.
const KINDS: [(&str, Option<&str>); 6] = [
    ("onnx", None),
    ("keras", None),
    ("h5", None),
    ("h5-keras2", None),
    ("json", Some("weights")),
    ("json-keras2", Some("weights-keras2")),
];

/// One model file of a manifest.
#[derive(Debug, Clone)]
pub struct ModelFile {
    /// The entry's name, with the kind of the file.
    pub name: String,
    /// The kind of the file.
    pub kind: String,
    /// The file.
    pub path: PathBuf,
    /// The weights that belong to it, where they lie in another file.
    pub weights: Option<PathBuf>,
    /// What its framework computed.
    pub golden: Option<PathBuf>,
    /// The entry as it is written.
    pub entry: Value,
}

impl ModelFile {
    /// What must happen: `ok`, or `error: ...`.
    pub fn expect(&self) -> &str {
        self.entry["expect"].as_str().unwrap_or_default()
    }

    /// The shape to be given for an input of open size, `NAME=1x3x48x192`.
    pub fn shape(&self) -> Option<&str> {
        self.entry["shape"].as_str()
    }
}

/// The folder of models; none where it is not set. Tests that can do nothing without it are ignored then, by
/// `#[cfg_attr(not(frit_models), ignore = "...")]`, and take [`folder`].
pub fn models() -> Option<PathBuf> {
    env::var_os("FRIT_MODELS").map(PathBuf::from)
}

/// The folder `name` of the models.
///
/// # Panics
/// The folder of models is not set.
pub fn folder(name: &str) -> PathBuf {
    models().expect("FRIT_MODELS is set, as it was when this test was built").join(name)
}

/// All model files of the manifest in `folder`, those in the manifest's `files` by kind.
///
/// # Panics
/// The manifest can't be read, or names a file of an unknown kind.
pub fn files(folder: &Path) -> Vec<ModelFile> {
    let mut found = Vec::new();
    for entry in entries(folder) {
        let name = entry["name"].as_str().expect("an entry has a name");
        let file = |kind: &str| entry["files"][kind].as_str().map(|file| folder.join(file));
        for (kind, weights) in KINDS {
            let Some(path) = file(kind) else { continue };
            found.push(ModelFile {
                name: format!("{name} ({kind})"),
                kind: kind.to_owned(),
                path,
                weights: weights.and_then(file),
                golden: file("golden"),
                entry: entry.clone(),
            });
        }
    }
    found
}

/// The entries of the manifest in `folder`.
///
/// # Panics
/// It can't be read.
pub fn entries(folder: &Path) -> Vec<Value> {
    let path = folder.join("manifest.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let manifest: Value =
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    manifest.as_array().expect("a manifest is a list").clone()
}
