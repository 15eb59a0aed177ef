//! Parts of tensors, and tensors one behind the other.

use frit_ir::ops::{self, Concat, Padding, Scalar, Slice, Span};
use frit_ir::{NodeId, Op};

use super::activation::operand;
use crate::import::limits;
use crate::import::onnx::call::{Call, Value, axis, single_precision};
use crate::import::onnx::constant::{Constant, count};
use crate::import::onnx::data_type::DataType;
use crate::import::onnx::fault::{Outcome, mixes, unsupported, wrong};
use crate::import::onnx::layout::View;
use crate::import::onnx::network::Network;
use crate::import::onnx::shapes::{self, Kept};
use crate::import::onnx::symbol::Symbol;

/// `Concat`.
pub(super) fn concat(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let mut views = Vec::with_capacity(call.inputs.len());
    for index in 0..call.inputs.len() {
        let name = call.node.input.get(index).map_or("", String::as_str);
        let view = network.tensor(call.operand(index, "operands")?, name)?;
        single_precision(view.kind, "an operand of Concat")?;
        views.push(view);
    }
    let Some(first) = views.first() else { return Err(wrong("Concat of nothing")) };
    let along = axis(call.int("axis", 1)?, first.rank())?;
    // A constant counts the images of a batch as an axis of one.
    let like = views.iter().find(|view| view.batch().is_some()).unwrap_or(first).clone();
    if let Some(other) = views.iter().find(|view| view.rank() != like.rank()) {
        return Err(wrong(format!("Concat of tensors of {} and {} axes", like.rank(), other.rank())));
    }
    let order = views.iter().find_map(View::order).unwrap_or_else(|| like.usual());
    let Some(place) = order.iter().position(|&other| other == along) else {
        return Err(mixes(format!("Concat along axis {along} joins the images of a batch")));
    };
    let mut nodes = Vec::with_capacity(views.len());
    for view in &views {
        let outside = (0..view.rank()).filter(|axis| !order.contains(axis));
        if outside.into_iter().any(|axis| view.axes[axis].length() > 1)
            || order.iter().any(|&axis| view.batch() == Some(axis))
        {
            return Err(mixes("Concat of tensors of which one has images of its own"));
        }
        nodes.push(network.ordered(view, &order)?);
    }
    let op = Op::Concat(Concat { axis: place, inputs: nodes.len() });
    let node = network.add(&call.name, op, &nodes, Vec::new())?;
    Ok(vec![Value::Tensor(network.view(node, &like, &order))])
}

/// Some elements of `node`, whose axes are those of `order`: what `spans` keeps of the axes of `view`.
fn sliced(
    network: &mut Network,
    name: &str,
    (node, order): (NodeId, &[usize]),
    view: &View,
    spans: &[Span],
) -> Outcome<View> {
    let spans = order.iter().map(|&axis| spans[axis]).collect();
    let node = network.add(name, Op::Slice(Slice { spans }), &[node], Vec::new())?;
    Ok(network.view(node, view, order))
}

fn whole(view: &View) -> Vec<Span> {
    view.lengths().into_iter().map(Span::all).collect()
}

/// `Split`: the parts of the layer `s` are called `s/0`, `s/1` and so on.
pub(super) fn split(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let dims = call.operand(0, "input")?.dims();
    let (along, parts) = shapes::parts(call, &dims)?;
    let (node, order) = network.natural(&view)?;
    let mut start = 0;
    let mut values = Vec::with_capacity(parts.len());
    for (index, count) in parts.into_iter().enumerate() {
        let mut spans = whole(&view);
        spans[along] = Span { start, count, step: 1 };
        let name = network.name(&format!("{}/{index}", call.name));
        values.push(Value::Tensor(sliced(network, &name, (node, &order), &view, &spans)?));
        start += count;
    }
    Ok(values)
}

