//! `frit check`: is the model legal?

use std::path::{Path, PathBuf};

use frit_compiler::cost;
use frit_compiler::export::json::{self as description, Beside};
use frit_compiler::report::results::Summary;
use frit_compiler::report::{json, text};
use frit_ir::Graph;

use crate::console::{Console, FormatArgs, save_together};
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Find every fault of a model; one line of summary where there is none
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --fix the model as --residual repairs it is written to FILE.json, layer by layer; weights that are not all drawn from
one seed go to FILE.safetensors beside it, labels to FILE.labels.json. Nothing is written where faults are left.

Examples:
  frit check model.json
  frit zoo mobilenet_v2 | frit check -
  frit check model.json --format json 2> diagnostics.jsonl
  frit check model.json --residual drop
  frit check model.json --residual project --fix -o repaired.json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Write the repaired model
    #[arg(long, requires = "output")]
    fix: bool,
    /// Where the repaired model is written to
    #[arg(short, long, value_name = "FILE.json", requires = "fix")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    args.model.options()?;
    let files = args.output.as_deref().map(|path| Files::new(path, &args.model)).transpose()?;
    let (legal, warnings) = args.model.read_legal(console)?;
    let cost = cost::cost(&legal)?;
    if let Some(files) = &files {
        files.write(&legal)?;
    }
    let summary = Summary { model: cost.model, layers: cost.layers.len(), totals: cost.totals, warnings };
    console.print(&if args.format.json() { json::summary(&summary) } else { text::summary(&summary) })
}

/// The files of the repaired model.
struct Files {
    description: PathBuf,
    /// The names of the others, in the same folder.
    weights: String,
    labels: String,
}

impl Files {
    fn new(path: &Path, model: &ModelArgs) -> Result<Files, Failure> {
        if model.repair.policy()?.is_none() {
            let message = "--fix writes what --residual repairs: add --residual drop, project or insert";
            return Err(Failure::Usage(message.to_owned()));
        }
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
    fn write(&self, graph: &Graph) -> Result<(), Failure> {
        let beside = Beside { weights: &self.weights, labels: &self.labels };
        let written = description::write(graph, &beside)?;
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
