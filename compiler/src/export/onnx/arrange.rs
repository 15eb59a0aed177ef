//! Layers that make no new values: other names, orders and shapes, joins and cuts.

use frit_ir::NodeId;
use frit_ir::ops::{Concat, Slice, Transpose};

use super::nodes::{int, ints};
use super::tensors::Form;
use super::writer::{Writer, is_pixel};

pub(super) fn alias(writer: &mut Writer<'_>, id: NodeId) {
    let operand = writer.operand(id);
    writer.tensor(operand, writer.tensors.form(operand));
    for form in [Form::Plain, Form::ChannelsFirst] {
        if let Some(name) = writer.tensors.get(operand, form).map(str::to_owned) {
            writer.tensors.set(id, form, name);
        }
    }
}

/// The elements of a single pixel have the same order in both forms.
pub(super) fn reshape(writer: &mut Writer<'_>, id: NodeId) {
    let operand = writer.operand(id);
    let form =
        if is_pixel(writer.tensors.shape(operand)) { writer.tensors.form(operand) } else { Form::Plain };
    let x = writer.tensor(operand, form);
    let axes = writer.tensors.shape(id).axes().to_vec();
    let name = writer.own(id, Form::Plain);
    writer.nodes.reshape(&name, &x, &axes);
}

/// From channels last to channels first and back is the other form of the operand.
pub(super) fn transpose(writer: &mut Writer<'_>, id: NodeId, transpose: &Transpose) {
    let operand = writer.operand(id);
    match transpose.axes[..] {
        [1, 2, 0] => {
            let name = writer.tensor(operand, Form::Plain);
            writer.tensors.set(id, Form::ChannelsFirst, name);
        }
        [2, 0, 1] => {
            let name = writer.tensor(operand, Form::ChannelsFirst);
            writer.tensors.set(id, Form::Plain, name);
        }
        _ => {
            let plain = writer.tensor(operand, Form::Plain);
            let axes = transpose.axes.iter().map(|&axis| axis as i64 + 1);
            let order: Vec<i64> = std::iter::once(0).chain(axes).collect();
            writer.emit((id, Form::Plain), "Transpose", &[&plain], vec![ints("perm", &order)]);
        }
    }
}

pub(super) fn concat(writer: &mut Writer<'_>, id: NodeId, concat: &Concat) {
    let form = writer.common_form(id);
    let inputs: Vec<String> =
        writer.graph.operands(id).into_iter().map(|operand| writer.tensor(operand, form)).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    writer.emit((id, form), "Concat", &inputs, vec![int("axis", form.axis(concat.axis) as i64)]);
}

pub(super) fn slice(writer: &mut Writer<'_>, id: NodeId, slice: &Slice) {
    let (form, x) = writer.operand_as_it_lies(id);
    let spans = slice.spans.iter().enumerate();
    let numbers: Vec<[i64; 4]> = spans
        .map(|(axis, span)| {
            let end = span.start + (span.count - 1) * span.step + 1;
            [span.start, end, form.axis(axis), span.step].map(|number| number as i64)
        })
        .collect();
    let name = writer.own(id, form);
    let lists = ["starts", "ends", "axes", "steps"].into_iter().enumerate();
    let lists: Vec<String> = lists
        .map(|(index, what)| {
            let list: Vec<i64> = numbers.iter().map(|of_axis| of_axis[index]).collect();
            writer.nodes.integers(&format!("{name}/{what}"), &list)
        })
        .collect();
    let inputs: Vec<&str> = std::iter::once(&x).chain(&lists).map(String::as_str).collect();
    writer.nodes.add_named("Slice", &name, &inputs, vec![]);
}
