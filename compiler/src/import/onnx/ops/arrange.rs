//! Operators that only name elements anew or move them.

use frit_ir::Op;
use frit_ir::ops::{Binary, Concat};
use frit_passes::legality::training;

use super::activation::operand;
use crate::import::onnx::call::{Call, Value};
use crate::import::onnx::constant::{Constant, count};
use crate::import::onnx::data_type::DataType;
use crate::import::onnx::fault::{Outcome, mixes, ranked, unsupported, wrong};
use crate::import::onnx::join::join;
use crate::import::onnx::layout::View;
use crate::import::onnx::network::Network;
use crate::import::onnx::shapes::{self};
use crate::import::onnx::symbol::Symbol;

/// Most copies that a `Tile` makes of a tensor.
const COPIES: usize = 1 << 10;

fn input(network: &mut Network, call: &Call<'_>) -> Outcome<View> {
    network.tensor(call.operand(0, "input")?, "input")
}

fn renamed(network: &mut Network, call: &Call<'_>, view: &View) -> Outcome<Vec<Value>> {
    Ok(vec![Value::Tensor(network.renamed(&call.name, view)?)])
}

/// `Reshape`, `Flatten`, `Squeeze` and `Unsqueeze`.
pub(super) fn reshape(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = input(network, call)?;
    let dims = shapes::target(network, call)?;
    let view = network.reshaped(&view, &dims)?;
    renamed(network, call, &view)
}

/// `Transpose`: the axes are named anew, and move where an op needs them elsewhere.
pub(super) fn transpose(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = input(network, call)?;
    let axes = shapes::permutation(call, view.rank())?;
    renamed(network, call, &view.permuted(&axes))
}

/// `Identity`.
pub(super) fn identity(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = input(network, call)?;
    renamed(network, call, &view)
}

/// `Dropout` at inference.
pub(super) fn dropout(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let training = call.constant(2, "training mode")?.and_then(Constant::scalar);
    if training.is_some_and(|mode| mode != 0.0) {
        let mut fault = training::fault();
        fault.message = "the dropout is in training mode".to_owned();
        return Err(Box::new(fault));
    }
    identity(network, call)
}

/// `Cast` and `CastLike` of computed values: to their own type.
pub(super) fn cast(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = input(network, call)?;
    let to = match call.op() {
        "Cast" => DataType(i32::try_from(call.int("to", 0)?).unwrap_or(0)),
        _ => match call.operand(1, "type")? {
            Value::Constant(like) => like.kind,
            Value::Tensor(like) => like.kind,
            Value::Unknown => view.kind,
        },
    };
    // Whole numbers are held in f32 as they are.
    let whole = !view.kind.is_float() && (!to.is_float() || to == DataType::F32);
    if to != view.kind && !(whole && to != DataType::BOOL) {
        return Err(unsupported(format!("Cast of computed values from {} to {to}", view.kind)));
    }
    renamed(network, call, &View { kind: to, ..view })
}

/// The side of the squares of `DepthToSpace` and `SpaceToDepth`, and the operand with its lengths.
fn squares(network: &mut Network, call: &Call<'_>) -> Outcome<(View, [usize; 3], usize)> {
    let view = operand(network, call)?;
    let side = usize::try_from(call.int("blocksize", 0)?).ok().filter(|&side| side > 0);
    let side =
        side.ok_or_else(|| wrong(format!("{} without squares: its blocksize is at least 1", call.op())))?;
    match view.lengths()[..] {
        [_, channels, height, width] => Ok((view, [channels, height, width], side)),
        _ => Err(wrong(format!("{} of a tensor of {} axes; it takes a map", call.op(), view.rank()))),
    }
}

/// The axes of a map cut into these lengths, in this order, joined to a map of these lengths.
fn shuffled(
    network: &mut Network,
    call: &Call<'_>,
    view: &View,
    (cut, axes, joined): ([usize; 5], [usize; 6], [usize; 3]),
) -> Outcome<Vec<Value>> {
    let first = view.dims().first().copied().flatten();
    let lengths = |lengths: &[usize]| -> Vec<Option<usize>> {
        std::iter::once(first).chain(lengths.iter().copied().map(Some)).collect()
    };
    let view = network.reshaped(view, &lengths(&cut))?.permuted(&axes);
    let view = network.reshaped(&view, &lengths(&joined))?;
    renamed(network, call, &view)
}

