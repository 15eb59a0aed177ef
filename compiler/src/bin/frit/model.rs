//! The arguments that every command with a MODEL has.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use frit_compiler::import::{GivenShape, Identity, Request};
use frit_compiler::machine::{self, Lowering, Machine};
use frit_compiler::plan::Way;
use frit_compiler::schedule::ways;
use frit_compiler::{Options, import};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Op, Shape};
use frit_passes::Report;
use frit_passes::egraph::rules;
use frit_passes::legality::{self, Legal};
use frit_passes::pipeline::{self, Repaired};
use frit_runtime::cpu;

use crate::artifact;
use crate::console::Console;
use crate::failure::Failure;
use crate::output::Output;
use crate::repair::RepairArgs;

/// What the options of compilation stand under in the help.
pub(crate) const COMPILATION: &str = "Compilation";

/// How vector programs become machine code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Lower {
    /// Through Cranelift, at 128 bits.
    Portable,
    /// At the full width of the target.
    Wide,
    /// The widest that the target has.
    Auto,
}

/// The way of all blocks, or each its own.
#[derive(Debug, Clone, Copy)]
struct Schedule(Option<Way>);

impl Schedule {
    /// Takes `auto` and the name of each way.
    fn parser() -> impl TypedValueParser<Value = Schedule> {
        let auto = PossibleValue::new("auto").help("Each in the way that is predicted to be the fastest");
        let ways = ways::ALL.map(|way| PossibleValue::new(way.name).help(way.about));
        let names = PossibleValuesParser::new([auto].into_iter().chain(ways));
        names.map(|name| Schedule(ways::ALL.into_iter().find(|way| way.name == name)))
    }
}

/// MODEL and how it is compiled.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ModelArgs {
    /// A model (.json, .keras, .h5, .onnx; what is run also .frit), or - for a description on standard input
    pub(crate) model: PathBuf,
    /// Take the weights from this file instead of those that the model holds or names
    #[arg(long, value_name = "FILE", help_heading = COMPILATION)]
    weights: Option<PathBuf>,
    /// The shape of an input that the file leaves open, the batch included (may be given several times)
    #[arg(long = "shape", value_name = "NAME=1x224x224x3", help_heading = COMPILATION)]
    shapes: Vec<GivenShape>,
    /// How pictures become inputs: imagenet, or a file with the object that a description has under preprocess
    #[arg(long, value_name = "FILE", help_heading = COMPILATION)]
    preprocess: Option<PathBuf>,
    /// Keep every source layer as a kernel of its own
    #[arg(long, help_heading = COMPILATION)]
    pub(crate) no_fuse: bool,
    /// Never apply this rewrite rule (may be given several times)
    #[arg(long, value_name = "RULE", help_heading = COMPILATION, hide_possible_values = true,
        value_parser = PossibleValuesParser::new(rules::ALL.iter().map(|rule| rule.name)))]
    disable: Vec<String>,
    /// The instruction sets to compile for
    #[arg(long, value_name = "T", default_value = "native", help_heading = COMPILATION,
        value_parser = PossibleValuesParser::new(machine::NAMES))]
    target: String,
    /// How kernels become machine code
    #[arg(long, value_enum, default_value_t = Lower::Auto, help_heading = COMPILATION)]
    lower: Lower,
    #[command(flatten)]
    ways: WayArgs,
    #[command(flatten)]
    pub(crate) repair: RepairArgs,
    /// The options above that were given, as they are typed.
    #[arg(skip)]
    pub(crate) given: Vec<String>,
    /// Files that the command writes, which the model may not name.
    #[arg(skip)]
    written: Vec<Identity>,
}

/// Which ways of computing may be taken.
#[derive(Debug, Clone, clap::Args)]
struct WayArgs {
    /// How blocks go through the caches; one that can't go so goes layer by layer
    #[arg(long, value_parser = Schedule::parser(), default_value = "auto", conflicts_with = "no_fuse", help_heading = COMPILATION)]
    schedule: Schedule,
    /// Compute no convolution by Winograd's algorithm, whose rounding error is about twice that of the plain sum
    #[arg(long, help_heading = COMPILATION)]
    no_winograd: bool,
}

/// A model that was read.
pub(crate) struct Reading {
    pub(crate) graph: Graph,
    /// What was repaired, where anything was to be.
    pub(crate) reports: Vec<Report>,
    /// Number of warnings.
    warnings: usize,
}

impl Reading {
    /// The model as a legal one, and the number of all warnings; new ones go to stderr.
    pub(crate) fn legal(self, console: &Console) -> Result<(Legal<Graph>, usize), Failure> {
        let (legal, more) = legality::check(self.graph)?;
        console.diagnose(&more);
        Ok((legal, self.warnings + more.iter().count()))
    }
}

impl ModelArgs {
    /// Reads the model as it is; warnings go to stderr.
    pub(crate) fn import(&self, console: &Console) -> Result<Graph, Failure> {
        let (graph, warnings) = self.load(console)?;
        console.diagnose(&warnings);
        Ok(graph)
    }

    /// Reads the model and repairs what it should; what was done and warnings go to stderr.
    pub(crate) fn read(&self, console: &Console) -> Result<Graph, Failure> {
        Ok(self.read_and_repair(console)?.graph)
    }

    /// The same, with a report where it was to be repaired.
    pub(crate) fn read_and_repair(&self, console: &Console) -> Result<Reading, Failure> {
        self.repair.policy()?;
        self.repaired(self.load(console)?, console)
    }

