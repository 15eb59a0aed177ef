//! Maps at another resolution.

use frit_ir::Op;
use frit_ir::ops::{Coordinates, Interpolation, Resize, Rounding, Scalar};

use super::activation::operand;
use super::window::Map;
use crate::import::limits;
use crate::import::onnx::call::{Call, Value, axis};
use crate::import::onnx::fault::{Outcome, unsupported, wrong};
use crate::import::onnx::layout::View;
use crate::import::onnx::network::Network;

/// `Resize`, and `Upsample` as it was called before version 10.
pub(super) fn resize(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let lengths = view.lengths();
    let asked = asked(call, &view)?;
    let map = Map::new(network, call, &view)?;
    for (axis, asked) in asked.iter().enumerate().take(2) {
        if asked.size != lengths[axis] {
            return Err(unsupported(format!(
                "{} along axis {axis}; frit resizes height and width",
                call.op()
            )));
        }
    }
    let row = Asked { size: 1, scale: 1.0 };
    let [down, across] = match asked[2..] {
        [across] => [row, across],
        [down, across] => [down, across],
        _ => return Err(unsupported(format!("{} of {} axes", call.op(), lengths.len()))),
    };
    let scales = [down.scale, across.scale];
    let (coordinates, interpolation) = method(call, &map, [down, across])?;
    let of_lengths = [down, across]
        .iter()
        .zip(map.size)
        .all(|(asked, length)| asked.scale == (asked.size as f64 / length as f64) as f32);
    if call.flag("antialias", false)? && scales.iter().any(|&scale| scale < 1.0) {
        return Err(unsupported("Resize with antialias to a smaller size"));
    }
    let op = Op::Resize(Resize {
        size: [down.size, across.size],
        scale: (!of_lengths).then_some(scales.map(Scalar::new)),
        interpolation,
        coordinates,
    });
    let node = network.add(&call.name, op, &[map.node], Vec::new())?;
    Ok(vec![Value::Tensor(map.result(network, node))])
}

/// What is asked for along an axis.
#[derive(Debug, Clone, Copy)]
struct Asked {
    size: usize,
    scale: f32,
}

/// What is asked for along each axis of a tensor.
fn asked(call: &Call<'_>, view: &View) -> Outcome<Vec<Asked>> {
    let lengths = &view.lengths()[..];
    let place = if call.version >= 11 { 2 } else { 1 };
    let scales = match call.floats("scales")? {
        Some(scales) => Some(scales.collect()),
        None => match call.constant(place, "scales")?.filter(|scales| scales.len() > 0) {
            Some(scales) => scales.known_floats(call.budget)?,
            None => None,
        },
    };
    let sizes = call.constant(3, "sizes")?.filter(|sizes| sizes.len() > 0);
    let along = match call.ints("axes")? {
        Some(given) => {
            given.iter().map(|&index| axis(index, lengths.len())).collect::<Outcome<Vec<usize>>>()?
        }
        None => (0..lengths.len()).collect(),
    };
    let mut asked: Vec<Asked> = lengths.iter().map(|&size| Asked { size, scale: 1.0 }).collect();
    let given = match (&scales, &sizes) {
        (Some(scales), _) => scales.len(),
        (None, Some(sizes)) => sizes.len(),
        (None, None) => return Err(wrong(format!("{} has neither scales nor sizes", call.op()))),
    };
    if given != along.len() {
        return Err(wrong(format!("{} by {given} numbers along {} axes", call.op(), along.len())));
    }
    if let Some(scales) = scales {
        for (&axis, &scale) in along.iter().zip(&scales) {
            asked[axis] = scaled(lengths[axis], scale as f32)?;
        }
        return Ok(asked);
    }
    for (&axis, size) in along.iter().zip(sizes.iter().flat_map(|sizes| sizes.iter())) {
        if view.batch() == Some(axis) {
            continue;
        }
        let length = size.int().and_then(|size| usize::try_from(size).ok());
        let length = length.filter(|&length| (1..=limits::ATTRIBUTE).contains(&(length as u64)));
        let length =
            length.ok_or_else(|| wrong(format!("{} to the size {size} along axis {axis}", call.op())))?;
        asked[axis] = Asked { size: length, scale: (length as f64 / lengths[axis] as f64) as f32 };
    }
    keep_ratio(call, lengths, &along, asked)
}

