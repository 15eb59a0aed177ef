//! Pools.

use frit_ir::ops::{GlobalAveragePool, Padding, Pool, PoolKind, Reduce, ReduceKind};
use frit_ir::{Op, Window};

use super::convolution::padding;
use crate::import::keras::attributes::{Attributes, Axes};
use crate::import::keras::layer::KerasLayer;
use crate::import::keras::site::Site;
use crate::import::keras::tensors::Tensor;
use crate::import::window::WindowRule;

struct Pooling {
    kind: PoolKind,
    window: WindowRule,
    axes: Axes,
}

pub(super) fn max(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    pooling(PoolKind::Max, attributes)
}

/// TensorFlow's means never count the padding.
pub(super) fn average(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    pooling(PoolKind::Average { counted: Padding::default() }, attributes)
}

fn pooling(kind: PoolKind, attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let kernel = attributes.pair_or("pool_size", [2, 2])?;
    let stride = attributes.pair_or("strides", kernel);
    let padding = padding(attributes);
    let axes = attributes.data_format();
    let window = WindowRule { kernel, stride: stride?, dilation: [1, 1], padding: padding? };
    Some(Box::new(Pooling { kind, window, axes: axes? }))
}

impl KerasLayer for Pooling {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        let [height, width, _] = site.map_of(input, self.axes)?;
        let window = self.window.over([height, width]).map_err(|fault| site.fault(fault)).ok()?;
        let Window { kernel, stride, padding, dilation } = window;
        let operand = site.map(input, self.axes)?;
        let node =
            site.add(Op::Pool(Pool { kind: self.kind, kernel, stride, padding, dilation }), &[operand])?;
        Some(vec![site.made(node, self.axes)])
    }
}

/// The mean or the largest element of each channel.
struct Global {
    max: bool,
    keep_dims: bool,
    axes: Axes,
}

pub(super) fn global_average(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    global(false, attributes)
}

pub(super) fn global_max(attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    global(true, attributes)
}

fn global(max: bool, attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let keep_dims = attributes.flag_or("keepdims", false);
    Some(Box::new(Global { max, keep_dims: keep_dims?, axes: attributes.data_format()? }))
}

impl KerasLayer for Global {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let input = site.only()?;
        site.map_of(input, self.axes)?;
        let operand = site.map(input, self.axes)?;
        let keep_dims = self.keep_dims;
        let op = if self.max {
            Op::Reduce(Reduce { kind: ReduceKind::Max, axes: [0, 1].into_iter().collect(), keep_dims })
        } else {
            Op::GlobalAveragePool(GlobalAveragePool { keep_dims })
        };
        let node = site.add(op, &[operand])?;
        Some(vec![site.made(node, self.axes)])
    }
}
