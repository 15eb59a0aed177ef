//! Packed weights times a gate.

use frit_ir::NodeId;

use crate::kernels::F32;
use crate::kernels::conv::Panels;
use crate::kernels::gate::{self, Gate};
use crate::pack;
use crate::plan::{Argument, Blank, Work};
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;

/// The weights of `part`, which are packed at `weights`, with its input channels times `gate`: a stage before the one that
/// reads them.
pub(super) fn place(
    placement: &mut Placement<'_>,
    id: NodeId,
    gate: Placed,
    (part, panels): (&pack::Conv, Vec<Panels>),
    weights: Argument,
) -> Argument {
    let lanes = placement.net.width.lanes;
    let (taps, channels) = (part.taps, part.inputs.len());
    let row = (1 + taps * channels) * lanes * F32;
    let bytes = row * panels.iter().map(|panels| panels.vectors * panels.count).sum::<usize>();
    let scaled = Argument { region: placement.new_tensor(bytes, Blank::default()), offset: 0, stride: 0 };
    placement.pass(id, 2 * bytes, &[weights.region, gate.region, scaled.region], move |kernels| {
        let (mut calls, mut done) = (Vec::new(), 0);
        for &Panels { vectors, count } in &panels {
            let spec = Gate { vectors, taps, channels, block: gate.strides.block };
            let stride = row * vectors;
            let at = |base: Argument| Argument { offset: base.offset + done, stride, ..base };
            let arguments = vec![at(weights), gate.reach(0), at(scaled)];
            calls.push(kernels.call(gate::build(kernels.width, &spec), arguments, count)?);
            done += count * stride;
        }
        Ok(Work::Items(calls))
    });
    scaled
}
