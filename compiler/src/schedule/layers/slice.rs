//! Slices: views where the kept elements lie as a tensor of their own would, else copies.
//!
//! A slice is a view of the tensor wherever its first channel begins a block and its rows are whole and follow one another.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Slice, Span};
use frit_ir::{NodeId, Shape};

use super::concat::{self, Copied};
use super::{rearrange, window_pool};
use crate::kernels::Strides;
use crate::kernels::join::Shift;
use crate::kernels::window::Axis;
use crate::kernels::window_pool::{Reduction, WindowPool};
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;

/// A view, a copy of some channels, or a copy of some pixels.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, slice: &Slice) -> Result<(), Diagnostic> {
    let net = placement.net;
    let operand = net.operand(id, 0);
    let spans =
        spans(slice, net.shape(operand)).filter(|[.., channels]| channels.step == 1 || channels.count == 1);
    let Some([rows, columns, channels]) = spans else { return rearrange::place_slice(placement, id, slice) };
    let lanes = net.width.lanes;
    let mut from = placement.tensor_in_blocks(operand)?;
    let shift = channels.start % lanes;
    from = Placed { is_dense: false, ..from.channels_from(channels.start / lanes, channels.count) };
    if shift != 0 {
        let shape = Shape::new(&[from.rows, from.columns, channels.count]);
        let is_all = [rows, columns] == [Span::all(from.rows), Span::all(from.columns)];
        let to = if is_all { placement.place(id) } else { placement.place_in_blocks(&shape) };
        concat::stage(placement, id, vec![Copied { from, to, shift: Shift::Input(shift), fills: true }]);
        from = to;
    }
    if columns == Span::all(from.columns) && (rows.step == 1 || rows.count == 1) {
        let offset = from.offset + rows.start * from.strides.row;
        placement.settle(id, Placed { rows: rows.count, offset, ..from });
        return Ok(());
    }
    let offset = from.offset + rows.start * from.strides.row + columns.start * from.strides.pixel;
    sample(placement, id, [rows, columns], Placed { offset, ..from });
    Ok(())
}

/// Copies every so manyth pixel from the begin of `from` on: a pool over windows of one pixel.
fn sample(placement: &mut Placement<'_>, id: NodeId, [rows, columns]: [Span; 2], from: Placed) {
    let output = placement.place(id);
    let axis = |span: Span| Axis {
        input: (span.count - 1) * span.step + 1,
        output: span.count,
        kernel: 1,
        stride: span.step,
        dilation: 1,
        before: 0,
    };
    let Placed { strides, .. } = output;
    let row = columns.count * strides.pixel;
    let pool = WindowPool {
        reduction: Reduction::Largest,
        rows: axis(rows),
        columns: axis(columns),
        input: from.strides,
        output: Strides { row, ..strides },
    };
    window_pool::stage(placement, id, pool, ([from, output], None));
}

/// What is kept of rows, columns and channels, as tensors lie; `None` where leading axes of more than three are cut.
fn spans(slice: &Slice, shape: &Shape) -> Option<[Span; 3]> {
    let one = Span::all(1);
    match slice.spans[..] {
        [] => Some([one; 3]),
        [channels] => Some([one, one, channels]),
        [columns, channels] => Some([one, columns, channels]),
        [rows, columns, channels] => Some([rows, columns, channels]),
        [ref pixels @ .., channels] => {
            let lengths = &shape.axes()[..pixels.len()];
            let is_whole = pixels.iter().zip(lengths).all(|(&span, &length)| span == Span::all(length));
            is_whole.then(|| [one, Span::all(lengths.iter().product()), channels])
        }
    }
}
