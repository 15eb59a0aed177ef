//! Which Keras wrote a file.

use crate::import::document::{Content, Document};

/// Which Keras wrote a file: some functions of one name are not the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// 1 or 2.
    Keras2,
    Keras3,
}

/// The version in a JSON text's `keras_version`.
pub(super) fn stated(text: &str) -> Option<Version> {
    let document = Document::parse(text, "").ok()?;
    let Content::Object(members) = document.root().content().ok()? else {
        return None;
    };
    let stated = members.into_iter().find(|member| member.name == "keras_version")?;
    version_of(stated.value.spelling().trim_matches('"'))
}

pub(super) fn version_of(text: &str) -> Option<Version> {
    match text.split('.').next()? {
        "1" | "2" => Some(Version::Keras2),
        "3" => Some(Version::Keras3),
        _ => None,
    }
}

/// Where no version is stated: Keras 3 writes the module of each class, and `batch_shape` without `input`.
pub(super) fn guessed(text: &str) -> Version {
    let old = text.contains("\"batch_input_shape\"") || !text.contains("\"keras_history\"");
    let new = text.contains("\"batch_shape\"");
    if old && !new { Version::Keras2 } else { Version::Keras3 }
}
