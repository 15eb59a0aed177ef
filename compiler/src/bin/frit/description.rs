//! Descriptions as files: FILE.json, and what it names beside it.

use std::path::{Path, PathBuf};

use frit_compiler::export::json::{self, Beside};
use frit_ir::Graph;

use crate::console::save_together;
use crate::failure::Failure;

/// The files of a model.
pub(crate) struct Files {
    description: PathBuf,
    /// The names of the others, in the same folder.
    weights: String,
    labels: String,
}

impl Files {
    /// Those of the description `path`, none of which is written yet.
    pub(crate) fn new(path: &Path) -> Result<Files, Failure> {
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let stem =
            path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| is_json && !stem.contains('\\'));
        let Some(stem) = stem else {
            return Err(Failure::Usage(format!("a model is written as .json, {} is none", path.display())));
        };
        let (weights, labels) = (format!("{stem}.safetensors"), format!("{stem}.labels.json"));
        Ok(Files { description: path.to_owned(), weights, labels })
    }

    /// Writes them all, or none.
    pub(crate) fn write(&self, graph: &Graph) -> Result<(), Failure> {
        let beside = Beside { weights: &self.weights, labels: &self.labels };
        let written = json::write(graph, &beside)?;
        let others =
            [(&self.weights, written.weights), (&self.labels, written.labels.map(String::into_bytes))];
        let mut files: Vec<(PathBuf, &[u8])> = others
            .iter()
            .filter_map(|(name, content)| Some((self.description.with_file_name(name), content.as_deref()?)))
            .collect();
        files.push((self.description.clone(), written.description.as_bytes()));
        save_together(&files)
    }
}
