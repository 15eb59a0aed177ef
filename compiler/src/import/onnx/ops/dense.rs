//! Products with matrices of weights.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Conv2d, Dense, Epilogue, Scalar};
use frit_ir::{Diagnostic, Op, Shape, Weight};

use super::activation::operand;
use super::convolution::weight;
use crate::import::budget::Budget;
use crate::import::onnx::call::{Call, Value};
use crate::import::onnx::constant::Constant;
use crate::import::onnx::fault::{Outcome, unsupported, wrong};
use crate::import::onnx::join::join;
use crate::import::onnx::layout::{Factor, GraphAxis, View};
use crate::import::onnx::network::Network;
use crate::import::onnx::symbol::Symbol;

/// A matrix of weights.
struct Matrix<'a> {
    values: &'a Constant,
    /// Whether its rows are the results.
    turned: bool,
    inputs: usize,
    units: usize,
}

impl Matrix<'_> {
    fn new<'a>(values: &'a Constant, turned: bool) -> Outcome<Matrix<'a>> {
        let [rows, columns] = values.dims[..] else {
            return Err(wrong(format!("a matrix of {} axes; it has two", values.dims.len())));
        };
        let (inputs, units) = if turned { (columns, rows) } else { (rows, columns) };
        Ok(Matrix { values, turned, inputs, units })
    }

    /// The weights `[inputs, units]`, the inputs in the order in which the `factors` that they are made of lie.
    fn weight(&self, budget: &Budget, factors: &[Factor], shape: Shape) -> Outcome<Weight> {
        let mut lying: Vec<usize> = (0..factors.len()).collect();
        lying.sort_by_key(|&index| std::cmp::Reverse(factors[index].stride));
        let lengths: Vec<usize> = factors.iter().map(|factor| factor.length).collect();
        let inputs = lying.iter().map(|index| index + usize::from(self.turned));
        let (stored, axes): (Vec<usize>, Vec<usize>) = match self.turned {
            true => ([&[self.units], &lengths[..]].concat(), inputs.chain([0]).collect()),
            false => ([&lengths[..], &[self.units]].concat(), inputs.chain([factors.len()]).collect()),
        };
        weight(budget, self.values, (&stored, &axes), shape)
    }
}

/// `Gemm`: `alpha · a · b + beta · c`.
pub(super) fn gemm(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    if call.flag("transA", false)? {
        return Err(unsupported("Gemm with transA, of the images of a batch as its columns"));
    }
    if view.rank() != 2 {
        return Err(wrong(format!("Gemm of a tensor of {} axes; it takes two", view.rank())));
    }
    let [alpha, beta] = [call.number("alpha")?, call.number("beta")?].map(|factor| factor.unwrap_or(1.0));
    let values = scaled(call, call.weight(1, "matrix")?, alpha)?;
    let matrix = Matrix::new(&values, call.flag("transB", false)?)?;
    let bias = match call.optional(2) {
        Some(Value::Constant(_)) => {
            let bias = scaled(call, call.weight(2, "bias")?, beta)?;
            Some(spread(call, &bias, matrix.units)?)
        }
        _ => None,
    };
    let Some(Value::Tensor(added)) = call.optional(2) else {
        return Ok(vec![Value::Tensor(product(network, &call.name, &view, &matrix, bias)?)]);
    };
    let name = network.name(&format!("{}/matmul", call.name));
    let sum = product(network, &name, &view, &matrix, None)?;
    let mut added = added.clone();
    if beta != 1.0 {
        let rescale = Activation::Rescale { scale: Scalar::nearest(beta), offset: Scalar::ZERO };
        let name = network.name(&format!("{}/rescale", call.name));
        added = network.elementwise(&name, Op::Activation(rescale), &added)?;
    }
    let sides = [&Value::Tensor(sum), &Value::Tensor(added)];
    Ok(vec![Value::Tensor(join(network, &call.name, Binary::Add, sides)?)])
}

/// `MatMul` of a tensor and a matrix of weights.
pub(super) fn mat_mul(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    if let Some(Value::Constant(_)) = call.optional(0) {
        return Err(unsupported("MatMul with weights on the left; frit takes them on the right"));
    }
    let view = operand(network, call)?;
    let values = call.weight(1, "matrix")?;
    let leading = values.dims.len().saturating_sub(2);
    if values.dims[..leading].iter().any(|&length| length != 1) {
        return Err(unsupported(format!("MatMul with several matrices of weights, {:?}", values.dims)));
    }
    if values.dims.len() < 2 || view.rank() < 2 {
        return Err(unsupported("MatMul with a vector; frit takes a matrix"));
    }
    if values.dims.len() > view.rank() {
        return Err(unsupported("MatMul whose weights have more axes than its input"));
    }
    let values = values.reshaped(call.budget, values.dims[leading..].to_vec())?;
    let matrix = Matrix::new(&values, false)?;
    Ok(vec![Value::Tensor(product(network, &call.name, &view, &matrix, None)?)])
}

