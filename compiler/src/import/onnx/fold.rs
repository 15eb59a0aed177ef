//! Operators on values that are known when the file is read: what exporters compute shapes, paddings and parameters with.

use std::cell::Cell;

use super::call::{Call, Outcome, Value, axes, axis, unsupported, wrong};
use super::constant::{Constant, count, places, strides};
use super::kind::Kind;
use super::network::Network;
use super::shapes::{self, Kept};
use super::symbol::{Pair, Symbol, Unary};

/// Operators that copy as many values as they read, beside those that compute each.
const COPIES: [&str; 3] = ["Cast", "Slice", "Split"];

/// The result of `call`, where it is one of these operators and all that it computes with is known.
pub(super) fn fold(network: &mut Network, call: &Call<'_>) -> Option<Outcome<Vec<Value>>> {
    if let Some(result) = of_shape(network, call) {
        return Some(result.map(one));
    }
    let operands: Option<Vec<Option<&Constant>>> = call.inputs.iter().map(known).collect();
    let operands = operands?;
    let first = operands.first().copied().flatten();
    let Some(first) = first else { return made(network, call, &operands).map(|result| result.map(one)) };
    if (COPIES.contains(&call.op()) || Unary::of(call.op()).is_some())
        && let Err(fault) = network.count(written(call, first), count(&first.dims))
    {
        return Some(Err(fault));
    }
    if call.op() == "Split" {
        return Some(split(call, first));
    }
    moved(network, call, first)
        .or_else(|| computed(network, call, &operands, first))
        .map(|result| result.map(one))
}

/// The type of the values that an operator makes of `first`.
fn written(call: &Call<'_>, first: &Constant) -> Kind {
    let to = if call.op() == "Cast" { call.int("to", 0).ok() } else { None };
    to.and_then(|kind| i32::try_from(kind).ok()).map_or(first.kind, Kind)
}

fn known(input: &Option<Value>) -> Option<Option<&Constant>> {
    match input {
        None => Some(None),
        Some(Value::Constant(constant)) => Some(Some(constant)),
        Some(_) => None,
    }
}

fn one(constant: Constant) -> Vec<Value> {
    vec![Value::Constant(constant)]
}

/// What depends on the shape or type of a tensor alone.
fn of_shape(network: &Network, call: &Call<'_>) -> Option<Outcome<Constant>> {
    let Some(value @ (Value::Constant(_) | Value::Tensor(_))) = call.optional(0) else { return None };
    let length = |length: &Option<usize>| match (length, network.batch) {
        (None, None) => Symbol::Batch,
        (length, batch) => {
            let length = length.or(batch).and_then(|length| i64::try_from(length).ok());
            length.map_or(Symbol::Unknown, Symbol::Int)
        }
    };
    match call.op() {
        "Shape" => Some(shape(call, network.dims(value).iter().map(length).collect())),
        "Size" => {
            let dims = network.dims(value);
            let product = dims.iter().map(length).try_fold(Symbol::Int(1), |a, b| Pair::Mul.apply(a, b));
            let size = Constant::new(Kind::I64, Vec::new(), product.into_iter());
            Some(if product.is_some() { Ok(size) } else { Err(wrong("a size past all numbers")) })
        }
        "CastLike" => match (value, call.operand(1, "type")) {
            (Value::Constant(constant), Ok(like)) => {
                let kind = match like {
                    Value::Constant(like) => like.kind,
                    Value::Tensor(like) => like.kind,
                    Value::Unknown => return None,
                };
                Some(Ok(cast(constant, kind)))
            }
            _ => None,
        },
        _ => None,
    }
}

/// The part of a shape that the attributes `start` and `end` name.
fn shape(call: &Call<'_>, lengths: Vec<Symbol>) -> Outcome<Constant> {
    let rank = lengths.len() as i64;
    let place = |index: i64| (if index < 0 { index.saturating_add(rank) } else { index }).clamp(0, rank);
    let start = place(call.int("start", 0)?);
    let end = place(call.int("end", rank)?).max(start);
    let part: Vec<Symbol> = lengths.into_iter().skip(start as usize).take((end - start) as usize).collect();
    Ok(Constant::ints(part.into_iter()))
}

