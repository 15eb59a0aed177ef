use frit_ir::Shape;
use frit_ir::ops::Reshape;
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
