//! Layers along axes: reductions, probabilities, the largest element.

use frit_ir::ops::{ArgMax, Reduce, ReduceKind, Softmax};
use frit_ir::{Diagnostic, NodeId};

use super::nodes::{FLOAT, int};
use super::tensors::Form;
use super::writer::Writer;

pub(super) fn reduce(writer: &mut Writer<'_>, id: NodeId, reduce: &Reduce) {
    let operator = match reduce.kind {
        ReduceKind::Mean => "ReduceMean",
        ReduceKind::Sum => "ReduceSum",
        ReduceKind::Max => "ReduceMax",
        ReduceKind::Min => "ReduceMin",
    };
    let operand = writer.operand(id);
    let form = if reduce.keep_dims { writer.tensors.form(operand) } else { Form::Plain };
    let x = writer.tensor(operand, form);
    let axes: Vec<i64> = reduce.axes.iter().map(|&axis| form.axis(axis) as i64).collect();
    let axes = writer.nodes.integers(&format!("{}/axes", writer.graph.node(id).name), &axes);
    let keeps = int("keepdims", i64::from(reduce.keep_dims));
    writer.emit((id, form), operator, &[&x, &axes], vec![keeps]);
}

pub(super) fn softmax(writer: &mut Writer<'_>, id: NodeId, softmax: Softmax) -> Result<(), Diagnostic> {
    let (form, x, axis) = writer.last_axis(id)?;
    let operator = if softmax.log { "LogSoftmax" } else { "Softmax" };
    writer.emit((id, form), operator, &[&x], vec![int("axis", axis)]);
    Ok(())
}

pub(super) fn arg_max(writer: &mut Writer<'_>, id: NodeId, arg_max: ArgMax) -> Result<(), Diagnostic> {
    let (form, x, axis) = writer.last_axis(id)?;
    // What is left of a map without its channels lies in one way only.
    let form = if arg_max.keep_dims { form } else { Form::Plain };
    let whole = |yes: bool| i64::from(yes);
    let attributes = vec![
        int("axis", axis),
        int("keepdims", whole(arg_max.keep_dims)),
        int("select_last_index", whole(arg_max.last)),
    ];
    let index = format!("{}/index", writer.graph.node(id).name);
    let index = writer.nodes.add("ArgMax", &index, &[&x], attributes);
    writer.emit((id, form), "Cast", &[&index], vec![int("to", i64::from(FLOAT))]);
    Ok(())
}
