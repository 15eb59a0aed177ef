//! Two tensors element by element, each repeated to the shape of the result where it must be.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Binary, Scalar};
use frit_ir::{NodeId, Op, Shape};

use super::rearrange;
use crate::kernels::Strides;
use crate::kernels::binary::{self, Function, Join, Side};
use crate::plan::Region;
use crate::schedule::network::Network;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;

/// A sum, a product, and so on.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, binary: Binary) -> Result<(), Diagnostic> {
    let operands = placement.net.graph.operands(id);
    if let Some(exponent) = exponent(placement.net, id, binary)? {
        let side = side_of(placement, id, operands[0])?;
        stage(placement, id, Function::Power(exponent), [side, side]);
        return Ok(());
    }
    let sides = [side_of(placement, id, operands[0])?, side_of(placement, id, operands[1])?];
    stage(placement, id, Function::Binary(binary), sides);
    Ok(())
}

/// The exponent of `id`, where it is a power of its first operand by one constant.
fn exponent(net: &Network<'_>, id: NodeId, binary: Binary) -> Result<Option<Scalar>, Diagnostic> {
    let &[base, exponent] = net.graph.operands(id).as_slice() else { return Ok(None) };
    let one = matches!(net.op(exponent), Op::Constant(_)) && net.shape(exponent).elements() == Some(1);
    if binary != Binary::Pow || !one || net.shape(base) != net.shape(id) {
        return Ok(None);
    }
    Ok(net.weight(exponent, 0)?.first().copied().map(Scalar::new))
}

/// `operand` of `id`: repeated by the kernel where that can, else by a copy.
pub(super) fn side_of(
    placement: &mut Placement<'_>,
    id: NodeId,
    operand: NodeId,
) -> Result<(Placed, Side), Diagnostic> {
    let net = placement.net;
    let (own, shape) = (net.shape(operand), net.shape(id));
    if repeats_by_strides(own, shape) {
        let placed = placement.tensor_in_blocks(operand)?;
        return Ok((placed, side(placed, shape)));
    }
    let placed = rearrange::place_expanded(placement, id, operand, shape)?;
    Ok((placed, Side { strides: placed.strides, spreads: false }))
}

/// The stage of `id`, whose items are blocks of channels.
pub(super) fn stage(
    placement: &mut Placement<'_>,
    id: NodeId,
    function: Function,
    sides: [(Placed, Side); 2],
) {
    let output = placement.place(id);
    let join = Join {
        function,
        size: [output.rows, output.columns],
        sides: sides.map(|(_, side)| side),
        output: output.strides,
    };
    let touched: [Region; 3] = [sides[0].0.region, sides[1].0.region, output.region];
    placement.stage(id, &touched, move |kernels| {
        let [a, b] = sides.map(|(placed, side)| placed.argument(side.strides.block));
        let arguments = vec![a, b, output.argument(output.strides.block)];
        let items = output.channels.div_ceil(kernels.width.lanes);
        kernels.items(binary::build(kernels.width, &join), arguments, items)
    });
}

/// Whether strides can say how a tensor of the shape `own` in blocks is repeated to `shape`.
pub(super) fn repeats_by_strides(own: &Shape, shape: &Shape) -> bool {
    // All axes but the last of more than three are one row, in which nothing may be repeated.
    let leading = |shape: &Shape| shape.axes()[..shape.rank().saturating_sub(1)].to_vec();
    let alike = own.rank() == shape.rank() && leading(own) == leading(shape);
    shape.rank() <= 3 || leading(own).iter().all(|&length| length == 1) || alike
}

/// How the tensor at `placed`, for which [`repeats_by_strides`] holds, is an operand where the result is `shape`.
pub(super) fn side(placed: Placed, shape: &Shape) -> Side {
    let unless_one = |length: usize, bytes: usize| if length == 1 { 0 } else { bytes };
    let Strides { row, pixel, block, channel } = placed.strides;
    let [row, pixel] = if shape.rank() <= 3 {
        [unless_one(placed.rows, row), unless_one(placed.columns, pixel)]
    } else if placed.pixels() == 1 {
        [0; 2]
    } else {
        [row, pixel]
    };
    let spreads = placed.channels == 1 && shape.channels() > 1;
    let block = if spreads { 0 } else { block };
    Side { strides: Strides { row, pixel, block, channel }, spreads }
}
