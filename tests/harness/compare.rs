//! Compiled results against those of the interpreter.

use frit_compiler::Options;
use frit_compiler::machine::{Lowering, Machine};
use frit_compiler::plan::{self, Plan};
use frit_ir::{Graph, Tensor, interpret};
use frit_runtime::{Model, Session, View, ViewMut};

/// What a compiled f32 result may differ from the f64 one by, relative to the largest magnitude of the output. Sums of
/// some hundred products in another order stay two orders of magnitude below.
pub const TOLERANCE: f64 = 1e-4;

/// The least magnitude that a difference counts against: an output that lies in the tail of an activation as a whole, where
/// GELU of -40 is nothing, is right to a share of what went in.
const LEAST: f64 = 1e-12;

/// How a network is compiled for a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Way {
    /// Whether layers are fused.
    pub fuse: bool,
    /// Which lowering.
    pub lowering: Lowering,
}

/// Every way that this CPU can run: fused and unfused, by each lowering that it has. Says on stderr which it has not.
pub fn ways() -> Vec<Way> {
    let machine = Machine::native();
    let possible = [Lowering::Portable, Lowering::Wide].into_iter().filter(|&lowering| {
        let refused = machine.clone().with_lowering(lowering).err();
        refused.inspect(|reason| eprintln!("not compared on this CPU: {reason}")).is_none()
    });
    possible.flat_map(|lowering| [true, false].map(|fuse| Way { fuse, lowering })).collect()
}

impl Way {
    /// The options of the compiler for this way.
    ///
    /// # Panics
    /// If this CPU has no such lowering.
    pub fn options(self) -> Options {
        let machine = Machine::native().with_lowering(self.lowering).expect("`ways` offers what the CPU has");
        Options { machine, fuse: self.fuse, ..Options::native() }
    }
}

/// Compiles `graph` this way, and takes it over for this CPU.
///
/// # Errors
/// What the compiler or the runtime says, in words.
pub fn model(graph: &Graph, way: Way) -> Result<Model, String> {
    let compiled =
        frit_compiler::compile(graph.clone(), &way.options()).map_err(|faults| format!("{faults:?}"))?;
    Model::new(compiled.program).map_err(|error| error.to_string())
}

/// Runs one image and returns all outputs.
///
/// # Errors
/// What the runtime says, in words.
pub fn run(model: &Model, threads: usize, inputs: &[Vec<f32>]) -> Result<Vec<Vec<f32>>, String> {
    let mut session = Session::new(model, threads).map_err(|error| error.to_string())?;
    let mut outputs: Vec<Vec<f32>> =
        model.metadata().outputs.iter().map(|port| vec![f32::NAN; port.elements()]).collect();
    let inputs: Vec<View<'_>> = inputs.iter().map(View::from).collect();
    let mut views: Vec<ViewMut<'_>> = outputs.iter_mut().map(ViewMut::from).collect();
    session.run(&inputs, &mut views, 1).map_err(|error| error.to_string())?;
    Ok(outputs)
}

/// Compiles `graph` in every way of `ways`, runs it with 1, 2 and 3 threads on `inputs`, and compares with the interpreter
/// in f64. All thread counts must give the same bits.
///
/// # Errors
/// The first difference, in words.
pub fn agree(graph: &Graph, ways: &[Way], inputs: &[Tensor<f32>]) -> Result<(), String> {
    let exact = interpreted(graph, inputs)?;
    let rounding = rounding(graph, inputs, &exact)?;
    for &way in ways {
        let model = model(graph, way).map_err(|error| format!("{way:?}: {error}"))?;
        let first = run(&model, 1, &values(inputs))?;
        for (index, (exact, found)) in exact.iter().zip(&first).enumerate() {
            close(exact, found, TOLERANCE + rounding[index])
                .map_err(|error| format!("{way:?}, output {index}: {error}"))?;
        }
        for threads in [2, 3] {
            if bits(&run(&model, threads, &values(inputs))?) != bits(&first) {
                return Err(format!("{way:?}: {threads} threads give other bits than one"));
            }
        }
    }
    Ok(())
}