/// What is made of no tensor.
fn made(network: &mut Network, call: &Call<'_>, operands: &[Option<&Constant>]) -> Option<Outcome<Constant>> {
    (call.op() == "Constant" && operands.is_empty()).then(|| constant(network, call))
}

fn constant(network: &mut Network, call: &Call<'_>) -> Outcome<Constant> {
    if let Some(tensor) = call.tensor("value")? {
        return network.file.read(tensor, &call.name).map_err(Box::new);
    }
    let scalar = |kind: Kind, value: Symbol| Ok(Constant::new(kind, Vec::new(), std::iter::once(value)));
    if call.has("value_float") {
        return scalar(Kind::F32, Symbol::Float(f64::from(call.float("value_float", 0.0)?)));
    }
    if call.has("value_int") {
        return scalar(Kind::I64, Symbol::Int(call.int("value_int", 0)?));
    }
    if let Some(floats) = call.floats("value_floats")? {
        let values = floats.iter().map(|&value| Symbol::Float(f64::from(value)));
        return Ok(Constant::new(Kind::F32, vec![floats.len()], values));
    }
    if let Some(ints) = call.ints("value_ints")? {
        return Ok(Constant::ints(ints.iter().copied().map(Symbol::Int)));
    }
    Err(unsupported("a constant that is no dense tensor of numbers"))
}

/// The same values elsewhere, or some of them.
fn moved(network: &mut Network, call: &Call<'_>, first: &Constant) -> Option<Outcome<Constant>> {
    Some(match call.op() {
        "Identity" | "Dropout" => Ok(first.clone()),
        "Cast" => call.int("to", 0).map(|kind| cast(first, Kind(i32::try_from(kind).unwrap_or(0)))),
        "Transpose" => shapes::permutation(call, first.dims.len()).map(|axes| first.permuted(&axes)),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => shapes::target(network, call).and_then(|dims| {
            let dims: Option<Vec<usize>> = dims.into_iter().collect();
            dims.map(|dims| first.reshaped(dims))
                .ok_or_else(|| wrong("a constant with an axis for the batch"))
        }),
        "Expand" => expand(network, call, first),
        "Slice" => shapes::kept(call, &some(&first.dims)).map(|kept| sliced(first, &kept)),
        "Gather" => gather(network, call, first),
        "Concat" => concat(network, call, first),
        "Tile" => tile(network, call, first),
        "ConstantOfShape" => constant_of_shape(network, call, first),
        "Range" => range(network, call),
        _ => return None,
    })
}

/// The elements that a slice keeps.
fn sliced(first: &Constant, kept: &[Kept]) -> Constant {
    let strides = strides(&first.dims);
    let dims: Vec<usize> = kept.iter().map(|kept| kept.count).collect();
    let ones = self::strides(&dims);
    let place = |index: usize| -> usize {
        let axes = kept.iter().zip(&strides).zip(&ones);
        axes.map(|((kept, &stride), &one)| {
            let steps = (index / one % kept.count.max(1)).saturating_mul(kept.step.unsigned_abs() as usize);
            let place = if kept.step < 0 { kept.start.saturating_sub(steps) } else { kept.start + steps };
            place * stride
        })
        .sum()
    };
    let values = (0..count(&dims).unwrap_or(0)).map(|index| first.at(place(index)));
    Constant::new(first.kind, dims.clone(), values)
}

fn some(dims: &[usize]) -> shapes::Dims {
    dims.iter().copied().map(Some).collect()
}

fn cast(constant: &Constant, kind: Kind) -> Constant {
    if constant.kind == kind {
        return constant.clone();
    }
    Constant::new(kind, constant.dims.clone(), constant.iter().map(|value| value.cast(kind)))
}

