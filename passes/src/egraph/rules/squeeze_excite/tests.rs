use frit_ir::NodeId;
use frit_ir::ops::{
    Activation, Binary, Conv2d, Dense, Epilogue, Padding, Pool, PoolKind, Reduce, ReduceKind, Reshape,
};
use frit_ir::{Graph, Op, Shape};
use proptest::prelude::*;

use crate::testing::{Net, around, assert_equal, conv, ops, optimised};

/// The layers of squeeze and excite on `x`, of `channels` channels, and the product behind them.
struct Parts {
    pool: NodeId,
    reduced: NodeId,
    gate: NodeId,
    product: NodeId,
}

fn pointwise(filters: usize, bias: bool) -> Conv2d {
    Conv2d { epilogue: Epilogue::with_bias(bias), ..conv(filters, 1) }
}

fn squeeze(net: &mut Net, x: NodeId, channels: usize, squeezed: usize) -> Parts {
    let pool = net.pool("pool", true, x);
    let reduced = net.conv("reduce", pointwise(squeezed, true), pool);
    let reduced = net.activation("relu", Activation::Relu, reduced);
    let gate = net.conv("expand", pointwise(channels, true), reduced);
    let gate = net.activation("sigmoid", Activation::Sigmoid, gate);
    let product = net.add("mul", Op::Binary(Binary::Mul), &[x, gate]);
    Parts { pool, reduced, gate, product }
}

const SQUEEZE: &str = "squeeze_excite+global_avg_pool+conv2d+bias+relu+conv2d+bias+sigmoid";