/// An axis of `length` at `scale`.
fn scaled(length: usize, scale: f32) -> Outcome<Asked> {
    let size = (length as f32 * scale).floor();
    if !(scale > 0.0 && size >= 1.0 && f64::from(size) <= limits::ATTRIBUTE as f64) {
        return Err(wrong(format!(
            "a resize of {length} elements by {scale}; the result has at least one, and at most 2^31"
        )));
    }
    Ok(Asked { size: size as usize, scale })
}

/// The sizes where they are bounds for one scale of all axes.
fn keep_ratio(
    call: &Call<'_>,
    lengths: &[usize],
    along: &[usize],
    mut asked: Vec<Asked>,
) -> Outcome<Vec<Asked>> {
    let scales = along.iter().map(|&axis| asked[axis].size as f64 / lengths[axis] as f64);
    let scale = match call.string("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => return Ok(asked),
        "not_larger" => scales.fold(f64::INFINITY, f64::min),
        "not_smaller" => scales.fold(0.0, f64::max),
        other => return Err(wrong(format!("keep_aspect_ratio_policy {other:?} is none that ONNX has"))),
    };
    for &axis in along {
        let size = (lengths[axis] as f64 * scale).round().max(1.0);
        asked[axis] = Asked { size: size as usize, scale: scale as f32 };
    }
    Ok(asked)
}

/// Where elements of the result lie, and what they are made of.
fn method(call: &Call<'_>, map: &Map, asked: [Asked; 2]) -> Outcome<(Coordinates, Interpolation)> {
    let mode = call.string("mode", "nearest")?;
    // Before version 11 corners lie on corners' places, and what is between two elements is the one before; where elements are
    // left out, the one behind.
    let (places, nearest) = if call.version < 11 {
        let smaller = asked.iter().any(|asked| asked.scale < 1.0);
        ("asymmetric", if smaller { "ceil" } else { "floor" })
    } else {
        (
            call.string("coordinate_transformation_mode", "half_pixel")?,
            call.string("nearest_mode", "round_prefer_floor")?,
        )
    };
    let mut rounding = match nearest {
        "round_prefer_floor" => Rounding::HalfDown,
        "round_prefer_ceil" => Rounding::HalfUp,
        "floor" => Rounding::Floor,
        "ceil" => Rounding::Ceil,
        other => return Err(wrong(format!("nearest_mode {other:?} is none that ONNX has"))),
    };
    let whole =
        || asked.iter().zip(map.size).all(|(asked, length)| length as f32 * asked.scale == asked.size as f32);
    let coordinates = match places {
        "half_pixel" => Coordinates::HalfPixel,
        "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
        "asymmetric" => Coordinates::Asymmetric,
        "align_corners" => Coordinates::AlignCorners,
        // It is the half pixel where no fraction of one is cut off.
        "half_pixel_symmetric" if whole() => Coordinates::HalfPixel,
        // Half a pixel further, and rounded down: the half pixel, rounded.
        "tf_half_pixel_for_nn" if mode == "nearest" && rounding == Rounding::Floor => {
            rounding = Rounding::HalfUp;
            Coordinates::HalfPixel
        }
        other => {
            return Err(unsupported(format!("{} with coordinate_transformation_mode {other:?}", call.op())));
        }
    };
    let interpolation = match mode {
        "nearest" => Interpolation::Nearest(rounding),
        "linear" | "bilinear" => Interpolation::Bilinear,
        other => {
            return Err(unsupported(format!(
                "{} in the mode {other:?}; frit has nearest and linear",
                call.op()
            )));
        }
    };
    Ok((coordinates, interpolation))
}
