//! Maps made larger and smaller.

use frit_ir::ops::{Interpolation, Resize, Rounding};
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, NodeId};

use super::nodes::{int, text};
use super::tensors::Form;
use super::writer::Writer;
use crate::export::not_expressible;

pub(super) fn resize(writer: &mut Writer<'_>, id: NodeId, resize: &Resize) -> Result<(), Diagnostic> {
    let operand = writer.operand(id);
    let x = writer.tensor(operand, Form::ChannelsFirst);
    let name = writer.own(id, Form::ChannelsFirst);
    let (mode, nearest) = match resize.interpolation {
        Interpolation::Nearest(Rounding::HalfDown) => ("nearest", "round_prefer_floor"),
        Interpolation::Nearest(Rounding::HalfUp) => ("nearest", "round_prefer_ceil"),
        Interpolation::Nearest(Rounding::Floor) => ("nearest", "floor"),
        Interpolation::Nearest(Rounding::Ceil) => ("nearest", "ceil"),
        Interpolation::Bilinear => ("linear", "round_prefer_floor"),
    };
    let attributes = vec![
        text("mode", mode),
        text("nearest_mode", nearest),
        text("coordinate_transformation_mode", resize.coordinates.name()),
    ];
    let inputs = match resize.scale {
        None => {
            // The operator may be told the two alone (`axes`), but ONNX Runtime does not take that.
            let size =
                writer.nodes.integers(&format!("{name}/size"), &resize.size.map(|length| length as i64));
            let kept = vec![int("start", 0), int("end", 2)];
            let kept = writer.nodes.add("Shape", &format!("{name}/kept"), &[&x], kept);
            let along = vec![int("axis", 0)];
            let sizes = writer.nodes.add("Concat", &format!("{name}/sizes"), &[&kept, &size], along);
            [x, String::new(), String::new(), sizes]
        }
        Some(scale) => {
            let map = writer.tensors.shape(operand).axes();
            let reached = [0, 1].map(|axis| (map[axis] as f32 * scale[axis].get()).floor() as usize);
            if reached != resize.size {
                return Err(not_expressible("a resize whose scale gives another size than it has"));
            }
            let scales = Values::from([1.0, 1.0, scale[0].get(), scale[1].get()]);
            [x, String::new(), writer.nodes.weight(&format!("{name}/scales"), &[4], &scales), String::new()]
        }
    };
    let wanted = if resize.scale.is_some() { 3 } else { 4 };
    let inputs: Vec<&str> = inputs.iter().take(wanted).map(String::as_str).collect();
    writer.nodes.add_named("Resize", &name, &inputs, attributes);
    Ok(())
}
