//! Layers without weights that join, cut and reduce maps, and what is computed in place for them: compiled in every way that
//! this CPU has and for every target, they agree with the interpreter.

use frit_ir::ops::{
    Activation, Binary, Concat, Conv2d, Epilogue, Padding, Pool, PoolKind, Reshape, Scalar, Slice, Span,
    Transpose,
};
use frit_ir::{Graph, NodeId, Op, Shape};
use frit_tests::cases;
use frit_tests::compare::{agree, agree_for_all_targets, ways};
use frit_tests::networks::{Network, conv, inputs};
use proptest::prelude::*;

fn check(graph: &Graph, seed: u64) -> Result<(), TestCaseError> {
    let inputs = inputs(graph, seed);
    agree(graph, &ways(), &inputs).map_err(TestCaseError::fail)?;
    agree_for_all_targets(graph, None, &inputs).map_err(TestCaseError::fail)
}

/// A window with its padding, a part of which a mean counts.
fn pool() -> impl Strategy<Value = Pool> {
    let windows = ([1usize..=5, 1..=5], [1usize..=3, 1..=3], [1usize..=2, 1..=2]);
    let sides = || [0usize..=2, 0..=2, 0..=2, 0..=2];
    (windows, sides(), sides(), any::<bool>()).prop_map(
        |((kernel, stride, dilation), pads, counts, is_max)| {
            let padding = |[top, bottom, left, right]: [usize; 4]| Padding { top, bottom, left, right };
            let counted = std::array::from_fn(|side| counts[side].min(pads[side]));
            // A window of nothing has no largest element.
            let whole = (0..2).all(|axis| kernel[axis] > 2 && dilation[axis] == 1);
            let is_max = is_max && (whole || pads == [0; 4]);
            let kind = if is_max { PoolKind::Max } else { PoolKind::Average { counted: padding(counted) } };
            Pool { kind, kernel, stride, padding: padding(pads), dilation }
        },
    )
}

/// What a branch of a concatenation is made of.
#[derive(Debug, Clone, Copy)]
enum Branch {
    Image,
    Conv(usize, Option<Activation>),
    Pool,
    /// The branch before once more.
    Again,
    /// All branches so far, joined.
    Joined,
    Slice(usize),
}

fn branch() -> impl Strategy<Value = Branch> {
    let filters = prop_oneof![Just(8usize), Just(16), Just(32), 1..40usize];
    prop_oneof![
        1 => Just(Branch::Image),
        4 => (filters, prop::option::of(Just(Activation::Relu))).prop_map(|(f, act)| Branch::Conv(f, act)),
        1 => Just(Branch::Pool),
        1 => Just(Branch::Again),
        1 => Just(Branch::Joined),
        1 => (0..100usize).prop_map(Branch::Slice),
    ]
}

