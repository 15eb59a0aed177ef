//! Pictures as inputs: `.png` and `.jpg`, cropped, resized and normalised as the model says.

mod ending;

use std::io::{Cursor, Read};
use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::graph::Preprocess;
use frit_ir::ops::Scalar;
use frit_ir::{Diagnostic, Faults, Shape, Tensor, memory};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};

use super::files::{open, place};
use super::limits;

/// Bytes of a picture's file.
const FILE_BYTES: u64 = 512 << 20;
/// Bytes of a decoded picture, as RGB at least, that a file of any size may have: a plain one packs well.
const LEAST_BYTES: u64 = 64 << 20;
/// How many times as large as its file a picture may be: photographs that are packed hard stay below.
const UNPACKED: u64 = 32;
/// Bytes that a decoder may take for a pixel beside the picture: the coefficients of three components of a JPEG, padded.
const WORK_BYTES: u64 = 8;
/// Bytes of a pixel between the two passes of resizing: four f32 values.
const PASS_BYTES: u64 = 16;
/// Bytes of all these pixels, which the model's height and the picture's width decide.
const LEAST_PASS_BYTES: u64 = 160 << 20;

/// The picture in the file `path` as an image for a model that takes `shape`: a tensor `[1, height, width, 3]`, or `[1, 3, height,
/// width]` where the model has its channels first. Transparency is left out; a photograph that was taken sideways is turned
/// upright.
///
/// # Errors
/// The file can't be read, is no picture, is cut off, or is too large; `shape` is no map of 3 channels.
pub fn load(path: &Path, preprocess: &Preprocess, shape: &Shape) -> Result<Tensor, Faults> {
    let named = |fault: Diagnostic| Faults::from(fault.in_file(place(&path.display().to_string())));
    let file = read(path).map_err(named)?;
    let allowed = Allowance::of(&file);
    let picture = decode(&file, &allowed).map_err(named)?;
    drop(file);
    prepare(&picture, preprocess, shape, &allowed).map_err(named)
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
    let bytes = pixels.len();
    let sides = 1..=limits::PICTURE_SIDE;
    let picture = RgbImage::from_raw(width, height, pixels)
        .filter(|_| sides.contains(&width) && sides.contains(&height))
        .filter(|_| bytes as u64 == 3 * u64::from(width) * u64::from(height))
        .ok_or_else(|| unreadable(format!("{bytes} bytes are no picture of {width}x{height} pixels")))?;
    let allowed = Allowance { bytes: limits::PICTURE_BYTES };
    Ok(prepare(&picture, preprocess, shape, &allowed)?)
}

fn unreadable(reason: impl std::fmt::Display) -> Diagnostic {
    Diagnostic::error(codes::INPUT_UNREADABLE, "this is no picture that can be read").note(reason.to_string())
}

