//! What a caller says of a model: where it comes from, which weights it takes, which sizes.

use std::path::PathBuf;
use std::str::FromStr;

use super::files::inside;
use super::identity::Identity;

/// Where a description comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its name in faults.
    pub file: String,
    /// The folder of the files that it names; none where it may name no file.
    pub folder: Option<PathBuf>,
    /// A weights file to be read instead of what it names.
    pub weights: Option<PathBuf>,
    /// Files that are about to be written, and that it must not name.
    pub written: Vec<Identity>,
    /// How many descriptions name this one as their input, one inside the other.
    pub depth: usize,
}

impl Source {
    /// The file `name`, beside the description.
    ///
    /// # Errors
    /// In words, why it is no file that may be read.
    pub(super) fn file(&self, name: &str) -> Result<PathBuf, String> {
        match &self.folder {
            Some(folder) => inside(folder, name, &self.written),
            None => Err("a description without a folder can't name files".to_owned()),
        }
    }
}

/// What a caller says besides the file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// A weights file to be read instead of what the model holds or names.
    pub weights: Option<PathBuf>,
    /// Shapes of inputs as their file counts axes, the batch included, for files that leave some open.
    pub shapes: Vec<GivenShape>,
    /// Files that the caller is about to write: a model that names one of them is refused.
    pub written: Vec<Identity>,
}

/// A shape that the caller gives an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenShape {
    /// The input's name; none means the only one.
    pub input: Option<String>,
    /// Its axes as the file counts them, the batch included.
    pub axes: Vec<usize>,
}

impl FromStr for GivenShape {
    type Err = String;

    /// `image=1x224x224x3`, or the axes alone.
    fn from_str(text: &str) -> Result<GivenShape, String> {
        let (input, axes) = match text.rsplit_once('=') {
            Some((input, axes)) if !input.is_empty() => (Some(input.to_owned()), axes),
            Some(_) => return Err("a name stands before =".to_owned()),
            None => (None, text),
        };
        let axis = |axis: &str| axis.parse().ok().filter(|&length: &usize| length > 0);
        let axes: Option<Vec<usize>> = axes.split('x').map(axis).collect();
        let axes = axes.ok_or("a shape is whole numbers above 0 with x between, as in image=1x224x224x3")?;
        Ok(GivenShape { input, axes })
    }
}