/// Joins `branches` over an image; which of them other layers read, and which are outputs too, comes from `seed`.
fn joined(axes: [usize; 3], branches: &[Branch], seed: u64) -> Graph {
    let mut network = Network::new(seed);
    let image = network.input(&axes);
    let around = Padding { top: 1, bottom: 1, left: 1, right: 1 };
    let pool =
        Pool { kind: PoolKind::Max, kernel: [3; 2], stride: [1; 2], padding: around, dilation: [1; 2] };
    let mut made: Vec<NodeId> = vec![];
    for (index, branch) in branches.iter().enumerate() {
        let name = format!("b{index}");
        let last = made.last().copied().unwrap_or(image);
        made.push(match *branch {
            Branch::Image => image,
            Branch::Again => last,
            Branch::Conv(filters, activation) => {
                let epilogue = Epilogue { activation, ..Epilogue::with_bias(true) };
                network.layer(&name, Op::Conv2d(Conv2d { epilogue, ..conv(filters, 1) }), &[last])
            }
            Branch::Pool => network.layer(&name, Op::Pool(pool), &[last]),
            Branch::Joined if made.is_empty() => image,
            Branch::Joined => network.layer(&name, Op::Concat(Concat { axis: 2, inputs: made.len() }), &made),
            Branch::Slice(choice) => {
                let channels = network.graph.shapes().expect("they are known")[&last].channels();
                let start = choice % channels;
                let count = 1 + choice / 3 % (channels - start);
                let shape = Shape::new(&[axes[0], axes[1], channels]);
                network.layer(&name, Op::Slice(Slice::along(&shape, 2, start, count)), &[last])
            }
        });
    }
    let all = network.layer("join", Op::Concat(Concat { axis: 2, inputs: made.len() }), &made);
    let mut outputs = vec![network.layer("behind", Op::Conv2d(conv(9, 3)), &[all])];
    if seed.is_multiple_of(2) {
        outputs.push(all);
    }
    if seed.is_multiple_of(3) && made[0] != image {
        outputs.push(made[0]);
    }
    if seed.is_multiple_of(5) {
        outputs.push(network.layer("twice", Op::Binary(Binary::Add), &[all, all]));
    }
    network.finish(&outputs)
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn a_pool_agrees_with_the_interpreter(axes in [1usize..=20, 1..=20, 1..=40], pool in pool(), seed: u64) {
        let reach = |axis: usize| (pool.kernel[axis] - 1) * pool.dilation[axis] + 1;
        let fits = (0..2).all(|axis| reach(axis) <= axes[axis] + pool.padding.along(axis).iter().sum::<usize>());
        prop_assume!(fits);
        let mut network = Network::new(seed);
        let image = network.input(&axes);
        let layer = network.layer("pool", Op::Pool(pool), &[image]);
        check(&network.finish(&[layer]), seed)?;
    }

    #[test]
    fn a_concatenation_of_all_kinds_of_branches_agrees(
        axes in [1usize..=9, 1..=9, 1..=40],
        branches in prop::collection::vec(branch(), 1..6),
        seed: u64,
    ) {
        check(&joined(axes, &branches, seed), seed)?;
    }

    #[test]
    fn a_slice_agrees_with_the_interpreter(
        axes in [1usize..=12, 1..=12, 1..=60],
        cuts in [(0usize..60, 0usize..60, 1usize..=3), (0..60, 0..60, 1..=3), (0..60, 0..60, 1..=1)],
        whole in [any::<bool>(), any::<bool>(), any::<bool>()],
        seed: u64,
    ) {
        let span = |axis: usize| {
            let (length, (start, count, step)) = (axes[axis], cuts[axis]);
            if whole[axis] {
                return Span::all(length);
            }
            let start = start % length;
            Span { start, count: 1 + count % ((length - 1 - start) / step + 1), step }
        };
        let slice = Slice { spans: (0..3).map(span).collect() };
        let mut network = Network::new(seed);
        let image = network.input(&axes);
        let layer = network.layer("conv", Op::Conv2d(conv(axes[2], 1)), &[image]);
        let part = network.layer("slice", Op::Slice(slice.clone()), &[layer]);
        let flat = network.layer("flat", Op::Reshape(Reshape::Flatten), &[part]);
        let after = network.layer("behind", Op::Conv2d(conv(5, 3)), &[part]);
        let source = network.layer("of the image", Op::Slice(slice), &[image]);
        check(&network.finish(&[part, flat, after, source]), seed)?;
    }

    #[test]
    fn a_grouped_convolution_agrees_with_the_interpreter(
        (size, groups) in ([3usize..=20, 3..=20], 2usize..=33),
        (inputs, filters) in (prop::sample::select(vec![1usize, 2, 3, 4, 8, 16, 32]), prop::sample::select(vec![1usize, 2, 4, 8, 16, 32])),
        stride in 1usize..=2,
        seed: u64,
    ) {
        let groups = groups.min(128 / inputs.max(filters)).max(2);
        let layer = Conv2d { groups, stride: [stride; 2], ..conv(groups * filters, 3) };
        let mut network = Network::new(seed);
        let image = network.input(&[size[0], size[1], groups * inputs]);
        let y = network.layer("grouped", Op::Conv2d(layer), &[image]);
        check(&network.finish(&[y]), seed)?;
    }

    #[test]
    fn a_map_that_comes_channels_first_is_convolved_as_it_lies(
        axes in [1usize..=20, 5..=20, 5..=20],
        (kernel, stride) in (prop::sample::select(vec![1usize, 3, 5]), 1usize..=2),
        others in 0usize..=3,
        seed: u64,
    ) {
        let layer = Conv2d { stride: [stride; 2], ..conv(24, kernel) };
        let mut network = Network::new(seed);
        let image = network.input(&axes);
        let map = network.layer("map", Op::Transpose(Transpose { axes: vec![1, 2, 0].into() }), &[image]);
        let y = network.layer("stem", Op::Conv2d(layer), &[map]);
        let y = network.layer("depthwise", Op::Conv2d(Conv2d { groups: 24, ..conv(24, 3) }), &[y]);
        let mut outputs = vec![network.layer("pointwise", Op::Conv2d(conv(9, 1)), &[y])];
        if others & 1 == 1 {
            outputs.push(network.layer("beside", Op::Conv2d(conv(5, 1)), &[map]));
        }
        if others & 2 == 2 {
            outputs.push(network.layer("of it", Op::Activation(Activation::Relu), &[map]));
        }
        check(&network.finish(&outputs), seed)?;
    }

    #[test]
    fn what_comes_before_a_convolution_agrees(
        axes in [3usize..=20, 3..=20, 2..=40],
        (kernel, zeros, stride, depthwise) in (prop::sample::select(vec![1usize, 3, 5, 7]), 0usize..=3, 1usize..=2, any::<bool>()),
        before in prop::sample::select(vec![
            Activation::Relu,
            Activation::Relu6,
            Activation::Clip { low: Scalar::new(-0.25), high: Scalar::new(f32::INFINITY) },
            Activation::Clip { low: Scalar::new(0.5), high: Scalar::new(1.0) },
            Activation::Clip { low: Scalar::new(f32::NEG_INFINITY), high: Scalar::new(0.5) },
            Activation::Swish,
        ]),
        seed: u64,
    ) {
        let [height, width, channels] = axes;
        prop_assume!(kernel <= height.min(width) + 2 * zeros);
        let padding = Padding { top: zeros, bottom: zeros, left: zeros, right: zeros };
        let (groups, filters) = if depthwise { (channels, channels) } else { (1, 7) };
        let layer = Conv2d { groups, stride: [stride; 2], padding, prologue: Some(before), ..conv(filters, kernel) };
        let mut network = Network::new(seed);
        let image = network.input(&axes);
        let y = network.layer("layer", Op::Conv2d(layer), &[image]);
        let y = network.layer("pointwise", Op::Conv2d(conv(9, 1)), &[y]);
        check(&network.finish(&[y]), seed)?;
    }
}