/// What a single layer or block may differ by: its sums are short.
const TIGHT: f64 = 1e-5;

/// Schedules `graph`, fused, for every target and compares: the vector programs' interpreter with the graph's in f64, and
/// its bits for one worker and for 2 to 4 with each other and, where this CPU runs the target, with those of the machine code.
///
/// # Errors
/// The first difference, in words.
pub fn agree_for_all_targets(
    graph: &Graph,
    way: Option<plan::Way>,
    inputs: &[Tensor<f32>],
) -> Result<(), String> {
    let exact = interpreted(graph, inputs)?;
    let rounding = rounding(graph, inputs, &exact)?;
    for machine in Machine::all() {
        let told = format!("{} {:?}, {way:?}", machine.name, machine.lowering);
        agree_for(&Options { machine, way, ..Options::native() }, graph, inputs, (&exact, &rounding))
            .map_err(|error| format!("{told}: {error}"))?;
    }
    Ok(())
}

fn agree_for(
    options: &Options,
    graph: &Graph,
    inputs: &[Tensor<f32>],
    (exact, rounding): (&[Vec<f64>], &[f64]),
) -> Result<(), String> {
    let optimised =
        frit_compiler::optimise(graph.clone(), options).map_err(|faults| format!("{faults:?}"))?;
    let plan = frit_compiler::schedule(&optimised.graph, options).map_err(|faults| format!("{faults:?}"))?;
    let first = planned(&plan, inputs, 1)?;
    for (index, (exact, found)) in exact.iter().zip(&first).enumerate() {
        close(exact, found, TIGHT + rounding[index]).map_err(|error| format!("output {index}: {error}"))?;
    }
    // How many is drawn like all else; machine code runs with each number below.
    let workers = 2 + first.iter().flatten().map(|value| value.to_bits() as usize).sum::<usize>() % 3;
    if bits(&planned(&plan, inputs, workers)?) != bits(&first) {
        return Err(format!("{workers} workers give other bits than one"));
    }
    if !options.machine.runs_here() {
        return Ok(());
    }
    let compiled = frit_compiler::compile(graph.clone(), options).map_err(|faults| format!("{faults:?}"))?;
    let model = Model::new(compiled.program).map_err(|error| error.to_string())?;
    for threads in [1, 2, 3, 4] {
        if bits(&run(&model, threads, &values(inputs))?) != bits(&first) {
            return Err(format!("machine code with {threads} threads gives other bits than its interpreter"));
        }
    }
    Ok(())
}

/// The outputs of `plan` in the vector programs' interpreter.
fn planned(plan: &Plan, inputs: &[Tensor<f32>], workers: usize) -> Result<Vec<Vec<f32>>, String> {
    plan::interpret::run(plan, &values(inputs), workers).map_err(|fault| fault.to_string())
}

/// The outputs of `graph` in f64.
///
/// # Errors
/// The faults of the graph, in words.
pub fn interpreted(graph: &Graph, inputs: &[Tensor<f32>]) -> Result<Vec<Vec<f64>>, String> {
    let inputs: Vec<Tensor<f64>> = inputs.iter().map(|input| input.mapv(f64::from)).collect();
    let outputs = interpret::run(graph, &inputs).map_err(|faults| format!("{faults:?}"))?;
    Ok(outputs.into_iter().map(|output| output.into_iter().collect()).collect())
}

/// The elements of each tensor, in order.
pub fn values(tensors: &[Tensor<f32>]) -> Vec<Vec<f32>> {
    tensors.iter().map(|tensor| tensor.iter().copied().collect()).collect()
}

