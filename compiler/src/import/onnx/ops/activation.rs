//! Functions of each element.

use frit_ir::Op;
use frit_ir::ops::{Activation, Scalar};

use crate::import::onnx::call::{Call, Value, single_precision};
use crate::import::onnx::fault::{Outcome, unsupported, wrong};
use crate::import::onnx::layout::View;
use crate::import::onnx::network::Network;

/// The operand.
pub(super) fn operand(network: &mut Network, call: &Call<'_>) -> Outcome<View> {
    let view = network.tensor(call.operand(0, "input")?, "input")?;
    single_precision(view.kind, &format!("the input of {}", call.op()))?;
    Ok(view)
}

fn apply(network: &mut Network, call: &Call<'_>, activation: Activation) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    Ok(vec![Value::Tensor(network.elementwise(&call.name, Op::Activation(activation), &view)?)])
}

/// One after the other: the first is called after the layer and itself.
fn both(
    network: &mut Network,
    call: &Call<'_>,
    first: Activation,
    second: Activation,
) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let name = network.name(&format!("{}/{}", call.name, first.name()));
    let inner = network.elementwise(&name, Op::Activation(first), &view)?;
    Ok(vec![Value::Tensor(network.elementwise(&call.name, Op::Activation(second), &inner)?)])
}

/// Operators whose name says all.
pub(super) fn named(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let activation = match call.op() {
        "Relu" => Activation::Relu,
        "Sigmoid" => Activation::Sigmoid,
        "Tanh" => Activation::Tanh,
        "Softplus" => Activation::Softplus,
        "Mish" => Activation::Mish,
        "Erf" => Activation::Erf,
        "Exp" => Activation::Exp,
        "Log" => Activation::Log,
        "Sqrt" => Activation::Sqrt,
        "Abs" => Activation::Abs,
        _ => Activation::HardSwish,
    };
    apply(network, call, activation)
}

/// `Gelu`, exact or by tanh.
pub(super) fn gelu(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    match call.string("approximate", "none")? {
        "none" => apply(network, call, Activation::Gelu),
        "tanh" => apply(network, call, Activation::GeluTanh),
        other => Err(wrong(format!("Gelu approximated by {other:?}, which is neither none nor tanh"))),
    }
}

/// `Swish`: `x · sigmoid(alpha · x)`.
pub(super) fn swish(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", Scalar::ONE)?;
    if alpha == Scalar::ONE {
        return apply(network, call, Activation::Swish);
    }
    // swish(alpha · x) / alpha
    if alpha == Scalar::ZERO || !alpha.is_finite() || !alpha.recip().is_finite() {
        return Err(unsupported(format!("Swish with alpha {}", alpha.get())));
    }
    let view = operand(network, call)?;
    let scaled = |network: &mut Network, name: &str, view: &View, scale: Scalar| {
        let rescale = Activation::Rescale { scale, offset: Scalar::ZERO };
        network.elementwise(name, Op::Activation(rescale), view)
    };
    let inner = network.name(&format!("{}/rescale", call.name));
    let inner = scaled(network, &inner, &view, alpha)?;
    let swish = network.name(&format!("{}/swish", call.name));
    let swish = network.elementwise(&swish, Op::Activation(Activation::Swish), &inner)?;
    Ok(vec![Value::Tensor(scaled(network, &call.name, &swish, alpha.recip())?)])
}

/// `LeakyRelu`.
pub(super) fn leaky_relu(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let slope = call.float("alpha", Scalar::new(0.01))?;
    apply(network, call, Activation::LeakyRelu { slope, threshold: Scalar::ZERO })
}

/// `Elu`.
pub(super) fn elu(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", Scalar::ONE)?;
    apply(network, call, Activation::Elu { alpha })
}

/// `Selu`: an `Elu`, scaled.
pub(super) fn selu(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let alpha = call.float("alpha", Scalar::new(1.673_263_2))?;
    let scale = call.float("gamma", Scalar::new(1.050_701))?;
    both(network, call, Activation::Elu { alpha }, Activation::Rescale { scale, offset: Scalar::ZERO })
}

/// `HardSigmoid`: `alpha · x + beta` between 0 and 1, with an alpha of 0.2 where none is given. That of MobileNetV3 has a
/// sixth, and 0.5.
pub(super) fn hard_sigmoid(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let scale = call.float("alpha", Scalar::new(0.2))?;
    let offset = call.float("beta", Scalar::new(0.5))?;
    if (scale.get() - Activation::SIXTH.get()).abs() < 1e-6 && offset.get() == 0.5 {
        return apply(network, call, Activation::HardSigmoid);
    }
    both(network, call, Activation::Rescale { scale, offset }, Activation::clip(0.0, 1.0))
}

/// `Clip`: bounds are attributes up to version 10, then operands; one that is left out is none.
pub(super) fn clip(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let mut bounds = [Scalar::NEG_INFINITY, Scalar::INFINITY];
    for (index, (bound, name)) in bounds.iter_mut().zip(["min", "max"]).enumerate() {
        *bound = call.float(name, *bound)?;
        if let Some(constant) = call.constant(index + 1, name)? {
            let scalar =
                constant.scalar().ok_or_else(|| wrong(format!("the {name} of Clip is not one number")))?;
            *bound = Scalar::nearest(scalar);
        }
    }
    let [low, high] = bounds;
    apply(network, call, Activation::Clip { low, high })
}

/// `Neg`.
pub(super) fn neg(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    apply(network, call, Activation::rescale(-1.0, 0.0))
}