fn scales(graph: &Graph) -> bool {
    ops(graph).iter().any(|op| op.starts_with("squeeze_excite") && op.ends_with("+mul"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn squeeze_and_excite_before_a_layer_changes_no_value(
        (height, width, channels) in (1..9usize, 1..9usize, 1..9usize),
        (squeezed, filters, kernel) in (1..5usize, 1..40usize, 1..3usize),
        (reduce, gate) in prop::sample::select(vec![
            (Activation::Relu, Activation::HardSigmoid),
            (Activation::Swish, Activation::Sigmoid),
            (Activation::HardSwish, Activation::Relu6),
        ]),
        (first, second, linear, added) in any::<(bool, bool, bool, bool)>(),
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &[height, width, channels]);
        let pool = net.pool("pool", true, x);
        let mut y = net.conv("reduce", pointwise(squeezed, first), pool);
        if !linear {
            y = net.activation("act", reduce, y);
        }
        let y = net.conv("expand", pointwise(channels, second), y);
        let y = net.activation("gate", gate, y);
        let y = net.add("mul", Op::Binary(Binary::Mul), &[x, y]);
        let layer = Conv2d { padding: around(kernel - 1), ..conv(filters, kernel) };
        let mut y = net.conv("project", layer, y);
        y = net.batch_norm("norm", y);
        if added {
            let other = net.conv("other", Conv2d { padding: around(kernel - 1), ..conv(filters, kernel) }, x);
            y = net.sum("add", y, other);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        let left = ops(&graph);
        prop_assert!(left.iter().filter(|op| op.starts_with("squeeze_excite")).count() == 1, "{left:?}");
        prop_assert!(!left.iter().any(|op| ["mul", "global_avg_pool"].contains(&op.as_str())), "{left:?}");
        prop_assert!(rewriting.firings.contains_key("squeeze-excite"));
        assert_equal(&source, &graph);
        // The gate goes where it has fewer elements to multiply.
        if height * width != filters * kernel * kernel {
            prop_assert_eq!(scales(&graph), height * width < filters * kernel * kernel);
        }
    }
}

/// How a network may spell squeeze and excite.
#[derive(Debug, Clone, Copy)]
struct Spelling {
    /// Which pool.
    pool: usize,
    /// Whether each of the two layers is dense.
    dense: [bool; 2],
    /// Whether each is followed by a batch normalisation.
    normed: [bool; 2],
    /// Whether each has a bias.
    bias: [bool; 2],
    /// Which gate.
    gate: usize,
    /// Whether what a dense layer makes is turned before its activation.
    turned: [bool; 2],
    /// Whether the gate stays a vector, and whether the product has it first.
    vector: bool,
    swapped: bool,
}

fn spellings() -> impl Strategy<Value = Spelling> {
    let pairs = any::<([bool; 2], [bool; 2], [bool; 2], [bool; 2])>();
    (0..5usize, pairs, 0..3usize, any::<(bool, bool)>()).prop_map(
        |(pool, (dense, normed, bias, turned), gate, (vector, swapped))| Spelling {
            pool,
            dense,
            normed,
            bias,
            gate,
            turned,
            vector,
            swapped,
        },
    )
}

/// A hard sigmoid spelled out.
fn ramp(net: &mut Net, x: NodeId) -> NodeId {
    let three = net.constant("three", &[], &[3.0]);
    let y = net.binary("sum", Binary::Add, x, three);
    let y = net.activation("relu6", Activation::Relu6, y);
    let sixth = net.constant("sixth", &[], &[Activation::SIXTH.get()]);
    net.binary("gate", Binary::Mul, y, sixth)
}

/// `x` times its gate.
fn spelled(net: &mut Net, spelling: Spelling, x: NodeId, [height, width, channels]: [usize; 3]) -> NodeId {
    let mean = |keep_dims: bool| {
        Op::Reduce(Reduce { kind: ReduceKind::Mean, axes: [0, 1].into_iter().collect(), keep_dims })
    };
    let window = Pool {
        kind: PoolKind::Average { counted: Padding::default() },
        kernel: [height, width],
        stride: [1, 2],
        padding: Padding::default(),
        dilation: [1, 1],
    };
    let (pool, mut is_vector) = match spelling.pool {
        0 => (net.pool("pool", true, x), false),
        1 => (net.pool("pool", false, x), true),
        2 => (net.add("pool", mean(true), &[x]), false),
        3 => (net.add("pool", mean(false), &[x]), true),
        _ => (net.add("pool", Op::Pool(window), &[x]), false),
    };
    let mut y = pool;
    for (place, units) in [3, channels].into_iter().enumerate() {
        let dense = spelling.dense[place];
        if dense != is_vector {
            let inputs = [channels, 3][place];
            let to = if dense { Shape::new(&[inputs]) } else { Shape::new(&[1, 1, inputs]) };
            y = net.reshape(&format!("reshape{place}"), Reshape::To(to), y);
            is_vector = dense;
        }
        let epilogue = Epilogue::with_bias(spelling.bias[place]);
        let layer = match dense {
            true => Op::Dense(Dense { units, epilogue }),
            false => Op::Conv2d(Conv2d { epilogue, ..conv(units, 1) }),
        };
        y = net.add(&format!("layer{place}"), layer, &[y]);
        if spelling.normed[place] {
            y = net.batch_norm(&format!("norm{place}"), y);
        }
        let turned = dense && spelling.turned[place] && spelling.gate < 2;
        if turned {
            y = net.reshape(&format!("turned{place}"), Reshape::To(Shape::new(&[1, units, 1])), y);
        }
        y = match (place, spelling.gate) {
            (0, _) => net.activation("relu", Activation::Relu, y),
            (_, 0) => net.activation("gate", Activation::Sigmoid, y),
            (_, 1) => net.activation("gate", Activation::HardSigmoid, y),
            _ => ramp(net, y),
        };
        if turned {
            y = net.reshape(&format!("back{place}"), Reshape::Flatten, y);
        }
    }
    if is_vector != spelling.vector {
        let to = if spelling.vector { Shape::new(&[channels]) } else { Shape::new(&[1, 1, channels]) };
        y = net.reshape("gate_shape", Reshape::To(to), y);
    }
    let (first, second) = if spelling.swapped { (y, x) } else { (x, y) };
    net.binary("mul", Binary::Mul, first, second)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn squeeze_and_excite_in_any_spelling(
        spelling in spellings(),
        axes in [2..6usize, 2..6usize, 4..8usize],
        filters in 1..40usize,
        seed in any::<u64>(),
    ) {
        let mut net = Net::new(seed);
        let x = net.input("x", &axes);
        let y = spelled(&mut net, spelling, x, axes);
        let y = net.conv("project", conv(filters, 1), y);
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(rewriting.reached.is_none());
        let left = ops(&graph);
        prop_assert!(left.len() == 2 && left[0].starts_with("squeeze_excite"), "{:?}", left);
        // The gate goes where it has fewer elements to multiply; that of a dense layer scales the map where it is a vector.
        if axes[0] * axes[1] != filters && !(spelling.dense[1] && spelling.vector) {
            prop_assert_eq!(scales(&graph), axes[0] * axes[1] < filters);
        }
    }
}

#[test]
fn a_product_that_more_than_one_layer_reads_is_made_once_where_that_is_cheaper() {
    let mut net = Net::new(1);
    let x = net.input("x", &[3, 3, 4]);
    let Parts { product, .. } = squeeze(&mut net, x, 4, 2);
    let layers: Vec<NodeId> =
        (0..4).map(|index| net.conv(&format!("layer{index}"), conv(5, 1), product)).collect();
    let source = net.finish(&layers);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph).iter().filter(|op| op.starts_with("squeeze_excite")).count(), 1);
    assert!(scales(&graph));
    assert_equal(&source, &graph);
}

