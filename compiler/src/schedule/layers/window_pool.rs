//! Pools over windows.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Padding, Pool, PoolKind, Scalar};

use super::large_window;
use crate::kernels::window::{self, Axis};
use crate::kernels::window_pool::{self, Reduction, WindowPool};
use crate::pack::{Source, Values};
use crate::plan::Argument;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::tiles;
use crate::schedule::windows;

/// The largest or the mean element under a window.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, pool: &Pool) -> Result<(), Diagnostic> {
    let mut axes = windows::axes(placement.net, id, pool.window())?.map(|axis| axis.cut());
    let (reduction, factors) = reduction(placement, pool, &axes);
    let mut input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    if window::is_large(axes.map(|axis| axis.kernel)) {
        let nothing = if pool.kind == PoolKind::Max { Scalar::NEG_INFINITY } else { Scalar::ZERO };
        (input, axes) = large_window::place(placement, id, input, axes, nothing)?;
    }
    let output = placement.place(id);
    let (from, to) = (input.strides, output.strides);
    let pool = WindowPool { reduction, rows: axes[0], columns: axes[1], input: from, output: to };
    stage(placement, id, pool, ([input, output], factors));
    Ok(())
}

/// What becomes of the elements under a window along `axes`, and where the factors of a mean lie if they differ.
fn reduction(placement: &mut Placement<'_>, pool: &Pool, axes: &[Axis; 2]) -> (Reduction, Option<Argument>) {
    let PoolKind::Average { counted } = pool.kind else { return (Reduction::Largest, None) };
    let [down, across] = [0, 1].map(|index| counts(pool, index, &axes[index], &counted));
    let mut counts =
        down.iter().flat_map(|&rows| across.iter().map(move |&columns| rows.saturating_mul(columns)));
    let first = counts.next().unwrap_or(1);
    if counts.all(|count| count == first) {
        return (Reduction::Mean(Some(first)), None);
    }
    let factor = |&rows: &usize| {
        across
            .iter()
            .map(move |&columns| Scalar::ratio(1, rows.saturating_mul(columns)).get())
            .collect::<Vec<_>>()
    };
    let factors: Values = down.iter().flat_map(factor).collect();
    (Reduction::Mean(None), Some(placement.pack(Source::Values(factors))))
}

/// The stage of `pool`, whose items are blocks of channels.
pub(super) fn stage(
    placement: &mut Placement<'_>,
    id: NodeId,
    pool: WindowPool,
    ([input, output], factors): ([Placed; 2], Option<Argument>),
) {
    placement.stage(id, &[input.region, output.region], move |kernels| {
        let program = window_pool::build(kernels.width, &pool, tiles::pool(kernels.width));
        let tensors = [input, output].map(|tensor| tensor.argument(tensor.strides.block));
        let arguments = tensors.into_iter().chain(factors).collect();
        kernels.items(program, arguments, input.channels.div_ceil(kernels.width.lanes))
    });
}

/// For each position along `axis`, by how many elements a mean is divided there.
fn counts(pool: &Pool, index: usize, axis: &Axis, counted: &Padding) -> Vec<usize> {
    let count = |position: usize| pool.counted(index, position, axis.input, counted);
    (0..axis.output).map(|position| count(position).max(1)).collect()
}
