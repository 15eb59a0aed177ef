//! `frit compile`: a model to a file that runs without the compiler.

use std::io::{BufWriter, ErrorKind, Write};
use std::path::PathBuf;
use std::time::Instant;

use clap::ValueEnum;
use frit_compiler::report::results::Written;
use frit_compiler::report::{json, text};
use frit_compiler::verify;
use frit_compiler::{Built, Options, Phase};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Tensor};
use frit_runtime::load::Pages;

use crate::artifact;
use crate::bench::isa;
use crate::console::{Console, FormatArgs};
use crate::failure::Failure;
use crate::images::Input;
use crate::inspect::Level;
use crate::model::ModelArgs;
use crate::output::{Draft, Output};
use crate::verify::differs;

/// Compile a model to a file that runs without the compiler
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The artifact holds machine code, packed weights and what is known of the model: names, shapes,
labels, how pictures become inputs. The same model and options give the same bytes. It runs on
CPUs that have what --target names; on others it is refused with what they lack.

Examples:
  frit compile model.json -o model.frit
  frit compile model.json -o model.frit --target x86-64-v3 --verify
  frit compile model.json -o phone.frit --target aarch64")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The file to be written
    #[arg(short, long, value_name = "OUT.frit")]
    output: PathBuf,
    /// What is written
    #[arg(long, value_enum, default_value_t = Emit::Frit)]
    emit: Emit,
    /// Run the artifact against plain evaluation of the model before it is kept
    #[arg(long)]
    verify: bool,
    /// Say on stderr how long each part of the way took
    #[arg(long)]
    timings: bool,
    /// Show a level of code generation, from the plan to machine code, instead of what was written
    #[arg(long, value_enum, value_name = "LEVEL", conflicts_with = "format")]
    dump: Option<Level>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Emit {
    /// An artifact, for frit's runtime.
    Frit,
}

/// Parts of the way, after which progress is told.
const PARTS: usize = 3;

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let options = if args.verify { args.model.options_to_run()? } else { args.model.options()? };
    let Emit::Frit = args.emit;
    let output = Output::ending(&args.output, "frit", "artifacts are")?;
    let model = args.model.writing([&output])?;
    let console = &console.beside(&output);
    let mut draft = Draft::new(output)?;
    let mut progress = console.progress("compiling");
    let started = Instant::now();
    let graph = model.read(console)?;
    let mut phases = vec![phase("read", started)];
    progress.advance(1, PARTS);
    let built = frit_compiler::build(graph, &options, &mut |_, _| progress.advance(2, PARTS))?;
    drop(progress);
    console.diagnose(&built.warnings);
    phases.extend(built.phases.iter().copied());
    let started = Instant::now();
    write(&built, &mut draft)?;
    phases.push(phase("writing", started));
    if args.verify {
        let started = Instant::now();
        verify(&built, &draft, console)?;
        phases.push(phase("verifying", started));
    }
    let text = match args.dump {
        Some(level) => level.dump(&built.plan, &options.machine)?,
        None => told(args, &built, &options),
    };
    draft.keep()?;
    if args.timings {
        console.timings(&phases);
    }
    console.print(&text)
}

fn phase(name: &'static str, started: Instant) -> Phase {
    Phase { name, milliseconds: started.elapsed().as_secs_f64() * 1e3 }
}

fn write(built: &Built, draft: &mut Draft) -> Result<(), Failure> {
    let mut unfit = None;
    draft.write(|file| {
        let mut buffered = BufWriter::new(file);
        match built.write(&mut buffered) {
            // Contents that no artifact can hold are not the file's fault.
            Err(error) if error.kind() == ErrorKind::InvalidData => unfit = Some(error.to_string()),
            written => written?,
        }
        buffered.flush()
    })?;
    match unfit {
        Some(reason) => Err(Diagnostic::error(codes::INTERNAL, reason).into()),
        None => Ok(()),
    }
}

/// Loads what was written and compares it with the interpreter, with 1 and 2 threads.
fn verify(built: &Built, draft: &Draft, console: &Console) -> Result<(), Failure> {
    let model = artifact::load(&draft.path(), Pages::Shared)?;
    let batch = Input::of_graph(&built.legal)?.seeded(1)?;
    let images: Vec<Tensor> = batch.outer_iter().map(|image| image.to_owned()).collect();
    let mut progress = console.progress("verifying");
    let golden = verify::interpreted(&built.legal, &images, &mut |done, all| progress.advance(done, all))?;
    let verdict = verify::model_against(&model.into(), &golden, &[1, 2], &mut |_, _| {})?;
    if verdict.passed { Ok(()) } else { Err(Failure::Internal(differs(&verdict))) }
}

fn told(args: &Args, built: &Built, options: &Options) -> String {
    let written = Written {
        file: args.output.display().to_string(),
        model: built.metadata.name.clone(),
        isa: isa(&options.machine),
        kernels: built.plan.kernels.len(),
        steps: built.plan.steps.len(),
        code_bytes: built.image.bytes.len(),
        weight_bytes: built.plan.weights.bytes(),
        arena_bytes: built.plan.arena_bytes,
        scratch_bytes: built.plan.scratch_bytes,
        verified: args.verify,
    };
    if args.format.json() { json::written(&written) } else { text::written(&written) }
}
