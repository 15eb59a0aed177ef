//! A compiled network in use: what can be compiled of one network, and sessions with memory for their results.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use frit_ir::diagnostic::{Place, codes};
use frit_ir::{Diagnostic, Faults, Graph, memory};
use frit_runtime::{LoadError, Model, Port, RunError, Streams, View, ViewMut};

use crate::machine::{Lowering, NoWideLowering};
use crate::plan::Way;
use crate::schedule::ways;
use crate::{Compiled, Options};

/// One of the programs that can be made of the same network, to be compared with another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Variant {
    /// Layers fused and folded, lowered as the options say.
    Fused,
    /// A kernel for every source layer; everything else as in [`Variant::Fused`].
    Unfused,
    /// Fused, lowered by Cranelift at 128 bits.
    Portable,
    /// Fused, lowered at the full width of the machine.
    Wide,
    /// Fused, all blocks in this way where they can be.
    Scheduled(Way),
}

impl Variant {
    /// All variants.
    pub fn all() -> impl Iterator<Item = Variant> {
        let own = [Variant::Fused, Variant::Unfused, Variant::Portable, Variant::Wide];
        own.into_iter().chain(ways::ALL.map(Variant::Scheduled))
    }

    /// The options that make this variant, all else as in `base`.
    ///
    /// # Errors
    /// The machine has no wide lowering.
    pub fn options(self, base: &Options) -> Result<Options, NoWideLowering> {
        let mut options = Options { fuse: self != Variant::Unfused, ..base.clone() };
        match self {
            Variant::Fused | Variant::Unfused => {}
            Variant::Portable => options.machine = options.machine.with_lowering(Lowering::Portable)?,
            Variant::Wide => options.machine = options.machine.with_lowering(Lowering::Wide)?,
            Variant::Scheduled(way) => options.way = Some(way),
        }
        Ok(options)
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Variant::Fused => "fused",
            Variant::Unfused => "unfused",
            Variant::Portable => "portable",
            Variant::Wide => "wide",
            Variant::Scheduled(way) => way.name,
        })
    }
}

/// A name that no variant has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownVariant(pub String);

impl fmt::Display for UnknownVariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = Variant::all().map(|variant| variant.to_string()).collect();
        write!(f, "there is no variant {}: choose from {}", self.0, names.join(", "))
    }
}

impl std::error::Error for UnknownVariant {}

impl FromStr for Variant {
    type Err = UnknownVariant;

    fn from_str(name: &str) -> Result<Variant, UnknownVariant> {
        let found = Variant::all().find(|variant| variant.to_string() == name);
        found.ok_or_else(|| UnknownVariant(name.to_owned()))
    }
}

/// One of the programs of a network, ready to run.
#[derive(Debug, Clone)]
pub struct Entrant {
    /// Which one.
    pub variant: Variant,
    /// The program.
    pub model: Model,
}

impl From<Model> for Entrant {
    /// Of a model that was compiled elsewhere, by what it says of itself.
    fn from(model: Model) -> Entrant {
        let variant = if model.metadata().fused { Variant::Fused } else { Variant::Unfused };
        Entrant { variant, model }
    }
}

/// How the images of a batch are shared out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Workers {
    /// Images that are computed at the same time, at least 1.
    pub streams: usize,
    /// Threads that compute each of them, at least 1.
    pub threads: usize,
}

impl Workers {
    /// One image at a time, by so many threads.
    pub fn threads(threads: usize) -> Workers {
        Workers { streams: 1, threads }
    }
}

/// One caller's sessions and the memory of their outputs.
#[derive(Debug)]
pub struct Execution {
    streams: Streams,
    elements: Vec<usize>,
    outputs: Vec<Vec<f32>>,
}

impl Execution {
    /// Memory and threads for `model`.
    ///
    /// # Errors
    /// The system refuses memory or threads.
    pub fn new(model: &Model, workers: Workers) -> Result<Execution, Faults> {
        let Workers { streams, threads } = workers;
        let streams = Streams::new(model, streams, threads).map_err(|error| refused(&error))?;
        let outputs = &model.metadata().outputs;
        let elements = outputs.iter().map(Port::elements).collect();
        Ok(Execution { streams, elements, outputs: vec![Vec::new(); outputs.len()] })
    }

    /// Runs a batch of images and returns the outputs in order, each dense with the batch first.
    ///
    /// # Errors
    /// Inputs of another number or length than the network takes; the system has no memory for the outputs.
    pub fn run(&mut self, inputs: &[&[f32]], batch: usize) -> Result<&[Vec<f32>], Faults> {
        let inputs = views(inputs);
        self.with_outputs(batch, |streams, outputs| streams.run(&inputs, outputs, batch))?;
        Ok(&self.outputs)
    }

    /// Runs the images of the only input in calls of at most `batch`, at least 1, and returns the outputs of all of them, as
    /// [`Execution::run`].
    ///
    /// # Errors
    /// As [`Execution::run`].
    pub fn in_calls(&mut self, input: &[f32], images: usize, batch: usize) -> Result<&[Vec<f32>], Faults> {
        if images <= batch {
            return self.run(&[input], images);
        }
        self.reserve(images)?;
        let Execution { streams, elements, outputs } = self;
        let image = input.len() / images;
        for first in (0..images).step_by(batch.max(1)) {
            let end = images.min(first + batch.max(1));
            let read = View::from(&input[image * first..image * end]);
            let parts = outputs.iter_mut().zip(&*elements);
            let mut written: Vec<ViewMut<'_>> = parts
                .map(|(values, elements)| (&mut values[elements * first..elements * end]).into())
                .collect();
            streams.run(&[read], &mut written, end - first).map_err(|error| unrun(&error))?;
        }
        Ok(outputs)
    }

