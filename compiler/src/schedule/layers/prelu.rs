//! A leaky ReLU with learnt slopes: its slopes are an operand that lies among the weights.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::Prelu;
use frit_ir::{NodeId, Shape};

use super::binary;
use crate::kernels::binary::{Function, Side};
use crate::pack::Values;
use crate::schedule::placement::Placement;

/// Slopes are repeated by the kernel where that can, else where they are packed.
pub(super) fn place(placement: &mut Placement<'_>, id: NodeId, prelu: &Prelu) -> Result<(), Diagnostic> {
    let net = placement.net;
    let x = binary::side_of(placement, id, net.operand(id, 0))?;
    let values = net.weight(id, 0)?;
    let shape = net.shape(id);
    let slope = if binary::repeats_by_strides(&prelu.slope, shape) {
        let packed = placement.pack_in_blocks(&values, &prelu.slope);
        (packed, binary::side(packed, shape))
    } else {
        let packed = placement.pack_in_blocks(&repeated(&values, &prelu.slope, shape), shape);
        (packed, Side { strides: packed.strides, spreads: false })
    };
    binary::stage(placement, id, Function::Prelu, [x, slope]);
    Ok(())
}

/// `values` of the shape `from` repeated to the shape `to`.
fn repeated(values: &Values, from: &Shape, to: &Shape) -> Values {
    let place = |mut index: usize| {
        let (mut place, mut stride) = (0, 1);
        for axis in 1..=to.rank() {
            let length = to.axes()[to.rank() - axis];
            let own = from.rank().checked_sub(axis).map_or(1, |axis| from.axes()[axis]);
            place += if own == 1 { 0 } else { index % length * stride };
            stride *= own;
            index /= length;
        }
        place
    };
    (0..to.elements().unwrap_or(0)).map(|index| values[place(index)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_repeated_along_missing_axes_and_those_of_one_element() {
        let (from, to) = (Shape::new(&[2, 1]), Shape::new(&[2, 2, 3]));
        let expected = [[1.0; 3], [2.0; 3], [1.0; 3], [2.0; 3]].concat();
        assert_eq!(*repeated(&[1.0, 2.0].into(), &from, &to), expected);
    }
}
