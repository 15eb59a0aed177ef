//! Single layers of random shapes: compiled in every way that this CPU has, they agree with the interpreter.

use frit_compiler::schedule::ways;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{
    Activation, ArgMax, BatchNorm, Binary, Concat, Constant, Conv2d, Conv2dTranspose, Coordinates, Dense,
    Epilogue, GlobalAveragePool, Input, Interpolation, Pad, Padding, Pool, PoolKind, Prelu, Reduce,
    ReduceKind, Resize, Scalar, Slice, Softmax, Span, SqueezeExcite, Transpose,
};
use frit_ir::random::{self, BlockSizes};
use frit_ir::{Graph, Op, Shape};
use frit_tests::cases;
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
        function().prop_filter("errors stay small behind it", |function| !is_steep(function)).prop_map(Some),
        Just(Some(Activation::Clip { low: Scalar::new(-0.5), high: Scalar::new(1.5) })),
    ]
}

/// Whether what is a small error before it may be a large one, or no number, behind it.
fn is_steep(activation: &Activation) -> bool {
    matches!(activation, Activation::Exp | Activation::Log | Activation::Sqrt)
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

/// A window whose taps are loops, and a map in which it has a few places at most; often larger than that.
fn large_window() -> impl Strategy<Value = ([usize; 2], Pool)> {
    let kernel = prop::sample::select(vec![[33, 33], [17, 3], [1, 40], [40, 1], [12, 12], [64, 20]]);
    let steps = ([1usize..=3, 1..=40], [1usize..=2, 1..=2]);
    let around = ([0usize..=70, 0..=40, 0..=40, 0..=40], any::<bool>());
    let kind = prop_oneof![Just(None), Just(Some(false)), Just(Some(true))];
    (kernel, steps, around, [0usize..=2, 0..=2], kind).prop_map(|(kernel, steps, around, places, kind)| {
        let ((stride, dilation), ([top, bottom, left, right], is_padded)) = (steps, around);
        let padding = if is_padded { Padding { top, bottom, left, right } } else { Padding::default() };
        let size = [0, 1].map(|axis| {
            let reach = (kernel[axis] - 1) * dilation[axis] + 1 + places[axis];
            reach.saturating_sub(padding.along(axis).iter().sum()).max(1)
        });
        let counted = |all: bool| if all { padding } else { Padding::default() };
        let kind = kind.map_or(PoolKind::Max, |all| PoolKind::Average { counted: counted(all) });
        (size, Pool { kind, kernel, stride, padding, dilation })
    })
}

/// Every function of each element.
fn function() -> impl Strategy<Value = Activation> {
    let number = |value| Scalar::new(value);
    let with_parameters = [
        Activation::LeakyRelu { slope: number(0.1), threshold: number(0.0) },
        Activation::LeakyRelu { slope: number(-2.0), threshold: number(0.5) },
        Activation::Elu { alpha: number(0.7) },
        Activation::Rescale { scale: number(1.0 / 127.5), offset: number(-1.0) },
    ];
    prop::sample::select([&Activation::BY_NAME[..], &with_parameters].concat())
}

/// Axes of a tensor of up to five, and for each whether an operand is repeated along it; the operand has no more axes than
/// the last of these.
fn repetition() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
    let axis = (prop_oneof![1usize..=4, Just(19)], any::<bool>());
    (prop::collection::vec(axis, 0..=5), 0usize..=5).prop_filter_map("it is small", |(axes, rank)| {
        let full: Vec<usize> = axes.iter().map(|&(length, _)| length).collect();
        let other = axes.iter().map(|&(length, repeats)| if repeats { 1 } else { length });
        let other: Vec<usize> = other.skip(full.len().saturating_sub(rank)).collect();
        (full.iter().product::<usize>() <= 8_000).then_some((full, other))
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
    agree_for_all_targets(graph, None, &inputs).map_err(TestCaseError::fail)
}

/// The convolution with the window of `pool`, depthwise where there are as many groups as channels.
fn of_window(pool: &Pool, groups: usize, filters: usize, activation: Option<Activation>) -> Op {
    let Pool { kernel, stride, padding, dilation, .. } = *pool;
    let epilogue = Epilogue { bias: true, activation, ..Epilogue::default() };
    let (gate, prologue) = (false, None);
    Op::Conv2d(Conv2d { filters, kernel, stride, padding, dilation, groups, gate, prologue, epilogue })
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_pool_over_large_windows_agrees(([height, width], pool) in large_window(), channels in 1usize..=20, seed: u64) {
        check(&one(&[height, width, channels], Op::Pool(pool), seed), seed)?;
    }

    #[test]
    fn a_convolution_with_a_large_window_agrees(
        ([height, width], pool) in large_window(), channels in 1usize..=3, filters in 1usize..=12,
        activation in activation(), seed: u64,
    ) {
        check(&one(&[height, width, channels], of_window(&pool, 1, filters, activation), seed), seed)?;
    }

    #[test]
    fn a_depthwise_convolution_with_a_large_window_agrees_behind_a_clamp(
        ([height, width], pool) in large_window(), channels in 2usize..=20, activation in activation(), seed: u64,
    ) {
        let mut network = Network::new(seed);
        let image = network.input(&[height, width, channels]);
        let clip = Activation::Clip { low: Scalar::new(0.25), high: Scalar::new(1.5) };
        let clamped = network.layer("clamped", Op::Activation(clip), &[image]);
        let depthwise = network.layer("depthwise", of_window(&pool, channels, channels, activation), &[clamped]);
        let both = network.finish(&[clamped, depthwise]);
        check(&both, seed)?;
    }
}

const BLOCKS: BlockSizes = BlockSizes { size: 40, channels: 100 };

proptest! {
    #![proptest_config(cases(48))]

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
        axes in [1usize..=20, 1..=20, 1..=70], function in function(), seed: u64,
    ) {
        let norm = BatchNorm { epsilon: Scalar::new(1e-3), scale: seed % 2 == 0, center: seed % 3 == 0 };
        check(&one(&axes, Op::BatchNorm(norm), seed), seed)?;
        check(&one(&axes, Op::Activation(function), seed), seed)?;
    }

    #[test]
    fn a_join_agrees_whatever_is_repeated(
        (full, other) in repetition(), binary in prop::sample::select(&Binary::ALL[..]), swaps: bool, seed: u64,
    ) {
        let mut network = Network::new(seed);
        let image = network.input(&full);
        // Neither zeros to divide by nor powers of negative numbers, which are none.
        let positive = network.layer("positive", Op::Activation(Activation::Softplus), &[image]);
        let shape = Shape::new(&other);
        let constant = network.layer("constant", Op::Constant(Constant { shape: shape.clone() }), &[]);
        let weight = network.layer("weight", Op::Activation(Activation::Softplus), &[constant]);
        let operands = if swaps { [weight, positive] } else { [positive, weight] };
        let joined = network.layer("joined", Op::Binary(binary), &operands);
        let direct = network.layer("direct", Op::Binary(Binary::Sub), &[image, constant]);
        let slope = network.layer("slope", Op::Prelu(Prelu { slope: shape }), &[image]);
        check(&network.finish(&[joined, direct, slope]), seed)?;
    }

    #[test]
    fn a_transposed_convolution_agrees_with_the_interpreter(
        (height, width, channels, conv) in convolution(), output_padding in [0usize..=2, 0..=2], seed: u64,
    ) {
        let Conv2d { filters, kernel, stride, padding, dilation, groups, epilogue, .. } = conv;
        let transposed =
            Conv2dTranspose { filters, kernel, stride, padding, output_padding, dilation, groups, epilogue };
        let op = Op::Conv2dTranspose(transposed);
        let (height, width) = (height.min(9), width.min(9));
        prop_assume!(op.shape(&[Shape::new(&[height, width, channels])]).is_ok());
        check(&one(&[height, width, channels], op, seed), seed)?;
    }

    #[test]
    fn what_moves_elements_or_reduces_them_agrees(
        (full, _) in repetition(), bytes in prop::collection::vec(any::<u8>(), 12), seed: u64,
    ) {
        let mut network = Network::new(seed);
        let image = network.input(&full);
        let blocks = network.layer("blocks", Op::Activation(Activation::Relu), &[image]);
        let pick = |index: usize, below: usize| usize::from(bytes[index % bytes.len()]) % below;
        let mut left: Vec<usize> = (0..full.len()).collect();
        let axes = (0..full.len()).map(|index| left.remove(pick(index, left.len()))).collect();
        let spans = full.iter().enumerate().map(|(index, &length)| {
            let (start, step) = (pick(index, length), 1 + pick(index + 3, 3));
            Span { start, step, count: 1 + pick(index + 5, (length - 1 - start) / step + 1) }
        });
        let turned = network.layer("turned", Op::Transpose(Transpose { axes }), &[blocks]);
        let part = network.layer("part", Op::Slice(Slice { spans: spans.collect() }), &[blocks]);
        let softmax = network.layer("softmax", Op::Softmax(Softmax { log: true }), &[turned]);
        let mut outputs = vec![part, softmax];
        if !full.is_empty() {
            let axis = pick(7, full.len());
            let joined = Op::Concat(Concat { axis, inputs: 3 });
            outputs.push(network.layer("joined", joined, &[blocks, image, blocks]));
            let mut reduced: Vec<usize> = (0..full.len()).filter(|&axis| pick(axis + 2, 2) == 0).collect();
            if reduced.is_empty() {
                reduced.push(axis);
            }
            let kinds = [ReduceKind::Mean, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min];
            let (kind, keep_dims) = (kinds[pick(8, 4)], pick(9, 2) == 0);
            let reduce = Op::Reduce(Reduce { kind, axes: reduced.into(), keep_dims });
            outputs.push(network.layer("reduced", reduce, &[turned]));
            let last = pick(10, 2) == 0;
            outputs.push(network.layer("place", Op::ArgMax(ArgMax { keep_dims, last }), &[blocks]));
            outputs.push(network.layer("same", Op::Identity, &[outputs[0]]));
        }
        check(&network.finish(&outputs), seed)?;
    }

    #[test]
    fn a_resize_agrees_with_the_interpreter(
        axes in [1usize..=12, 1..=12, 1..=40], size in [1usize..=30, 1..=30],
        interpolation in prop::sample::select(&Interpolation::ALL[..]),
        coordinates in prop::sample::select(&Coordinates::ALL[..]), seed: u64,
    ) {
        let resize = Resize { size, scale: None, interpolation, coordinates };
        check(&one(&axes, Op::Resize(resize), seed), seed)?;
    }

    #[test]
    fn padding_agrees_with_the_interpreter(axes in [1usize..=20, 1..=20, 1..=70], padding in padding(), seed: u64) {
        let value = Scalar::new((seed % 5) as f32 - 2.0);
        check(&one(&axes, Op::Pad(Pad { padding, value }), seed), seed)?;
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
    #![proptest_config(cases(12))]

    #[test]
    fn a_block_agrees_in_whatever_way_it_goes_through_the_caches(
        graph in random::blocks(BLOCKS),
        way in prop::sample::select(&[None, Some(ways::BANDS), Some(ways::GROUPS)][..]),
        seed: u64,
    ) {
        let inputs = inputs(&graph, seed);
        agree_for_all_targets(&graph, way, &inputs).map_err(TestCaseError::fail)?;
    }
}

/// A 3×3 convolution at stride 1 that Winograd's algorithm may compute, with all that may stand behind it.
fn dense3x3() -> impl Strategy<Value = Graph> {
    let sizes = (1usize..12, 1usize..12, 1usize..20, 1usize..36);
    (sizes, 0usize..3, any::<[bool; 2]>()).prop_filter_map("a map", |(sizes, pad, [bias, adds])| {
        let (rows, columns, channels, filters) = sizes;
        let [height, width] = [rows, columns].map(|length| (length + 2 * pad).checked_sub(2));
        let (height, width) = (height.filter(|&rows| rows > 0)?, width.filter(|&columns| columns > 0)?);
        let (residual, add) = if adds { ("%r, ", ", add") } else { ("", "") };
        let (weights, with_bias) = if bias { (", @c.bias", ", bias") } else { ("", "") };
        let text = format!(
            "model dense3x3\n@c.bias : {filters} seeded(2)\n@c.kernel : 3x3x{channels}x{filters} seeded(1)\n\
             %x = input {{shape={rows}x{columns}x{channels}}}\n%r = input {{shape={height}x{width}x{filters}}}\n\
             %c = conv2d %x, {residual}@c.kernel{weights} {{filters={filters}, kernel=3x3, pad={pad}:{pad}:{pad}:{pad}{with_bias}, act=swish{add}}}\n\
             output %c, %r\n"
        );
        Some(frit_ir::text::parse(&text).unwrap_or_else(|fault| panic!("{text}{fault:?}")))
    })
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn winograds_algorithm_computes_what_the_interpreter_computes(graph in dense3x3(), seed: u64) {
        let inputs = inputs(&graph, seed);
        agree_for_all_targets(&graph, Some(ways::WINOGRAD), &inputs).map_err(TestCaseError::fail)?;
    }
}
