//! Files of models that frit does not read: which they are by their names, and what makes one of them that it reads.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::files::folder;

/// A file of another library.
enum Format {
    /// A folder that TensorFlow saved.
    SavedModel(PathBuf),
    /// A graph of TensorFlow whose variables are constants.
    FrozenGraph,
    /// A graph of TensorFlow whose variables lie in files beside it.
    Checkpoint,
    /// TensorFlow's for small devices.
    Lite,
    /// What PyTorch saved.
    Torch,
}

/// The fault of a `model` that is no file that is read.
pub(super) fn fault(model: &Path) -> Diagnostic {
    let read = "a model is a file that ends in .json, .keras, .h5 or .onnx, or - for a description on the standard input";
    let Some(kind) = Format::of(model) else { return Diagnostic::error(codes::FILE_UNREADABLE, read) };
    let message = format!("this is {}, which is not read", kind.what());
    let fault = Diagnostic::error(codes::FILE_UNREADABLE, message)
        .note(read)
        .help(format!("convert it to ONNX: {}", kind.command(model)));
    match &kind {
        Format::SavedModel(folder) => fault.help(format!(
            "or in Python, with TensorFlow up to 2.15: tf.keras.models.load_model({:?}).save({:?})",
            folder.display().to_string(),
            named(model, "keras")
        )),
        Format::FrozenGraph | Format::Checkpoint => fault.help(
            "INPUT and OUTPUT are its first and its last node; build the network with training=False before it is saved",
        ),
        Format::Lite | Format::Torch => fault,
    }
}

impl Format {
    fn of(model: &Path) -> Option<Format> {
        const SAVED_MODEL: &str = "saved_model.pb";
        if model.is_dir() {
            return model.join(SAVED_MODEL).exists().then(|| Format::SavedModel(model.to_owned()));
        }
        if model.file_name() == Some(OsStr::new(SAVED_MODEL)) {
            return Some(Format::SavedModel(folder(model).to_owned()));
        }
        let ending = model.extension()?.to_str()?.to_ascii_lowercase();
        match ending.as_str() {
            "pb" => Some(Format::FrozenGraph),
            "meta" | "ckpt" => Some(Format::Checkpoint),
            "tflite" => Some(Format::Lite),
            "pt" | "pth" => Some(Format::Torch),
            _ => None,
        }
    }

    fn what(&self) -> &'static str {
        match self {
            Format::SavedModel(_) => "a SavedModel of TensorFlow",
            Format::FrozenGraph => "a frozen graph of TensorFlow",
            Format::Checkpoint => "a checkpoint of TensorFlow",
            Format::Lite => "a model of TensorFlow Lite",
            Format::Torch => "what PyTorch saves",
        }
    }

    /// What makes an ONNX file of it.
    fn command(&self, model: &Path) -> String {
        let file = |path: &Path| quoted(&path.display().to_string());
        let ends = " --inputs INPUT:0 --outputs OUTPUT:0";
        let (flag, source, ends) = match self {
            Format::SavedModel(folder) => ("saved-model", file(folder), ""),
            Format::FrozenGraph => ("graphdef", file(model), ends),
            Format::Checkpoint => ("checkpoint", file(model), ends),
            Format::Lite => ("tflite", file(model), ""),
            Format::Torch => {
                let onnx = named(model, "onnx");
                return format!("torch.onnx.export(model.eval(), images, {onnx:?}) in Python");
            }
        };
        let onnx = quoted(&named(model, "onnx"));
        format!("python -m tf2onnx.convert --{flag} {source}{ends} --output {onnx}")
    }
}

/// What a converted file is called: as the model, or as the folder that it is.
fn named(model: &Path, ending: &str) -> String {
    let name = match Format::of(model) {
        Some(Format::SavedModel(folder)) => folder.file_name().map(OsStr::to_owned),
        _ => model.file_stem().map(OsStr::to_owned),
    };
    let name = name.map_or_else(|| "model".into(), |name| name.to_string_lossy().into_owned());
    format!("{name}.{ending}")
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:,@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
