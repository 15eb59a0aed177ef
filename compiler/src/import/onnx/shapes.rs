//! What operators that only move elements say of shapes: the same for values that are known and for tensors of the graph.

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_ir::ops::Span;

use super::call::{Call, axes, axis};
use super::constant::count;
use super::fault::{Outcome, mixes, ranked, wrong};
use super::network::Network;
use super::symbol::Symbol;

/// The lengths of the axes of a tensor; none is the batch.
pub(super) type Dims = Vec<Option<usize>>;

/// Lengths in words.
pub(super) fn spelled(dims: &[Option<usize>]) -> String {
    let axis = |axis: &Option<usize>| axis.map_or_else(|| "batch".to_owned(), |length| length.to_string());
    match dims {
        [] => "scalar".to_owned(),
        _ => dims.iter().map(axis).collect::<Vec<_>>().join("x"),
    }
}

/// The order of axes of a transpose.
pub(super) fn permutation(call: &Call<'_>, rank: usize) -> Outcome<Vec<usize>> {
    let Some(given) = call.ints("perm")? else { return Ok((0..rank).rev().collect()) };
    let axes: Option<Vec<usize>> = given.iter().map(|&axis| usize::try_from(axis).ok()).collect();
    let permutes = |axes: &Vec<usize>| {
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        sorted.into_iter().eq(0..rank)
    };
    axes.filter(permutes)
        .ok_or_else(|| wrong(format!("a transpose by {given:?}, which is no permutation of {rank} axes")))
}

/// The axes that an operator gives its operand in another shape.
pub(super) fn target(network: &Network, call: &Call<'_>) -> Outcome<Dims> {
    let dims = call.operand(0, "data")?.dims();
    match call.op() {
        "Reshape" => reshape(network, call, &dims),
        "Flatten" => flatten(call, &dims),
        "Squeeze" => squeeze(call, dims),
        _ => unsqueeze(call, dims),
    }
}

/// Elements of an image.
fn image(dims: &[Option<usize>]) -> Outcome<usize> {
    let lengths: Vec<usize> = dims.iter().copied().flatten().collect();
    count(&lengths).ok_or_else(|| {
        Box::new(Diagnostic::error(codes::TENSOR_SIZE, "a tensor of more elements than can be counted"))
    })
}

fn reshape(network: &Network, call: &Call<'_>, dims: &[Option<usize>]) -> Outcome<Dims> {
    let symbols = match call.ints("shape")? {
        Some(ints) => ints.iter().copied().map(Symbol::Int).collect(),
        None => match call.constant(1, "shape")? {
            Some(shape) => {
                ranked(shape.len())?;
                shape.iter().collect::<Vec<_>>()
            }
            None => return Err(wrong("Reshape has 1 operand; it needs its shape")),
        },
    };
    ranked(symbols.len())?;
    let keeps_zero = call.flag("allowzero", false)?;
    let batched = dims.contains(&None);
    let mut target: Vec<Wanted> = Vec::with_capacity(symbols.len());
    for (index, &symbol) in symbols.iter().enumerate() {
        target.push(match symbol {
            Symbol::Batch => Wanted::Batch,
            Symbol::Int(0) if !keeps_zero => match dims.get(index) {
                Some(Some(length)) => Wanted::Length(*length),
                Some(None) => Wanted::Batch,
                None => {
                    return Err(wrong(format!("a reshape that copies axis {index} of {}", spelled(dims))));
                }
            },
            Symbol::Int(-1) => Wanted::Rest,
            Symbol::Int(length) if length >= 0 => {
                Wanted::Length(usize::try_from(length).unwrap_or(usize::MAX))
            }
            Symbol::Int(length) => return Err(wrong(format!("a reshape to an axis of {length}"))),
            Symbol::Float(_) | Symbol::Unknown => {
                return Err(mixes("a reshape whose shape depends on the number of images of a batch"));
            }
        });
    }
    if target.iter().filter(|wanted| **wanted == Wanted::Rest).count() > 1 {
        return Err(wrong("a reshape with two lengths left open (-1); one can be found"));
    }
    if batched {
        find_batch(network.batch, &mut target, image(dims)?);
    }
    settled(&target, dims, batched)
}

/// An axis that a reshape asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    Batch,
    Length(usize),
    /// What is left.
    Rest,
}

