//! INPUT arguments as one batch of images.

use std::path::{Path, PathBuf};

use frit_compiler::emit::metadata;
use frit_compiler::import::{array, picture};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Op, Shape, Tensor, memory};
use frit_runtime::program::{Metadata, Preprocess};
use ndarray::Axis;

use crate::console::Console;
use crate::failure::Failure;
use crate::model::ModelArgs;

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
    name: String,
    shape: Shape,
    preprocess: Option<Preprocess>,
    /// Images of a run, where the caller says how many.
    batch: Option<usize>,
}

impl Input {
    /// That of a model's source.
    pub(crate) fn of_graph(graph: &Graph) -> Result<Input, Failure> {
        let inputs = graph.inputs();
        let &[only] = inputs else { return Err(several(inputs.len())) };
        let node = graph.node(only);
        let Op::Input(input) = &node.op else { unreachable!("inputs are input nodes") };
        let preprocess = graph.preprocess.as_ref().map(metadata::preprocess);
        Ok(Input { name: node.name.clone(), shape: input.shape.clone(), preprocess, batch: None })
    }

    /// That of a model that is compiled.
    pub(crate) fn of_program(metadata: &Metadata) -> Result<Input, Failure> {
        let [only] = metadata.inputs.as_slice() else { return Err(several(metadata.inputs.len())) };
        let preprocess = metadata.source.preprocess.clone();
        Ok(Input { name: only.name.clone(), shape: Shape::new(&only.shape), preprocess, batch: None })
    }

    /// The same for runs of the batch that --shape gives it, if it gives one.
    pub(crate) fn in_batch_of(self, model: &ModelArgs) -> Input {
        Input { batch: model.batch(&self.name, &self.shape), ..self }
    }

    /// Images of a run, where the caller says how many.
    pub(crate) fn batch(&self) -> Option<usize> {
        self.batch
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

/// All files as one batch, in their order; without any, seeded random images, as many as --shape says or else `random`, one
/// where neither does, and a note that says so.
pub(crate) fn read(
    files: &[PathBuf],
    input: &Input,
    random: Option<u16>,
    console: &Console,
) -> Result<Images, Failure> {
    if files.is_empty() {
        let batch = input.batch.unwrap_or(random.map_or(1, usize::from));
        let what = if batch == 1 { "a random image".to_owned() } else { format!("{batch} random images") };
        console.note(&format!("no input was given: taking {what} of {} (seed {SEED})", input.shape));
        let values = joined(&[input.seeded(batch)?])?;
        return Ok(Images { values, names: numbered(&format!("seed {SEED}"), batch) });
    }
    let mut parts = Vec::new();
    let mut names = Vec::new();
    let mut faults = Faults::new();
    for file in files {
        match read_one(file, input) {
            Ok(part) => {
                names.extend(numbered(&file.display().to_string(), part.len_of(Axis(0))));
                parts.push(part);
            }
            Err(found) => faults.extend(found),
        }
    }
    if faults.has_errors() {
        return Err(faults.into());
    }
    let images = Images { values: joined(&parts)?, names };
    match input.batch.filter(|&batch| batch != images.batch()) {
        Some(batch) => Err(other_batch(batch, images.batch()).into()),
        None => Ok(images),
    }
}

fn other_batch(wanted: usize, given: usize) -> Diagnostic {
    let message = format!("--shape gives a batch of {wanted} images, the inputs hold {given}");
    Diagnostic::error(codes::INPUT_SHAPE, message)
        .help("give 1 as the first axis of --shape: a run takes as many images as its inputs hold")
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

/// The names of the images of `source`.
fn numbered(source: &str, batch: usize) -> Vec<String> {
    match batch {
        1 => vec![source.to_owned()],
        _ => (0..batch).map(|index| format!("{source}[{index}]")).collect(),
    }
}
