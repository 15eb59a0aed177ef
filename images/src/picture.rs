//! Pictures as inputs: `.png` and `.jpg`, cropped, resized and normalised as a model says.

mod ending;

use std::io::{Cursor, Read};
use std::path::Path;

use frit_runtime::memory::Memory;
use frit_runtime::program::Preprocess;
use frit_runtime::{Model, Refusal, file};
use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageDecoder, ImageReader, Limits, RgbImage};
use thiserror::Error;

/// Pixels along a side of a picture.
pub const SIDE: u32 = 1 << 15;
/// Bytes of one input.
pub const INPUT_BYTES: u64 = 4 << 30;
/// Bytes of a picture's file.
const FILE_BYTES: u64 = 512 << 20;
/// Bytes of a decoded picture, as RGB at least, that a file of any size may have: a plain one packs well.
const LEAST_BYTES: u64 = 64 << 20;
/// Bytes that the decoder of any picture may ask for.
const MOST_BYTES: u64 = 1 << 30;
/// How many times as large as its file a picture may be: photographs that are packed hard stay below.
const UNPACKED: u64 = 32;
/// Bytes that a decoder may take for a pixel beside the picture: the coefficients of three components of a JPEG, padded.
const WORK_BYTES: u64 = 8;
/// Bytes of a pixel between the two passes of resizing: four f32 values.
const PASS_BYTES: u64 = 16;
/// Bytes of all these pixels, which the model's height and the picture's width decide.
const LEAST_PASS_BYTES: u64 = 160 << 20;

/// Why a picture does not become an input.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PictureError {
    /// It can't be read, is no picture, or is cut off.
    #[error("this is no picture that can be read: {0}")]
    Unreadable(String),
    /// It takes more memory than a picture may.
    #[error("this picture is too large: {what} {needed} bytes, and the limit is {limit}")]
    TooLarge {
        /// What would take the memory, with its pixels, up to the verb.
        what: String,
        /// Bytes that it takes.
        needed: u64,
        /// Bytes that a file of its size may.
        limit: u64,
    },
    /// The model takes something else.
    #[error("a picture becomes a map of 3 channels, and the model takes {}", shown(.0))]
    Shape(Vec<usize>),
    /// The model takes more of a picture than there can be.
    #[error("an input of {} is larger than {INPUT_BYTES} bytes", shown(.0))]
    InputBytes(Vec<usize>),
    /// The model takes several tensors, or none.
    #[error("a picture is one input, and the model takes {0}")]
    Inputs(usize),
    /// The model does not say how pictures become inputs.
    #[error("the model does not say how a picture becomes its input")]
    NoPreprocess,
    /// The bytes are not those of so many pixels, from 1 to [`SIDE`] along each side.
    #[error("{got} bytes are no picture of {width}x{height} pixels")]
    Pixels {
        /// Pixels across.
        width: u32,
        /// Pixels down.
        height: u32,
        /// Bytes given.
        got: usize,
    },
    /// The system has no memory for it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A shape as the rest of frit shows it.
fn shown(shape: &[usize]) -> String {
    shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

/// A decoded picture.
///
/// ```
/// use frit_images::Picture;
/// use frit_runtime::program::Preprocess;
///
/// // Two pixels, a black and a white one, for a network that takes values from -1 to 1.
/// let picture = Picture::rgb(2, 1, vec![0, 0, 0, 255, 255, 255])?;
/// let (mean, std) = ([0.0; 3], [1.0; 3]);
/// let plain = Preprocess { crop_center_square: false, bicubic: false, range: [-1.0, 1.0], mean, std };
/// assert_eq!(picture.input(&plain, &[1, 2, 3])?, [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]);
/// # Ok::<(), frit_images::PictureError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pixels: RgbImage,
    allowed: Allowance,
}

impl Picture {
    /// The picture in the file `path`. Transparency is left out; a photograph that was taken sideways is turned upright.
    ///
    /// # Errors
    /// The file can't be read, is no picture, is cut off, or is too large.
    pub fn load(path: &Path) -> Result<Picture, PictureError> {
        Picture::decode(&read(path)?)
    }

    /// The picture that a file of these bytes holds, as [`Picture::load`].
    ///
    /// # Errors
    /// As [`Picture::load`].
    pub fn decode(file: &[u8]) -> Result<Picture, PictureError> {
        let allowed = Allowance::of(file);
        Ok(Picture { pixels: decode(file, allowed)?, allowed })
    }

    /// A picture of pixels that somebody else decoded: red, green and blue, row by row.
    ///
    /// # Errors
    /// There are more or fewer bytes than pixels, none, or too many.
    pub fn rgb(width: u32, height: u32, bytes: Vec<u8>) -> Result<Picture, PictureError> {
        let got = bytes.len();
        let sides = 1..=SIDE;
        let is_right = sides.contains(&width)
            && sides.contains(&height)
            && got as u64 == 3 * u64::from(width) * u64::from(height);
        let pixels = RgbImage::from_raw(width, height, bytes).filter(|_| is_right);
        let allowed = Allowance { bytes: MOST_BYTES };
        pixels.map(|pixels| Picture { pixels, allowed }).ok_or(PictureError::Pixels { width, height, got })
    }

