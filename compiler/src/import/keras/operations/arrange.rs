//! Operations that move elements.

use frit_ir::ops::{
    Coordinates, Interpolation, Pad, Padding, Reshape, Resize, Rounding, Slice, Span, Transpose,
};
use frit_ir::{Op, Shape};

use super::parameters::{Parameters, integer, integers, refuse, tensor};
use crate::import::keras::attributes::Axes;
use crate::import::keras::calls::Argument;
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::layers;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;

type Results = Option<Vec<Tensor>>;

/// Adds an op on the tensor as it is.
fn single(site: &mut Site<'_, '_, '_>, input: Tensor, op: Op) -> Results {
    let operand = site.plain(input)?;
    let node = site.add(op, &[operand])?;
    Some(vec![site.made(node, Axes::ChannelsLast)])
}

pub(super) fn identity(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    single(site, input, Op::Identity)
}

pub(super) fn cast(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    match parameters.at(1, &["dtype"]) {
        Some(Argument::Text(dtype)) if dtype == "float32" => single(site, input, Op::Identity),
        _ => refuse(site, "it converts to another type than float32"),
    }
}

/// `x[...]`: slices, whole numbers and an ellipsis; the batch stays whole.
pub(super) fn get_item(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let shape = site.shape(input);
    let items = match parameters.at(1, &["slice_spec", "key"]) {
        Some(Argument::List(items)) => items.clone(),
        Some(one) => vec![one.clone()],
        None => return refuse(site, "it does not say what it takes"),
    };
    let Some(items) = spelled_out(&items, shape.rank() + 1) else {
        return refuse(
            site,
            "it takes a part of a tensor in a way that frit does not read: more axes than there are, or new ones",
        );
    };
    let (batch, items) = items.split_first()?;
    if !matches!(batch, Argument::Slice([None | Some(0), None, None | Some(1)])) {
        return refuse(site, "it takes some images of a batch");
    }
    let mut spans = Vec::with_capacity(items.len());
    let mut kept = Vec::new();
    for (item, &length) in items.iter().zip(shape.axes()) {
        let (span, stays) = match item {
            Argument::Slice(slice) => (span(*slice, length), true),
            other => (integer(other).and_then(|index| single_span(index, length)), false),
        };
        let Some(span) = span else {
            return refuse(site, "it takes nothing, what lies outside the tensor, or from the end backwards");
        };
        if stays {
            kept.push(span.count);
        }
        spans.push(span);
    }
    let dropped = kept.len() < spans.len();
    let operand = site.plain(input)?;
    let mut node = site.add(Op::Slice(Slice { spans: spans.into_iter().collect() }), &[operand])?;
    if dropped {
        node = site.add(Op::Reshape(Reshape::To(Shape::new(&kept))), &[node])?;
    }
    Some(vec![site.made(node, Axes::ChannelsLast)])
}

/// The items with the ellipsis replaced by as many whole axes as it stands for; an item for each axis.
fn spelled_out(items: &[Argument<Tensor>], rank: usize) -> Option<Vec<Argument<Tensor>>> {
    let whole = || Argument::Slice([None; 3]);
    let ellipses = items.iter().filter(|item| matches!(item, Argument::Ellipsis)).count();
    let known = items
        .iter()
        .all(|item| matches!(item, Argument::Ellipsis | Argument::Slice(_) | Argument::Number(_)));
    let missing = rank.checked_sub(items.len() - ellipses)?;
    if ellipses > 1 || !known {
        return None;
    }
    let mut found = Vec::with_capacity(rank);
    for item in items {
        match item {
            Argument::Ellipsis => found.extend((0..missing).map(|_| whole())),
            other => found.push(other.clone()),
        }
    }
    found.resize_with(rank, whole);
    Some(found)
}

/// What a slice keeps of an axis, as Python counts.
fn span([start, stop, step]: [Option<i64>; 3], length: usize) -> Option<Span> {
    let length = i64::try_from(length).ok()?;
    let step = step.unwrap_or(1);
    let inside = |bound: i64| (if bound < 0 { bound.saturating_add(length) } else { bound }).clamp(0, length);
    let (start, stop) = (inside(start.unwrap_or(0)), inside(stop.unwrap_or(length)));
    let count = usize::try_from(stop.checked_sub(start)?).ok().filter(|&count| count > 0)?;
    let step = usize::try_from(step).ok().filter(|&step| step > 0)?;
    Some(Span { start: usize::try_from(start).ok()?, count: count.div_ceil(step), step })
}

