//! Pools and what follows them.

use frit_ir::Op;
use frit_ir::ops::GlobalAveragePool;

use super::Rule;
use crate::egraph::language::{ENode, Kind};
use crate::egraph::saturate::{Found, Site, Term};

/// `reshape(global_avg_pool(x) : 1x1xC) : C = global_avg_pool(x) : C`.
pub(super) const POOL_TO_VECTOR: Rule = Rule {
    name: "pool-to-vector",
    sound: "a global pool makes one element a channel in either shape, in the order of the channels",
    root: Kind::Reshape,
    find: pool_to_vector,
};

fn pool_to_vector(site: &Site<'_>, found: &mut Found<'_>) {
    if site.shape(site.class).is_none_or(|shape| shape.rank() != 1) {
        return;
    }
    for pool in site.inside(site.root.children[0]) {
        if let Some(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true })) = pool.op() {
            let vector = Op::GlobalAveragePool(GlobalAveragePool { keep_dims: false });
            found.equal(&[pool, site.root], Term::default(), ENode::layer(vector, &pool.children));
        }
    }
}

#[cfg(test)]
mod tests;
