//! `frit convert`: a model in another format.

use std::io::Write;
use std::path::{Path, PathBuf};

use frit_compiler::export::onnx;
use frit_ir::Graph;

use crate::console::{Console, save};
use crate::description::Files;
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Write a model as .onnx, or as a description (.json)
#[derive(Debug, clap::Args)]
#[command(after_help = "\
An .onnx file has operators of version 20, the batch open, and the names of the layers. Borders keep the order of axes
that the model has them in. With --optimized the network is written as the rewrites leave it: batch normalisations are
inside the weights, and what was fused stands behind its layer.

A description has its weights in FILE.safetensors beside it, where they are not all drawn from one seed.

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

/// A format to write.
enum Format {
    Onnx(PathBuf),
    Description(Files),
}

impl Format {
    fn of(path: &Path) -> Result<Format, Failure> {
        let ends = |ending: &str| path.extension().is_some_and(|found| found.eq_ignore_ascii_case(ending));
        match (ends("onnx"), ends("json")) {
            (true, _) => Ok(Format::Onnx(path.to_owned())),
            (_, true) => Ok(Format::Description(Files::new(path)?)),
            _ => {
                let message = format!("a model is written as .onnx or .json, {} is neither", path.display());
                Err(Failure::Usage(message))
            }
        }
    }

    fn write(&self, graph: &Graph) -> Result<(), Failure> {
        match self {
            Format::Onnx(path) => {
                let bytes = onnx::write(graph)?;
                save(path, |file| file.write_all(&bytes))
            }
            Format::Description(files) => files.write(graph),
        }
    }
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let format = Format::of(&args.output)?;
    let options = args.model.options()?;
    let (legal, _) = args.model.read_legal(console)?;
    if !args.optimized {
        return format.write(&legal);
    }
    let optimised = frit_compiler::optimise(legal.into_inner(), &options)?;
    console.diagnose(&optimised.warnings);
    format.write(&optimised.graph)
}
