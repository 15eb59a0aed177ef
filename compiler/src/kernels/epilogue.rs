//! What happens to sums before they are stored: activation, residual, second activation.
//!
//! The bias is not here: it is what the accumulators start with.

use frit_ir::ops::{Activation, Epilogue, Scalar};

use super::formula::Formula;
use super::functions;
use super::transcendental::{self, Held, Logistic};
use crate::vector::{Address, Builder, Comparison, Instruction, Operand, Register};

/// The most registers that an activation needs beside the values: every tile leaves as many.
pub const REGISTERS_BESIDE: usize = 4;

/// The largest error of `hard_sigmoid`, and of `hard_swish` as a share of x or of 1, whichever is more: next to -3, where
/// both are almost 0, the distance and not its share of the result is what is small.
pub const HARD_ERROR: f64 = 1.5e-7;

/// Applies `epilogue` to `sums` and stores them at `outputs`; `residuals` holds the address of each sum's residual, where
/// there is one. Frees the sums.
///
/// An activation that takes many constants goes over what is stored, when the registers of the sums can hold the constants:
/// where it comes last, or must. What follows it loads the sums again.
pub fn store(
    builder: &mut Builder,
    epilogue: &Epilogue,
    sums: Vec<Register>,
    residuals: &[Address],
    outputs: &[Address],
) {
    let mut sums = Sums { outputs, registers: Some(sums) };
    let ends = !epilogue.residual && epilogue.activation_after.is_none();
    if let Some(activation) = epilogue.activation {
        sums.activate(builder, activation, ends);
    }
    if epilogue.residual {
        for (&to, &address) in sums.loaded(builder).iter().zip(residuals) {
            builder.emit(Instruction::Add { to, a: to, b: Operand::Memory(address) });
        }
    }
    if let Some(activation) = epilogue.activation_after {
        sums.activate(builder, activation, true);
    }
    sums.store(builder);
}

/// Sums on their way to where they are stored.
struct Sums<'a> {
    outputs: &'a [Address],
    /// `None` where they are stored.
    registers: Option<Vec<Register>>,
}

impl Sums<'_> {
    /// Applies `activation`, which `ends` the epilogue or does not.
    fn activate(&mut self, builder: &mut Builder, activation: Activation, ends: bool) {
        match logistic(activation).filter(|_| ends) {
            Some(function) => {
                self.store(builder);
                transcendental::logistic_in_memory(builder, function, self.outputs);
            }
            None if functions::is_long(activation) => {
                self.store(builder);
                functions::in_memory(builder, activation, self.outputs);
            }
            None => {
                let registers = self.loaded(builder);
                activate(builder, activation, registers);
            }
        }
    }

    fn store(&mut self, builder: &mut Builder) {
        let Some(registers) = self.registers.take() else { return };
        for (&from, &to) in registers.iter().zip(self.outputs) {
            builder.emit(Instruction::Store { to, from });
        }
        builder.free_all(registers);
    }

    fn loaded(&mut self, builder: &mut Builder) -> &[Register] {
        let load = |address: &Address| builder.load(address.base, address.offset);
        self.registers.get_or_insert_with(|| self.outputs.iter().map(load).collect())
    }
}

/// The function that takes an exponential, where `activation` is one.
fn logistic(activation: Activation) -> Option<Logistic> {
    match activation {
        Activation::Sigmoid => Some(Logistic::Sigmoid),
        Activation::Swish => Some(Logistic::Swish),
        _ => None,
    }
}

/// Applies `activation`, which takes few constants, in place, with at most [`REGISTERS_BESIDE`] registers beside the values.
/// A value is the second operand of each minimum and maximum, so that NaN stays NaN.
pub fn activate(builder: &mut Builder, activation: Activation, values: &[Register]) {
    match activation {
        Activation::Relu | Activation::Relu6 | Activation::Clip { .. } => {
            clamp(builder, activation, values);
        }
        Activation::Sigmoid => transcendental::logistic(builder, Logistic::Sigmoid, values),
        Activation::Swish => transcendental::logistic(builder, Logistic::Swish, values),
        Activation::HardSigmoid => hard_sigmoid(builder, values),
        Activation::HardSwish => hard_swish(builder, values),
        Activation::LeakyRelu { slope, threshold } => leaky_relu(builder, [slope, threshold], values),
        Activation::Rescale { scale, offset } => rescale(builder, [scale, offset], values),
        Activation::Abs => {
            values.iter().for_each(|&x| Formula { builder, held: &Held::default() }.absolute(x))
        }
        Activation::Sqrt => {
            values.iter().for_each(|&x| Formula { builder, held: &Held::default() }.square_root(x));
        }
        other => unreachable!("{other:?} goes over memory"),
    }
}

