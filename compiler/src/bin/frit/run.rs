//! `frit run`: compiles a model, or loads one that is compiled, and runs it on inputs.

use std::path::PathBuf;
use std::time::Instant;

use clap::value_parser;
use frit_compiler::execute::{self, Execution, Workers};
use frit_compiler::report::npz::{self, Array};
use frit_compiler::report::results::{Output, Results};
use frit_compiler::report::{json, text};
use frit_compiler::{Compiled, Phase, import};
use frit_images::classify;
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Shape};
use frit_runtime::Model;
use frit_runtime::Port;
use frit_runtime::load::Pages;

use crate::artifact;
use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::images::{self, Images, Input};
use crate::model::ModelArgs;
use crate::output::{self, Draft};

/// Compile a model and run it on pictures or arrays; or run an artifact
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Several inputs are one batch. Pictures are cropped, resized and normalised as the model's
description says; arrays are taken as they are, the batch first. Without an input a random one is
taken, the same each time.

An artifact (.frit, made by frit compile) is not compiled again, and runs as it is: trust it like
any other program.

Examples:
  frit run model.json photo.jpg --top 5
  frit run model.json a.png b.png --top 1 --labels imagenet.json --format json
  frit run model.frit photo.jpg --top 5
  frit run model.json images.npy -o results.npz --threads 2
  frit run model.frit images.npy -o results.npz --batch 64 --streams 2 --threads 1")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Pictures (.png, .jpg) or arrays (.npy, .npz)
    #[arg(value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Write the outputs to this .npz file, an array each
    #[arg(short, long, value_name = "OUT.npz")]
    output: Option<PathBuf>,
    /// Show the K likeliest classes of the last output
    #[arg(long, value_name = "K", value_parser = value_parser!(u32).range(1..))]
    top: Option<u32>,
    /// Take the names of the classes from this file, a JSON list
    #[arg(long, value_name = "FILE", requires = "top")]
    labels: Option<PathBuf>,
    /// Threads of each stream [default: as many as the machine runs at once, shared out among the streams]
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Images of one call, of which there are as many as the inputs need [default: all of them]; without an input so many
    /// random ones
    #[arg(long, value_name = "N", value_parser = value_parser!(u16).range(1..=1024))]
    batch: Option<u16>,
    /// Images that are computed at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u16).range(1..=256))]
    streams: u16,
    /// Copy the weights of an artifact to huge pages instead of sharing them with the file: slower to load, faster to run
    #[arg(long)]
    huge_pages: bool,
    /// Say on stderr how long each part of the way took
    #[arg(long)]
    timings: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let Some(path) = &args.output else { return infer(args, None, console) };
    let output = output::Output::ending(path, "npz", "outputs are")?;
    args.inputs.iter().chain(&args.labels).try_for_each(|input| output.is_not(input))?;
    let args = Args { model: args.model.writing([&output])?, ..args.clone() };
    let console = console.beside(&output);
    infer(&args, Some(Draft::new(output)?), &console)
}

/// Runs the model, and writes its outputs where they are asked for.
fn infer(args: &Args, draft: Option<Draft>, console: &Console) -> Result<(), Failure> {
    let labels = args.labels.as_deref().map(import::labels).transpose()?;
    let mut phases = Vec::new();
    let (model, images) = match args.model.is_artifact() {
        true => loaded(args, &mut phases, console)?,
        false => compiled(args, &mut phases, console)?,
    };
    let mut execution = timed(&mut phases, "threads and memory", || Execution::new(&model, workers(args)))?;
    let batch = args.batch.map_or(images.batch(), usize::from);
    let outputs =
        timed(&mut phases, "inference", || execution.in_calls(&images.values, images.batch(), batch))?;
    let arrays = arrays(&model, images.batch());
    let arrays: Vec<Array<'_>> =
        arrays.iter().zip(outputs).map(|((name, shape), values)| Array { name, shape, values }).collect();
    let source = &model.metadata().source;
    let top = args.top.map(|count| Top {
        count: count as usize,
        labels: labels.or_else(|| source.labels.clone()),
        given: source.gives_probabilities,
    });
    let results = results(&arrays, &images, top.as_ref())?;
    if let Some(mut draft) = draft {
        draft.write(|file| npz::write(file, &arrays))?;
        draft.keep()?;
    }
    if args.timings {
        console.timings(&phases);
    }
    console.print(&if args.format.json() { json::results(&results) } else { text::results(&results) })
}