/// `Slice`.
pub(super) fn slice(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let dims = call.operand(0, "input")?.dims();
    let kept = shapes::kept(call, &dims)?;
    let spans: Option<Vec<Span>> = kept.into_iter().map(Kept::span).collect();
    let spans = spans.ok_or_else(|| unsupported("Slice in steps below 0; frit takes steps from 1 on"))?;
    let (node, order) = network.natural(&view)?;
    Ok(vec![Value::Tensor(sliced(network, &call.name, (node, &order), &view, &spans)?)])
}

/// `Gather` of one element of an axis, or of some that are as far apart from each other.
pub(super) fn gather(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let along = axis(call.int("axis", 0)?, view.rank())?;
    if view.batch() == Some(along) {
        return Err(mixes("Gather takes some images of a batch"));
    }
    let length = view.axes[along].length();
    let indices = call.known_ints(1, "indices")?.ok_or_else(|| wrong("Gather needs its indices"))?;
    let index = |&index: &i64| {
        axis(index, length).map_err(|_| wrong(format!("index {index} of an axis of {length} elements")))
    };
    let chosen = indices.iter().map(index).collect::<Outcome<Vec<usize>>>()?;
    let scalar = matches!(call.optional(1), Some(Value::Constant(indices)) if indices.dims.is_empty());
    let span = span(&chosen).ok_or_else(|| {
        unsupported(format!(
            "Gather of the elements {indices:?} of an axis; frit takes such as are as far apart, ascending"
        ))
    })?;
    let mut spans = whole(&view);
    spans[along] = span;
    let (node, order) = network.natural(&view)?;
    let name = if scalar { network.name(&format!("{}/slice", call.name)) } else { call.name.clone() };
    let part = sliced(network, &name, (node, &order), &view, &spans)?;
    if !scalar {
        return Ok(vec![Value::Tensor(part)]);
    }
    let mut dims = part.dims();
    dims.remove(along);
    let part = network.reshaped(&part, &dims)?;
    Ok(vec![Value::Tensor(network.renamed(&call.name, &part)?)])
}

/// These indices as a span, where they are one.
fn span(chosen: &[usize]) -> Option<Span> {
    let (&start, rest) = chosen.split_first()?;
    let step = rest.first().map_or(Some(1), |&second| second.checked_sub(start))?;
    let regular = chosen.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
    (step > 0 && regular).then_some(Span { start, count: chosen.len(), step })
}

/// `Pad` by one value; what is negative is cut off.
pub(super) fn pad(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let mode = call.string("mode", "constant")?;
    if mode != "constant" {
        return Err(unsupported(format!("Pad in the mode {mode:?}; frit pads by one value")));
    }
    let sides = sides(call, &view)?;
    let value = match call.constant(2, "value")? {
        None => call.number("value")?.unwrap_or(0.0),
        Some(value) => value.scalar().ok_or_else(|| wrong("Pad by a value that is not one number"))?,
    };
    let order = network.natural(&view)?.1;
    let (cut, grown) =
        (sides.iter().flatten().any(|&pad| pad < 0), sides.iter().flatten().any(|&pad| pad > 0));
    let name = |network: &mut Network, last: bool, part: &str| match last {
        true => call.name.clone(),
        false => network.name(&format!("{}/{part}", call.name)),
    };
    let mut view = view;
    if cut {
        let name = name(network, !grown, "slice");
        view = without(network, &name, (&view, &order), &sides)?;
    }
    let around = |axis: usize| sides[axis].map(|pad| usize::try_from(pad).unwrap_or(0));
    let map = matches!(order[..], [_, _, _]);
    let beside: Vec<usize> = order
        .iter()
        .copied()
        .enumerate()
        .filter(|&(place, axis)| (!map || place == 2) && around(axis) != [0, 0])
        .map(|(_, axis)| axis)
        .collect();
    if let [rows, columns, _] = order[..]
        && [around(rows), around(columns)] != [[0, 0], [0, 0]]
    {
        let ([top, bottom], [left, right]) = (around(rows), around(columns));
        let padding = Padding { top, bottom, left, right };
        let op = Op::Pad(ops::Pad { padding, value: Scalar::nearest(value) });
        let name = name(network, beside.is_empty(), "pad");
        let node = network.ordered(&view, &order)?;
        let node = network.add(&name, op, &[node], Vec::new())?;
        view = network.view(node, &view, &order);
    }
    for (index, &axis) in beside.iter().enumerate() {
        let name = name(network, index + 1 == beside.len(), "concat");
        view = extended(network, &name, (&view, &order), (axis, around(axis), value))?;
    }
    if !cut && !grown {
        view = network.renamed(&call.name, &view)?;
    }
    Ok(vec![Value::Tensor(view)])
}