#[test]
fn an_output_or_another_reader_inside_keeps_what_it_needs() {
    for inside in 0..3 {
        let mut net = Net::new(2);
        let x = net.input("x", &[5, 5, 4]);
        let parts = squeeze(&mut net, x, 4, 2);
        let y = net.conv("project", conv(3, 1), parts.product);
        let kept = [parts.pool, parts.reduced, parts.gate][inside];
        let source = net.finish(&[y, kept]);
        let (graph, _) = optimised(&source);
        let names: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
        assert_eq!(names, ["project", ["pool", "relu", "sigmoid"][inside]]);
        assert_equal(&source, &graph);
        let fused = ops(&graph).iter().any(|op| op == SQUEEZE);
        assert_eq!(fused, inside == 2, "nothing is seen behind an output: {:?}", ops(&graph));
    }
}

#[test]
fn a_reader_of_the_squeezed_channels_is_served() {
    let mut net = Net::new(3);
    let x = net.input("x", &[5, 5, 4]);
    let parts = squeeze(&mut net, x, 4, 2);
    let y = net.conv("project", conv(3, 1), parts.product);
    let other = net.conv("other", conv(2, 1), parts.reduced);
    let source = net.finish(&[y, other]);
    let (graph, _) = optimised(&source);
    assert!(ops(&graph).iter().any(|op| op == "conv2d+bias+relu"));
    assert_equal(&source, &graph);
}

#[test]
fn what_is_no_gate_of_its_map_stays_apart() {
    // Another number of channels; a pool that gives a vector; a window; groups; another map's gate.
    let build = |change: &dyn Fn(&mut Net, NodeId) -> NodeId| {
        let mut net = Net::new(4);
        let x = net.input("x", &[4, 4, 4]);
        let y = change(&mut net, x);
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert_equal(&source, &graph);
        ops(&graph)
    };
    let none = |ops: Vec<String>| assert!(!ops.iter().any(|op| op.starts_with("squeeze_excite")), "{ops:?}");
    none(build(&|net, x| {
        let pool = net.pool("pool", true, x);
        let y = net.conv("reduce", conv(2, 1), pool);
        net.conv("expand", conv(5, 1), y)
    }));
    none(build(&|net, x| {
        let pool = net.pool("pool", false, x);
        let y = net.dense("reduce", 2, pool);
        let y = net.dense("expand", 4, y);
        // One number a row, and none a channel.
        let y = net.reshape("rows", Reshape::To(Shape::new(&[4, 1, 1])), y);
        net.add("mul", Op::Binary(Binary::Mul), &[x, y])
    }));
    none(build(&|net, x| {
        let pool = net.pool("pool", true, x);
        // The channels as two pixels of two.
        let pixels = net.reshape("pixels", Reshape::To(Shape::new(&[1, 2, 2])), pool);
        let y = net.conv("reduce", conv(2, 1), pixels);
        let y = net.reshape("flat", Reshape::Flatten, y);
        let y = net.dense("expand", 4, y);
        net.add("mul", Op::Binary(Binary::Mul), &[x, y])
    }));
    none(build(&|net, x| {
        let reduce = Reduce { kind: ReduceKind::Max, axes: [0, 1].into_iter().collect(), keep_dims: true };
        let pool = net.add("pool", Op::Reduce(reduce), &[x]);
        let y = net.conv("reduce", conv(2, 1), pool);
        let y = net.conv("expand", conv(4, 1), y);
        net.add("mul", Op::Binary(Binary::Mul), &[x, y])
    }));
    none(build(&|net, x| {
        let pool = net.pool("pool", true, x);
        let y = net.conv("reduce", Conv2d { padding: around(1), ..conv(2, 3) }, pool);
        let y = net.conv("expand", conv(4, 1), y);
        net.add("mul", Op::Binary(Binary::Mul), &[x, y])
    }));
    none(build(&|net, x| {
        let pool = net.pool("pool", true, x);
        let y = net.conv("reduce", Conv2d { groups: 2, ..conv(2, 1) }, pool);
        let y = net.conv("expand", conv(4, 1), y);
        net.add("mul", Op::Binary(Binary::Mul), &[x, y])
    }));
    let apart = build(&|net, x| {
        let other = net.conv("other", conv(4, 1), x);
        let pool = net.pool("pool", true, other);
        let y = net.conv("reduce", conv(2, 1), pool);
        let y = net.conv("expand", conv(4, 1), y);
        net.add("mul", Op::Binary(Binary::Mul), &[x, y])
    });
    assert!(apart.iter().any(|op| op == "mul"), "the gate of another map: {apart:?}");
}

#[test]
fn a_product_of_two_maps_or_before_groups_goes_into_no_layer() {
    for groups in [1, 2] {
        let mut net = Net::new(5);
        let x = net.input("x", &[4, 4, 4]);
        let other = if groups == 1 { net.input("y", &[4, 4, 4]) } else { net.input("y", &[4]) };
        let y = net.add("mul", Op::Binary(Binary::Mul), &[x, other]);
        let y = net.conv("conv", Conv2d { groups, ..conv(4, 1) }, y);
        let source = net.finish(&[y]);
        assert_eq!(ops(&optimised(&source).0), ["mul", "conv2d"]);
    }
}
