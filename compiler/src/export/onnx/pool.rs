//! Pools over windows, and over whole maps.

use frit_ir::ops::{GlobalAveragePool, Padding, Pool, PoolKind, Scalar};
use frit_ir::weights::Values;
use frit_ir::{Diagnostic, NodeId, Window};

use super::nodes::{int, window};
use super::pad;
use super::tensors::Form;
use super::writer::Writer;
use crate::export::not_expressible;
use crate::import::limits;

/// Padding that ONNX can't say of a pool is a pad of its own: zeros that count in part, windows that lie wholly in it.
pub(super) fn pool(writer: &mut Writer<'_>, id: NodeId, pool: &Pool) -> Result<(), Diagnostic> {
    let fits = |padding: &Padding| {
        (0..2).all(|axis| padding.along(axis).iter().all(|&side| side < pool.kernel[axis]))
    };
    let none = Padding::default();
    let (operator, apart, rest, counts) = match pool.kind {
        PoolKind::Max if fits(&pool.padding) => ("MaxPool", none, pool.padding, None),
        PoolKind::Max => ("MaxPool", pool.padding, none, None),
        PoolKind::Average { counted } if !fits(&pool.padding) => {
            return mean_by_counts(writer, id, pool, &counted);
        }
        PoolKind::Average { counted } if counted == pool.padding => ("AveragePool", none, counted, Some(1)),
        PoolKind::Average { counted } => ("AveragePool", counted, without(&pool.padding, &counted), Some(0)),
    };
    let value = if counts.is_some() { Scalar::ZERO } else { Scalar::NEG_INFINITY };
    let x = padded_map(writer, id, &apart, value);
    let mut attributes = window(&Window { padding: rest, ..pool.window() });
    attributes.extend(counts.map(|counts| int("count_include_pad", counts)));
    writer.emit((id, Form::ChannelsFirst), operator, &[&x], attributes);
    Ok(())
}

/// A mean over all of each window, zeros included, times what that has too many of.
fn mean_by_counts(
    writer: &mut Writer<'_>,
    id: NodeId,
    pool: &Pool,
    counted: &Padding,
) -> Result<(), Diagnostic> {
    let map = writer.tensors.shape(writer.operand(id)).map().unwrap_or_default();
    let shape = writer.tensors.shape(id).map().unwrap_or_default();
    if shape[0].saturating_mul(shape[1]) > limits::CONSTANT_VALUES {
        return Err(not_expressible(
            "a mean over padding that reaches further than a window, of a map that large",
        ));
    }
    let counts = |axis: usize| {
        let count = |position| pool.counted(axis, position, map[axis], counted);
        (0..shape[axis]).map(count).collect::<Vec<usize>>()
    };
    let (down, across) = (counts(0), counts(1));
    let taps = pool.kernel[0] * pool.kernel[1];
    let factor = |count: usize| Scalar::ratio(taps, count.max(1)).get();
    let factors: Values = down.iter().flat_map(|y| across.iter().map(move |x| factor(y * x))).collect();
    let x = padded_map(writer, id, &pool.padding, Scalar::ZERO);
    let layer = writer.graph.node(id).name.clone();
    let attributes = window(&Window { padding: Padding::default(), ..pool.window() });
    let means = writer.nodes.add("AveragePool", &format!("{layer}/of_all"), &[&x], attributes);
    let factors = writer.nodes.weight(&format!("{layer}/factors"), &[down.len(), across.len()], &factors);
    writer.emit((id, Form::ChannelsFirst), "Mul", &[&means, &factors], vec![]);
    Ok(())
}

/// The operand of `id`, channels first, with `padding` around it where there is any.
fn padded_map(writer: &mut Writer<'_>, id: NodeId, padding: &Padding, value: Scalar) -> String {
    let x = writer.tensor(writer.operand(id), Form::ChannelsFirst);
    if *padding == Padding::default() {
        return x;
    }
    let name = writer.nodes.fresh(&format!("{}/pad", writer.graph.node(id).name));
    pad::pad_to(&mut writer.nodes, &name, &x, Form::ChannelsFirst, (*padding, value));
    name
}

pub(super) fn global_average_pool(writer: &mut Writer<'_>, id: NodeId, pool: GlobalAveragePool) {
    let x = writer.tensor(writer.operand(id), Form::ChannelsFirst);
    if pool.keep_dims {
        return writer.emit((id, Form::ChannelsFirst), "GlobalAveragePool", &[&x], vec![]);
    }
    let map = format!("{}/pool", writer.graph.node(id).name);
    let map = writer.nodes.add("GlobalAveragePool", &map, &[&x], vec![]);
    writer.emit((id, Form::Plain), "Flatten", &[&map], vec![int("axis", 1)]);
}

/// What is left of `padding` where `counted` is taken away.
fn without(padding: &Padding, counted: &Padding) -> Padding {
    Padding {
        top: padding.top - counted.top,
        bottom: padding.bottom - counted.bottom,
        left: padding.left - counted.left,
        right: padding.right - counted.right,
    }
}
