//! What could stand in the place of each block of a network, and what it would cost: other windows, two small ones for a large
//! one, squeeze and excite or none, other ways to mix channels, other expansions and widths. All take the block's input and
//! give its output's shape. Each is a network of its own, whose numbers are those of any other network.

mod crossing;
mod design;
mod find;

use frit_ir::diagnostic::codes;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Activation, SqueezeExcite};
use frit_ir::{Diagnostic, Faults, Graph, Shape, Tensor};
use frit_passes::legality::Legal;

use crate::bench::{self, Request};
use crate::cost::{self, Sizes};
use crate::execute::{self, Entrant, Variant, Workers};
use crate::{Options, optimise, schedule};
pub use crossing::{Crossing, MOST, Measure};
pub use design::{Design, Mixing, Shortcut, Spatial};

/// A block and what could stand in its place.
#[derive(Debug, Clone)]
pub struct Study {
    /// The names of the blocks that are just so.
    pub blocks: Vec<String>,
    /// What it is.
    pub design: Design,
    /// The block as it stands, then the others.
    pub alternatives: Vec<Alternative>,
    /// One 5×5 against two 3×3, by each measure that was asked for.
    pub crossings: Vec<Crossing>,
}

/// One that could stand there.
#[derive(Debug, Clone)]
pub struct Alternative {
    /// What differs from the block as it stands.
    pub what: String,
    /// What it is.
    pub design: Design,
    /// The network that is this block alone.
    pub graph: Graph,
    /// What it costs.
    pub costs: Costs,
}

/// What a network costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// By its description.
    pub sizes: Sizes,
    /// Predicted milliseconds with one thread, where they were asked for.
    pub predicted_ms: Option<f64>,
    /// Measured milliseconds with one thread, the median of all runs, where they were asked for.
    pub measured_ms: Option<f64>,
}

impl Costs {
    /// Arithmetic intensity: operations for each byte of weights and results, a multiply-accumulate counted as two.
    pub fn intensity(&self) -> f64 {
        let bytes = self.sizes.weight_bytes.saturating_add(self.sizes.activation_bytes);
        2.0 * self.sizes.macs as f64 / bytes.max(1) as f64
    }
}

/// The distinct blocks of `graph` and their alternatives, counted; no times yet.
///
/// # Errors
/// Faults of the network.
pub fn study(graph: &Legal<Graph>, options: &Options) -> Result<Vec<Study>, Faults> {
    let plain = Options { fuse: true, disabled_rules: Vec::new(), ..options.clone() };
    let fused = optimise(graph.graph().clone(), &plain)?.graph;
    let mut studies: Vec<Study> = Vec::new();
    for (block, design) in find::find(graph, &fused)? {
        match studies.iter_mut().find(|study| study.design == design) {
            Some(known) => known.blocks.push(block),
            None => studies.push(Study::of(block, design)?),
        }
    }
    Ok(studies)
}

/// Adds predicted times. `progress` is told how many blocks are done, and of how many.
///
/// # Errors
/// What the schedule refuses.
pub fn predict(
    studies: &mut [Study],
    options: &Options,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), Faults> {
    let all = studies.len();
    for (done, study) in studies.iter_mut().enumerate() {
        progress(done, all);
        for alternative in &mut study.alternatives {
            let folded = alternative.design.folded().graph("")?;
            alternative.costs.predicted_ms = Some(predicted(&folded, options)?);
        }
        study.cross(Measure::Predicted, |graphs| {
            let [one, two] = graphs;
            Ok([predicted(&one, options)?, predicted(&two, options)?])
        })?;
    }
    Ok(())
}