fn single_span(index: i64, length: usize) -> Option<Span> {
    let from_end = i64::try_from(length).ok()?.checked_add(index);
    let index = if index < 0 { from_end? } else { index };
    let start = usize::try_from(index).ok().filter(|&index| index < length)?;
    Some(Span { start, count: 1, step: 1 })
}

/// Equal parts, or parts of these sizes, or parts that begin at these places (Keras 3).
pub(super) fn split(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    // TensorFlow splits along the first axis where none is said, which is that of the batch.
    let default = if parameters.get(&["num_or_size_splits"]).is_some() { 0 } else { -1 };
    let axis = parameters.get(&["axis"]).map_or(Some(default), integer)?;
    let axis = site.axis(input, axis)?;
    let shape = site.shape(input);
    let length = shape.axes()[axis];
    let Some(starts) = starts(parameters, length) else {
        return refuse(site, "its parts do not make up the axis that it splits");
    };
    let operand = site.plain(input)?;
    let mut parts = Vec::with_capacity(starts.len());
    for (index, (start, count)) in starts.into_iter().enumerate() {
        let node = site.part(index, Op::Slice(Slice::along(&shape, axis, start, count)), operand)?;
        parts.push(site.made(node, Axes::ChannelsLast));
    }
    Some(parts)
}

/// Where the parts of an axis begin, and how long they are.
fn starts(parameters: &Parameters, length: usize) -> Option<Vec<(usize, usize)>> {
    let whole = |number: i64| usize::try_from(number).ok();
    let equal = |parts: i64| {
        let parts = whole(parts).filter(|&parts| parts > 0 && length.is_multiple_of(parts))?;
        let count = length / parts;
        Some((0..parts).map(|part| (part * count, count)).collect())
    };
    if let Some(sizes) = parameters.get(&["num_or_size_splits"]) {
        let Argument::List(sizes) = sizes else { return equal(integer(sizes)?) };
        let mut start = 0usize;
        let mut parts = Vec::new();
        for size in sizes {
            let size = whole(integer(size)?).filter(|&size| size > 0)?;
            parts.push((start, size));
            start = start.checked_add(size)?;
        }
        return (start == length).then_some(parts);
    }
    match parameters.at(1, &["indices_or_sections"])? {
        Argument::List(places) => {
            let places =
                places.iter().map(|place| integer(place).and_then(whole)).collect::<Option<Vec<_>>>()?;
            let bounds: Vec<usize> = std::iter::once(0).chain(places).chain([length]).collect();
            let parts = bounds.windows(2).map(|pair| Some((pair[0], pair[1].checked_sub(pair[0])?)));
            parts.map(|part| part.filter(|&(_, count)| count > 0)).collect()
        }
        one => equal(integer(one)?),
    }
}

pub(super) fn concatenate(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let axis = parameters.get(&["axis"]).map_or(Some(-1), integer);
    let Some(axis) = axis else { return refuse(site, "its axis is no whole number") };
    layers::concatenate_along(axis).call(site)
}

pub(super) fn reshape(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let shape = parameters.at(1, &["newshape", "shape"]);
    let Some(Argument::List(axes)) = shape else { return refuse(site, "its shape is no constant") };
    let axes: Option<Vec<i64>> = axes
        .iter()
        .map(|axis| if matches!(axis, Argument::Nothing) { Some(-1) } else { integer(axis) })
        .collect();
    let Some((batch, axes)) = axes.as_ref().and_then(|axes| axes.split_first()) else {
        return refuse(site, "its shape is no constant");
    };
    if *batch != -1 && *batch != 1 {
        return refuse(site, "it mixes the images of a batch");
    }
    site.inputs.truncate(1);
    layers::reshape_to(axes.to_vec()).call(site)
}

pub(super) fn transpose(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    match parameters.at(1, &["axes", "perm"]).and_then(integers).as_deref() {
        Some([0, axes @ ..]) => {
            let axes = axes.iter().map(|&axis| site.axis(input, axis)).collect::<Option<_>>()?;
            single(site, input, Op::Transpose(Transpose { axes }))
        }
        _ => refuse(site, "it moves the axis of the batch"),
    }
}