    /// Runs one image and returns the milliseconds of each step.
    ///
    /// # Errors
    /// Inputs of another number or length than the network takes.
    pub fn profile(&mut self, inputs: &[&[f32]]) -> Result<Vec<f64>, Faults> {
        let inputs = views(inputs);
        let profile = self.with_outputs(1, |streams, outputs| streams.profile(&inputs, outputs))?;
        Ok(profile.steps().iter().map(|time| time.as_secs_f64() * 1e3).collect())
    }

    /// What `run` makes of the sessions and of memory for the outputs of `batch` images.
    fn with_outputs<T>(
        &mut self,
        batch: usize,
        run: impl FnOnce(&mut Streams, &mut [ViewMut<'_>]) -> Result<T, RunError>,
    ) -> Result<T, Faults> {
        self.reserve(batch)?;
        let mut outputs: Vec<ViewMut<'_>> = self.outputs.iter_mut().map(ViewMut::from).collect();
        Ok(run(&mut self.streams, &mut outputs).map_err(|error| unrun(&error))?)
    }

    /// Makes room for the outputs of so many images.
    fn reserve(&mut self, images: usize) -> Result<(), Faults> {
        for (values, elements) in self.outputs.iter_mut().zip(&self.elements) {
            let length = elements.saturating_mul(images);
            if values.capacity() < length {
                *values = memory::reserved(length, &format!("the outputs of {images} images"))?;
            }
            values.resize(length, 0.0);
        }
        Ok(())
    }
}

fn views<'a>(inputs: &[&'a [f32]]) -> Vec<View<'a>> {
    inputs.iter().map(|&values| View::from(values)).collect()
}

/// The variant of `graph`, compiled and taken over for this CPU, with what the compiler tells of it.
///
/// # Errors
/// As [`crate::compile`]; a variant that the machine has not; a CPU that lacks a feature that the code uses (see
/// [`runs_here`](crate::machine::Machine::runs_here), which tells before anything is compiled).
pub fn load(graph: &Graph, variant: Variant, base: &Options) -> Result<Model, Faults> {
    let options = variant
        .options(base)
        .map_err(|error| Faults::from(Diagnostic::error(codes::INTERNAL, error.to_string())))?;
    let Compiled { program, .. } = crate::compile(graph.clone(), &options)?;
    Model::new(program).map_err(|error| refused(&error))
}

/// The diagnostic of a call that was refused.
pub fn unrun(error: &RunError) -> Diagnostic {
    let code = match error {
        RunError::Refused { .. } => codes::SYSTEM_REFUSES,
        _ => codes::INPUT_SHAPE,
    };
    Diagnostic::error(code, error.to_string())
}

/// The diagnostic of the program in the file `path`, which can't be loaded.
pub fn refused_in(path: &Path, error: &LoadError) -> Faults {
    let mut faults = refused(error);
    for fault in faults.iter_mut() {
        fault.place = Place { file: path.display().to_string(), ..Place::default() };
    }
    faults
}

/// The diagnostic of a program that can't be loaded.
pub fn refused(error: &LoadError) -> Faults {
    let again = "compile the model again with this version of frit";
    let fault = |code| Diagnostic::error(code, error.to_string());
    let fault = match error {
        LoadError::Unreadable(_) => fault(codes::FILE_UNREADABLE),
        LoadError::NotAnArtifact => {
            fault(codes::ARTIFACT_FORMAT).help("write one with `frit compile MODEL -o OUT.frit`")
        }
        LoadError::Version { found, expected, .. } if found > expected => fault(codes::ARTIFACT_VERSION)
            .help("run it with the frit that compiled it, which is newer")
            .help(again),
        LoadError::Version { .. } => fault(codes::ARTIFACT_VERSION).help(again),
        LoadError::Damaged(_) => {
            fault(codes::ARTIFACT_DAMAGED).help("copy the file again, or compile it again")
        }
        LoadError::Inconsistent(_) => fault(codes::ARTIFACT_INCONSISTENT).help(again),
        LoadError::Architecture { .. } | LoadError::MissingFeatures(_) => {
            let help = "compile the model again, for what this CPU has";
            fault(codes::ARTIFACT_CPU).help_flag(help, "--target native", "where it is compiled on this CPU")
        }
        LoadError::Refused(refusal) => crate::refused(refusal),
    };
    fault.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::{Level, Machine};

    #[test]
    fn every_variant_is_found_by_its_name_and_no_other() {
        for variant in Variant::all() {
            assert_eq!(variant.to_string().parse(), Ok(variant));
        }
        assert!("Fused".parse::<Variant>().unwrap_err().to_string().contains("unfused"));
    }

    #[test]
    fn only_the_unfused_variant_keeps_layers_apart() {
        let base = Options { machine: Machine::of(Level::V2), ..Options::native() };
        assert!(!Variant::Unfused.options(&base).unwrap().fuse);
        assert!(Variant::Portable.options(&base).unwrap().fuse);
        assert_eq!(Variant::Wide.options(&base), Err(NoWideLowering(Level::V2)));
    }
}
