//! A function of each element, and the scale and shift of each channel.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Activation;

use crate::kernels::F32;
use crate::kernels::elementwise::{self, Elementwise};
use crate::plan::Argument;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;

/// An activation.
pub(super) fn place(
    placement: &mut Placement<'_>,
    id: NodeId,
    activation: Activation,
) -> Result<(), Diagnostic> {
    place_with(placement, id, None, Some(activation))
}

/// What node `id` reads first, with `prologue` applied to it by a stage of its own: not every kernel has a place for it.
pub(super) fn place_before(
    placement: &mut Placement<'_>,
    id: NodeId,
    prologue: Activation,
) -> Result<Placed, Diagnostic> {
    let operand = placement.net.operand(id, 0);
    let input = placement.tensor_in_blocks(operand)?;
    let output = placement.place_in_blocks(placement.net.shape(operand));
    each_element(placement, id, (None, Some(prologue)), [input, output]);
    Ok(output)
}

/// `affine` is where its scales and shifts begin.
pub(super) fn place_with(
    placement: &mut Placement<'_>,
    id: NodeId,
    affine: Option<Argument>,
    activation: Option<Activation>,
) -> Result<(), Diagnostic> {
    let input = placement.tensor_in_blocks(placement.net.operand(id, 0))?;
    let output = placement.place(id);
    each_element(placement, id, (affine, activation), [input, output]);
    Ok(())
}

fn each_element(
    placement: &mut Placement<'_>,
    id: NodeId,
    (affine, activation): (Option<Argument>, Option<Activation>),
    [input, output]: [Placed; 2],
) {
    let spec = Elementwise {
        affine: affine.is_some(),
        activation,
        pixels: input.pixels(),
        input: input.strides,
        output: output.strides,
    };
    placement.stage(id, &[input.region, output.region], move |kernels| {
        let tensors = [input, output].map(|tensor| tensor.reach(tensor.strides.block));
        let stride = 2 * kernels.width.lanes * F32;
        let weights = affine.map(|affine| Argument { stride, ..affine });
        let arguments = tensors.into_iter().chain(weights).collect();
        let items = input.channels.div_ceil(kernels.width.lanes);
        kernels.items(elementwise::build(kernels.width, &spec), arguments, items)
    });
}
