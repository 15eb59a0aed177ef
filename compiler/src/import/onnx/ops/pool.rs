//! Pools.

use frit_ir::ops::{GlobalAveragePool, Padding, Pool, PoolKind, Reduce, ReduceKind};
use frit_ir::{Op, Window};
use smallvec::smallvec;

use super::activation::operand;
use super::window::{Map, extent, window};
use crate::import::onnx::call::{Call, Value};
use crate::import::onnx::fault::Outcome;
use crate::import::onnx::network::Network;

/// `MaxPool`.
pub(super) fn max_pool(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    pool(network, call, |_| PoolKind::Max)
}

/// `AveragePool`; the padding counts as zeros where `count_include_pad` says so, what rounding up adds never.
pub(super) fn average_pool(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let counts = call.flag("count_include_pad", false)?;
    pool(network, call, |padding| PoolKind::Average {
        counted: if counts { padding } else { Padding::default() },
    })
}

fn pool(network: &mut Network, call: &Call<'_>, kind: impl Fn(Padding) -> PoolKind) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let map = Map::new(network, call, &view)?;
    let window = window(call, &map, None)?;
    let padding = if call.flag("ceil_mode", false)? { rounded_up(&window, &map) } else { window.padding };
    let op = Op::Pool(Pool {
        kind: kind(window.padding),
        kernel: window.kernel,
        stride: window.stride,
        padding,
        dilation: window.dilation,
    });
    let node = network.add(&call.name, op, &[map.node], Vec::new())?;
    Ok(vec![Value::Tensor(map.result(network, node))])
}

/// The padding with as much more behind the map as a last window needs that begins inside it or in the padding before it.
fn rounded_up(window: &Window, map: &Map) -> Padding {
    let more = |axis: usize| {
        let [before, after] = window.padding.along(axis);
        let (reach, stride) = (extent(window, axis), window.stride[axis]);
        let padded = map.size[axis].saturating_add(before).saturating_add(after);
        let Some(room) = padded.checked_sub(reach) else {
            // One window that begins inside, where a step would reach further than it lacks.
            let lacking = reach - padded;
            return if lacking < stride { lacking } else { 0 };
        };
        let last = room.div_ceil(stride).saturating_mul(stride);
        if last >= map.size[axis].saturating_add(before) { 0 } else { last.saturating_sub(room) }
    };
    let Padding { top, bottom, left, right } = window.padding;
    Padding { top, bottom: bottom.saturating_add(more(0)), left, right: right.saturating_add(more(1)) }
}

/// `GlobalAveragePool` and `GlobalMaxPool`.
pub(super) fn global(network: &mut Network, call: &Call<'_>) -> Outcome<Vec<Value>> {
    let view = operand(network, call)?;
    let map = Map::new(network, call, &view)?;
    let op = match call.op() {
        "GlobalAveragePool" => Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true }),
        _ => Op::Reduce(Reduce { kind: ReduceKind::Max, axes: smallvec![0, 1], keep_dims: true }),
    };
    let node = network.add(&call.name, op, &[map.node], Vec::new())?;
    Ok(vec![Value::Tensor(map.result(network, node))])
}
