//! From pictures to inputs, and from scores to names.

use std::path::PathBuf;

use frit_compiler::import::picture;
use frit_images::classify;
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Shape, Tensor};
use frit_runtime::program::Preprocess;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::fault::{About, Raise};
use crate::lent;
use crate::program::Program;

/// The picture in the file `path` as one image of the only input, its elements in the model's order.
#[pyfunction]
pub(crate) fn of_file<'py>(
    py: Python<'py>,
    program: &Bound<'py, Program>,
    path: PathBuf,
) -> PyResult<Bound<'py, PyBytes>> {
    let program = program.get();
    let image = py.detach(|| {
        let (preprocess, shape) = takes(program)?;
        picture::load(&path, preprocess, &shape)
    });
    Ok(PyBytes::new(py, &elements(&image.raised(py, About::Input)?)))
}

/// The same for a picture of `height` and `width`, three bytes a pixel.
#[pyfunction]
pub(crate) fn of_pixels<'py>(
    py: Python<'py>,
    program: &Bound<'py, Program>,
    pixels: Vec<u8>,
    sides: (u32, u32),
) -> PyResult<Bound<'py, PyBytes>> {
    let program = program.get();
    let image = py.detach(|| {
        let (preprocess, shape) = takes(program)?;
        picture::of_pixels(pixels, sides, preprocess, &shape)
    });
    Ok(PyBytes::new(py, &elements(&image.raised(py, About::Input)?)))
}

/// How pictures become images of the only input, and their shape.
fn takes(program: &Program) -> Result<(&Preprocess, Shape), Faults> {
    let [input] = program.metadata.inputs.as_slice() else {
        let message = format!("a picture is for one input, the model has {}", program.metadata.inputs.len());
        return Err(Diagnostic::error(codes::INPUT_SHAPE, message).into());
    };
    let unsaid = || {
        let message = "the model does not say how a picture becomes its input";
        Diagnostic::error(codes::NO_PREPROCESS, message)
            .help_flag("say how when it is compiled", "--preprocess imagenet", "the most common way")
            .help("prepare the picture elsewhere and give it as an array, in the model's own order of axes")
    };
    let preprocess = program.metadata.source.preprocess.as_ref().ok_or_else(unsaid)?;
    Ok((preprocess, Shape::new(&input.shape)))
}

fn elements(image: &Tensor) -> Vec<u8> {
    image.iter().flat_map(|value| value.to_ne_bytes()).collect()
}

/// The `count` likeliest classes by the scores of one image: index, name and probability, likeliest first.
#[pyfunction]
pub(crate) fn top(
    program: &Bound<'_, Program>,
    scores: &Bound<'_, PyAny>,
    count: usize,
    labels: Option<Vec<String>>,
) -> PyResult<Vec<(usize, Option<String>, f64)>> {
    let source = &program.get().metadata.source;
    let probabilities = classify::probabilities(&lent::values(scores)?, source.gives_probabilities);
    let labels = labels.as_deref().or(source.labels.as_deref());
    let guesses = classify::top(&probabilities, count, labels);
    Ok(guesses.into_iter().map(|guess| (guess.index, guess.label, f64::from(guess.probability))).collect())
}