fn clamp(builder: &mut Builder, activation: Activation, values: &[Register]) {
    let [low, high] = activation.limits().expect("these are clamps");
    let bound = builder.register();
    if let Some(low) = low {
        builder.emit(Instruction::Constant { to: bound, value: low.get() });
        for &to in values {
            builder.emit(Instruction::Maximum { to, a: bound, b: Operand::Register(to) });
        }
    }
    if let Some(high) = high {
        builder.emit(Instruction::Constant { to: bound, value: high.get() });
        for &to in values {
            builder.emit(Instruction::Minimum { to, a: bound, b: Operand::Register(to) });
        }
    }
    builder.free(bound);
}

/// `x` from the threshold on, below it `slope * (x - threshold)`
fn leaky_relu(builder: &mut Builder, [slope, threshold]: [Scalar; 2], values: &[Register]) {
    let constants @ [slope, threshold] = [slope, threshold].map(|value| {
        let to = builder.register();
        builder.emit(Instruction::Constant { to, value: value.get() });
        to
    });
    let (below, mask) = (builder.register(), builder.register());
    for &to in values {
        builder.emit(Instruction::Subtract { to: below, a: to, b: Operand::Register(threshold) });
        builder.emit(Instruction::Multiply { to: below, a: below, b: Operand::Register(slope) });
        let comparison = Comparison::LessOrEqual;
        builder.emit(Instruction::Compare { to: mask, comparison, a: threshold, b: to });
        builder.emit(Instruction::Select { to, mask, yes: to, no: below });
    }
    builder.free_all(constants.into_iter().chain([below, mask]));
}

/// `x * scale + offset`
fn rescale(builder: &mut Builder, constants: [Scalar; 2], values: &[Register]) {
    let constants @ [scale, offset] = constants.map(|value| {
        let to = builder.register();
        builder.emit(Instruction::Constant { to, value: value.get() });
        to
    });
    for &to in values {
        builder.emit(Instruction::Multiply { to, a: to, b: Operand::Register(scale) });
        builder.emit(Instruction::Add { to, a: to, b: Operand::Register(offset) });
    }
    builder.free_all(constants);
}

/// `relu6(x + 3) / 6`
fn hard_sigmoid(builder: &mut Builder, values: &[Register]) {
    let constant = builder.register();
    builder.emit(Instruction::Constant { to: constant, value: 3.0 });
    for &to in values {
        builder.emit(Instruction::Add { to, a: to, b: Operand::Register(constant) });
    }
    builder.free(constant);
    clamp(builder, Activation::Relu6, values);
    let sixth = builder.register();
    builder.emit(Instruction::Constant { to: sixth, value: Activation::SIXTH.get() });
    for &to in values {
        builder.emit(Instruction::Multiply { to, a: to, b: Operand::Register(sixth) });
    }
    builder.free(sixth);
}

/// `x * (relu6(x + 3) / 6)`. What is below -3 becomes -3, whose second factor is 0 as well: minus infinity has none.
fn hard_swish(builder: &mut Builder, values: &[Register]) {
    clamp(builder, Activation::clip(-3.0, Scalar::INFINITY), values);
    let factor = builder.register();
    let constants @ [three, six, sixth] = [(); 3].map(|()| builder.register());
    for (to, value) in constants.into_iter().zip([3.0, 6.0, Activation::SIXTH.get()]) {
        builder.emit(Instruction::Constant { to, value });
    }
    for &to in values {
        builder.emit(Instruction::Add { to: factor, a: to, b: Operand::Register(three) });
        builder.emit(Instruction::Minimum { to: factor, a: six, b: Operand::Register(factor) });
        builder.emit(Instruction::Multiply { to: factor, a: factor, b: Operand::Register(sixth) });
        builder.emit(Instruction::Multiply { to, a: to, b: Operand::Register(factor) });
    }
    builder.free(factor);
    builder.free_all(constants);
}

/// The epilogue's part of a kernel's name: `_relu6_add`, empty where nothing follows the sum.
pub fn name(epilogue: &Epilogue) -> String {
    epilogue.parts().into_iter().filter(|&part| part != "bias").map(|part| format!("_{part}")).collect()
}

#[cfg(test)]
mod tests {
    use frit_ir::ops::Scalar;

    use super::*;
    use crate::vector::program::Width;
    use crate::vector::{Program, interpret};

    const WIDTH: Width = Width::new(4, 16, true);

