//! Windows that slide over maps: kernels, strides, dilations and paddings of convolutions and pools.

use frit_ir::ops::Padding;
use frit_ir::{NodeId, Window};

use crate::import::limits;
use crate::import::onnx::call::Call;
use crate::import::onnx::fault::{Outcome, mixes, unsupported, wrong};
use crate::import::onnx::layout::{Axis, GraphAxis, View};
use crate::import::onnx::network::Network;
use crate::import::window::{PaddingRule, WindowRule};

/// A tensor as a map: rows, columns, channels. A signal along one axis is a map of one row.
#[derive(Debug)]
pub(super) struct Map {
    pub(super) node: NodeId,
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
    /// Axes along which windows slide: 1 or 2.
    pub(super) spatial: usize,
    first: Axis,
}

impl Map {
    /// `view`, whose axes are batch, channels, height and width, as a map.
    pub(super) fn new(network: &mut Network, call: &Call<'_>, view: &View) -> Outcome<Map> {
        let groups: [&[usize]; 3] = match view.rank() {
            3 => [&[], &[2], &[1]],
            4 => [&[2], &[3], &[1]],
            rank => {
                return Err(unsupported(format!(
                    "{} of a tensor of {rank} axes; frit takes batch, channels and one or two more",
                    call.op()
                )));
            }
        };
        first_is_batch(call, view)?;
        let node = network.arrange(view, &groups)?;
        let [rows, columns, channels] = network.shape(node).map().unwrap_or_default();
        let (first, spatial) = (view.axes[0].clone(), view.rank() - 2);
        Ok(Map { node, size: [rows, columns], channels, spatial, first })
    }

    /// The map that `node` makes of this one, as the file counts its axes.
    pub(super) fn result(&self, network: &Network, node: NodeId) -> View {
        let first = if self.first == Axis::Batch { GraphAxis::Batch } else { GraphAxis::One };
        let places = match self.spatial {
            1 => vec![first, GraphAxis::At(2), GraphAxis::At(1)],
            _ => vec![first, GraphAxis::At(2), GraphAxis::At(0), GraphAxis::At(1)],
        };
        View::new(node, &network.shape(node), &places)
    }
}

/// That the first axis is the batch, or that of one image.
pub(super) fn first_is_batch(call: &Call<'_>, view: &View) -> Outcome<()> {
    let is_batch = view.batch() == Some(0) || (view.batch().is_none() && view.axes[0].length() == 1);
    if is_batch {
        return Ok(());
    }
    let message = format!("{} of a tensor whose first axis is not the batch", call.op());
    Err(Box::new(
        mixes(message).help("give the input one image: --shape NAME=1x3x224x224, with its own sizes"),
    ))
}

/// The numbers of an attribute for each axis along which a window slides, above those of a signal's one row.
fn pair(call: &Call<'_>, name: &str, spatial: usize, least: i64) -> Outcome<Option<[usize; 2]>> {
    call.ints(name)?.map(|given| numbers(name, given, spatial, least)).transpose()
}

pub(super) fn numbers(name: &str, given: &[i64], spatial: usize, least: i64) -> Outcome<[usize; 2]> {
    if given.len() != spatial {
        let entries = if given.len() == 1 { "entry" } else { "entries" };
        return Err(wrong(format!("{name} has {} {entries} for {spatial} spatial axes", given.len())));
    }
    if let Some(bad) = given.iter().find(|&&number| number < least) {
        return Err(wrong(format!("{name} {given:?}: {bad} is below {least}")));
    }
    let number = |&number: &i64| {
        usize::try_from(number)
            .ok()
            .filter(|&number| number as u64 <= limits::ATTRIBUTE)
            .ok_or_else(|| wrong(format!("{name} {given:?}: {number} is above 2^31")))
    };
    match given {
        [one] => Ok([usize::from(least > 0), number(one)?]),
        [down, across] => Ok([number(down)?, number(across)?]),
        _ => Err(wrong(format!("{name} has {} entries", given.len()))),
    }
}

/// The window of `call` over `map`; `weights` are the last axes of its kernel, where it has one.
pub(super) fn window(call: &Call<'_>, map: &Map, weights: Option<&[usize]>) -> Outcome<Window> {
    let spatial = map.spatial;
    let said = pair(call, "kernel_shape", spatial, 1)?;
    let kernel = match weights {
        Some(lengths) => {
            let lengths: Vec<i64> =
                lengths.iter().map(|&length| i64::try_from(length).unwrap_or(-1)).collect();
            let own = numbers("the kernel of the weights", &lengths, spatial, 1)?;
            if let Some(said) = said.filter(|&said| said != own) {
                return Err(wrong(format!(
                    "kernel_shape {}x{} contradicts the weights, which are {}x{}",
                    said[0], said[1], own[0], own[1]
                )));
            }
            own
        }
        None => said.ok_or_else(|| wrong(format!("{} needs its kernel_shape", call.op())))?,
    };
    let stride = pair(call, "strides", spatial, 1)?.unwrap_or([1, 1]);
    let dilation = pair(call, "dilations", spatial, 1)?.unwrap_or([1, 1]);
    let padding = match call.string("auto_pad", "NOTSET")? {
        "NOTSET" => PaddingRule::Given(explicit(call, spatial)?),
        "VALID" => PaddingRule::Valid,
        "SAME_UPPER" => PaddingRule::Same,
        "SAME_LOWER" => PaddingRule::SameLower,
        other => return Err(wrong(format!("auto_pad {other:?} is none that ONNX has"))),
    };
    Ok(WindowRule { kernel, stride, dilation, padding }.over(map.size)?)
}

/// How far `window` reaches along `axis`.
pub(super) fn extent(window: &Window, axis: usize) -> usize {
    window.extent(axis).unwrap_or(usize::MAX)
}

/// The padding that `pads` says: all beginnings, then all ends.
pub(super) fn explicit(call: &Call<'_>, spatial: usize) -> Outcome<Padding> {
    let Some(pads) = call.ints("pads")? else { return Ok(Padding::default()) };
    if pads.len() != 2 * spatial {
        return Err(wrong(format!(
            "pads has {} entries for {spatial} spatial axes; it needs two each",
            pads.len()
        )));
    }
    let [top, left] = numbers("pads", &pads[..spatial], spatial, 0)?;
    let [bottom, right] = numbers("pads", &pads[spatial..], spatial, 0)?;
    Ok(Padding { top, bottom, left, right })
}