    /// What was read, repaired as it should; what was done and warnings go to stderr.
    pub(crate) fn repaired(
        &self,
        (graph, mut warnings): (Graph, Faults),
        console: &Console,
    ) -> Result<Reading, Failure> {
        let options = pipeline::Options { repair: self.repair.policy()?, ..pipeline::Options::default() };
        let repaired = pipeline::repaired(graph, &options).map_err(Faults::from)?;
        let edits = repaired.reports.iter().flat_map(|report| &report.changed);
        edits.for_each(|edit| console.repaired(edit));
        warnings.extend(repaired.warnings);
        console.diagnose(&warnings);
        let Repaired { graph, reports, .. } = repaired;
        Ok(Reading { graph, reports, warnings: warnings.iter().count() })
    }

    /// Reads the model, repairs what it should, and finds it legal; what was done and warnings go to stderr.
    pub(crate) fn read_legal(&self, console: &Console) -> Result<(Legal<Graph>, usize), Failure> {
        self.read_and_repair(console)?.legal(console)
    }

    /// The same for a command that writes `outputs`, which none of its files may be.
    pub(crate) fn writing<'a>(
        &self,
        outputs: impl IntoIterator<Item = &'a Output>,
    ) -> Result<ModelArgs, Failure> {
        let mut written = Vec::new();
        for output in outputs {
            for input in
                [Some(&self.model), self.weights.as_ref(), self.preprocess.as_ref()].into_iter().flatten()
            {
                output.is_not(input)?;
            }
            written.extend(output.identity());
        }
        Ok(ModelArgs { written, ..self.clone() })
    }

    /// The same for another model.
    pub(crate) fn of(&self, model: &Path) -> ModelArgs {
        ModelArgs { model: model.to_owned(), ..self.clone() }
    }

    /// The same for another model, which is none of the files that are about to be written.
    pub(crate) fn reading(&self, model: &Path) -> Result<ModelArgs, Failure> {
        match Identity::of(model).filter(|identity| self.written.contains(identity)) {
            Some(_) => {
                let message = format!("{} is read, and would be written", model.display());
                let fault = Diagnostic::error(codes::OUTPUT_UNWRITABLE, message);
                Err(fault.help("name another output").into())
            }
            None => Ok(self.of(model)),
        }
    }

    /// Images of the batch that --shape gives the input `name` of `shape`, where it gives one.
    pub(crate) fn batch(&self, name: &str, shape: &Shape) -> Option<usize> {
        let of_input = |given: &&GivenShape| given.input.as_deref().is_none_or(|input| input == name);
        match self.shapes.iter().find(of_input)?.axes.as_slice() {
            [batch, axes @ ..] if axes.len() == shape.rank() && *batch > 1 => Some(*batch),
            _ => None,
        }
    }

    /// Says what becomes of a batch that --shape gives.
    fn note_batch(&self, graph: &Graph, console: &Console) {
        for &id in graph.inputs() {
            let node = graph.node(id);
            let Op::Input(input) = &node.op else { continue };
            if let Some(batch) = self.batch(&node.name, &input.shape) {
                console.note(&format!(
                    "--shape gives {} a batch of {batch} images: the network is compiled for one, and takes any number at once",
                    node.name
                ));
            }
        }
    }

    /// Reads the model as it is, with warnings.
    pub(crate) fn load(&self, console: &Console) -> Result<(Graph, Faults), Failure> {
        if self.is_artifact() {
            return Err(artifact::no_source(&self.model));
        }
        let request = Request {
            weights: self.weights.clone(),
            shapes: self.shapes.clone(),
            written: self.written.clone(),
        };
        let (mut graph, warnings) =
            import::load(&self.model, &request).map_err(|faults| self.repair.waits(faults))?;
        self.note_batch(&graph, console);
        if let Some(preprocess) = &self.preprocess {
            graph.preprocess = Some(import::preprocess(preprocess)?);
        }
        Ok((graph, warnings))
    }

    /// Whether the model is compiled already.
    pub(crate) fn is_artifact(&self) -> bool {
        artifact::is_artifact(&self.model)
    }

    /// Refuses all options of compilation but those of `allowed`, where the model is compiled already.
    pub(crate) fn refuse_compilation(&self, allowed: &[&str]) -> Result<(), Failure> {
        match self.given.iter().find(|option| !allowed.contains(&option.as_str())) {
            Some(option) => Err(Failure::Usage(format!(
                "{} is compiled already: {option} has nothing to act on",
                self.model.display()
            ))),
            None => Ok(()),
        }
    }

    /// How to compile.
    pub(crate) fn options(&self) -> Result<Options, Failure> {
        let machine: Machine = self.target.parse().map_err(usage)?;
        let machine = match self.lower {
            Lower::Portable => machine.with_lowering(Lowering::Portable).map_err(usage)?,
            Lower::Wide => machine.with_lowering(Lowering::Wide).map_err(usage)?,
            Lower::Auto => machine,
        };
        let way = self.ways.schedule.0;
        let (fuse, winograd) = (!self.no_fuse, !self.ways.no_winograd);
        Ok(Options { machine, fuse, disabled_rules: self.disable.clone(), way, winograd })
    }

    /// How to compile what then runs on this CPU.
    pub(crate) fn options_to_run(&self) -> Result<Options, Failure> {
        let options = self.options()?;
        if !cpu::runs_code() {
            let message = format!(
                "frit's code runs on {} under Linux: here it can be compiled to a file, and not be run",
                cpu::ARCHITECTURES.join(" and ")
            );
            return Err(Failure::Usage(message));
        }
        if !options.machine.runs_here() {
            return Err(Failure::Usage(format!(
                "this CPU can't run code for {}: choose a --target that it has, or native",
                options.machine.name
            )));
        }
        Ok(options)
    }
}

fn usage(error: impl std::fmt::Display) -> Failure {
    Failure::Usage(error.to_string())
}
