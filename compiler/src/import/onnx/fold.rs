//! Operators on values that are known when the file is read: what exporters compute shapes, paddings and parameters with.

use std::cell::Cell;

use super::call::{Call, Value, axes, axis};
use super::constant::{Constant, count, places, strides};
use super::data_type::DataType;
use super::fault::{Outcome, mixes, ranked, unsupported, wrong};
use super::layout::Axis;
use super::network::Network;
use super::shapes::{self, Kept};
use super::symbol::{Pair, Symbol, Unary};

/// The result of `call`, where it is one of these operators and all that it computes with is known.
pub(super) fn fold(network: &mut Network, call: &Call<'_>) -> Option<Outcome<Vec<Value>>> {
    if let Some(result) = of_shape(network, call) {
        return Some(result.map(one));
    }
    let operands: Option<Vec<Option<&Constant>>> = call.inputs.iter().map(known).collect();
    let operands = operands?;
    let first = operands.first().copied().flatten();
    let Some(first) = first else { return made(network, call, &operands).map(|result| result.map(one)) };
    if call.op() == "Split" {
        return Some(split(call, first));
    }
    if let ("Expand", Some(Some(shape))) = (call.op(), operands.get(1))
        && shape.iter().next() == Some(Symbol::Batch)
    {
        return Some(for_each_image(network, call, first, shape));
    }
    moved(network, call, first).or_else(|| computed(call, &operands, first)).map(|result| result.map(one))
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
        "Shape" => Some(shape(call, value.dims().iter().map(length).collect())),
        "Size" => {
            let dims = value.dims();
            let product = dims.iter().map(length).try_fold(Symbol::Int(1), |a, b| Pair::Mul.apply(a, b));
            let product = product.ok_or_else(|| wrong("a size past all numbers"));
            Some(product.and_then(|product| Constant::number(call.budget, DataType::I64, product)))
        }
        "CastLike" => match (value, call.operand(1, "type")) {
            (Value::Constant(constant), Ok(like)) => {
                let kind = match like {
                    Value::Constant(like) => like.kind,
                    Value::Tensor(like) => like.kind,
                    Value::Unknown => return None,
                };
                Some(cast(call, constant, kind))
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
    Constant::ints(call.budget, part.into_iter())
}

/// What is made of no tensor.
fn made(network: &mut Network, call: &Call<'_>, operands: &[Option<&Constant>]) -> Option<Outcome<Constant>> {
    (call.op() == "Constant" && operands.is_empty()).then(|| constant(network, call))
}

fn constant(network: &mut Network, call: &Call<'_>) -> Outcome<Constant> {
    if let Some(tensor) = call.tensor("value")? {
        return network.file.read(call.budget, tensor, &call.name).map_err(Box::new);
    }
    let scalar = |kind: DataType, value: Symbol| Constant::number(call.budget, kind, value);
    if let Some(value) = call.number("value_float")? {
        return scalar(DataType::F32, Symbol::Float(value));
    }
    if call.has("value_int") {
        return scalar(DataType::I64, Symbol::Int(call.int("value_int", 0)?));
    }
    if let Some(floats) = call.floats("value_floats")? {
        return Constant::new(call.budget, DataType::F32, vec![floats.len()], floats.map(Symbol::Float));
    }
    if let Some(ints) = call.ints("value_ints")? {
        return Constant::ints(call.budget, ints.iter().copied().map(Symbol::Int));
    }
    Err(unsupported("a constant that is no dense tensor of numbers"))
}

/// The same values elsewhere, or some of them.
fn moved(network: &mut Network, call: &Call<'_>, first: &Constant) -> Option<Outcome<Constant>> {
    Some(match call.op() {
        "Identity" | "Dropout" => Ok(first.clone()),
        "Cast" => {
            call.int("to", 0).and_then(|kind| cast(call, first, DataType(i32::try_from(kind).unwrap_or(0))))
        }
        "Transpose" => {
            shapes::permutation(call, first.dims.len()).and_then(|axes| first.permuted(call.budget, &axes))
        }
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => shapes::target(network, call).and_then(|dims| {
            let dims: Option<Vec<usize>> = dims.into_iter().collect();
            first.reshaped(call.budget, dims.ok_or_else(|| wrong("a constant with an axis for the batch"))?)
        }),
        "Expand" => expand(call, first),
        "Slice" => shapes::kept(call, &some(&first.dims)).and_then(|kept| sliced(call, first, &kept)),
        "Gather" => gather(call, first),
        "Concat" => concat(call, first),
        "Tile" => tile(call, first),
        "ConstantOfShape" => constant_of_shape(network, call, first),
        "Range" => range(call),
        _ => return None,
    })
}

/// The elements that a slice keeps.
fn sliced(call: &Call<'_>, first: &Constant, kept: &[Kept]) -> Outcome<Constant> {
    let dims: Vec<usize> = kept.iter().map(|kept| kept.count).collect();
    let own = first.steps();
    let start = kept.iter().zip(&own).map(|(kept, &step)| kept.start.saturating_mul(step));
    let start = start.fold(0, usize::saturating_add);
    // A step below 0 is one past the largest number.
    let steps: Vec<usize> =
        kept.iter().zip(&own).map(|(kept, &step)| step.wrapping_mul(kept.step as usize)).collect();
    Constant::new(call.budget, first.kind, dims.clone(), first.lying(start, &dims, &steps))
}

fn some(dims: &[usize]) -> shapes::Dims {
    dims.iter().copied().map(Some).collect()
}

fn cast(call: &Call<'_>, constant: &Constant, kind: DataType) -> Outcome<Constant> {
    if constant.kind == kind {
        return Ok(constant.clone());
    }
    let values = constant.iter().map(|value| value.cast(kind));
    Constant::new(call.budget, kind, constant.dims.clone(), values)
}

/// The lengths that the operand `index` names.
fn lengths(call: &Call<'_>, index: usize) -> Outcome<Vec<usize>> {
    let ints =
        call.known_ints(index, "shape")?.ok_or_else(|| wrong(format!("{} needs a shape", call.op())))?;
    let length = |&length: &i64| {
        usize::try_from(length)
            .map_err(|_| wrong(format!("{} to a shape with the length {length}", call.op())))
    };
    ranked(ints.len())?;
    ints.iter().map(length).collect()
}

fn expand(call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let shape = lengths(call, 1)?;
    let dims = broadcast(&first.dims, &shape)?;
    if count(&dims) == Some(first.len()) {
        return first.reshaped(call.budget, dims);
    }
    Constant::new(call.budget, first.kind, dims.clone(), first.repeated(&dims))
}

/// A constant that is repeated for the images of a batch: a layer of the network, which has it for each.
fn for_each_image(
    network: &mut Network,
    call: &Call<'_>,
    first: &Constant,
    shape: &Constant,
) -> Outcome<Vec<Value>> {
    let rank = shape.len();
    if first.dims.len() > rank || (first.dims.len() == rank && first.dims[0] != 1) {
        return Err(mixes(format!("Expand of {:?}, other ones for each image of a batch", first.dims)));
    }
    let length = |symbol: Symbol| symbol.int().and_then(|length| usize::try_from(length).ok());
    let within: Option<Vec<usize>> = shape.iter().skip(1).map(length).collect();
    let within = within.ok_or_else(|| mixes("Expand along the images of a batch"))?;
    ranked(rank)?;
    let dims = broadcast(&first.dims, &[&[1], &within[..]].concat())?;
    let constant = Constant::new(call.budget, first.kind, dims.clone(), first.repeated(&dims))?;
    let name = network.name(&call.name);
    let mut view = network.constant(&name, &constant, &(1..rank).collect::<Vec<_>>())?;
    view.axes[0] = Axis::Batch;
    Ok(vec![Value::Tensor(view)])
}

fn constant_of_shape(network: &mut Network, call: &Call<'_>, shape: &Constant) -> Outcome<Constant> {
    let dims = match shape.len() {
        0 => Vec::new(),
        _ => lengths(call, 0)?,
    };
    let value = match call.tensor("value")? {
        Some(tensor) => network.file.read(call.budget, tensor, &call.name).map_err(Box::new)?,
        None => Constant::new(call.budget, DataType::F32, vec![1], std::iter::once(Symbol::Float(0.0)))?,
    };
    if value.len() != 1 {
        return Err(wrong(format!("ConstantOfShape of {} values; it takes one", value.len())));
    }
    let length = count(&dims).unwrap_or(usize::MAX);
    Constant::new(call.budget, value.kind, dims, std::iter::repeat_n(value.first(), length))
}

fn range(call: &Call<'_>) -> Outcome<Constant> {
    let mut bounds = [Symbol::Unknown; 3];
    let mut kind = DataType::I64;
    for (index, (bound, role)) in bounds.iter_mut().zip(["start", "limit", "delta"]).enumerate() {
        let Some(constant) = call.constant(index, role)? else {
            return Err(wrong(format!("Range needs its {role}")));
        };
        (*bound, kind) = (constant.first(), constant.kind);
    }
    let [Some(start), Some(limit), Some(delta)] = bounds.map(Symbol::float) else {
        return Err(wrong("a range whose length depends on the number of images of a batch"));
    };
    let length = ((limit - start) / delta).ceil().max(0.0);
    // A range of 0 steps has no length either; the cast saturates.
    let length = if length.is_nan() { usize::MAX } else { length as usize };
    let value = |index: usize| Symbol::Float(start + delta * index as f64).cast(kind);
    Constant::new(call.budget, kind, vec![length], (0..length).map(value))
}

fn tile(call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let repeats = lengths(call, 1)?;
    if repeats.len() != first.dims.len() {
        return Err(wrong(format!("Tile of {} axes {} times", first.dims.len(), repeats.len())));
    }
    let dims: Vec<usize> =
        first.dims.iter().zip(&repeats).map(|(&length, &times)| length.saturating_mul(times)).collect();
    // Each axis as its copies, and what is in one.
    let walk: Vec<usize> =
        repeats.iter().zip(&first.dims).flat_map(|(&times, &length)| [times, length]).collect();
    let steps: Vec<usize> = first.steps().into_iter().flat_map(|step| [0, step]).collect();
    Constant::new(call.budget, first.kind, dims, first.lying(0, &walk, &steps))
}

fn gather(call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
    let along = axis(call.int("axis", 0)?, first.dims.len())?;
    let length = first.dims[along];
    let Some(indices) = call.constant(1, "indices")? else { return Err(wrong("Gather needs its indices")) };
    let index =
        |index: i64| axis(index, length).map_err(|_| wrong(format!("index {index} of an axis of {length}")));
    let known = indices.known_ints(call.budget)?.ok_or_else(|| wrong("an index is not known"))?;
    let chosen = known.into_iter().map(index).collect::<Outcome<Vec<usize>>>()?;
    let (before, behind) = (&first.dims[..along], &first.dims[along + 1..]);
    let dims = [before, &indices.dims, behind].concat();
    ranked(dims.len())?;
    let steps = first.steps();
    // Where there is nothing to take, nothing is walked over either.
    let outer = if count(&dims) == Some(0) { 0 } else { count(before).unwrap_or(0) };
    let (step, inside) = (steps[along], &steps[along + 1..]);
    let rows = places(before, &steps[..along]).take(outer);
    let starts = rows.flat_map(|row| chosen.iter().map(move |&chosen| row + chosen * step));
    let values = starts.flat_map(|start| first.lying(start, behind, inside));
    Constant::new(call.budget, first.kind, dims.clone(), values)
}

fn concat(call: &Call<'_>, first: &Constant) -> Outcome<Constant> {
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
    dims[along] = parts.iter().map(|part| part.dims[along]).fold(0, usize::saturating_add);
    let outer = if count(&dims) == Some(0) { 0 } else { count(&dims[..along]).unwrap_or(0) };
    parts.retain(|part| part.dims[along] > 0);
    let mut rows: Vec<_> = parts.iter().map(|part| part.iter()).collect();
    let lengths: Vec<usize> = parts.iter().map(|part| part.len() / outer.max(1)).collect();
    let turns = (0..outer).flat_map(|_| lengths.iter().enumerate());
    let turns = turns.flat_map(|(part, &length)| std::iter::repeat_n(part, length));
    let values = turns.map(|part| rows[part].next().unwrap_or(Symbol::Unknown));
    Constant::new(call.budget, first.kind, dims, values)
}

fn split(call: &Call<'_>, first: &Constant) -> Outcome<Vec<Value>> {
    let (along, parts) = shapes::parts(call, &some(&first.dims))?;
    let steps = first.steps();
    let mut begin = 0usize;
    let mut values = Vec::with_capacity(parts.len());
    for count in parts {
        let mut dims = first.dims.clone();
        dims[along] = count;
        let part = first.lying(begin.saturating_mul(steps[along]), &dims, &steps);
        values.push(Value::Constant(Constant::new(call.budget, first.kind, dims, part)?));
        begin += count;
    }
    Ok(values)
}

/// What is computed element by element, or along axes.
fn computed(call: &Call<'_>, operands: &[Option<&Constant>], first: &Constant) -> Option<Outcome<Constant>> {
    if let Some(function) = Unary::of(call.op()) {
        let values = first.iter().map(|value| function.apply(value));
        return Some(Constant::new(call.budget, first.kind, first.dims.clone(), values));
    }
    if let Some(function) = Pair::of(call.op()) {
        let others = operands[1..].iter().copied().flatten();
        return Some(others.into_iter().try_fold(first.clone(), |a, b| pairs(call, function, &a, b)));
    }
    match call.op() {
        "Where" => Some(choose(call, operands)),
        "ReduceSum" | "ReduceProd" | "ReduceMax" | "ReduceMin" => Some(reduce(call, first)),
        _ => None,
    }
}

fn pairs(call: &Call<'_>, function: Pair, a: &Constant, b: &Constant) -> Outcome<Constant> {
    let dims = broadcast(&a.dims, &b.dims)?;
    let kind = if function.compares() { DataType::BOOL } else { a.kind };
    call.budget.take_work(count(&dims).unwrap_or(usize::MAX))?;
    let fails = Cell::new(false);
    let values = a.repeated(&dims).zip(b.repeated(&dims)).map(|(a, b)| {
        let value = function.apply(a, b);
        fails.set(fails.get() || value.is_none());
        value.unwrap_or(Symbol::Unknown)
    });
    let joined = Constant::new(call.budget, kind, dims, values)?;
    match fails.get() {
        true => Err(wrong("whole numbers that are divided by zero, or grow past all numbers")),
        false => Ok(joined),
    }
}

fn choose(call: &Call<'_>, operands: &[Option<&Constant>]) -> Outcome<Constant> {
    let [Some(condition), Some(yes), Some(no)] = operands else {
        return Err(wrong("Where needs three operands"));
    };
    let dims = broadcast(&broadcast(&condition.dims, &yes.dims)?, &no.dims)?;
    call.budget.take_work(count(&dims).unwrap_or(usize::MAX).saturating_mul(2))?;
    let sides = condition.repeated(&dims).zip(yes.repeated(&dims)).zip(no.repeated(&dims));
    let values = sides.map(|((which, yes), no)| match which {
        Symbol::Int(0) => no,
        Symbol::Int(_) => yes,
        _ => Symbol::Unknown,
    });
    Constant::new(call.budget, yes.kind, dims, values)
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
    call.budget.take_work(first.len())?;
    let results = count(&dims).unwrap_or(usize::MAX);
    let mut values: Vec<Option<Symbol>> = call.budget.list(results)?;
    values.resize(results, None);
    let strides = strides(&dims);
    let step = |axis: usize| if along.contains(&axis) { 0 } else { strides[axis] };
    let into = places(&first.dims, &(0..rank).map(step).collect::<Vec<_>>());
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
    let values = values.into_iter().map(|value| value.unwrap_or(Symbol::Unknown));
    Constant::new(call.budget, first.kind, kept, values)
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