/// Marks the axis that is the batch, where none is marked: one of its fixed length in front, or the open one where the others
/// are an image.
fn find_batch(fixed: Option<usize>, target: &mut [Wanted], image: usize) {
    if target.contains(&Wanted::Batch) {
        return;
    }
    let lengths = |target: &[Wanted]| {
        let lengths = target.iter().filter_map(|wanted| match wanted {
            Wanted::Length(length) => Some(*length),
            _ => None,
        });
        count(&lengths.collect::<Vec<_>>())
    };
    if let Some(open) = target.iter().position(|wanted| *wanted == Wanted::Rest)
        && lengths(target) == Some(image)
    {
        target[open] = Wanted::Batch;
        return;
    }
    if let Some(first) = target.first_mut()
        && fixed.is_some_and(|batch| *first == Wanted::Length(batch))
    {
        *first = Wanted::Batch;
    }
}

/// The axes, with what is left found.
fn settled(target: &[Wanted], dims: &[Option<usize>], batched: bool) -> Outcome<Dims> {
    let elements = image(dims)?;
    let known: Vec<usize> = target
        .iter()
        .filter_map(|wanted| match wanted {
            Wanted::Length(length) => Some(*length),
            _ => None,
        })
        .collect();
    let product = count(&known).unwrap_or(0);
    let rest = elements.checked_div(product);
    let open = target.contains(&Wanted::Rest);
    let fits = match (rest, open) {
        (Some(rest), true) => rest.checked_mul(product) == Some(elements),
        _ => product == elements,
    };
    let said = || {
        let word = |wanted: &Wanted| match wanted {
            Wanted::Batch => "batch".to_owned(),
            Wanted::Length(length) => length.to_string(),
            Wanted::Rest => "?".to_owned(),
        };
        target.iter().map(word).collect::<Vec<_>>().join("x")
    };
    if batched != target.contains(&Wanted::Batch) {
        return Err(mixes(format!(
            "a reshape of {} to {} joins images with what is in them",
            spelled(dims),
            said()
        )));
    }
    if !fits {
        let message = format!("{} has {elements} elements, {} has another number", spelled(dims), said());
        return Err(Box::new(Diagnostic::error(codes::RESHAPE, message)));
    }
    let axis = |wanted: &Wanted| match wanted {
        Wanted::Batch => None,
        Wanted::Length(length) => Some(*length),
        Wanted::Rest => rest,
    };
    Ok(target.iter().map(axis).collect())
}

fn flatten(call: &Call<'_>, dims: &[Option<usize>]) -> Outcome<Dims> {
    let index = call.int("axis", 1)?;
    let at = if usize::try_from(index) == Ok(dims.len()) { dims.len() } else { axis(index, dims.len())? };
    let (before, behind) = dims.split_at(at);
    match (before.contains(&None), behind.contains(&None)) {
        (true, _) if image(before)? == 1 => Ok(vec![None, Some(image(behind)?)]),
        (false, false) => Ok(vec![Some(image(before)?), Some(image(behind)?)]),
        _ => Err(mixes(format!("a flatten of {} at axis {at}", spelled(dims)))),
    }
}

fn squeeze(call: &Call<'_>, mut dims: Dims) -> Outcome<Dims> {
    let Some(given) = call.ints_or_operand("axes", 1)? else {
        dims.retain(|&length| length != Some(1));
        return Ok(dims);
    };
    for &axis in axes(&given, dims.len())?.iter().rev() {
        match dims.remove(axis) {
            Some(1) => {}
            Some(length) => {
                return Err(wrong(format!("Squeeze of axis {axis}, which has {length} elements, not 1")));
            }
            None => return Err(mixes("Squeeze of the axis of the batch")),
        }
    }
    Ok(dims)
}

fn unsqueeze(call: &Call<'_>, mut dims: Dims) -> Outcome<Dims> {
    let Some(given) = call.ints_or_operand("axes", 1)? else { return Err(wrong("Unsqueeze needs its axes")) };
    let rank = dims.len() + given.len();
    ranked(rank)?;
    for axis in axes(&given, rank)? {
        dims.insert(axis, Some(1));
    }
    Ok(dims)
}

/// What a slice keeps of an axis, in its own order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// The first index.
    pub(super) start: usize,
    /// How many.
    pub(super) count: usize,
    /// From one to the next; below 0 towards the beginning.
    pub(super) step: i64,
}

