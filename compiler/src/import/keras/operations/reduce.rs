//! Functions of all elements along axes.

use frit_ir::Op;
use frit_ir::ops::{GlobalAveragePool, Reduce, ReduceKind, Softmax};

use super::parameters::{Parameters, integer, integers, refuse, tensor};
use crate::import::keras::attributes::Axes;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;

type Results = Option<Vec<Tensor>>;

pub(super) fn mean(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    reduce(ReduceKind::Mean, site, parameters)
}

pub(super) fn sum(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    reduce(ReduceKind::Sum, site, parameters)
}

pub(super) fn max(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    reduce(ReduceKind::Max, site, parameters)
}

pub(super) fn min(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    reduce(ReduceKind::Min, site, parameters)
}

fn reduce(kind: ReduceKind, site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let keep_dims = parameters.flag(&["keepdims", "keep_dims"]);
    let Some(axes) = parameters.at(1, &["axis"]).and_then(integers) else {
        return refuse(site, "it reduces all axes, that of the batch among them");
    };
    let mut found = Vec::new();
    for axis in axes {
        found.push(site.axis(input, axis)?);
    }
    found.sort_unstable();
    found.dedup();
    let rank = site.shape(input).rank();
    let operand = site.plain(input)?;
    let op = if kind == ReduceKind::Mean && rank == 3 && found == [0, 1] {
        Op::GlobalAveragePool(GlobalAveragePool { keep_dims })
    } else {
        Op::Reduce(Reduce { kind, axes: found.into_iter().collect(), keep_dims })
    };
    let node = site.add(op, &[operand])?;
    Some(vec![site.made(node, Axes::ChannelsLast)])
}

pub(super) fn softmax(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    along(false, site, parameters)
}

pub(super) fn log_softmax(site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    along(true, site, parameters)
}

fn along(log: bool, site: &mut Site<'_, '_, '_>, parameters: &Parameters) -> Results {
    let input = tensor(site, parameters)?;
    let axis = parameters.get(&["axis"]).map_or(Some(-1), integer);
    let Some(axis) = axis else { return refuse(site, "a softmax over several axes") };
    let axis = site.axis(input, axis)?;
    let (operand, turned) = site.axis_last(input, axis)?;
    let node = site.add(Op::Softmax(Softmax { log }), &[operand])?;
    Some(vec![site.turned_back(node, turned)?])
}