/// `DepthToSpace`: channels become squares of pixels.
pub(super) fn depth_to_space(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (view, [channels, height, width], side) = squares(network, call)?;
    let square = side.checked_mul(side).filter(|&square| channels.is_multiple_of(square));
    let Some(square) = square else {
        return Err(wrong(format!("DepthToSpace of {channels} channels into squares of {side}x{side}")));
    };
    let left = channels / square;
    let joined = [left, height * side, width * side];
    match call.string("mode", "DCR")? {
        "DCR" => {
            shuffled(network, call, &view, ([side, side, left, height, width], [0, 3, 4, 1, 5, 2], joined))
        }
        "CRD" => {
            shuffled(network, call, &view, ([left, side, side, height, width], [0, 1, 4, 2, 5, 3], joined))
        }
        other => Err(wrong(format!("DepthToSpace in the mode {other:?}, which is neither DCR nor CRD"))),
    }
}

/// `SpaceToDepth`: squares of pixels become channels.
pub(super) fn space_to_depth(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let (view, [channels, height, width], side) = squares(network, call)?;
    if !height.is_multiple_of(side) || !width.is_multiple_of(side) {
        return Err(wrong(format!("SpaceToDepth of a map of {height}x{width} in squares of {side}x{side}")));
    }
    let (rows, columns) = (height / side, width / side);
    let cut = [channels, rows, side, columns, side];
    let joined = [channels.saturating_mul(side * side), rows, columns];
    shuffled(network, call, &view, (cut, [0, 3, 5, 1, 2, 4], joined))
}

/// `Expand`: a product with ones, which repeat it.
pub(super) fn expand(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let Some(shape) = call.constant(1, "shape")? else { return Err(wrong("Expand needs its shape")) };
    let rank = view.rank().max(shape.len());
    ranked(rank)?;
    let own = view.widened(rank);
    let mut ones = vec![1; rank];
    let mut grows = rank > view.rank();
    for (index, symbol) in shape.iter().enumerate() {
        let axis = rank - shape.len() + index;
        let batch = own.batch() == Some(axis);
        ones[axis] = match symbol {
            Symbol::Batch if batch => 1,
            Symbol::Int(length)
                if batch && (length == 1 || usize::try_from(length).ok() == network.batch) =>
            {
                1
            }
            Symbol::Int(length) if !batch => {
                usize::try_from(length).map_err(|_| wrong(format!("Expand to an axis of {length}")))?
            }
            _ => return Err(mixes("Expand along the images of a batch")),
        };
        grows |= !batch && ones[axis] > own.axes[axis].length();
    }
    if !grows {
        return renamed(network, call, &view);
    }
    let length = count(&ones).unwrap_or(usize::MAX);
    let values = std::iter::repeat_n(Symbol::Float(1.0), length);
    let ones = Constant::new(call.budget, DataType::F32, ones, values)?;
    let sides = [&Value::Tensor(view), &Value::Constant(ones)];
    Ok(vec![Value::Tensor(join(network, &call.name, Binary::Mul, sides)?)])
}

/// `Tile`: the tensor behind itself, axis by axis.
pub(super) fn tile(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let repeats = call.known_ints(1, "repeats")?.ok_or_else(|| wrong("Tile needs its repeats"))?;
    if repeats.len() != view.rank() {
        return Err(wrong(format!("Tile of {} axes, with {} numbers", view.rank(), repeats.len())));
    }
    let (mut node, order) = network.natural(&view)?;
    for (axis, &times) in repeats.iter().enumerate().filter(|&(_, &times)| times != 1) {
        let copies = usize::try_from(times).ok().filter(|&times| (1..=COPIES).contains(&times));
        let copies =
            copies.ok_or_else(|| wrong(format!("Tile of {times} copies; frit makes 1 to {COPIES}")))?;
        let Some(along) = order.iter().position(|&other| other == axis) else {
            return Err(mixes("Tile of the images of a batch"));
        };
        let name = network.name(&format!("{}/{axis}", call.name));
        let op = Op::Concat(Concat { axis: along, inputs: copies });
        node = network.add(&name, op, &vec![node; copies], Vec::new())?;
    }
    let result = network.view(node, &view, &order);
    renamed(network, call, &result)
}