/// The lengths that the operand `index` names.
fn lengths(call: &Call<'_>, index: usize) -> Outcome<Vec<usize>> {
    let ints =
        call.known_ints(index, "shape")?.ok_or_else(|| wrong(format!("{} needs a shape", call.op())))?;
    let length = |&length: &i64| {
        usize::try_from(length)
            .map_err(|_| wrong(format!("{} to a shape with the length {length}", call.op())))
    };
    ints.iter().map(length).collect()
}

fn expand(network: &mut Network, call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let shape = lengths(call, 1)?;
    let dims = broadcast(&first.dims, &shape)?;
    if count(&dims) == Some(first.len()) {
        return Ok(first.reshaped(dims));
    }
    network.count(first.kind, count(&dims))?;
    let steps = steps(&first.dims, &dims);
    Ok(Constant::new(first.kind, dims.clone(), places(dims, steps).map(|place| first.at(place))))
}

fn constant_of_shape(network: &mut Network, call: &Call<'_>, shape: &Constant) -> Outcome<Constant> {
    let dims = match shape.len() {
        0 => Vec::new(),
        _ => lengths(call, 0)?,
    };
    let value = match call.tensor("value")? {
        Some(tensor) => network.file.read(tensor, &call.name).map_err(Box::new)?,
        None => Constant::new(Kind::F32, vec![1], std::iter::once(Symbol::Float(0.0))),
    };
    if value.len() != 1 {
        return Err(wrong(format!("ConstantOfShape of {} values; it takes one", value.len())));
    }
    let length = network.count(value.kind, count(&dims))?;
    Ok(Constant::new(value.kind, dims, std::iter::repeat_n(value.at(0), length)))
}

fn range(network: &mut Network, call: &Call<'_>) -> Outcome<Constant> {
    let mut bounds = [Symbol::Unknown; 3];
    let mut kind = Kind::I64;
    for (index, (bound, role)) in bounds.iter_mut().zip(["start", "limit", "delta"]).enumerate() {
        let Some(constant) = call.constant(index, role)? else {
            return Err(wrong(format!("Range needs its {role}")));
        };
        (*bound, kind) = (constant.at(0), constant.kind);
    }
    let [Some(start), Some(limit), Some(delta)] = bounds.map(Symbol::float) else {
        return Err(wrong("a range whose length depends on the number of images of a batch"));
    };
    let length = ((limit - start) / delta).ceil().max(0.0);
    // A range of 0 steps has no length either; the cast saturates.
    let length = if length.is_nan() { usize::MAX } else { length as usize };
    let length = network.count(kind, Some(length))?;
    let value = |index: usize| Symbol::Float(start + delta * index as f64).cast(kind);
    Ok(Constant::new(kind, vec![length], (0..length).map(value)))
}

fn tile(network: &mut Network, call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let repeats = lengths(call, 1)?;
    if repeats.len() != first.dims.len() {
        return Err(wrong(format!("Tile of {} axes {} times", first.dims.len(), repeats.len())));
    }
    let dims: Option<Vec<usize>> =
        first.dims.iter().zip(&repeats).map(|(&length, &times)| length.checked_mul(times)).collect();
    let dims = dims.unwrap_or_else(|| vec![usize::MAX; 2]);
    network.count(first.kind, count(&dims))?;
    let (own, long) = (strides(&first.dims), strides(&dims));
    let of = |index: usize| {
        let axes = long.iter().zip(&dims).zip(own.iter().zip(&first.dims));
        axes.map(|((stride, long), (own, length))| index / stride % long % length * own).sum()
    };
    let values = (0..count(&dims).unwrap_or(0)).map(|index| first.at(of(index)));
    Ok(Constant::new(first.kind, dims.clone(), values))
}