/// `values` times `factor`.
fn scaled(call: &Call<'_>, values: &Constant, factor: f64) -> Outcome<Constant> {
    if factor == 1.0 {
        return Ok(values.clone());
    }
    let product = |value: Symbol| match value {
        Symbol::Float(value) => Symbol::Float(value * factor),
        other => other,
    };
    Constant::new(call.budget, values.kind, values.dims.clone(), values.iter().map(product))
}

/// A bias for each of `units`.
fn spread(call: &Call<'_>, bias: &Constant, units: usize) -> Outcome<Weight> {
    let one = bias.len() == 1 && units != 1;
    if !one && (bias.len() != units || bias.dims.last() != Some(&units)) {
        let fault =
            Diagnostic::error(codes::WEIGHT_SHAPE, "the bias of Gemm has another shape than its layer needs")
                .operand("given", "bias", Shape::new(&bias.dims).to_string())
                .operand("needed", "bias", Shape::new(&[units]).to_string());
        return Err(Box::new(fault));
    }
    let lengths = if one { vec![units] } else { bias.dims.clone() };
    let bias = Constant::new(call.budget, bias.kind, vec![units], bias.repeated(&lengths))?;
    weight(call.budget, &bias, (&[units], &[0]), Shape::new(&[units]))
}

/// The last axis of `view` times the matrix: a dense layer of a vector, else a convolution by one pixel.
fn product(
    network: &mut Network,
    name: &str,
    view: &View,
    matrix: &Matrix<'_>,
    bias: Option<Weight>,
) -> Outcome<View> {
    let last = view.rank() - 1;
    let inputs = view.axes[last].length();
    if view.batch() == Some(last) || inputs != matrix.inputs {
        let message = "the matrix is for another number of inputs";
        let fault = Diagnostic::error(codes::WEIGHT_SHAPE, message)
            .operand("matrix", "", format!("{} inputs", matrix.inputs))
            .operand("input", "", format!("{inputs} elements"));
        return Err(Box::new(fault));
    }
    let (epilogue, units) = (Epilogue::with_bias(bias.is_some()), matrix.units);
    let places = |at: &dyn Fn(usize) -> Option<usize>| -> Vec<GraphAxis> {
        let place = |axis| {
            if view.batch() == Some(axis) {
                GraphAxis::Batch
            } else {
                at(axis).map_or(GraphAxis::One, GraphAxis::At)
            }
        };
        (0..view.rank()).map(place).collect()
    };
    if view.elements() == inputs {
        let factors = view.axes[last].factors();
        let kernel = matrix.weight(&network.budget, factors, Shape::new(&[inputs, units]))?;
        // The weights come in the order in which the inputs lie.
        let node = network.flat(view)?;
        let weights = std::iter::once(kernel).chain(bias).collect();
        let node = network.add(name, Op::Dense(Dense { units, epilogue }), &[node], weights)?;
        return Ok(View::new(node, &network.shape(node), &places(&|axis| (axis == last).then_some(0))));
    }
    let others: Vec<usize> = view.within().into_iter().filter(|&axis| axis != last).collect();
    let (rows, columns) = others.split_at(others.len() - 1);
    let node = network.arrange(view, &[rows, columns, &[last]])?;
    let plain = [Factor { length: inputs, stride: 1 }];
    let kernel = matrix.weight(&network.budget, &plain, Shape::new(&[1, 1, inputs, units]))?;
    let op = Op::Conv2d(Conv2d { epilogue, ..Conv2d::pointwise(units) });
    let weights = std::iter::once(kernel).chain(bias).collect();
    let node = network.add(name, op, &[node], weights)?;
    let lengths: Vec<usize> = others.iter().map(|&axis| view.axes[axis].length()).chain([units]).collect();
    let order = [&others[..], &[last]].concat();
    let at = |axis| order.iter().position(|&other| other == axis);
    Ok(View::new(node, &Shape::new(&lengths), &places(&at)))
}
