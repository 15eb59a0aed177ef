//! A map at another resolution: across, then down.

use frit_ir::NodeId;
use frit_ir::Shape;
use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::Resize;
use frit_ir::ops::resize::Tap;

use crate::kernels::nest::Loop;
use crate::kernels::resize::{self, Resizing};
use crate::schedule::placed::{self, Placed};
use crate::schedule::placement::Placement;

/// The most rows and columns of a resize's result together, each of which is code of its own.
const MOST_POSITIONS: usize = 1 << 14;

/// A loop of one turn.
const STILL: Loop<2> = Loop { count: 1, bytes: [0; 2] };

/// Across, then down; nothing where neither changes.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, op: &Resize) -> Result<(), Diagnostic> {
    let mut input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    let (down, across) = (op.taps(0, input.rows), op.taps(1, input.columns));
    if down.len() + across.len() > MOST_POSITIONS {
        let [rows, columns] = op.size;
        let message = format!("a resize to {rows}x{columns} has more than {MOST_POSITIONS} positions");
        return Err(Diagnostic::error(codes::LIMIT, message));
    }
    let [changes_down, changes_across] =
        [(&down, input.rows), (&across, input.columns)].map(|(taps, length)| changes(taps, length));
    if !changes_down && !changes_across {
        placement.alias(id);
        return Ok(());
    }
    if changes_across {
        let output = if changes_down {
            let shape = Shape::new(&[input.rows, across.len(), input.channels]);
            placed::check_size(&shape, placement.net.width.lanes)?;
            placement.place_in_blocks(&shape)
        } else {
            placement.place(id)
        };
        let loops = [Loop { count: input.rows, bytes: [input.strides.row, output.strides.row] }, STILL];
        let step = [input.strides.pixel, output.strides.pixel];
        along(placement, id, [input, output], across, (step, loops));
        input = output;
    }
    if changes_down {
        let output = placement.place(id);
        let bytes = [input.strides.pixel, output.strides.pixel];
        let loops = [STILL, Loop { count: input.columns, bytes }];
        let step = [input.strides.row, output.strides.row];
        along(placement, id, [input, output], down, (step, loops));
    }
    Ok(())
}

/// One pass of a resize, from one of `tensors` to the other.
fn along(
    placement: &mut Placement<'_>,
    id: NodeId,
    tensors: [Placed; 2],
    taps: Vec<Tap>,
    (step, loops): ([usize; 2], [Loop<2>; 2]),
) {
    let block = tensors.map(|tensor| tensor.strides.block);
    placement.stage_by_block(id, tensors, move |width| {
        resize::build(width, &Resizing { taps: &taps, step, loops, block })
    });
}

/// Whether an axis of `length` is another behind `taps`.
fn changes(taps: &[Tap], length: usize) -> bool {
    let stays = |(index, tap): (usize, &Tap)| tap.first == index && tap.weight == 0.0;
    taps.len() != length || !taps.iter().enumerate().all(stays)
}