/// All of the file.
fn read(path: &Path) -> Result<Vec<u8>, Diagnostic> {
    let file = open(path).map_err(|fault| unreadable(fault.message))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(unreadable(format!("the file has more than {FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// What a picture may take, by the size of its file.
struct Allowance {
    bytes: u64,
}

impl Allowance {
    fn of(file: &[u8]) -> Allowance {
        let unpacked = (file.len() as u64).saturating_mul(UNPACKED);
        Allowance { bytes: unpacked.clamp(LEAST_BYTES, limits::PICTURE_BYTES) }
    }

    /// Whether a picture of these pixels, of `bytes` each, may be decoded, and there is memory for that.
    fn picture(&self, (width, height): (u32, u32), bytes: u64) -> Result<(), Diagnostic> {
        let needed = bytes * u64::from(width) * u64::from(height);
        if needed > self.bytes {
            let reason = format!("its {width}x{height} pixels take {needed} bytes");
            let fault =
                unreadable(reason).note(format!("the limit for a file of its size is {}", self.bytes));
            return Err(fault.help("make it smaller: networks don't look at so many pixels"));
        }
        room(needed + WORK_BYTES * u64::from(width) * u64::from(height), "the picture")
    }

    /// Whether it may be resized from this width to this height.
    fn resizing(&self, width: u32, height: u32) -> Result<(), Diagnostic> {
        let needed = PASS_BYTES * u64::from(width) * u64::from(height);
        if needed > self.bytes.max(LEAST_PASS_BYTES) {
            let reason =
                format!("to resize it from {width} pixels across to {height} down takes {needed} bytes");
            return Err(unreadable(reason).help("make it smaller first"));
        }
        room(needed, "resizing the picture")
    }
}

/// Whether there is memory for that: the decoder does not ask.
fn room(bytes: u64, what: &str) -> Result<(), Diagnostic> {
    memory::room::<u8>(usize::try_from(bytes).unwrap_or(usize::MAX), what)
}

fn decode(file: &[u8], allowed: &Allowance) -> Result<RgbImage, Diagnostic> {
    ending::check(file).map_err(unreadable)?;
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(unreadable)?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(limits::PICTURE_SIDE);
    limits.max_image_height = Some(limits::PICTURE_SIDE);
    limits.max_alloc = Some(allowed.bytes);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(unreadable)?;
    let pixel = u64::from(decoder.color_type().bytes_per_pixel());
    allowed.picture(decoder.dimensions(), pixel.max(3))?;
    let turn = decoder.orientation().map_err(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(unreadable)?;
    picture.apply_orientation(turn);
    Ok(picture.into_rgb8())
}

/// Crops, resizes and normalises, in this order.
fn prepare(
    picture: &RgbImage,
    preprocess: &Preprocess,
    shape: &Shape,
    allowed: &Allowance,
) -> Result<Tensor, Diagnostic> {
    let sides = match shape.axes() {
        [height, width, 3] | [3, height, width] => {
            u32::try_from(*height).ok().zip(u32::try_from(*width).ok())
        }
        _ => None,
    };
    let sides = sides.filter(|&(height, width)| height.max(width) <= limits::PICTURE_SIDE);
    let Some((height, width)) = sides else {
        let message = "a picture becomes a map of 3 channels, which this model does not take";
        return Err(Diagnostic::error(codes::INPUT_SHAPE, message).note(format!("it takes {shape}")));
    };
    let (left, top, across, down) = match preprocess.crop_center_square {
        true => center_square(picture),
        false => (0, 0, picture.width(), picture.height()),
    };
    allowed.resizing(across, height)?;
    let axes = [1, height as usize, width as usize, 3];
    let count = axes.iter().product::<usize>();
    if count as u64 > limits::ARRAY_BYTES / 4 {
        let message = format!("an input of {shape} is larger than {} bytes", limits::ARRAY_BYTES);
        return Err(Diagnostic::error(codes::LIMIT, message));
    }
    let mut values = memory::reserved(count, "the picture as an input")?;
    // The resized picture is bytes, a quarter of the values.
    memory::room::<u8>(count, "the resized picture")?;
    let part = imageops::crop_imm(picture, left, top, across, down);
    let filter = if preprocess.bicubic { FilterType::CatmullRom } else { FilterType::Triangle };
    let sized = imageops::resize(&*part, width, height, filter);
    let bytes = sized.as_raw().iter().enumerate();
    values.extend(bytes.map(|(index, &byte)| normal(f32::from(byte), index % 3, preprocess)));
    let tensor = Tensor::from_shape_vec(axes.as_slice(), values)
        .map_err(|error| Diagnostic::error(codes::INPUT_SHAPE, error.to_string()))?;
    if shape.channels() == 3 {
        return Ok(tensor);
    }
    let channels_first = tensor.permuted_axes(vec![0, 3, 1, 2]);
    Ok(channels_first.as_standard_layout().into_owned())
}

/// Left, top, width and height of the largest square in the middle; where it can't be exact, it is half a pixel up or left.
fn center_square(picture: &RgbImage) -> (u32, u32, u32, u32) {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    ((width - side) / 2, (height - side) / 2, side, side)
}

/// A byte of a channel as the model takes it.
fn normal(byte: f32, channel: usize, preprocess: &Preprocess) -> f32 {
    let [low, high] = preprocess.range.map(Scalar::get);
    let value = low + byte / 255.0 * (high - low);
    (value - preprocess.mean[channel].get()) / preprocess.std[channel].get()
}

#[cfg(test)]
mod tests;
