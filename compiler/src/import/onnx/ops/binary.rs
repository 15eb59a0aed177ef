//! Functions of two tensors, which are repeated to fit each other.

use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, Scalar};

use crate::import::onnx::call::{Call, Value, f32_only};
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
        true => rescale(1.0 / count as f32, 0.0),
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

fn rescale(scale: f32, offset: f32) -> Op {
    Op::Activation(Activation::Rescale { scale: Scalar::new(scale), offset: Scalar::new(offset) })
}

/// The function of two operands; one of a tensor and one number is an activation.
fn pair(network: &mut Network, name: &str, binary: Binary, sides: [&Value; 2]) -> Outcome<View> {
    for side in sides {
        let kind = match side {
            Value::Constant(constant) => constant.kind,
            Value::Tensor(view) => view.kind,
            Value::Unknown => continue,
        };
        f32_only(kind, &format!("an operand of {}", binary.name()))?;
    }
    match sides {
        [Value::Tensor(view), Value::Constant(number)] if number.dims.len() <= view.rank() => {
            if let Some(op) = number.scalar().and_then(|number| with_second(binary, number as f32)) {
                return network.elementwise(name, op, view);
            }
        }
        [Value::Constant(number), Value::Tensor(view)] if number.dims.len() <= view.rank() => {
            if let Some(op) = number.scalar().and_then(|number| with_first(binary, number as f32)) {
                return network.elementwise(name, op, view);
            }
        }
        _ => {}
    }
    join(network, name, binary, sides)
}

/// The function of a tensor and `number` as an activation, where it is one.
fn with_second(binary: Binary, number: f32) -> Option<Op> {
    let clip = |low: f32, high: f32| {
        Op::Activation(Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) })
    };
    Some(match binary {
        Binary::Min if !number.is_nan() => clip(f32::NEG_INFINITY, number),
        Binary::Max if !number.is_nan() => clip(number, f32::INFINITY),
        // A constant that is not finite stays one, of which a warning tells.
        _ if !number.is_finite() => return None,
        Binary::Add => rescale(1.0, number),
        Binary::Sub => rescale(1.0, -number),
        Binary::Mul => rescale(number, 0.0),
        // Exact for powers of two, else off by a rounding; where there is no such factor the quotient stays.
        Binary::Div if number.recip().is_normal() => rescale(number.recip(), 0.0),
        Binary::Pow if number == 1.0 => Op::Identity,
        Binary::Pow if number == 0.5 => Op::Activation(Activation::Sqrt),
        _ => return None,
    })
}

/// The same of `number` and a tensor.
fn with_first(binary: Binary, number: f32) -> Option<Op> {
    match binary {
        Binary::Sub if number.is_finite() => Some(rescale(-1.0, number)),
        Binary::Sub => None,
        Binary::Div | Binary::Pow => None,
        _ => with_second(binary, number),
    }
}
