//! Pictures as inputs: [`frit_images`] in tensors and diagnostics.

use std::path::Path;

use frit_images::{Picture, PictureError};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Shape, Tensor};
use frit_runtime::program::Preprocess;

use super::files::place;

/// The picture in the file `path` as an image for a model that takes `shape`: a tensor `[1, height, width, 3]`, or `[1, 3, height,
/// width]` where the model has its channels first.
///
/// # Errors
/// The file can't be read, is no picture, is cut off, or is too large; `shape` is no map of 3 channels.
pub fn load(path: &Path, preprocess: &Preprocess, shape: &Shape) -> Result<Tensor, Faults> {
    let tensor = taken(Picture::load(path), preprocess, shape);
    tensor.map_err(|fault| fault.in_file(place(&path.display().to_string())).into())
}

/// The same for a picture of this height and width whose `pixels` are three bytes each, row after row.
///
/// # Errors
/// There are more pixels or fewer, none or too many; `shape` is no map of 3 channels.
pub fn of_pixels(
    pixels: Vec<u8>,
    (height, width): (u32, u32),
    preprocess: &Preprocess,
    shape: &Shape,
) -> Result<Tensor, Faults> {
    Ok(taken(Picture::rgb(width, height, pixels), preprocess, shape)?)
}

/// What a model takes of a picture.
fn taken(
    picture: Result<Picture, PictureError>,
    preprocess: &Preprocess,
    shape: &Shape,
) -> Result<Tensor, Diagnostic> {
    let values = picture.and_then(|picture| picture.input(preprocess, shape.axes()));
    Tensor::from_shape_vec([&[1], shape.axes()].concat(), values.map_err(|error| fault(&error))?)
        .map_err(|error| Diagnostic::error(codes::INPUT_SHAPE, error.to_string()))
}

/// What is told of a picture that can't be taken.
fn fault(error: &PictureError) -> Diagnostic {
    let unreadable = || Diagnostic::error(codes::INPUT_UNREADABLE, "this is no picture that can be read");
    match error {
        PictureError::Unreadable(reason) => unreadable().note(reason.clone()),
        PictureError::Pixels { .. } => unreadable().note(error.to_string()),
        PictureError::TooLarge { what, needed, limit } => unreadable()
            .note(format!("{what} {needed} bytes, and the limit for a file of its size is {limit}"))
            .help("make it smaller: networks don't look at so many pixels"),
        PictureError::InputBytes(_) => Diagnostic::error(codes::LIMIT, error.to_string()),
        PictureError::Refused(refusal) => Diagnostic::error(codes::SYSTEM_REFUSES, refusal.to_string())
            .help("raise the limit of memory, or ask for less"),
        _ => Diagnostic::error(codes::INPUT_SHAPE, error.to_string()),
    }
}