impl Kept {
    /// The same as elements in the order of the axis, where they are in it.
    pub(super) fn span(self) -> Option<Span> {
        let step = usize::try_from(self.step).ok().filter(|&step| step > 0)?;
        Some(Span { start: self.start, count: self.count, step })
    }
}

/// What a slice keeps of each axis; of the batch it must keep all.
pub(super) fn kept(call: &Call<'_>, dims: &[Option<usize>]) -> Outcome<Vec<Kept>> {
    let all = |length: &Option<usize>| Kept { start: 0, count: length.unwrap_or(1), step: 1 };
    let mut kept: Vec<Kept> = dims.iter().map(all).collect();
    let needed = |name: &str, index| {
        call.ints_or_operand(name, index)?.ok_or_else(|| wrong(format!("Slice needs its {name}")))
    };
    let (starts, ends) = (needed("starts", 1)?, needed("ends", 2)?);
    let along = match call.ints_or_operand("axes", 3)? {
        Some(axes) => axes,
        None => (0..starts.len() as i64).collect(),
    };
    let steps = call.known_ints(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), along.len(), steps.len()].iter().any(|&length| length != starts.len()) {
        return Err(wrong("the starts, ends, axes and steps of Slice are not as many of each"));
    }
    for (((&start, &end), &along), &step) in starts.iter().zip(&ends).zip(&along).zip(&steps) {
        let along = axis(along, dims.len())?;
        match dims[along] {
            Some(length) => kept[along] = of_axis([start, end], step, length)?,
            None if start == 0 && end >= i64::from(i32::MAX) && step == 1 => {}
            None => return Err(mixes("Slice takes a part of the images of a batch")),
        }
    }
    Ok(kept)
}

/// What is kept of an axis of `length`.
fn of_axis([start, end]: [i64; 2], step: i64, length: usize) -> Outcome<Kept> {
    let whole = i64::try_from(length).unwrap_or(i64::MAX);
    let place = |index: i64| if index < 0 { index.saturating_add(whole) } else { index };
    let (first, distance) = match step.signum() {
        1 => {
            let first = place(start).clamp(0, whole);
            (first, place(end).clamp(0, whole) - first)
        }
        -1 => {
            let first = place(start).clamp(-1, whole - 1);
            (first, first - place(end).clamp(-1, whole - 1))
        }
        _ => return Err(wrong("Slice in steps of 0")),
    };
    let count = if distance > 0 { (distance - 1) / step.saturating_abs() + 1 } else { 0 };
    let number = |value: i64| usize::try_from(value).unwrap_or(0);
    Ok(Kept { start: number(first), count: number(count), step })
}

/// The axis that a split cuts, and the lengths of the parts that the node names.
pub(super) fn parts(call: &Call<'_>, dims: &[Option<usize>]) -> Outcome<(usize, Vec<usize>)> {
    let along = axis(call.int("axis", 0)?, dims.len())?;
    let Some(length) = dims[along] else { return Err(mixes("Split of the images of a batch")) };
    let outputs = call.node.output.len();
    if let Some(given) = call.ints_or_operand("split", 1)? {
        let parts: Option<Vec<usize>> = given.iter().map(|&part| usize::try_from(part).ok()).collect();
        let sum = |parts: &Vec<usize>| parts.iter().try_fold(0usize, |sum, &part| sum.checked_add(part));
        return match parts.filter(|parts| sum(parts) == Some(length)) {
            Some(mut parts) if parts.len() >= outputs => {
                parts.truncate(outputs);
                Ok((along, parts))
            }
            _ => Err(wrong(format!("Split of {length} elements into {given:?}"))),
        };
    }
    let count = usize::try_from(call.int("num_outputs", outputs as i64)?).unwrap_or(0);
    let uneven = call.version >= 18 && call.has("num_outputs");
    if count == 0 || count > length || count < outputs || !(uneven || length.is_multiple_of(count)) {
        return Err(wrong(format!("Split of {length} elements into {count} equal parts")));
    }
    let part = length.div_ceil(count);
    if part.saturating_mul(count - 1) >= length {
        return Err(wrong(format!("Split of {length} elements into {count} parts leaves some empty")));
    }
    Ok((along, (0..outputs).map(|index| part.min(length - index * part)).collect()))
}