fn gather(network: &mut Network, call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let along = axis(call.int("axis", 0)?, first.dims.len())?;
    let length = first.dims[along];
    let Some(indices) = call.constant(1, "indices")? else { return Err(wrong("Gather needs its indices")) };
    let index = |symbol: Symbol| {
        let index = symbol.int().ok_or_else(|| wrong("an index is not known"))?;
        axis(index, length).map_err(|_| wrong(format!("index {index} of an axis of {length}")))
    };
    let chosen = indices.iter().map(index).collect::<Outcome<Vec<usize>>>()?;
    let (before, behind) = (&first.dims[..along], &first.dims[along + 1..]);
    let dims = [before, &indices.dims, behind].concat();
    network.count(first.kind, count(&dims))?;
    let inner = count(behind).unwrap_or(0);
    let outer = count(before).unwrap_or(0);
    let places = (0..outer).flat_map(|outer| {
        chosen.iter().flat_map(move |&chosen| {
            (0..inner).map(move |inner_index| (outer * length + chosen) * inner + inner_index)
        })
    });
    Ok(Constant::new(first.kind, dims, places.map(|place| first.at(place))))
}

fn concat(network: &mut Network, call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let rank = first.dims.len();
    let along = axis(call.int("axis", 1)?, rank)?;
    let mut parts = Vec::new();
    for index in 0..call.inputs.len() {
        let Some(part) = call.constant(index, "operands")? else { return Err(wrong("Concat of nothing")) };
        let alike = part.dims.len() == rank
            && (0..rank).all(|axis| axis == along || part.dims[axis] == first.dims[axis]);
        if !alike {
            return Err(wrong(format!("Concat along axis {along} of {:?} and {:?}", first.dims, part.dims)));
        }
        parts.push(part);
    }
    let mut dims = first.dims.clone();
    dims[along] = parts.iter().map(|part| part.dims[along]).sum();
    network.count(first.kind, count(&dims))?;
    let outer = count(&dims[..along]).unwrap_or(0);
    let rows = (0..outer).flat_map(|row| {
        parts.iter().flat_map(move |part| {
            let length = part.len() / outer.max(1);
            (row * length..(row + 1) * length).map(|index| part.at(index))
        })
    });
    Ok(Constant::new(first.kind, dims, rows))
}

fn split(call: &Call<'_>, first: &Constant) -> Outcome<Vec<Value>> {
    let (along, parts) = shapes::parts(call, &some(&first.dims))?;
    let strides = strides(&first.dims);
    let mut begin = 0;
    let mut values = Vec::with_capacity(parts.len());
    for count in parts {
        let mut dims = first.dims.clone();
        dims[along] = count;
        let offset = begin * strides[along];
        let part = places(dims.clone(), strides.clone()).map(|place| first.at(offset + place));
        values.push(Value::Constant(Constant::new(first.kind, dims, part)));
        begin += count;
    }
    Ok(values)
}

/// What is computed element by element, or along axes.
fn computed(
    network: &mut Network,
    call: &Call<'_>,
    operands: &[Option<&Constant>],
    first: &Constant,
) -> Option<Outcome<Constant>> {
    if let Some(function) = Unary::of(call.op()) {
        let values = first.iter().map(|value| function.apply(value));
        return Some(Ok(Constant::new(first.kind, first.dims.clone(), values)));
    }
    if let Some(function) = Pair::of(call.op()) {
        let others = operands[1..].iter().copied().flatten();
        return Some(others.into_iter().try_fold(first.clone(), |a, b| pairs(network, function, &a, b)));
    }
    match call.op() {
        "Where" => Some(choose(network, operands)),
        "ReduceSum" | "ReduceProd" | "ReduceMax" | "ReduceMin" => Some(reduce(call, first)),
        _ => None,
    }
}

