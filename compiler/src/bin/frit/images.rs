//! INPUT arguments as one batch of images.

use std::path::{Path, PathBuf};

use frit_compiler::import::{array, picture};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Op, Shape, Tensor};
use ndarray::Axis;

use crate::console::Console;
use crate::failure::Failure;

/// The seed of images that nobody gave.
pub(crate) const SEED: u64 = 1;

/// A batch of images.
#[derive(Debug)]
pub(crate) struct Images {
    /// All of them, the batch first.
    pub(crate) values: Tensor,
    /// Where each came from.
    pub(crate) names: Vec<String>,
}

impl Images {
    /// How many there are.
    pub(crate) fn batch(&self) -> usize {
        self.values.len_of(Axis(0))
    }

    /// Their values, dense.
    pub(crate) fn dense(&self) -> Vec<f32> {
        self.values.iter().copied().collect()
    }
}

/// The shape of the only input.
pub(crate) fn shape(graph: &Graph) -> Result<Shape, Failure> {
    let inputs = graph.inputs();
    match inputs.as_slice() {
        [only] => match &graph.node(*only).op {
            Op::Input(input) => Ok(input.shape.clone()),
            _ => unreachable!("inputs are input nodes"),
        },
        several => {
            let message = format!("the command takes models with one input, this one has {}", several.len());
            Err(Diagnostic::error(codes::INPUT_SHAPE, message).into())
        }
    }
}

/// A batch of random images that are the same each time.
pub(crate) fn seeded(graph: &Graph, batch: usize) -> Result<Tensor, Failure> {
    Ok(array::seeded(&shape(graph)?, batch, SEED)?)
}

/// All files as one batch, in their order; without any, one seeded random image, and a note that says so.
pub(crate) fn read(files: &[PathBuf], graph: &Graph, console: &Console) -> Result<Images, Failure> {
    let shape = shape(graph)?;
    if files.is_empty() {
        console.note(&format!("no input was given: taking a random image of {shape} (seed {SEED})"));
        return Ok(Images { values: array::seeded(&shape, 1, SEED)?, names: vec![format!("seed {SEED}")] });
    }
    let mut parts = Vec::new();
    let mut names = Vec::new();
    let mut faults = Faults::new();
    for file in files {
        match read_one(file, graph, &shape) {
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
    let views: Vec<_> = parts.iter().map(|part| part.view()).collect();
    let values =
        ndarray::concatenate(Axis(0), &views).expect("all files were read to the shape of the input");
    Ok(Images { values, names })
}

fn read_one(file: &Path, graph: &Graph, shape: &Shape) -> Result<Tensor, Faults> {
    let extension = file.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "npy" | "npz" => array::load(file, shape),
        "png" | "jpg" | "jpeg" => match &graph.preprocess {
            Some(preprocess) => picture::load(file, preprocess, shape),
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
        .help("add a `preprocess` to the description's `input`: crop, resize, range, mean, std")
        .help("prepare the picture elsewhere and give it as .npy, height x width x channels, the batch first")
}

fn named(file: &Path, batch: usize) -> Vec<String> {
    let file = file.display();
    match batch {
        1 => vec![file.to_string()],
        _ => (0..batch).map(|index| format!("{file}[{index}]")).collect(),
    }
}
