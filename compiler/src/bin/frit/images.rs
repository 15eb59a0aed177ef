//! INPUT arguments as one batch of images.

use std::path::{Path, PathBuf};

use frit_compiler::emit::metadata;
use frit_compiler::import::{array, picture};
use frit_ir::diagnostic::codes;
use frit_ir::graph::Preprocess;
use frit_ir::{Diagnostic, Faults, Graph, Op, Shape, Tensor, memory};
use frit_runtime::program::Metadata;
use ndarray::Axis;

use crate::console::Console;
use crate::failure::Failure;

/// The seed of images that nobody gave.
pub(crate) const SEED: u64 = 1;

/// A batch of images.
#[derive(Debug)]
pub(crate) struct Images {
    /// All of them, dense, one after the other.
    pub(crate) values: Vec<f32>,
    /// Where each came from.
    pub(crate) names: Vec<String>,
}

impl Images {
    /// How many there are.
    pub(crate) fn batch(&self) -> usize {
        self.names.len()
    }
}

/// What a model takes: its only input.
#[derive(Debug, Clone)]
pub(crate) struct Input {
    shape: Shape,
    preprocess: Option<Preprocess>,
}

impl Input {
    /// That of a model's source.
    pub(crate) fn of_graph(graph: &Graph) -> Result<Input, Failure> {
        let inputs = graph.inputs();
        let [only] = inputs.as_slice() else { return Err(several(inputs.len())) };
        match &graph.node(*only).op {
            Op::Input(input) => {
                Ok(Input { shape: input.shape.clone(), preprocess: graph.preprocess.clone() })
            }
            _ => unreachable!("inputs are input nodes"),
        }
    }

    /// That of a model that is compiled.
    pub(crate) fn of_program(metadata: &Metadata) -> Result<Input, Failure> {
        let [only] = metadata.inputs.as_slice() else { return Err(several(metadata.inputs.len())) };
        let preprocess = metadata.source.preprocess.as_ref().map(metadata::preprocess);
        Ok(Input { shape: Shape::new(&only.shape), preprocess })
    }

    /// A batch of random images that are the same each time.
    pub(crate) fn seeded(&self, batch: usize) -> Result<Tensor, Failure> {
        Ok(array::seeded(&self.shape, batch, SEED)?)
    }
}

fn several(inputs: usize) -> Failure {
    let message = format!("the command takes models with one input, this one has {inputs}");
    Diagnostic::error(codes::INPUT_SHAPE, message).into()
}

/// All files as one batch, in their order; without any, one seeded random image, and a note that says so.
pub(crate) fn read(files: &[PathBuf], input: &Input, console: &Console) -> Result<Images, Failure> {
    if files.is_empty() {
        console.note(&format!("no input was given: taking a random image of {} (seed {SEED})", input.shape));
        let values = joined(&[input.seeded(1)?])?;
        return Ok(Images { values, names: vec![format!("seed {SEED}")] });
    }
    let mut parts = Vec::new();
    let mut names = Vec::new();
    let mut faults = Faults::new();
    for file in files {
        match read_one(file, input) {
            Ok(part) => {
                names.extend(named(file, part.len_of(Axis(0))));
                parts.push(part);
            }
            Err(found) => faults.extend(found),
        }
    }
    if faults.has_errors() {
        return Err(faults.into());
    }
    Ok(Images { values: joined(&parts)?, names })
}

/// The values of all `parts`, in their order.
fn joined(parts: &[Tensor]) -> Result<Vec<f32>, Diagnostic> {
    let count = parts.iter().map(|part| part.len()).sum();
    let mut values = memory::reserved(count, "all inputs")?;
    parts.iter().for_each(|part| values.extend(part.iter().copied()));
    Ok(values)
}

fn read_one(file: &Path, input: &Input) -> Result<Tensor, Faults> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "npy" | "npz" => array::load(file, &input.shape),
        "png" | "jpg" | "jpeg" => match &input.preprocess {
            Some(preprocess) => picture::load(file, preprocess, &input.shape),
            None => Err(no_preprocess(file).into()),
        },
        _ => Err(Diagnostic::error(codes::INPUT_UNREADABLE, format!("{} is no input", file.display()))
            .note("an input is a .npy, .npz, .png or .jpg file")
            .into()),
    }
}

fn no_preprocess(file: &Path) -> Diagnostic {
    let message =
        format!("{} is a picture, and the model does not say how one becomes its input", file.display());
    Diagnostic::error(codes::NO_PREPROCESS, message)
        .help_flag(
            "say how, in the words of a description: crop, resize, range, mean, std",
            "--preprocess FILE",
            "or imagenet, the most common way",
        )
        .help("add a `preprocess` to the description's `input`")
        .help("prepare the picture elsewhere and give it as .npy, in the model's own order of axes")
}

fn named(file: &Path, batch: usize) -> Vec<String> {
    let file = file.display();
    match batch {
        1 => vec![file.to_string()],
        _ => (0..batch).map(|index| format!("{file}[{index}]")).collect(),
    }
}