pub(super) fn expand_dims(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let shape = site.shape(input);
    let rank = shape.rank() as i64 + 2;
    let axis = parameters.at(1, &["axis"]).and_then(integers);
    let Some([axis]) = axis.as_deref() else { return refuse(site, "it adds several axes") };
    let place = if *axis < 0 { axis + rank } else { *axis };
    let Some(place) = usize::try_from(place - 1).ok().filter(|&place| place <= shape.rank()) else {
        return refuse(site, "it adds an axis before that of the batch, or where there is none");
    };
    let mut axes = shape.axes().to_vec();
    axes.insert(place, 1);
    single(site, input, Op::Reshape(Reshape::To(Shape::new(&axes))))
}

pub(super) fn squeeze(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let shape = site.shape(input);
    let axes = match parameters.at(1, &["axis"]).map(integers) {
        None => (0..shape.rank()).filter(|&axis| shape.axes()[axis] == 1).collect(),
        Some(None) => return refuse(site, "its axes are no whole numbers"),
        Some(Some(axes)) => {
            axes.into_iter().map(|axis| site.axis(input, axis)).collect::<Option<Vec<_>>>()?
        }
    };
    if axes.iter().any(|&axis| shape.axes()[axis] != 1) {
        return refuse(site, "it drops an axis that is longer than 1");
    }
    let kept = (0..shape.rank()).filter(|axis| !axes.contains(axis)).map(|axis| shape.axes()[axis]);
    single(site, input, Op::Reshape(Reshape::To(Shape::new(&kept.collect::<Vec<_>>()))))
}

/// Rows and columns of one value around a map with channels last.
pub(super) fn pad(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let mode = match parameters.get(&["mode"]) {
        None => true,
        Some(Argument::Text(mode)) => mode.eq_ignore_ascii_case("constant"),
        Some(_) => false,
    };
    let pairs = match parameters.at(1, &["pad_width", "paddings"]) {
        Some(Argument::List(pairs)) => pairs.iter().map(integers).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let value = parameters.number(&["constant_values"]).unwrap_or_default();
    let pairs = pairs.unwrap_or_default();
    let whole = |pair: &[i64]| match pair {
        [before, after] => Some([usize::try_from(*before).ok()?, usize::try_from(*after).ok()?]),
        _ => None,
    };
    let sides: Option<Vec<[usize; 2]>> = pairs.iter().map(|pair| whole(pair)).collect();
    match sides.as_deref() {
        Some([[0, 0], [top, bottom], [left, right], [0, 0]]) if mode => {
            let padding = Padding { top: *top, bottom: *bottom, left: *left, right: *right };
            single(site, input, Op::Pad(Pad { padding, value }))
        }
        _ => refuse(site, "it pads other axes than height and width, or not with one value"),
    }
}

pub(super) fn resize(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let size = parameters.at(1, &["size"]).and_then(integers);
    let size =
        size.map(|size| size.into_iter().filter_map(|side| usize::try_from(side).ok()).collect::<Vec<_>>());
    let method = match parameters.get(&["interpolation", "method"]) {
        None => Some(Interpolation::Bilinear),
        Some(Argument::Text(method)) if method == "bilinear" => Some(Interpolation::Bilinear),
        Some(Argument::Text(method)) if method == "nearest" => Some(Interpolation::Nearest(Rounding::HalfUp)),
        Some(_) => None,
    };
    let first = matches!(parameters.get(&["data_format"]), Some(Argument::Text(format)) if format == "channels_first");
    let refused = ["antialias", "preserve_aspect_ratio", "crop_to_aspect_ratio", "pad_to_aspect_ratio"];
    let (Some([height, width]), Some(interpolation)) = (size.as_deref(), method) else {
        return refuse(site, "it resizes to no constant size, or neither to the nearest nor bilinear");
    };
    if first || refused.iter().any(|name| parameters.flag(&[name])) {
        return refuse(site, "it resizes channels first, or in a way that frit does not read");
    }
    let op =
        Resize { size: [*height, *width], scale: None, interpolation, coordinates: Coordinates::HalfPixel };
    single(site, input, Op::Resize(op))
}
