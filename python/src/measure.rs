//! How long a model takes, and how far its results are from what they should be.

use std::path::PathBuf;

use frit_compiler::bench::{self, Timing};
use frit_compiler::execute::{Variant, Workers};
use frit_compiler::import::array;
use frit_compiler::report::{distinct, text};
use frit_compiler::verify::golden::{self, Golden};
use frit_compiler::verify::{self, Verdict};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Shape, Tensor};
use frit_runtime::Port;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::fault::{About, Raise};
use crate::program::{Call, Program};
use crate::source::meaningless;

/// The seed of images that nobody gave.
const SEED: u64 = 1;

/// A step: its node, layers, kernels, multiply-accumulates, bytes and milliseconds.
type StepTime = (String, Vec<String>, Vec<String>, u64, u64, f64);

/// The time of each step for one image.
#[pyfunction]
pub(crate) fn profile(
    py: Python<'_>,
    program: &Bound<'_, Program>,
    inputs: &Bound<'_, PyTuple>,
) -> PyResult<Vec<StepTime>> {
    let program = program.get();
    let run = |(session, read, written, images): Call<'_, '_>| match images {
        1 => session.profile(read, written).map(Some),
        _ => Ok(None),
    };
    let (_, profile) = program.run_on(inputs, None, false, run)?;
    let several = || Diagnostic::error(codes::INPUT_SHAPE, "a profile is of one image");
    let profile = profile.ok_or_else(several).raised(py, About::Input)?;
    let steps = program.metadata.steps.iter().zip(profile.steps());
    let timed = steps.map(|(step, time)| {
        let (node, sources, kernels) = (step.node.clone(), step.sources.clone(), step.kernels.clone());
        (node, sources, kernels, step.macs, step.bytes, time.as_secs_f64() * 1e3)
    });
    Ok(timed.collect())
}

/// How a model is timed.
#[derive(Debug, FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Race {
    compare: Vec<String>,
    threads: Vec<usize>,
    batch: usize,
    runs: usize,
}

/// A variant: its name, threads, images, runs, and milliseconds: median, least, ninth of ten.
type Timed = (String, usize, usize, usize, (f64, f64, f64));

/// The times of variants of a model, in turns; of the model itself, where none is named.
#[pyfunction]
pub(crate) fn times(py: Python<'_>, program: &Bound<'_, Program>, race: Race) -> PyResult<Vec<Timed>> {
    let program = program.get();
    let variants = race.compare.iter().map(|name| name.parse::<Variant>()).collect::<Result<Vec<_>, _>>();
    let variants = distinct(variants.map_err(meaningless)?);
    let source = match variants.is_empty() {
        true => None,
        false => Some(program.source().raised(py, About::Artifact)?),
    };
    if let Some(source) = source {
        variants
            .iter()
            .try_for_each(|variant| variant.options(&source.options).map(drop))
            .map_err(meaningless)?;
    }
    let timings = py.detach(|| {
        let entrants = match source {
            None => vec![program.model()?.clone().into()],
            Some(source) => bench::compile(&source.legal()?.0, &variants, &source.options)?,
        };
        let images = seeded(&program.metadata.inputs, race.batch)?;
        let workers = distinct(race.threads).into_iter().map(Workers::threads).collect();
        let request = bench::Request { workers, runs: race.runs.max(1), profile: false };
        Ok::<_, Faults>(bench::bench(&entrants, &images, &request, &mut |_, _| {})?.timings)
    });
    let timed = |Timing { variant, workers, batch, runs, median_ms, min_ms, p90_ms }: Timing| {
        (variant.to_string(), workers.threads, batch, runs, (median_ms, min_ms, p90_ms))
    };
    Ok(timings.raised(py, About::Model)?.into_iter().map(timed).collect())
}

/// Images of the only input that are the same each time.
fn seeded(inputs: &[Port], batch: usize) -> Result<Tensor, Faults> {
    match inputs {
        [only] => array::seeded(&Shape::new(&only.shape), batch, SEED),
        _ => {
            let message = format!("this is for models with one input, {} has this one", inputs.len());
            Err(Diagnostic::error(codes::INPUT_SHAPE, message).into())
        }
    }
}

/// An output: its name, and how far it is off: absolute, of the largest magnitude, and in steps of its element.
type Off = (String, f64, f64, u64);

/// Whether a model gives what it should, how far each output is off, and a table of all runs.
#[pyfunction]
pub(crate) fn verdict(
    py: Python<'_>,
    program: &Bound<'_, Program>,
    samples: usize,
    threads: Vec<usize>,
    against: Option<PathBuf>,
) -> PyResult<(bool, Vec<Off>, String)> {
    let program = program.get();
    let verdict = py.detach(|| {
        let golden = match against {
            Some(path) => known(program, &path)?,
            None => interpreted(program, samples)?,
        };
        let entrant = program.model()?.clone().into();
        verify::model_against(&entrant, &golden, &distinct(threads), &mut |_, _| {})
    });
    let verdict: Verdict = verdict.raised(py, About::Model)?;
    let off = |output: &verify::Output| {
        let difference = output.difference;
        (output.name.clone(), difference.max_abs, difference.max_rel, difference.ulp)
    };
    Ok((verdict.passed, verdict.outputs.iter().map(off).collect(), text::verdict(&verdict)))
}

fn known(program: &Program, path: &std::path::Path) -> Result<Golden, Faults> {
    golden::for_signature(&program.metadata.inputs, &program.metadata.outputs, &array::archive(path)?)
}

fn interpreted(program: &Program, samples: usize) -> Result<Golden, Faults> {
    let (legal, _) = program.source()?.legal()?;
    let images = seeded(&program.metadata.inputs, samples.max(1))?;
    let images: Vec<Tensor> = images.outer_iter().map(|image| image.to_owned()).collect();
    verify::interpreted(&legal, &images, &mut |_, _| {})
}
