//! From files to values: model descriptions to graphs, weights, labels, arrays and pictures.
//!
//! Whatever comes from outside is taken for hostile: sizes are checked before anything is allocated, a description names
//! files in its own folder only, and every fault of a file is told in one go, with line, column and path.
//!
//! # Names of layers
//!
//! A layer has the name that its description gives. One without a name is named after the nearest layer before it that was
//! given one, and its op: `batch_norm` and `relu6` behind `stem` are `stem/batch_norm` and `stem/relu6`; where that is taken,
//! `_2` and so on is added. The `activation` of a layer is a layer of its own, `LAYER/relu6`. Block 2 of the stage `s3` has the
//! layers `s3/2/expand`, `s3/2/depthwise` and `s3/2/project`, each followed by its `/batch_norm` and, where it has one, its
//! activation (`s3/2/expand/relu6`), and `s3/2/add`; in a bottleneck they are `reduce`, `spatial`, `expand` and `shortcut`. The
//! parts of the split `p` are `p/0`, `p/1` and so on. As an operand or output, a name means the layer's result: that of its
//! activation, or of a stage's last block; the layers inside are named in full.

pub mod array;
pub mod budget;
mod builder;
pub mod chain;
mod foreign;
mod identity;
pub mod json;
pub mod keras;
mod labels;
pub mod limits;
mod listing;
mod nearest;
pub mod onnx;
mod order;
pub mod part;
pub mod picture;
mod window;

pub use identity::Identity;
pub use labels::load as labels;

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use frit_ir::diagnostic::{Place, codes};
use frit_ir::{Diagnostic, Faults, Graph, Preprocess};
use frit_runtime::file;

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

/// The graph of a model file, with warnings. `-` reads a description from the standard input; files that it names are then
/// looked for in the working folder.
///
/// # Errors
/// The file can't be read, or is of a kind that frit does not read; else as [`json::read`].
pub fn load(model: &Path, request: &Request) -> Result<(Graph, Faults), Faults> {
    load_inside(model, request, 0)
}

/// The same, for a model that is the input of `depth` descriptions.
fn load_inside(model: &Path, request: &Request, depth: usize) -> Result<(Graph, Faults), Faults> {
    let source = |file: &str, folder: &Path| Source {
        file: file.to_owned(),
        folder: Some(folder.to_owned()),
        weights: request.weights.clone(),
        written: request.written.clone(),
        depth,
    };
    if model == Path::new("-") {
        let text = limits::text(std::io::stdin().lock(), limits::DESCRIPTION_BYTES);
        return described(text, &source("standard input", Path::new(".")), request);
    }
    let file = model.display().to_string();
    let ending = model.extension().map(|extension| extension.to_ascii_lowercase());
    match ending.as_deref().and_then(OsStr::to_str) {
        Some("json") => {
            let text = open(model).and_then(|file| limits::text(file, limits::DESCRIPTION_BYTES));
            described(text, &source(&file, folder(model)), request)
        }
        Some("keras") => keras::archive(model, request),
        Some("h5" | "hdf5") => keras::whole(model, request),
        Some("onnx") => onnx::load(model, request),
        _ => Err(foreign::fault(model).in_file(place(&file)).into()),
    }
}

/// How photographs become the inputs of networks that were trained on ImageNet, by the most common convention.
const IMAGENET: &str = r#"{"crop": "center_square", "resize": "bicubic", "range": [0, 1],
 "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}"#;

/// How a picture becomes an input: `imagenet`, or a file with the object that a description has under `preprocess`.
///
/// # Errors
/// The file can't be read; else as [`json::preprocess`].
pub fn preprocess(of: &Path) -> Result<Preprocess, Faults> {
    if of == Path::new("imagenet") {
        return json::preprocess(IMAGENET, "imagenet");
    }
    let file = of.display().to_string();
    let text = open(of).and_then(|file| limits::text(file, limits::DESCRIPTION_BYTES));
    json::preprocess(&text.map_err(|fault| fault.in_file(place(&file)))?, &file)
}

/// The folder that a file lies in.
fn folder(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The graph of a description: Keras', or one of frit's own, which says the shape of its input itself.
fn described(
    text: Result<String, Diagnostic>,
    source: &Source,
    request: &Request,
) -> Result<(Graph, Faults), Faults> {
    let in_file = |fault: Diagnostic| Faults::from(fault.in_file(place(&source.file)));
    let text = text.map_err(in_file)?;
    let parsed = json::document::Document::parse(&text, &source.file)?;
    if keras::is_description(&parsed.root()) {
        return keras::described(&text, &source.file, request);
    }
    if !request.shapes.is_empty() {
        let message = "a description says the shape of its input itself";
        let fault = Diagnostic::error(codes::BAD_VALUE, message);
        return Err(in_file(fault.help("leave --shape out: it is for files that leave a size open")));
    }
    json::read(&text, source)
}

/// The file, open for reading; what is none is refused.
fn open(path: &Path) -> Result<File, Diagnostic> {
    file::open(path).map_err(|error| {
        Diagnostic::error(codes::FILE_UNREADABLE, format!("the file can't be read: {error}"))
    })
}

/// A whole file as the place of a fault.
fn place(file: &str) -> Place {
    Place { file: file.to_owned(), ..Place::default() }
}

/// The file `name` of `folder`, which it must not leave; it is none of those that are `written`.
///
/// # Errors
/// In words, why it is no file that may be read.
fn inside(folder: &Path, name: &str, written: &[Identity]) -> Result<PathBuf, String> {
    let relative = Path::new(name);
    let plain = relative.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if name.is_empty() || !plain || name.contains('\\') {
        return Err("it must be a file in the folder of the model".to_owned());
    }
    let path = folder.join(relative);
    let real = |path: &Path| path.canonicalize().map_err(|error| error.to_string());
    if !real(&path)?.starts_with(real(folder)?) {
        return Err("it is a link that leaves the folder of the model".to_owned());
    }
    if Identity::of(&path).is_some_and(|file| written.contains(&file)) {
        return Err("it is the file that is to be written: write to another one".to_owned());
    }
    Ok(path)
}

#[cfg(test)]
mod tests;
