//! What happens to sums before they are stored: activation, residual, second activation.
//!
//! The bias is not here: it is what the accumulators start with.

use frit_ir::ops::{Activation, Epilogue};

use crate::vector::{Address, Builder, Instruction, Operand, Register};

/// Applies `epilogue` to `sums`; `residuals` holds the address of each sum's residual, where there is one.
pub fn apply(builder: &mut Builder, epilogue: &Epilogue, sums: &[Register], residuals: &[Address]) {
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

/// Applies `activation` in place. The value is the second operand of the minimum and maximum, so that NaN stays NaN.
pub fn activate(builder: &mut Builder, activation: Activation, values: &[Register]) {
    let (low, high) = activation.bounds();
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

/// The epilogue's part of a kernel's name: `_relu6_add`, empty where nothing follows the sum.
pub fn name(epilogue: &Epilogue) -> String {
    epilogue.parts().into_iter().filter(|&part| part != "bias").map(|part| format!("_{part}")).collect()
}
