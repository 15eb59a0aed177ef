//! Single layers of random shapes: compiled in every way that this CPU has, they agree with the interpreter.

use frit_compiler::plan::Way;
use frit_compiler::schedule::Ways;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{
    Activation, BatchNorm, Binary, Conv2d, Dense, Epilogue, GlobalAveragePool, Input, Pad, Padding, Scalar,
    Softmax, SqueezeExcite,
};
use frit_ir::random::{self, BlockSizes};
use frit_ir::{Graph, Op, Shape};
use frit_tests::compare::{agree, agree_for_all_targets, ways};
use frit_tests::networks::{Network, inputs};
use proptest::prelude::*;

fn padding() -> impl Strategy<Value = Padding> {
    [0usize..=3, 0..=3, 0..=3, 0..=3].prop_map(|[top, bottom, left, right]| Padding {
        top,
        bottom,
        left,
        right,
    })
}

fn activation() -> impl Strategy<Value = Option<Activation>> {
    prop_oneof![
        Just(None),
        prop::sample::select(Activation::BY_NAME.map(Some).to_vec()),
        Just(Some(Activation::Clip { low: Scalar::new(-0.5), high: Scalar::new(1.5) })),
    ]
}

/// Groups, input channels, filters: dense, grouped, and depthwise with a multiplier.
fn channels() -> impl Strategy<Value = (usize, usize, usize)> {
    prop_oneof![
        (1usize..=70, 1usize..=70).prop_map(|(inputs, filters)| (1, inputs, filters)),
        (2usize..=6, 1usize..=9, 1usize..=9)
            .prop_map(|(groups, inputs, filters)| { (groups, groups * inputs, groups * filters) }),
        (2usize..=70, 1usize..=3).prop_map(|(channels, multiplier)| (
            channels,
            channels,
            channels * multiplier
        )),
    ]
}

/// What follows the sums of one layer of squeeze and excite.
fn small() -> impl Strategy<Value = Small> {
    (any::<bool>(), activation()).prop_map(|(bias, activation)| Small { bias, activation })
}

/// A map large enough for its window, and a convolution over it.
fn convolution() -> impl Strategy<Value = (usize, usize, usize, Conv2d)> {
    let windows = ([1usize..=5, 1..=5], [1usize..=3, 1..=3], [1usize..=2, 1..=2], padding());
    let sizes = (1usize..=20, 1usize..=20, channels());
    (windows, sizes, any::<bool>(), activation()).prop_filter_map("the kernel must fit", |parts| {
        let (
            (kernel, stride, dilation, padding),
            (height, width, (groups, inputs, filters)),
            bias,
            activation,
        ) = parts;
        let epilogue = Epilogue { bias, activation, ..Epilogue::default() };
        let conv = Conv2d {
            filters,
            kernel,
            stride,
            padding,
            dilation,
            groups,
            gate: false,
            prologue: None,
            epilogue,
        };
        let reach = |axis: usize| (kernel[axis] - 1) * dilation[axis] + 1;
        let fits = reach(0) <= height + padding.top + padding.bottom
            && reach(1) <= width + padding.left + padding.right;
        fits.then_some((height, width, inputs, conv))
    })
}

fn one(axes: &[usize], op: Op, seed: u64) -> Graph {
    let mut network = Network::new(seed);
    let image = network.input(axes);
    let layer = network.layer("layer", op, &[image]);
    network.finish(&[layer])
}

fn check(graph: &Graph, seed: u64) -> Result<(), TestCaseError> {
    let inputs = inputs(graph, seed);
    agree(graph, &ways(), &inputs).map_err(TestCaseError::fail)?;
    agree_for_all_targets(graph, Ways::Auto, &inputs).map_err(TestCaseError::fail)
}

