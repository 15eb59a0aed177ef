//! `frit compile`: a model to a file that runs without the compiler.

use std::path::{Path, PathBuf};
use std::time::Instant;

use frit_compiler::report::results::Written;
use frit_compiler::report::{json, text};
use frit_compiler::verify;
use frit_compiler::{Built, Options, Phase};
use frit_ir::Tensor;
use frit_runtime::load::Pages;

use crate::artifact;
use crate::bench::isa;
use crate::console::{Console, FormatArgs};
use crate::emit::{self, Emit, Files};
use crate::failure::Failure;
use crate::images::Input;
use crate::inspect::Level;
use crate::linker::Linker;
use crate::model::ModelArgs;
use crate::output::{Draft, Output};
use crate::verify::differs;

/// Compile a model to a file that runs without the compiler
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The artifact holds machine code, packed weights and what is known of the model: names, shapes,
labels, how pictures become inputs. The same model and options give the same bytes. It runs on
CPUs that have what --target names; on others it is refused with what they lack.

C and C++ programs link an object (.o), a static (.a) or a shared library (.so) instead, which holds
all of that and needs libc alone; the header beside it says how it is called.

Examples:
  frit compile model.json -o model.frit
  frit compile model.json -o model.frit --target x86-64-v3 --verify
  frit compile model.json -o phone.frit --target aarch64
  frit compile model.json -o model.o          # and model.h: cc -pthread main.c model.o
  frit compile model.json -o libmodel.so --symbol cats --linker clang")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// The file to be written: .frit, or for C .o, .a, .so (each with a header) or .h
    #[arg(short, long, value_name = "OUT.frit")]
    output: PathBuf,
    /// What is written [default: what the file's name says]
    #[arg(long, value_enum)]
    emit: Option<Emit>,
    /// What names in C begin with [default: the model's name]
    #[arg(long, value_name = "NAME", value_parser = emit::symbol)]
    symbol: Option<String>,
    /// The C compiler that links a shared library [default: $CC, or cc]
    #[arg(long, value_name = "COMMAND")]
    linker: Option<String>,
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

/// Parts of the way, after which progress is told.
const PARTS: usize = 3;

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let options = if args.verify { args.model.options_to_run()? } else { args.model.options()? };
    let files = Files::new(args.emit, &args.output)?;
    let linker = Linker::new(args.linker.as_deref());
    if files.is_shared() {
        linker.can_link(&options.machine, &args.output)?;
    }
    let header = files.header.as_ref().map(|(_, output)| output);
    let model = args.model.writing(header.into_iter().chain([&files.output]))?;
    let console = &console.beside(&files.output);
    let is_artifact = files.is_artifact();
    let mut drafts = files.draft()?;
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
    drafts.write(&built, &options, (args.symbol.as_deref(), &linker))?;
    phases.push(phase("writing", started));
    if args.verify {
        let started = Instant::now();
        match is_artifact {
            true => verify(&built, &drafts.file, console)?,
            false => verify(&built, &unkept(&built)?, console)?,
        }
        phases.push(phase("verifying", started));
    }
    let text = match args.dump {
        Some(level) => level.dump(&built.plan, &options.machine)?,
        None => told(args, &built, &options, drafts.header()),
    };
    drafts.keep()?;
    if args.timings {
        console.timings(&phases);
    }
    console.print(&text)
}

fn phase(name: &'static str, started: Instant) -> Phase {
    Phase { name, milliseconds: started.elapsed().as_secs_f64() * 1e3 }
}

/// The code and the weights of an object as an artifact, which can be loaded here.
fn unkept(built: &Built) -> Result<Draft, Failure> {
    let mut draft = Draft::new(Output::new(Path::new("/dev/null"))?)?;
    emit::artifact(built, &mut draft)?;
    Ok(draft)
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

fn told(args: &Args, built: &Built, options: &Options, header: Option<&Path>) -> String {
    let written = Written {
        file: args.output.display().to_string(),
        header: header.map(|path| path.display().to_string()),
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
