//! `frit convert`: a model in another format.

use std::io::Write;
use std::path::{Path, PathBuf};

use frit_compiler::export::onnx;
use frit_ir::Graph;

use crate::console::Console;
use crate::description::Files;
use crate::failure::Failure;
use crate::model::ModelArgs;
use crate::output::{Draft, Output};

/// Write a model as .onnx, or as a description (.json)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An .onnx file has operators of version 20, the batch open, and the names of the layers. Borders
keep the order of axes that the model has them in. With --optimized the network is written as the
rewrites leave it: batch normalisations are inside the weights, and what was fused stands behind
its layer.

A description has its weights in FILE.safetensors beside it, where they are not all drawn from one
seed.

Examples:
  frit convert model.json -o model.onnx
  frit convert model.keras -o model.onnx --optimized
  frit zoo mobilenet_v2 | frit convert - -o mobilenet_v2.onnx
  frit convert model.onnx -o model.json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The file to write; its ending says the format
    #[arg(short, long, value_name = "FILE.onnx|FILE.json")]
    output: PathBuf,
    /// Write the network as the rewrites leave it
    #[arg(long)]
    optimized: bool,
}

/// A format to write, and where.
pub(crate) enum Format {
    Onnx(Draft),
    Description(Files),
}

impl Format {
    /// The format that the ending of `path` says, and the model as one that writes there reads it; nothing is written yet.
    pub(crate) fn of(path: &Path, model: &ModelArgs) -> Result<(Format, ModelArgs), Failure> {
        let ends = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
        if ends("json") {
            let (files, model) = Files::new(path, model)?;
            return Ok((Format::Description(files), model));
        }
        if !ends("onnx") {
            let message = format!("a model is written as .onnx or .json, {} is neither", path.display());
            return Err(Failure::Usage(message));
        }
        let output = Output::new(path)?;
        let model = model.writing([&output])?;
        Ok((Format::Onnx(Draft::new(output)?), model))
    }

    /// Writes `graph` whole, or nothing.
    pub(crate) fn write(self, graph: &Graph) -> Result<(), Failure> {
        match self {
            Format::Onnx(mut draft) => {
                let bytes = onnx::write(graph)?;
                draft.write(|file| file.write_all(&bytes))?;
                draft.keep()
            }
            Format::Description(files) => files.write(graph),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let (format, model) = Format::of(&args.output, &args.model)?;
    let options = model.options()?;
    let (legal, _) = model.read_legal(console)?;
    if !args.optimized {
        return format.write(&legal);
    }
    let optimised = frit_compiler::optimise(legal.into_inner(), &options)?;
    console.diagnose(&optimised.warnings);
    format.write(&optimised.graph)
}
