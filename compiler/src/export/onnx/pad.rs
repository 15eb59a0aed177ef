//! Padding as a layer of its own.

use frit_ir::NodeId;
use frit_ir::ops::{Pad, Padding, Scalar};

use super::nodes::Nodes;
use super::tensors::Form;
use super::writer::Writer;

pub(super) fn pad(writer: &mut Writer<'_>, id: NodeId, pad: &Pad) {
    let (form, x) = writer.operand_as_it_lies(id);
    let name = writer.own(id, form);
    pad_to(&mut writer.nodes, &name, &x, form, (pad.padding, pad.value));
}

pub(super) fn pad_to(
    nodes: &mut Nodes,
    name: &str,
    x: &str,
    form: Form,
    (padding, value): (Padding, Scalar),
) {
    let mut pads = [0i64; 8];
    for axis in 0..2 {
        let [before, after] = padding.along(axis);
        (pads[form.axis(axis)], pads[4 + form.axis(axis)]) = (before as i64, after as i64);
    }
    let pads = nodes.integers(&format!("{name}/pads"), &pads);
    let value = nodes.scalar(&format!("{name}/value"), value);
    nodes.add_named("Pad", name, &[x, &pads, &value], vec![]);
}