#[test]
fn a_largest_element_is_nan_wherever_there_is_one() {
    let mut network = Network::new(1);
    let image = network.input(&[5, 6, 9]);
    let pool = Pool {
        kind: PoolKind::Max,
        kernel: [3; 2],
        stride: [1; 2],
        padding: Padding { top: 1, bottom: 1, left: 1, right: 1 },
        dilation: [1; 2],
    };
    let y = network.layer("pool", Op::Pool(pool), &[image]);
    let graph = network.finish(&[y]);
    let input: Vec<f32> = (0..5 * 6 * 9).map(|at| if at == 100 { f32::NAN } else { -(at as f32) }).collect();
    let tensor = frit_ir::Tensor::from_shape_vec(vec![5, 6, 9], input.clone()).unwrap();
    let expected = frit_ir::interpret::run(&graph, &[tensor]).unwrap();
    for way in ways() {
        let model = frit_tests::compare::model(&graph, way).unwrap();
        let found = frit_tests::compare::run(&model, 1, std::slice::from_ref(&input)).unwrap();
        let same = |(a, b): (&f32, &f32)| a == b || (a.is_nan() && b.is_nan());
        assert!(expected[0].iter().zip(&found[0]).all(same), "{way:?}");
    }
}

/// One pixel of whole blocks lies as when it is dense, but for a view into a larger map, whose blocks lie apart.
#[test]
fn a_view_of_one_pixel_is_read_where_its_blocks_lie() {
    let mut network = Network::new(1);
    let image = network.input(&[3, 1, 64]);
    let map = network.layer("map", Op::Activation(Activation::Relu), &[image]);
    let middle = Op::Slice(Slice::along(&Shape::new(&[3, 1, 64]), 0, 1, 1));
    let pixel = network.layer("pixel", middle, &[map]);
    let turned = network.layer("turned", Op::Transpose(Transpose { axes: vec![2, 0, 1].into() }), &[pixel]);
    let square = network.layer("square", Op::Reshape(Reshape::To(Shape::new(&[8, 8]))), &[pixel]);
    let summed = network.layer("summed", Op::Activation(Activation::Tanh), &[square]);
    let graph = network.finish(&[turned, summed]);
    check(&graph, 1).unwrap_or_else(|error| panic!("{error}"));
}
