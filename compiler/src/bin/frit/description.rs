//! Descriptions as files: FILE.json, and what it names beside it.

use std::io::Write;
use std::path::{Path, PathBuf};

use frit_compiler::export::json::{self, Beside};
use frit_compiler::import::Identity;
use frit_ir::Graph;

use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::output::{self, Draft, Output};

/// The files of a model.
pub(crate) struct Files {
    description: Draft,
    /// Where the others lie: in the folder of the description's name, where its reader looks for them.
    beside: PathBuf,
    /// The names of the others.
    weights: String,
    labels: String,
}

impl Files {
    /// Those of the description `path`, none of which is written yet, and the model as one that writes them reads it.
    pub(crate) fn new(path: &Path, model: &ModelArgs) -> Result<(Files, ModelArgs), Failure> {
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let stem =
            path.file_stem().and_then(|stem| stem.to_str()).filter(|stem| is_json && !stem.contains('\\'));
        let Some(stem) = stem else {
            return Err(Failure::Usage(format!("a model is written as .json, {} is none", path.display())));
        };
        let (weights, labels) = (format!("{stem}.safetensors"), format!("{stem}.labels.json"));
        let description = Output::new(path)?;
        let others = [&weights, &labels].map(|name| path.with_file_name(name));
        // Where there is nothing to write to one of them, it need not be one that can be written.
        let replaced = others.iter().filter(|path| Identity::of(path).is_some());
        let replaced: Vec<Output> = replaced.filter_map(|path| Output::new(path).ok()).collect();
        let model = model.writing(replaced.iter().chain([&description]))?;
        let description = Draft::new(description)?;
        Ok((Files { description, beside: path.to_owned(), weights, labels }, model))
    }

    /// Writes them all, or none.
    pub(crate) fn write(self, graph: &Graph) -> Result<(), Failure> {
        let beside = Beside { weights: &self.weights, labels: &self.labels };
        let written = json::write(graph, &beside)?;
        let mut drafts: Vec<Draft> = Vec::new();
        let labels = written.labels.map(String::into_bytes);
        for (name, content) in [(&self.weights, written.weights), (&self.labels, labels)] {
            let Some(content) = content else { continue };
            let output = Output::new(&self.beside.with_file_name(name))?;
            drafts
                .iter()
                .chain([&self.description])
                .try_for_each(|other| output.differs_from(other.output()))?;
            drafts.push(written_to(Draft::new(output)?, &content)?);
        }
        drafts.push(written_to(self.description, written.description.as_bytes())?);
        output::keep(drafts)
    }
}

fn written_to(mut draft: Draft, content: &[u8]) -> Result<Draft, Failure> {
    draft.write(|file| file.write_all(content))?;
    Ok(draft)
}
