//! The graph of a model file of any kind.

use std::ffi::OsStr;
use std::path::Path;

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Preprocess};

use super::document::Document;
use super::files::{folder, open, place};
use super::request::{Request, Source};
use super::{foreign, json, keras, limits, onnx};

/// The graph of a model file, with warnings. `-` reads a description from the standard input; files that it names are then
/// looked for in the working folder.
///
/// # Errors
/// The file can't be read, or is of a kind that frit does not read; else as [`json::read`].
pub fn load(model: &Path, request: &Request) -> Result<(Graph, Faults), Faults> {
    load_inside(model, request, 0)
}

/// The same, for a model that is the input of `depth` descriptions.
pub(super) fn load_inside(model: &Path, request: &Request, depth: usize) -> Result<(Graph, Faults), Faults> {
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

/// The graph of a description: Keras', or one of frit's own, which says the shape of its input itself.
fn described(
    text: Result<String, Diagnostic>,
    source: &Source,
    request: &Request,
) -> Result<(Graph, Faults), Faults> {
    let in_file = |fault: Diagnostic| Faults::from(fault.in_file(place(&source.file)));
    let text = text.map_err(in_file)?;
    let parsed = Document::parse(&text, &source.file)?;
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