/// How much of each output's largest magnitude is lost to rounding, whoever computes it in f32: several times what the
/// interpreter loses in that arithmetic. Where random values cancel each other, that is more than any fixed tolerance.
///
/// # Errors
/// The faults of the graph, in words.
pub fn rounding(graph: &Graph, inputs: &[Tensor<f32>], exact: &[Vec<f64>]) -> Result<Vec<f64>, String> {
    let outputs = interpret::run(graph, inputs).map_err(|faults| format!("{faults:?}"))?;
    let lost = |(exact, output): (&Vec<f64>, Tensor<f32>)| {
        let finite = exact
            .iter()
            .zip(output)
            .filter(|(exact, found)| (**exact as f32).is_finite() && found.is_finite());
        let sizes = finite.map(|(&exact, found)| (exact.abs(), (exact - f64::from(found)).abs()));
        let (largest, off) = sizes.fold((LEAST, 0.0f64), |a, b| (a.0.max(b.0), a.1.max(b.1)));
        4.0 * off / largest
    };
    Ok(exact.iter().zip(outputs).map(lost).collect())
}

/// Whether all of `found` lies within `tolerance` times the largest finite magnitude of `exact`; what is no number or infinite
/// must be the same on both sides.
///
/// # Errors
/// Where it differs most, or a value that is no number on one side only.
pub fn close(exact: &[f64], found: &[f32], tolerance: f64) -> Result<(), String> {
    if exact.len() != found.len() {
        return Err(format!("{} elements, expected {}", found.len(), exact.len()));
    }
    let held = exact.iter().filter(|value| (**value as f32).is_finite());
    let largest = held.fold(LEAST, |largest, value| largest.max(value.abs()));
    let mut worst = (0.0, 0);
    for (index, (&exact, &found)) in exact.iter().zip(found).enumerate() {
        // Past the largest f32 there is only infinity.
        let same = exact as f32 == found || (exact.is_nan() && found.is_nan());
        let off = if same { 0.0 } else { (exact - f64::from(found)).abs() / largest };
        if off.is_nan() || off > worst.0 {
            worst = (if off.is_nan() { f64::INFINITY } else { off }, index);
        }
    }
    if worst.0 <= tolerance {
        return Ok(());
    }
    let (off, at) = worst;
    Err(format!(
        "element {at} is {}, expected {}: off by {off:e} of the largest magnitude",
        found[at], exact[at]
    ))
}

/// The bits of all values.
pub fn bits(outputs: &[Vec<f32>]) -> Vec<Vec<u32>> {
    outputs.iter().map(|values| values.iter().map(|value| value.to_bits()).collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::close;

    #[test]
    fn a_difference_counts_against_the_largest_magnitude() {
        assert!(close(&[100.0, 0.0], &[100.0, 0.005], 1e-4).is_ok());
        assert!(close(&[100.0, 0.0], &[100.0, 0.02], 1e-4).is_err());
        assert!(close(&[1.0], &[f32::NAN], 1e-4).is_err());
        assert!(close(&[f64::NAN], &[1.0], 1e-4).is_err());
        assert!(close(&[f64::INFINITY, 1.0], &[f32::INFINITY, 1.1], 1e-4).is_err());
        assert!(close(&[f64::NAN, f64::INFINITY], &[f32::NAN, f32::INFINITY], 1e-4).is_ok());
        assert!(close(&[1e60, 1.0], &[f32::INFINITY, 1.0], 1e-4).is_ok());
        assert!(close(&[1e60, 1.0], &[f32::NEG_INFINITY, 1.0], 1e-4).is_err());
        assert!(close(&[1e60, 1.0], &[f32::INFINITY, 1.1], 1e-4).is_err());
        assert!(close(&[1.0, 2.0], &[1.0], 1e-4).is_err());
        assert!(close(&[-1e-311], &[-1e-19], 1e-4).is_ok());
        assert!(close(&[-1e-11], &[-2e-11], 1e-4).is_err());
    }
}