/// Adds measured times: each alternative takes turns with the block as it stands, on one thread. `progress` is told how many are
/// timed, and of how many.
///
/// # Errors
/// What the compiler refuses; the system refuses memory.
pub fn measure(
    studies: &mut [Study],
    options: &Options,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(), Faults> {
    let parts = |study: &Study| study.alternatives.len() - 1 + crossing::steps(&study.design).len();
    let all = studies.iter().map(parts).sum();
    let mut done = 0;
    let mut advance = || {
        done += 1;
        progress(done, all);
    };
    for study in studies {
        study.measure(options, &mut advance)?;
        study.cross(Measure::Measured, |graphs| {
            let entrants =
                graphs.iter().map(|graph| entrant(graph, options)).collect::<Result<Vec<_>, _>>()?;
            let times = timed(&entrants)?;
            advance();
            Ok(times)
        })?;
    }
    Ok(())
}

/// Predicted milliseconds of all steps with one thread.
fn predicted(graph: &Graph, options: &Options) -> Result<f64, Faults> {
    let fused = optimise(graph.clone(), options)?.graph;
    Ok(schedule(&fused, options)?.steps.iter().map(|step| step.predicted_ms[0]).sum())
}

/// Timed runs of each.
const RUNS: usize = 20;

/// `graph`, compiled.
fn entrant(graph: &Graph, options: &Options) -> Result<Entrant, Faults> {
    let variant = Variant::Fused;
    Ok(Entrant { variant, model: execute::load(graph, variant, options)? })
}

/// Median milliseconds of two networks with inputs of one shape, on one thread, in turns.
fn timed(entrants: &[Entrant]) -> Result<[f64; 2], Faults> {
    let shape = entrants[0].model.metadata().inputs[0].shape.clone();
    let image = Tensor::from_elem([&[1], shape.as_slice()].concat(), 0.5);
    let request = Request { workers: vec![Workers::threads(1)], runs: RUNS, profile: false };
    let bench = bench::bench(entrants, &image, &request, &mut |_, _| {})?;
    Ok([bench.timings[0].median_ms, bench.timings[1].median_ms])
}

impl Study {
    /// Times each alternative in turns with the block as it stands. What is told is how many times as long it takes, on the
    /// block's own median of all these.
    fn measure(&mut self, options: &Options, advance: &mut dyn FnMut()) -> Result<(), Faults> {
        let Some((stands, others)) = self.alternatives.split_first_mut() else { return Ok(()) };
        let own = entrant(&stands.graph, options)?;
        let mut times = Vec::with_capacity(others.len());
        for other in others.iter() {
            times.push(timed(&[own.clone(), entrant(&other.graph, options)?])?);
            advance();
        }
        let mut owns: Vec<f64> = times.iter().map(|[own, _]| *own).collect();
        owns.sort_by(f64::total_cmp);
        let median = owns.get(owns.len() / 2).copied();
        stands.costs.measured_ms = median;
        for (other, [own, time]) in others.iter_mut().zip(times) {
            other.costs.measured_ms = median.map(|median| median * time / own);
        }
        Ok(())
    }

    fn of(block: String, design: Design) -> Result<Study, Faults> {
        let stands = Alternative::of("as it stands".to_owned(), &design, &block)?;
        let mut alternatives = vec![stands];
        for (what, other) in variations(&design) {
            // What can't stand there is none: a window that leaves no pixel, a size that no padding gives.
            alternatives.extend(Alternative::of(what, &other, &block).ok().filter(|other| {
                other.graph.shapes().is_ok_and(|shapes| {
                    other.graph.outputs().iter().all(|output| shapes[output] == Shape::new(&design.output))
                })
            }));
        }
        let macs = |design: &Design| Ok(counted(&design.graph("")?)?.macs);
        let crossing = crossing::exact(&design, macs)?;
        Ok(Study { blocks: vec![block], design, alternatives, crossings: vec![crossing] })
    }

    /// Adds the crossing by the times that `of` gives for one 5×5 and for two 3×3.
    fn cross(
        &mut self,
        by: Measure,
        mut of: impl FnMut([Graph; 2]) -> Result<[f64; 2], Faults>,
    ) -> Result<(), Faults> {
        let steps = crossing::steps(&self.design);
        let mut times = Vec::with_capacity(steps.len());
        for &channels in &steps {
            let [one, two] = crossing::pair(&self.design.folded(), channels);
            times.push(of([one.graph("one 5x5")?, two.graph("two 3x3")?])?);
        }
        self.crossings.push(crossing::between(by, steps, &times));
        Ok(())
    }
}

impl Alternative {
    fn of(what: String, design: &Design, block: &str) -> Result<Alternative, Diagnostic> {
        let graph = design.graph(&format!("{block}, {what}"))?;
        let costs = Costs { sizes: counted(&graph)?, predicted_ms: None, measured_ms: None };
        Ok(Alternative { what, design: *design, graph, costs })
    }
}

/// The sizes of a network whose shapes are known to fit.
fn counted(graph: &Graph) -> Result<Sizes, Diagnostic> {
    cost::cost(graph).map(|cost| cost.totals).map_err(|faults| {
        let first = faults.iter().next().cloned();
        first.unwrap_or_else(|| Diagnostic::error(codes::INTERNAL, "a block has no cost"))
    })
}

/// What differs in one point, in words.
fn variations(design: &Design) -> Vec<(String, Design)> {
    let mut found = windows(design);
    found.extend(squeezes(design));
    found.extend(mixings(design));
    found.extend(widths(design));
    found
}

fn windows(design: &Design) -> Vec<(String, Design)> {
    let other =
        |kernel: usize| Design { spatial: Spatial { kernel, padding: None, ..design.spatial }, ..*design };
    let sizes = [3, 5, 7].into_iter().filter(|&kernel| kernel != design.spatial.kernel);
    let sizes = sizes.map(|kernel| (format!("kernel {kernel}x{kernel}"), other(kernel)));
    sizes.chain([("two 3x3".to_owned(), Design { stacked: 2, ..other(3) })]).collect()
}

fn squeezes(design: &Design) -> Vec<(String, Design)> {
    let with = |squeeze| Design { squeeze, ..*design };
    if design.squeeze.is_some() {
        return vec![("without squeeze-and-excite".to_owned(), with(None))];
    }
    let squeezed = rounded(design.excitable() / 4, 8);
    let small = |activation| Small { bias: true, activation: Some(activation) };
    let squeeze = SqueezeExcite {
        squeezed,
        reduce: small(Activation::Relu),
        expand: small(Activation::HardSigmoid),
        scales: true,
    };
    vec![(format!("with squeeze-and-excite {squeezed}"), with(Some(squeeze)))]
}

/// One dense convolution, one in groups, a separable one; in a bottleneck, the same of the one in its middle.
fn mixings(design: &Design) -> Vec<(String, Design)> {
    let is_bottleneck = design.inner.is_some() && design.spatial.mixing != Mixing::Depthwise;
    let alone = |mixing, projects| {
        let spatial = Spatial { mixing, ..design.spatial };
        match is_bottleneck {
            true => Design { spatial, ..*design },
            false => Design { spatial, projects, inner: None, ..*design },
        }
    };
    let [from, to] = match design.inner.filter(|_| is_bottleneck) {
        Some(inner) => [inner, inner],
        None => [design.input[2], design.output[2]],
    };
    // Fewer than four channels a group are hardly more than a depthwise convolution.
    let fits = |width: usize, groups: usize| width.is_multiple_of(groups) && width >= 4 * groups;
    let groups = [32, 16, 8, 4, 2].into_iter().find(|&groups| fits(from, groups) && fits(to, groups));
    let separable = if is_bottleneck { "depthwise" } else { "separable" };
    let mut found = vec![
        ("dense".to_owned(), alone(Mixing::Groups(1), false)),
        (separable.to_owned(), alone(Mixing::Depthwise, true)),
    ];
    found.extend(groups.map(|groups| (format!("{groups} groups"), alone(Mixing::Groups(groups), false))));
    found.retain(|(_, other)| other != design);
    found
}

/// Other channels between the 1×1 convolutions.
fn widths(design: &Design) -> Vec<(String, Design)> {
    let Some(inner) = design.inner else { return Vec::new() };
    let is_inverted = design.spatial.mixing == Mixing::Depthwise;
    let factors = [3, 4, 6].into_iter().filter(|_| is_inverted);
    let mut found: Vec<(String, usize)> =
        factors.map(|factor| (format!("expansion {factor}"), factor * design.input[2])).collect();
    let unit = design.unit().max(8);
    for quarters in [2, 3, 5, 6] {
        let width = rounded(inner * quarters / 4, unit);
        found.push((format!("width {width}"), width));
    }
    let mut seen = vec![inner];
    found.retain(|&(_, width)| {
        let is_new = !seen.contains(&width);
        seen.push(width);
        is_new
    });
    found.into_iter().map(|(what, width)| (what, Design { inner: Some(width), ..*design })).collect()
}

/// The multiple of `divisor` nearest to `width`, at least one of it.
fn rounded(width: usize, divisor: usize) -> usize {
    ((width + divisor / 2) / divisor).max(1) * divisor
}

#[cfg(test)]
mod tests;