/// The tensor without what negative pads cut off.
fn without(
    network: &mut Network,
    name: &str,
    (view, order): (&View, &[usize]),
    sides: &[[i64; 2]],
) -> Outcome<View> {
    let mut spans = whole(view);
    for (span, side) in spans.iter_mut().zip(sides) {
        let [before, behind] = side.map(|pad| usize::try_from(-pad).unwrap_or(0));
        let count = span.count.checked_sub(before).and_then(|left| left.checked_sub(behind));
        let count =
            count.ok_or_else(|| wrong(format!("Pad cuts {before} and {behind} off {}", span.count)))?;
        if count == 0 {
            return Err(unsupported(format!("Pad that cuts off all {} elements of an axis", span.count)));
        }
        *span = Span { start: before, count, step: 1 };
    }
    let node = network.ordered(view, order)?;
    sliced(network, name, (node, order), view, &spans)
}

/// The tensor with so many elements of `value` before and behind `axis`.
fn extended(
    network: &mut Network,
    name: &str,
    (view, order): (&View, &[usize]),
    (axis, [before, behind], value): (usize, [usize; 2], f64),
) -> Outcome<View> {
    let mut nodes = vec![network.ordered(view, order)?];
    for (count_of, behind) in [(before, false), (behind, true)] {
        if count_of == 0 {
            continue;
        }
        let mut dims = view.lengths();
        dims[axis] = count_of;
        let length = count(&dims).unwrap_or(usize::MAX);
        let values = std::iter::repeat_n(Symbol::Float(value), length);
        let constant = Constant::new(&network.budget, DataType::F32, dims, values)?;
        let name = network.name(&format!("{name}/constant"));
        let node = network.constant(&name, &constant, order)?.node;
        nodes.insert(if behind { nodes.len() } else { 0 }, node);
    }
    let place = order.iter().position(|&other| other == axis).unwrap_or(0);
    let op = Op::Concat(Concat { axis: place, inputs: nodes.len() });
    let node = network.add(name, op, &nodes, Vec::new())?;
    Ok(network.view(node, view, order))
}

/// How many elements are added before and behind each axis, or taken away.
fn sides(call: &Call<'_>, view: &View) -> Outcome<Vec<[i64; 2]>> {
    let pads = match call.ints("paddings")? {
        Some(pads) => Some(pads.to_vec()),
        None => call.ints_or_operand("pads", 1)?,
    };
    let pads = pads.ok_or_else(|| wrong("Pad needs its pads"))?;
    let along = match call.known_ints(3, "axes")? {
        Some(axes) => axes.iter().map(|&index| axis(index, view.rank())).collect::<Outcome<Vec<usize>>>()?,
        None => (0..view.rank()).collect(),
    };
    if pads.len() != 2 * along.len() {
        return Err(wrong(format!(
            "pads has {} entries for {} axes; it needs two each",
            pads.len(),
            along.len()
        )));
    }
    let mut sides = vec![[0, 0]; view.rank()];
    for (index, &axis) in along.iter().enumerate() {
        sides[axis] = [pads[index], pads[index + along.len()]];
        if view.batch() == Some(axis) && sides[axis] != [0, 0] {
            return Err(mixes("Pad adds images to a batch"));
        }
        if sides[axis].iter().any(|pad| pad.unsigned_abs() > limits::ATTRIBUTE) {
            return Err(wrong(format!("pads {pads:?}: one is above 2^31")));
        }
    }
    Ok(sides)
}