const BLOCKS: BlockSizes = BlockSizes { size: 40, channels: 100 };

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_convolution_agrees_with_the_interpreter((height, width, channels, conv) in convolution(), seed: u64) {
        check(&one(&[height, width, channels], Op::Conv2d(conv), seed), seed)?;
    }

    #[test]
    fn a_convolution_with_all_that_follows_it_agrees(
        (height, width, channels, conv) in convolution(), after in activation(), seed: u64,
    ) {
        let mut network = Network::new(seed);
        let image = network.input(&[height, width, channels]);
        let bare = Conv2d { epilogue: Epilogue::with_bias(conv.epilogue.bias), ..conv };
        let layer = network.layer("layer", Op::Conv2d(bare), &[image]);
        let shortcut = network.layer("shortcut", Op::Conv2d(bare), &[image]);
        let norm = BatchNorm { epsilon: Scalar::new(1e-3), scale: true, center: true };
        let mut main = network.layer("norm", Op::BatchNorm(norm), &[layer]);
        if let Some(activation) = conv.epilogue.activation {
            main = network.layer("act", Op::Activation(activation), &[main]);
        }
        let mut sum = network.layer("sum", Op::Binary(Binary::Add), &[main, shortcut]);
        if let Some(activation) = after {
            sum = network.layer("after", Op::Activation(activation), &[sum]);
        }
        check(&network.finish(&[sum]), seed)?;
    }

    #[test]
    fn a_dense_layer_agrees_with_the_interpreter(
        inputs in 1usize..=200, units in 1usize..=70, bias: bool, activation in activation(), seed: u64,
    ) {
        let epilogue = Epilogue { bias, activation, ..Epilogue::default() };
        check(&one(&[inputs], Op::Dense(Dense { units, epilogue }), seed), seed)?;
    }

    #[test]
    fn an_elementwise_layer_agrees_with_the_interpreter(
        axes in [1usize..=20, 1..=20, 1..=70], activation in activation(), seed: u64,
    ) {
        let norm = BatchNorm { epsilon: Scalar::new(1e-3), scale: seed % 2 == 0, center: seed % 3 == 0 };
        check(&one(&axes, Op::BatchNorm(norm), seed), seed)?;
        if let Some(activation) = activation {
            check(&one(&axes, Op::Activation(activation), seed), seed)?;
        }
    }

    #[test]
    fn padding_agrees_with_the_interpreter(axes in [1usize..=20, 1..=20, 1..=70], padding in padding(), seed: u64) {
        check(&one(&axes, Op::Pad(Pad::zeros(padding)), seed), seed)?;
    }

    #[test]
    fn a_global_average_agrees_with_the_interpreter(
        axes in [1usize..=20, 1..=20, 1..=70], keep_dims: bool, seed: u64,
    ) {
        check(&one(&axes, Op::GlobalAveragePool(GlobalAveragePool { keep_dims }), seed), seed)?;
    }

    #[test]
    fn squeeze_and_excite_agrees_with_the_interpreter(
        axes in [1usize..=20, 1..=20, 1..=70], squeezed in 1usize..=150, layers in [small(), small()], scales: bool,
        seed: u64,
    ) {
        let [reduce, expand] = layers;
        check(&one(&axes, Op::SqueezeExcite(SqueezeExcite { squeezed, reduce, expand, scales }), seed), seed)?;
    }

    #[test]
    fn a_gated_convolution_agrees_with_the_interpreter(
        (height, width, channels, conv) in convolution(), filters in 1usize..=70, means: bool, seed: u64,
    ) {
        let conv = Conv2d { filters, groups: 1, gate: true, ..conv };
        let mut network = Network::new(seed);
        let image = network.input(&[height, width, channels]);
        let gate = if means {
            network.layer("gate", Op::GlobalAveragePool(GlobalAveragePool { keep_dims: seed % 2 == 0 }), &[image])
        } else {
            network.layer("gate", Op::Input(Input { shape: Shape::new(&[channels]) }), &[])
        };
        let layer = network.layer("layer", Op::Conv2d(conv), &[image, gate]);
        check(&network.finish(&[layer]), seed)?;
    }

    #[test]
    fn a_softmax_agrees_with_the_interpreter(length in 1usize..=300, rows in 1usize..=5, seed: u64) {
        check(&one(&[length], Op::Softmax(Softmax::default()), seed), seed)?;
        check(&one(&[rows, rows, length], Op::Softmax(Softmax::default()), seed), seed)?;
    }
}

proptest! {
    // Blocks are large, and all targets take their time.
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_block_agrees_in_whatever_way_it_goes_through_the_caches(
        graph in random::blocks(BLOCKS),
        ways in prop::sample::select(&[Ways::Auto, Ways::All(Way::Bands), Ways::All(Way::Groups)][..]),
        seed: u64,
    ) {
        let inputs = inputs(&graph, seed);
        agree_for_all_targets(&graph, ways, &inputs).map_err(TestCaseError::fail)?;
    }
}
