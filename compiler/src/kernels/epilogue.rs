//! What happens to sums before they are stored: activation, residual, second activation.
//!
//! The bias is not here: it is what the accumulators start with.

use frit_ir::ops::{Activation, Epilogue};

use super::transcendental::{self, Logistic};
use crate::vector::{Address, Builder, Instruction, Operand, Register};

/// The most registers that an activation needs beside the values: every tile leaves as many.
pub const REGISTERS_BESIDE: usize = 4;

/// The largest error of `hard_sigmoid`, and of `hard_swish` as a share of x or of 1, whichever is more: next to -3, where
/// both are almost 0, the distance and not its share of the result is what is small.
pub const HARD_ERROR: f64 = 1.5e-7;

/// Applies `epilogue` to `sums` and stores them at `outputs`; `residuals` holds the address of each sum's residual, where
/// there is one. Frees the sums.
///
/// An activation that takes many constants comes last where it can: over what was just stored, when the registers of the
/// sums can hold the constants.
pub fn store(
    builder: &mut Builder,
    epilogue: &Epilogue,
    sums: Vec<Register>,
    residuals: &[Address],
    outputs: &[Address],
) {
    let mut inner = *epilogue;
    let last = if epilogue.residual || epilogue.activation_after.is_some() {
        &mut inner.activation_after
    } else {
        &mut inner.activation
    };
    let deferred = last.and_then(logistic);
    if deferred.is_some() {
        *last = None;
    }
    apply(builder, &inner, &sums, residuals);
    for (&from, &to) in sums.iter().zip(outputs) {
        builder.emit(Instruction::Store { to, from });
    }
    builder.free_all(sums);
    if let Some(function) = deferred {
        transcendental::logistic_in_memory(builder, function, outputs);
    }
}

fn apply(builder: &mut Builder, epilogue: &Epilogue, sums: &[Register], residuals: &[Address]) {
    if let Some(activation) = epilogue.activation {
        activate(builder, activation, sums);
    }
    if epilogue.residual {
        for (&to, &address) in sums.iter().zip(residuals) {
            builder.emit(Instruction::Add { to, a: to, b: Operand::Memory(address) });
        }
    }
    if let Some(activation) = epilogue.activation_after {
        activate(builder, activation, sums);
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

/// Applies `activation` in place, with at most [`REGISTERS_BESIDE`] registers beside the values. A value is the second
/// operand of each minimum and maximum, so that NaN stays NaN.
pub fn activate(builder: &mut Builder, activation: Activation, values: &[Register]) {
    match activation {
        Activation::Relu | Activation::Relu6 | Activation::Clip { .. } => {
            clamp(builder, activation.bounds().expect("these are clamps"), values);
        }
        Activation::Sigmoid => transcendental::logistic(builder, Logistic::Sigmoid, values),
        Activation::Swish => transcendental::logistic(builder, Logistic::Swish, values),
        Activation::HardSigmoid => hard_sigmoid(builder, values),
        Activation::HardSwish => hard_swish(builder, values),
        other => unreachable!("{other:?} has no kernel"),
    }
}

fn clamp(builder: &mut Builder, (low, high): (f32, f32), values: &[Register]) {
    let bound = builder.register();
    if low > f32::NEG_INFINITY {
        builder.emit(Instruction::Constant { to: bound, value: low });
        for &to in values {
            builder.emit(Instruction::Maximum { to, a: bound, b: Operand::Register(to) });
        }
    }
    if high < f32::INFINITY {
        builder.emit(Instruction::Constant { to: bound, value: high });
        for &to in values {
            builder.emit(Instruction::Minimum { to, a: bound, b: Operand::Register(to) });
        }
    }
    builder.free(bound);
}

/// `relu6(x + 3) / 6`
fn hard_sigmoid(builder: &mut Builder, values: &[Register]) {
    let constant = builder.register();
    builder.emit(Instruction::Constant { to: constant, value: 3.0 });
    for &to in values {
        builder.emit(Instruction::Add { to, a: to, b: Operand::Register(constant) });
    }
    builder.free(constant);
    clamp(builder, (0.0, 6.0), values);
    let sixth = builder.register();
    builder.emit(Instruction::Constant { to: sixth, value: Activation::SIXTH });
    for &to in values {
        builder.emit(Instruction::Multiply { to, a: to, b: Operand::Register(sixth) });
    }
    builder.free(sixth);
}

/// `x * (relu6(x + 3) / 6)`. What is below -3 becomes -3, whose second factor is 0 as well: minus infinity has none.
fn hard_swish(builder: &mut Builder, values: &[Register]) {
    clamp(builder, (-3.0, f32::INFINITY), values);
    let factor = builder.register();
    let constants @ [three, six, sixth] = [(); 3].map(|()| builder.register());
    for (to, value) in constants.into_iter().zip([3.0, 6.0, Activation::SIXTH]) {
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

    const WIDTH: Width = Width { lanes: 4, registers: 16, fused: true };

    /// Loads as many vectors as the widest tile at 16 registers has, applies `activation`, and stores them.
    fn program(activation: Activation, width: Width) -> Program {
        let mut builder = Builder::new("activation", width, 1);
        let base = builder.parameter(0);
        let place = |index: usize| (index * width.lanes * 4) as i32;
        let values: Vec<Register> =
            (0..width.registers - REGISTERS_BESIDE).map(|index| builder.load(base, place(index))).collect();
        activate(&mut builder, activation, &values);
        for (index, &from) in values.iter().enumerate() {
            builder.emit(Instruction::Store { to: Address { base, offset: place(index) }, from });
        }
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
        Activation::BY_NAME.into_iter().chain([clip])
    }

    #[test]
    fn borders_infinities_and_subnormals_are_those_of_the_definition() {
        let borders = [0.0, 3.0, 6.0, 1e-40, f32::MAX, f32::INFINITY];
        let arguments: Vec<f32> = borders.into_iter().flat_map(|x| [x, -x]).collect();
        for (activation, fused) in all().flat_map(|activation| [(activation, true), (activation, false)]) {
            for (&x, found) in arguments.iter().zip(results(activation, fused, &arguments)) {
                let expected = activation.apply(x);
                // The definition leaves open which zero a clamp gives.
                let sign =
                    activation.bounds().is_some() || found.is_sign_negative() == expected.is_sign_negative();
                let near = (found - expected).abs() <= 2.0 * f32::EPSILON * expected.abs();
                let inside = [3.0, 6.0].contains(&x.abs());
                let right = if inside { near } else { found == expected && sign };
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
