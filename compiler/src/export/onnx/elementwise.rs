//! Layers of each element: functions of one operand, of two, of one and a weight.

use frit_ir::ops::{Activation, Binary, Prelu};
use frit_ir::{Diagnostic, NodeId, Op};

use super::functions::function;
use super::writer::Writer;

pub(super) fn activation(writer: &mut Writer<'_>, id: NodeId, activation: &Activation) {
    let (form, x) = writer.operand_as_it_lies(id);
    let name = writer.own(id, form);
    function(&mut writer.nodes, activation, &name, &x);
}

pub(super) fn binary(writer: &mut Writer<'_>, id: NodeId, binary: Binary) -> Result<(), Diagnostic> {
    let operator = match binary {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Min => "Min",
        Binary::Max => "Max",
        Binary::Pow => "Pow",
    };
    let (form, rank) = (writer.common_form(id), writer.tensors.shape(id).rank());
    let operands = writer.graph.operands(id);
    let constant = |id: &NodeId| matches!(writer.graph.node(*id).op, Op::Constant(_));
    let depends = operands.iter().any(|operand| !constant(operand));
    let mut inputs = Vec::with_capacity(2);
    for operand in operands {
        let node = writer.graph.node(operand);
        let input = if let Op::Constant(constant) = &node.op
            && depends
        {
            writer.spread_weight(&node.weights[0], &constant.shape, rank, form)?
        } else {
            writer.spread(operand, rank, form)
        };
        inputs.push(input);
    }
    writer.emit((id, form), operator, &[&inputs[0], &inputs[1]], vec![]);
    Ok(())
}

pub(super) fn prelu(writer: &mut Writer<'_>, id: NodeId, prelu: &Prelu) -> Result<(), Diagnostic> {
    let (form, x) = writer.operand_as_it_lies(id);
    let (name, rank) = (writer.graph.node(id).weights[0].clone(), writer.tensors.shape(id).rank());
    let slope = writer.spread_weight(&name, &prelu.slope, rank, form)?;
    writer.emit((id, form), "PRelu", &[&x, &slope], vec![]);
    Ok(())
}