    /// Loads as many vectors as the widest tile at 16 registers has, applies `activation` and nothing more, and stores them.
    fn program(activation: Activation, width: Width) -> Program {
        let mut builder = Builder::new("activation", width, 1);
        let base = builder.parameter(0);
        let place = |index: usize| (index * width.lanes * 4) as i32;
        let values: Vec<Register> =
            (0..width.registers - REGISTERS_BESIDE).map(|index| builder.load(base, place(index))).collect();
        let outputs: Vec<Address> = (0..values.len()).map(|index| Address::new(base, place(index))).collect();
        // No bounds: what follows an activation keeps it in registers where that can be.
        let nothing =
            Activation::Clip { low: Scalar::new(f32::NEG_INFINITY), high: Scalar::new(f32::INFINITY) };
        let epilogue =
            Epilogue { activation: Some(activation), activation_after: Some(nothing), ..Epilogue::default() };
        store(&mut builder, &epilogue, values, &[], &outputs);
        builder.finish().unwrap()
    }

    fn results(activation: Activation, fused: bool, arguments: &[f32]) -> Vec<f32> {
        let program = program(activation, Width { fused, ..WIDTH });
        let chunks = arguments.chunks((WIDTH.registers - REGISTERS_BESIDE) * WIDTH.lanes);
        chunks
            .flat_map(|chunk| {
                let mut memory = vec![vec![0.0; (WIDTH.registers - REGISTERS_BESIDE) * WIDTH.lanes]];
                memory[0][..chunk.len()].copy_from_slice(chunk);
                interpret::run(&program, &mut memory, &[(0, 0)], 1).unwrap();
                memory[0].truncate(chunk.len());
                memory.remove(0)
            })
            .collect()
    }

    fn all() -> impl Iterator<Item = Activation> {
        let clip = Activation::Clip { low: Scalar::new(-1.0), high: Scalar::new(1.0) };
        let leaky = |slope, threshold| Activation::LeakyRelu {
            slope: Scalar::new(slope),
            threshold: Scalar::new(threshold),
        };
        let rescale = Activation::Rescale { scale: Scalar::new(-0.5), offset: Scalar::new(2.0) };
        let elu = Activation::Elu { alpha: Scalar::new(0.5) };
        Activation::BY_NAME.into_iter().chain([clip, leaky(0.1, 0.0), leaky(-0.5, 3.0), rescale, elu])
    }

    #[test]
    fn borders_infinities_and_subnormals_are_those_of_the_definition() {
        let borders = [0.0, 3.0, 6.0, 1e-40, f32::MAX, f32::INFINITY];
        let arguments: Vec<f32> = borders.into_iter().flat_map(|x| [x, -x]).collect();
        for (activation, fused) in all().flat_map(|activation| [(activation, true), (activation, false)]) {
            for (&x, found) in arguments.iter().zip(results(activation, fused, &arguments)) {
                let expected = activation.apply(x);
                // The definition leaves open which zero a clamp gives, and so do the long functions.
                let long = functions::is_long(activation);
                let open = activation.bounds().is_some() || long;
                let sign = open || found.is_sign_negative() == expected.is_sign_negative();
                let share = if long { 1.2e-6 * x.abs().max(expected.abs()) } else { 2.4e-7 * expected.abs() };
                let near = (found - expected).abs() <= share;
                let inside = [3.0, 6.0].contains(&x.abs()) || (long && expected.is_finite());
                let same = found == expected || (found.is_nan() && expected.is_nan());
                let right = if inside { near || same } else { same && (sign || found.is_nan()) };
                assert!(right, "{activation:?} of {x:e} is {found:e}, not {expected:e}, fused {fused}");
            }
        }
    }

    #[test]
    fn every_nan_stays_nan() {
        let nans = [0x7fc0_0000, 0x7fc0_0001, 0x7f80_01ff, 0xffc0_0000, 0xffff_ffff].map(f32::from_bits);
        for activation in all() {
            let found = results(activation, true, &nans);
            assert!(found.iter().all(|y| y.is_nan()), "{activation:?}: {found:?}");
        }
    }

    #[test]
    fn hard_activations_are_as_close_as_stated_everywhere() {
        let arguments: Vec<f32> =
            (0..=u32::MAX).step_by(2039).map(f32::from_bits).filter(|x| x.is_finite()).collect();
        for activation in [Activation::HardSigmoid, Activation::HardSwish] {
            for (&x, found) in arguments.iter().zip(results(activation, true, &arguments)) {
                let off = (f64::from(found) - activation.apply(f64::from(x))).abs();
                assert!(
                    off <= HARD_ERROR * f64::from(x.max(1.0)),
                    "{activation:?} of {x:e} is {found:e}, off by {off:e}"
                );
            }
        }
    }
}
