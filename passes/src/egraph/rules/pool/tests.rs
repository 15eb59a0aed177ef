use frit_ir::ops::{Padding, Pool, PoolKind, Reduce, ReduceKind, Reshape};
use frit_ir::{Op, Shape};
use proptest::prelude::*;

use crate::testing::{Net, assert_equal, ops, optimised};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_pooled_pixel_made_a_vector_is_pooled_to_a_vector(
        (height, width, channels) in (1..5usize, 1..5usize, 1..9usize),
        flatten in any::<bool>(),
    ) {
        let mut net = Net::new(1);
        let x = net.input("x", &[height, width, channels]);
        let y = net.pool("pool", true, x);
        let reshape = if flatten { Reshape::Flatten } else { Reshape::To(Shape::new(&[channels])) };
        let y = net.reshape("flatten", reshape, y);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        prop_assert_eq!(ops(&graph), ["global_avg_pool"]);
        assert_equal(&source, &graph);
    }
}

/// A mean over windows without padding.
fn average(kernel: [usize; 2]) -> Pool {
    let kind = PoolKind::Average { counted: Padding::default() };
    Pool { kind, kernel, stride: [1, 1], padding: Padding::default(), dilation: [1, 1] }
}

fn reduce(kind: ReduceKind, axes: &[usize], keep_dims: bool) -> Op {
    Op::Reduce(Reduce { kind, axes: axes.iter().copied().collect(), keep_dims })
}

/// What is left of one layer over a map, and of a reshape to `then` behind it.
fn left(axes: &[usize], op: Op, then: Option<&[usize]>) -> Vec<String> {
    let mut net = Net::new(2);
    let x = net.input("x", axes);
    let mut y = net.add("layer", op, &[x]);
    if let Some(shape) = then {
        y = net.reshape("reshape", Reshape::To(Shape::new(shape)), y);
    }
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_equal(&source, &graph);
    ops(&graph)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn a_global_mean_in_any_spelling_is_a_global_pool(
        axes in [1..6usize, 1..6usize, 2..6usize],
        (keep_dims, by_window) in any::<(bool, bool)>(),
        to_vector in prop::option::of(any::<bool>()),
    ) {
        let op = match by_window {
            true => Op::Pool(average([axes[0], axes[1]])),
            false => reduce(ReduceKind::Mean, &[0, 1], keep_dims),
        };
        let (vector, pixel) = ([axes[2]], [1, 1, axes[2]]);
        let then = to_vector.map(|to_vector| if to_vector { &vector[..] } else { &pixel[..] });
        let left = left(&axes, op, then);
        // Of one pixel a window is the pixel.
        if axes[0] * axes[1] > 1 || !by_window {
            prop_assert_eq!(left, ["global_avg_pool"]);
        }
    }
}

/// A row of zeros above.
fn above() -> Padding {
    Padding { top: 1, ..Padding::default() }
}

#[test]
fn a_window_that_is_larger_than_the_map_is_a_global_pool_where_nothing_else_counts() {
    let pool = Pool { padding: above(), ..average([4, 4]) };
    assert_eq!(left(&[3, 4, 5], Op::Pool(pool), None), ["global_avg_pool"]);
}

#[test]
fn other_reductions_and_windows_are_no_global_pool() {
    for op in [
        reduce(ReduceKind::Max, &[0, 1], true),
        reduce(ReduceKind::Mean, &[0], true),
        reduce(ReduceKind::Mean, &[1, 2], true),
        reduce(ReduceKind::Mean, &[0, 1, 2], true),
        Op::Pool(average([3, 2])),
        Op::Pool(Pool { kind: PoolKind::Max, ..average([3, 4]) }),
        Op::Pool(Pool { kind: PoolKind::Average { counted: above() }, padding: above(), ..average([4, 4]) }),
        Op::Pool(Pool {
            padding: Padding { top: 1, bottom: 1, ..Padding::default() },
            stride: [3, 1],
            ..average([3, 4])
        }),
    ] {
        let left = left(&[3, 4, 5], op, None);
        assert!(left.len() == 1 && left[0] != "global_avg_pool", "{left:?}");
    }
    // Of a tensor of another rank it is the mean over other axes.
    assert_eq!(left(&[3, 4], reduce(ReduceKind::Mean, &[0, 1], false), None), ["reduce_mean"]);
}

#[test]
fn a_window_of_one_pixel_goes_unless_it_strides() {
    for kind in [PoolKind::Max, average([1, 1]).kind] {
        assert_eq!(left(&[3, 4, 5], Op::Pool(Pool { kind, ..average([1, 1]) }), None), ["reshape"]);
        let strided = Pool { kind, stride: [2, 1], ..average([1, 1]) };
        assert_eq!(left(&[3, 4, 5], Op::Pool(strided), None).len(), 1);
        assert_ne!(left(&[3, 4, 5], Op::Pool(strided), None), ["reshape"]);
    }
}

#[test]
fn a_pooled_pixel_of_another_rank_stays() {
    let mut net = Net::new(1);
    let x = net.input("x", &[3, 3, 4]);
    let y = net.pool("pool", true, x);
    let y = net.reshape("square", Reshape::To(Shape::new(&[2, 2])), y);
    let source = net.finish(&[y]);
    assert_eq!(ops(&optimised(&source).0), ["global_avg_pool", "reshape"]);
}

#[test]
fn a_pool_that_is_an_output_keeps_its_shape() {
    let mut net = Net::new(1);
    let x = net.input("x", &[3, 3, 4]);
    let pool = net.pool("pool", true, x);
    let y = net.reshape("flatten", Reshape::Flatten, pool);
    let source = net.finish(&[pool, y]);
    assert_eq!(ops(&optimised(&source).0), ["global_avg_pool", "reshape"]);
}