/// The model, compiled for this CPU, and its inputs.
fn compiled(args: &Args, phases: &mut Vec<Phase>, console: &Console) -> Result<(Model, Images), Failure> {
    let options = args.model.options_to_run()?;
    let graph = timed(phases, "read", || args.model.read(console))?;
    let input = Input::of_graph(&graph)?.in_batch_of(&args.model);
    let images = timed(phases, "input", || images::read(&args.inputs, &input, args.batch, console))?;
    let Compiled { program, warnings, phases: compiling, .. } = frit_compiler::compile(graph, &options)?;
    console.diagnose(&warnings);
    phases.extend(compiling);
    let model = timed(phases, "load", || Model::new(program)).map_err(|error| execute::refused(&error))?;
    Ok((model, images))
}

/// The model in an artifact, and its inputs.
fn loaded(args: &Args, phases: &mut Vec<Phase>, console: &Console) -> Result<(Model, Images), Failure> {
    args.model.refuse_compilation(&[])?;
    let (name, pages) = match args.huge_pages {
        true => ("load, weights copied to huge pages", Pages::Huge),
        false => ("load, weights shared with the file", Pages::Shared),
    };
    let model = timed(phases, name, || artifact::load(&args.model.model, pages))?;
    let input = Input::of_program(model.metadata())?;
    let images = timed(phases, "input", || images::read(&args.inputs, &input, args.batch, console))?;
    Ok((model, images))
}

fn timed<T, E>(
    phases: &mut Vec<Phase>,
    name: &'static str,
    part: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    let started = Instant::now();
    let result = part();
    phases.push(Phase { name, milliseconds: started.elapsed().as_secs_f64() * 1e3 });
    result
}

fn workers(args: &Args) -> Workers {
    let streams = usize::from(args.streams);
    let shared_out = || std::thread::available_parallelism().map_or(1, usize::from).div_ceil(streams);
    Workers { streams, threads: args.threads.map_or_else(shared_out, usize::from) }
}

/// Names and shapes of the outputs.
fn arrays(model: &Model, batch: usize) -> Vec<(String, Shape)> {
    let array = |port: &Port| (port.name.clone(), Shape::new(&port.axes(batch)));
    model.metadata().outputs.iter().map(array).collect()
}

/// What is told of the last output.
struct Top {
    count: usize,
    labels: Option<Vec<String>>,
    /// Whether the model gives probabilities itself.
    given: bool,
}

fn results(arrays: &[Array<'_>], images: &Images, top: Option<&Top>) -> Result<Results, Failure> {
    let output = |array: &Array<'_>| Output::new(array.name.to_owned(), array.shape.clone(), array.values);
    let outputs = arrays.iter().map(output).collect();
    let guesses = match (top, arrays.last()) {
        (Some(top), Some(last)) => Some(guesses(last, images.batch(), top)?),
        _ => None,
    };
    Ok(Results { outputs, top: guesses, images: images.names.clone() })
}

fn guesses(output: &Array<'_>, batch: usize, top: &Top) -> Result<Vec<Vec<classify::Guess>>, Failure> {
    let classes = output.values.len() / batch.max(1);
    if let Some(labels) = top.labels.as_ref().filter(|labels| labels.len() != classes) {
        let message = format!("the model has {classes} classes, {} names were given for them", labels.len());
        return Err(Diagnostic::error(codes::LABELS, message).at(output.name).into());
    }
    let images = output.values.chunks(classes.max(1));
    let probabilities = images.map(|scores| classify::probabilities(scores, top.given));
    Ok(probabilities.map(|all| classify::top(&all, top.count, top.labels.as_deref())).collect())
}
