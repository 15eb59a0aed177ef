//! Functions of two tensors, which are repeated to fit each other.

use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Scalar};

use crate::import::onnx::call::{Call, Value, single_precision};
use crate::import::onnx::constant::Constant;
use crate::import::onnx::data_type::DataType;
use crate::import::onnx::fault::{Outcome, wrong};
use crate::import::onnx::join::join;
use crate::import::onnx::layout::View;
use crate::import::onnx::network::Network;
use crate::import::onnx::symbol::Symbol;

/// `Add`, `Sub`, `Mul`, `Div` and `Pow`.
pub(super) fn binary(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (a, b) = (call.operand(0, "first operand")?, call.operand(1, "second operand")?);
    if call.has("axis") || call.has("broadcast") {
        return Err(wrong(format!(
            "{} with an axis to broadcast along, which versions from 7 on have not",
            call.op()
        )));
    }
    let binary = match call.op() {
        "Add" => Binary::Add,
        "Sub" => Binary::Sub,
        "Mul" => Binary::Mul,
        "Div" => Binary::Div,
        _ => Binary::Pow,
    };
    Ok(vec![Value::Tensor(pair(network, &call.name, binary, [a, b])?)])
}

/// `Min`, `Max`, `Sum` and `Mean` of any number of tensors.
pub(super) fn variadic(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let binary = match call.op() {
        "Min" => Binary::Min,
        "Max" => Binary::Max,
        _ => Binary::Add,
    };
    let count = call.inputs.len();
    let mean = call.op() == "Mean";
    let mut result = call.operand(0, "operands")?.clone();
    for index in 1..count {
        let last = index + 1 == count && !mean;
        let name = if last { call.name.clone() } else { network.name(&format!("{}/{index}", call.name)) };
        let joined = pair(network, &name, binary, [&result, call.operand(index, "operands")?])?;
        result = Value::Tensor(joined);
    }
    if !mean && count > 1 {
        return Ok(vec![result]);
    }
    let view = network.tensor(&result, "input")?;
    let op = match mean {
        true => rescale(Scalar::ratio(1, count), Scalar::ZERO),
        false => Op::Identity,
    };
    Ok(vec![Value::Tensor(network.elementwise(&call.name, op, &view)?)])
}

/// `Reciprocal`: one, divided.
pub(super) fn reciprocal(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let one = Constant::number(call.budget, DataType::F32, Symbol::Float(1.0))?;
    let operand = call.operand(0, "input")?;
    Ok(vec![Value::Tensor(pair(network, &call.name, Binary::Div, [&Value::Constant(one), operand])?)])
}

fn rescale(scale: Scalar, offset: Scalar) -> Op {
    Op::Activation(Activation::Rescale { scale, offset })
}

/// The function of two operands; one of a tensor and one number is an activation.
fn pair(network: &mut Network, name: &str, binary: Binary, sides: [&Value; 2]) -> Outcome<View> {
    for side in sides {
        let kind = match side {
            Value::Constant(constant) => constant.kind,
            Value::Tensor(view) => view.kind,
            Value::Unknown => continue,
        };
        single_precision(kind, &format!("an operand of {}", binary.name()))?;
    }
    match sides {
        [Value::Tensor(view), Value::Constant(number)] if number.dims.len() <= view.rank() => {
            if let Some(op) = number.scalar().and_then(|number| with_second(binary, Scalar::nearest(number)))
            {
                return network.elementwise(name, op, view);
            }
        }
        [Value::Constant(number), Value::Tensor(view)] if number.dims.len() <= view.rank() => {
            if let Some(op) = number.scalar().and_then(|number| with_first(binary, Scalar::nearest(number))) {
                return network.elementwise(name, op, view);
            }
        }
        _ => {}
    }
    join(network, name, binary, sides)
}

/// The function of a tensor and `number` as an activation, where it is one.
fn with_second(binary: Binary, number: Scalar) -> Option<Op> {
    let clip = |low, high| Op::Activation(Activation::Clip { low, high });
    let (zero, one) = (Scalar::ZERO, Scalar::ONE);
    Some(match binary {
        Binary::Min if !number.is_nan() => clip(Scalar::NEG_INFINITY, number),
        Binary::Max if !number.is_nan() => clip(number, Scalar::INFINITY),
        // A constant that is not finite stays one, of which a warning tells.
        _ if !number.is_finite() => return None,
        Binary::Add => rescale(one, number),
        Binary::Sub => rescale(one, -number),
        Binary::Mul => rescale(number, zero),
        // Exact for powers of two, else off by a rounding; where there is no such factor the quotient stays.
        Binary::Div if number.recip().is_normal() => rescale(number.recip(), zero),
        Binary::Pow if number == one => Op::Identity,
        Binary::Pow if number.get() == 0.5 => Op::Activation(Activation::Sqrt),
        _ => return None,
    })
}

/// The same of `number` and a tensor.
fn with_first(binary: Binary, number: Scalar) -> Option<Op> {
    match binary {
        Binary::Sub if number.is_finite() => Some(rescale(-Scalar::ONE, number)),
        Binary::Sub => None,
        Binary::Div | Binary::Pow => None,
        _ => with_second(binary, number),
    }
}
