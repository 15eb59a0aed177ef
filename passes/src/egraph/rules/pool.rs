//! Pools and what follows them.

use frit_ir::Op;
use frit_ir::ops::{GlobalAveragePool, Padding, Pool, PoolKind, ReduceKind};

use crate::egraph::language::{ENode, Kind};
use crate::egraph::rule::{Found, Rule, Site, Term};

/// `reshape(global_avg_pool(x) : 1x1xC) : C = global_avg_pool(x) : C`.
pub(super) const POOL_TO_VECTOR: Rule = Rule {
    name: "pool-to-vector",
    sound: "a global pool makes one element a channel in either shape, in the order of the channels",
    root: Kind::Reshape,
    find: pool_to_vector,
};

/// `reshape(global_avg_pool(x) : C) : 1x1xC = global_avg_pool(x) : 1x1xC`.
pub(super) const POOL_TO_PIXEL: Rule = Rule {
    name: "pool-to-pixel",
    sound: "a global pool makes one element a channel in either shape, in the order of the channels",
    root: Kind::Reshape,
    find: pool_to_pixel,
};

/// `reduce_mean(x; axes 0, 1) = global_avg_pool(x)` for a map.
pub(super) const MEAN_TO_POOL: Rule = Rule {
    name: "mean-to-pool",
    sound: "the mean over height and width is what a global average pool is",
    root: Kind::Reduce,
    find: mean_to_pool,
};

/// `avg_pool(x) = global_avg_pool(x)` where the window is the map.
pub(super) const WINDOW_TO_POOL: Rule = Rule {
    name: "window-to-pool",
    sound: "the one window has all pixels of the map, each under a tap, and counts no more than them",
    root: Kind::Pool,
    find: window_to_pool,
};

/// `pool(x) = x` where each window is one pixel.
pub(super) const DROP_POOL: Rule = Rule {
    name: "drop-pool",
    sound: "the largest and the mean of one element are the element, and each stands in one window",
    root: Kind::Pool,
    find: drop_pool,
};

fn pool_to_vector(site: &Site<'_>, found: &mut Found<'_>) {
    if site.shape(site.class).is_some_and(|shape| shape.rank() == 1) {
        reshaped(site, false, found);
    }
}

fn pool_to_pixel(site: &Site<'_>, found: &mut Found<'_>) {
    if site.shape(site.class).is_some_and(|shape| matches!(shape.axes(), [1, 1, _])) {
        reshaped(site, true, found);
    }
}

/// A pool in the shape that the root reshapes it to.
fn reshaped(site: &Site<'_>, keep_dims: bool, found: &mut Found<'_>) {
    for pool in site.inside(site.root.children[0]) {
        if matches!(pool.op(), Some(Op::GlobalAveragePool(pool)) if pool.keep_dims != keep_dims) {
            let pooled = Op::GlobalAveragePool(GlobalAveragePool { keep_dims });
            found.equal(&[pool, site.root], Term::default(), ENode::layer(pooled, &pool.children));
        }
    }
}

fn mean_to_pool(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Reduce(reduce)) = site.root.op() else { return };
    let is_map = site.shape(site.root.children[0]).is_some_and(|shape| shape.rank() == 3);
    if is_map && reduce.kind == ReduceKind::Mean && reduce.axes[..] == [0, 1] {
        let pool = Op::GlobalAveragePool(GlobalAveragePool { keep_dims: reduce.keep_dims });
        found.equal(&[site.root], Term::default(), ENode::layer(pool, &site.root.children));
    }
}

fn window_to_pool(site: &Site<'_>, found: &mut Found<'_>) {
    let Some(Op::Pool(pool)) = site.root.op() else { return };
    let PoolKind::Average { counted } = pool.kind else { return };
    let Some([height, width, _]) = site.shape(site.root.children[0]).and_then(frit_ir::Shape::map) else {
        return;
    };
    let is_one = site.shape(site.class).is_some_and(|shape| shape.axes()[..2] == [1, 1]);
    let has_all = |axis: usize, length: usize| {
        let inside = pool.counted(axis, 0, length, &Padding::default());
        inside == length && pool.counted(axis, 0, length, &counted) == length
    };
    if is_one && has_all(0, height) && has_all(1, width) {
        let pool = Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true });
        found.equal(&[site.root], Term::default(), ENode::layer(pool, &site.root.children));
    }
}

fn drop_pool(site: &Site<'_>, found: &mut Found<'_>) {
    if let Some(Op::Pool(Pool { kernel: [1, 1], stride: [1, 1], padding, .. })) = site.root.op()
        && *padding == Padding::default()
    {
        found.same(&[site.root], site.root.children[0]);
    }
}

#[cfg(test)]
mod tests;
