//! Concatenation: along the channels in place where that can be (see `joined`), else by copies.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Concat;

use super::rearrange;
use crate::kernels::copy;
use crate::kernels::join::{self, Shift};
use crate::plan::{Call, Region, Work};
use crate::schedule::joined::joins_channels;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::stage::Kernels;

/// Copies what does not lie in its place yet.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, concat: &Concat) -> Result<(), Diagnostic> {
    let net = placement.net;
    if !joins_channels(net.op(id), net.shape(id)) {
        return rearrange::place_concat(placement, id, concat);
    }
    let whole = placement.place(id);
    let lanes = net.width.lanes;
    let (mut channel, mut copies) = (0, Vec::new());
    let operands = net.graph.operands(id);
    for (index, &operand) in operands.iter().enumerate() {
        let from = placement.home(operand);
        let to = whole.channels_from(channel / lanes, from.channels);
        let shift = channel % lanes;
        if shift != 0 || (from.region, from.offset) != (to.region, to.offset) {
            copies.push(Copied { from, to, shift: Shift::Output(shift), fills: index + 1 == operands.len() });
        }
        channel += from.channels;
    }
    if !copies.is_empty() {
        stage(placement, id, copies);
    }
    Ok(())
}

/// A copy of all channels of a tensor to as many of another, one of which begins so many lanes further on.
pub(super) struct Copied {
    pub(super) from: Placed,
    pub(super) to: Placed,
    pub(super) shift: Shift,
    /// Whether what stands behind them in their last block, if anything, is written later.
    pub(super) fills: bool,
}

/// The stage that makes `copies`.
pub(super) fn stage(placement: &mut Placement<'_>, id: NodeId, copies: Vec<Copied>) {
    let touched: Vec<Region> =
        copies.iter().flat_map(|copied| [copied.from.region, copied.to.region]).collect();
    placement.stage(id, &touched, move |kernels| {
        let calls = copies.iter().map(|copied| copied.call(kernels)).collect::<Result<_, _>>()?;
        Ok(Work::Items(calls))
    });
}

impl Copied {
    fn call(&self, kernels: &mut Kernels) -> Result<Call, Diagnostic> {
        let Copied { from, to, shift, fills } = *self;
        let leaves_lanes = fills && !to.channels.is_multiple_of(kernels.width.lanes);
        let program = match shift {
            Shift::Input(0) | Shift::Output(0) if !leaves_lanes => {
                copy::build(kernels.width, to.channels, from.strides, to.strides)
            }
            _ => join::build(kernels.width, to.channels, shift, [from.strides, to.strides], fills),
        };
        let arguments = vec![from.argument(from.strides.pixel), to.argument(to.strides.pixel)];
        kernels.call(program, arguments, from.pixels())
    }
}