fn pairs(network: &mut Network, function: Pair, a: &Constant, b: &Constant) -> Outcome<Constant> {
    let dims = broadcast(&a.dims, &b.dims)?;
    let kind = if function.compares() { Kind::BOOL } else { a.kind };
    network.count(kind, count(&dims))?;
    let of = |constant: &Constant| places(dims.clone(), steps(&constant.dims, &dims));
    let fails = Cell::new(false);
    let values = of(a).zip(of(b)).map(|(x, y)| {
        let value = function.apply(a.at(x), b.at(y));
        fails.set(fails.get() || value.is_none());
        value.unwrap_or(Symbol::Unknown)
    });
    let joined = Constant::new(kind, dims.clone(), values);
    match fails.get() {
        true => Err(wrong("whole numbers that are divided by zero, or grow past all numbers")),
        false => Ok(joined),
    }
}

fn choose(network: &mut Network, operands: &[Option<&Constant>]) -> Outcome<Constant> {
    let [Some(condition), Some(yes), Some(no)] = operands else {
        return Err(wrong("Where needs three operands"));
    };
    let dims = broadcast(&broadcast(&condition.dims, &yes.dims)?, &no.dims)?;
    network.count(yes.kind, count(&dims))?;
    let of = |constant: &Constant| places(dims.clone(), steps(&constant.dims, &dims));
    let values =
        of(condition).zip(of(yes)).zip(of(no)).map(|((which, yes_at), no_at)| match condition.at(which) {
            Symbol::Int(0) => no.at(no_at),
            Symbol::Int(_) => yes.at(yes_at),
            _ => Symbol::Unknown,
        });
    Ok(Constant::new(yes.kind, dims.clone(), values))
}

fn reduce(call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let rank = first.dims.len();
    let along = match call.ints_or_operand("axes", 1)? {
        Some(given) if !given.is_empty() => axes(&given, rank)?,
        _ if call.flag("noop_with_empty_axes", false)? => return Ok(first.clone()),
        _ => (0..rank).collect(),
    };
    let function = match call.op() {
        "ReduceSum" => Pair::Add,
        "ReduceProd" => Pair::Mul,
        "ReduceMax" => Pair::Max,
        _ => Pair::Min,
    };
    let length = |axis: usize| if along.contains(&axis) { 1 } else { first.dims[axis] };
    let dims: Vec<usize> = (0..rank).map(length).collect();
    let mut values: Vec<Option<Symbol>> = vec![None; count(&dims).unwrap_or(0)];
    let into = places(first.dims.clone(), steps(&dims, &first.dims));
    for (value, place) in first.iter().zip(into) {
        values[place] = match values[place] {
            None => Some(value),
            Some(sum) => Some(function.apply(sum, value).unwrap_or(Symbol::Unknown)),
        };
    }
    let kept = if call.flag("keepdims", true)? {
        dims
    } else {
        (0..rank).filter(|axis| !along.contains(axis)).map(|axis| first.dims[axis]).collect()
    };
    Ok(Constant::new(first.kind, kept, values.into_iter().map(|value| value.unwrap_or(Symbol::Unknown))))
}

/// The axes of tensors with the axes `a` and `b` repeated to fit each other.
pub(super) fn broadcast(a: &[usize], b: &[usize]) -> Outcome<Vec<usize>> {
    let rank = a.len().max(b.len());
    let length =
        |dims: &[usize], axis: usize| (axis + dims.len()).checked_sub(rank).map_or(1, |axis| dims[axis]);
    let joined = (0..rank).map(|axis| match (length(a, axis), length(b, axis)) {
        (x, y) if x == y || y == 1 => Some(x),
        (1, y) => Some(y),
        _ => None,
    });
    joined
        .collect::<Option<Vec<usize>>>()
        .ok_or_else(|| wrong(format!("{a:?} and {b:?} don't fit each other")))
}

/// The distance of elements of a tensor with the axes `own` along each axis of `dims`, to which it is repeated.
fn steps(own: &[usize], dims: &[usize]) -> Vec<usize> {
    let strides = strides(own);
    let step = |axis: usize| {
        let axis = (axis + own.len()).checked_sub(dims.len());
        axis.filter(|&axis| own[axis] != 1).map_or(0, |axis| strides[axis])
    };
    (0..dims.len()).map(step).collect()
}