    /// The picture as the only input of `model`, as the model says.
    ///
    /// # Errors
    /// The model takes no picture, or does not say how one becomes its input.
    pub fn input_of(&self, model: &Model) -> Result<Vec<f32>, PictureError> {
        let metadata = model.metadata();
        let [only] = metadata.inputs.as_slice() else {
            return Err(PictureError::Inputs(metadata.inputs.len()));
        };
        let preprocess = metadata.source.preprocess.as_ref().ok_or(PictureError::NoPreprocess)?;
        self.input(preprocess, &only.shape)
    }

    /// The picture cropped, resized and normalised, in this order, for a model that takes one image of `shape`: height, width and
    /// 3 channels, or channels first.
    ///
    /// # Errors
    /// `shape` is no map of 3 channels, or one that is too large.
    pub fn input(&self, preprocess: &Preprocess, shape: &[usize]) -> Result<Vec<f32>, PictureError> {
        let (height, width) = sides(shape)?;
        let (left, top, across, down) = match preprocess.crop_center_square {
            true => center_square(&self.pixels),
            false => (0, 0, self.pixels.width(), self.pixels.height()),
        };
        self.allowed.resizing(across, height)?;
        let count = 3 * u64::from(height) * u64::from(width);
        if count > INPUT_BYTES / 4 {
            return Err(PictureError::InputBytes(shape.to_vec()));
        }
        // The values, and the resized picture, whose bytes are a quarter of them.
        room(count * 5)?;
        let part = imageops::crop_imm(&self.pixels, left, top, across, down);
        let filter = if preprocess.bicubic { FilterType::CatmullRom } else { FilterType::Triangle };
        let sized = imageops::resize(&*part, width, height, filter);
        let pixels = sized.as_raw();
        let value = |channel: usize, byte: u8| normal(f32::from(byte), channel, preprocess);
        let channel =
            |channel: usize| pixels.iter().skip(channel).step_by(3).map(move |&byte| value(channel, byte));
        Ok(match shape.last() {
            Some(3) => pixels.iter().enumerate().map(|(index, &byte)| value(index % 3, byte)).collect(),
            _ => (0..3).flat_map(channel).collect(),
        })
    }
}

/// Height and width of a map of 3 channels.
fn sides(shape: &[usize]) -> Result<(u32, u32), PictureError> {
    let sides = match *shape {
        [height, width, 3] | [3, height, width] => u32::try_from(height).ok().zip(u32::try_from(width).ok()),
        _ => None,
    };
    let sides = sides.filter(|&(height, width)| height.max(width) <= SIDE);
    sides.ok_or_else(|| PictureError::Shape(shape.to_vec()))
}

fn unreadable(reason: impl std::fmt::Display) -> PictureError {
    PictureError::Unreadable(reason.to_string())
}

/// All of the file.
fn read(path: &Path) -> Result<Vec<u8>, PictureError> {
    let file =
        file::open(path).map_err(|error| unreadable(format_args!("the file can't be read: {error}")))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(unreadable(format_args!("the file has more than {FILE_BYTES} bytes")));
    }
    Ok(bytes)
}

/// What a picture may take, by the size of its file.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Allowance {
    bytes: u64,
}

impl Allowance {
    fn of(file: &[u8]) -> Allowance {
        let unpacked = (file.len() as u64).saturating_mul(UNPACKED);
        Allowance { bytes: unpacked.clamp(LEAST_BYTES, MOST_BYTES) }
    }

    /// Whether a picture of these pixels, of `bytes` each, may be decoded, and there is memory for that.
    fn picture(self, (width, height): (u32, u32), bytes: u64) -> Result<(), PictureError> {
        let needed = bytes * u64::from(width) * u64::from(height);
        if needed > self.bytes {
            let what = format!("its {width}x{height} pixels take");
            return Err(PictureError::TooLarge { what, needed, limit: self.bytes });
        }
        room(needed + WORK_BYTES * u64::from(width) * u64::from(height))
    }

    /// Whether it may be resized from this width to this height.
    fn resizing(self, width: u32, height: u32) -> Result<(), PictureError> {
        let needed = PASS_BYTES * u64::from(width) * u64::from(height);
        let limit = self.bytes.max(LEAST_PASS_BYTES);
        if needed > limit {
            let what = format!("to resize it from {width} pixels across to {height} down takes");
            return Err(PictureError::TooLarge { what, needed, limit });
        }
        room(needed)
    }
}

/// Whether there is memory for that: the decoder does not ask.
fn room(bytes: u64) -> Result<(), PictureError> {
    Memory::zeroed(usize::try_from(bytes).unwrap_or(usize::MAX)).map(drop)?;
    Ok(())
}

fn decode(file: &[u8], allowed: Allowance) -> Result<RgbImage, PictureError> {
    ending::check(file).map_err(unreadable)?;
    let mut reader = ImageReader::new(Cursor::new(file)).with_guessed_format().map_err(unreadable)?;
    let mut limits = Limits::no_limits();
    limits.max_image_width = Some(SIDE);
    limits.max_image_height = Some(SIDE);
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

/// Left, top, width and height of the largest square in the middle; where it can't be exact, it is half a pixel up or left.
fn center_square(picture: &RgbImage) -> (u32, u32, u32, u32) {
    let (width, height) = picture.dimensions();
    let side = width.min(height);
    ((width - side) / 2, (height - side) / 2, side, side)
}

/// A byte of a channel as the model takes it.
fn normal(byte: f32, channel: usize, preprocess: &Preprocess) -> f32 {
    let [low, high] = preprocess.range;
    let value = low + byte / 255.0 * (high - low);
    (value - preprocess.mean[channel]) / preprocess.std[channel]
}

#[cfg(test)]
mod tests;
