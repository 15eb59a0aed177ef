//! `frit cost`: parameters, multiply-accumulates and bytes; and what alternatives to blocks would cost.

use std::path::{Path, PathBuf};

use frit_compiler::alternatives::{self, Study};
use frit_compiler::report::results::Alternatives;
use frit_compiler::report::{json, text};
use frit_compiler::{Options, cost};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Graph};
use frit_passes::legality::Legal;

use crate::bench::{cpu, isa};
use crate::console::{Console, FormatArgs};
use crate::description::Files;
use crate::failure::Failure;
use crate::model::ModelArgs;

/// Count parameters, multiply-accumulates and bytes of a model, by layer and by block
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Parameters are those that training changes; statistics of batch normalisations are counted apart.

With --alternatives each block stands beside what could be in its place: windows of 3, 5 and 7 and
two of 3, with and without squeeze-and-excite, dense, separable and grouped, other expansions and
widths; each a network with the block's input and output. A sentence says from how many channels
on one 5x5 is cheaper than two 3x3, all of the block's in proportion. Times are of the block
alone, with the caller's layout of its input and output.

Examples:
  frit cost model.json
  frit cost model.json --alternatives --block s3/1
  frit cost model.json --alternatives --block s3/1 --keep folder
  frit cost model.json --alternatives --measure
  frit zoo mobilenet_v2 --width 0.5 | frit cost - --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) model: ModelArgs,
    /// Compare each block with what could stand in its place
    #[arg(long)]
    alternatives: bool,
    /// Only the block of this name
    #[arg(long, value_name = "NAME", requires = "alternatives")]
    block: Option<String>,
    /// Time the alternatives on this CPU too, on one thread
    #[arg(long, requires = "alternatives")]
    measure: bool,
    /// Write the alternatives to that block to this folder, as descriptions
    #[arg(long, value_name = "DIR", requires = "block")]
    keep: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
}

/// Runs the command.
pub(crate) fn run(args: &Args, console: &Console) -> Result<(), Failure> {
    let options = if args.measure { args.model.options_to_run()? } else { args.model.options()? };
    let (legal, _) = args.model.read_legal(console)?;
    if args.alternatives {
        return compare(args, &legal, &options, console);
    }
    let cost = cost::cost(&legal)?;
    console.print(&if args.format.json() { json::cost(&cost) } else { text::cost(&cost) })
}

/// Prints the alternatives to blocks.
fn compare(args: &Args, legal: &Legal<Graph>, options: &Options, console: &Console) -> Result<(), Failure> {
    let mut studies = alternatives::study(legal, options)?;
    if let Some(name) = &args.block {
        studies = vec![only(studies, name)?];
    }
    if let Some(folder) = &args.keep {
        studies.iter().try_for_each(|study| keep(study, folder, &args.model))?;
    }
    let mut progress = console.progress("predicting");
    alternatives::predict(&mut studies, options, &mut |done, all| progress.advance(done, all))?;
    drop(progress);
    if args.measure {
        let mut progress = console.progress("timing");
        alternatives::measure(&mut studies, options, &mut |done, all| progress.advance(done, all))?;
    }
    let machine = args.measure.then(cpu);
    let found = Alternatives { model: legal.name.clone(), isa: isa(&options.machine), machine, studies };
    let json = args.format.json();
    console.print(&if json { json::alternatives(&found) } else { text::alternatives(&found) })
}

/// The study of the block `name`.
fn only(studies: Vec<Study>, name: &str) -> Result<Study, Failure> {
    let known: Vec<String> = studies.iter().flat_map(|study| study.blocks.clone()).collect();
    let found = studies.into_iter().find(|study| study.blocks.iter().any(|block| block == name));
    found.map(|study| Study { blocks: vec![name.to_owned()], ..study }).ok_or_else(|| {
        let fault = Diagnostic::error(codes::UNKNOWN_LAYER, format!("there is no block {name}"));
        fault.note(format!("the blocks with a square window are {}", known.join(", "))).into()
    })
}

/// Writes each alternative of `study` to `folder`, under the name of what differs in it.
fn keep(study: &Study, folder: &Path, model: &ModelArgs) -> Result<(), Failure> {
    for alternative in &study.alternatives {
        let name = alternative.what.replace(' ', "-");
        let (files, _) = Files::new(&folder.join(format!("{name}.json")), model)?;
        files.write(&alternative.graph)?;
    }
    Ok(())
}
