//! Every kind of kernel that the schedule makes, in one network, run call by call on the processor.

use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{
    Activation, ArgMax, BatchNorm, Binary, Concat, Conv2d, Conv2dTranspose, Coordinates, Dense, Epilogue,
    GlobalAveragePool, Input, Interpolation, Pad, Padding, Prelu, Reduce, ReduceKind, Resize, Scalar,
    Softmax, SqueezeExcite, Transpose,
};
use frit_ir::random::{self, BlockSizes};
use frit_ir::weights::Data;
use frit_ir::{Graph, Node, NodeId, Op, Provenance, Shape, Tensor, Weight};
use proptest::prelude::*;

use super::super::lower;
use super::{difference, processor};
use crate::import::{Source, json};
use crate::machine::{Level, Machine};
use crate::plan::{self, Plan};
use crate::schedule::{schedule, ways};
use crate::vector::interpret;
use crate::{Options, zoo};

/// A graph under construction, with the shapes of its nodes and seeded weights.
struct Network {
    graph: Graph,
    shapes: Vec<(NodeId, Shape)>,
}

impl Network {
    fn add(&mut self, name: &str, op: impl Into<Layer>, operands: &[NodeId]) -> NodeId {
        let Layer(op) = op.into();
        let of =
            |id: &NodeId| self.shapes.iter().find(|(node, _)| node == id).expect("added before").1.clone();
        let shapes: Vec<Shape> = operands.iter().map(of).collect();
        let mut weights = Vec::new();
        for role in op.weight_roles(&shapes) {
            let weight = format!("{name}.{}", role.role);
            self.graph.weights.insert(&weight, Weight::new(role.shape, Data::Seeded(5)));
            weights.push(weight);
        }
        let shape = op.shape(&shapes).expect("the network is legal");
        let node = Node { name: name.into(), op, weights, sources: Provenance::source(name) };
        let id = self.graph.add(node, operands);
        self.shapes.push((id, shape));
        id
    }
}

struct Layer(Op);

macro_rules! layers {
    ($($kind:ident($attributes:ty)),+) => {
        $(impl From<$attributes> for Layer {
            fn from(attributes: $attributes) -> Layer {
                Layer(Op::$kind(attributes))
            }
        })+
    };
}

layers! {
    Input(Input), Conv2d(Conv2d), Conv2dTranspose(Conv2dTranspose), Concat(Concat), Prelu(Prelu), Reduce(Reduce),
    Resize(Resize), ArgMax(ArgMax), Transpose(Transpose), BatchNorm(BatchNorm), Activation(Activation), Binary(Binary), Pad(Pad),
    GlobalAveragePool(GlobalAveragePool), Dense(Dense), Softmax(Softmax), SqueezeExcite(SqueezeExcite)
}

fn conv(filters: usize, kernel: usize, zeros: usize) -> Conv2d {
    Conv2d {
        filters,
        kernel: [kernel; 2],
        stride: [1; 2],
        padding: Padding { top: zeros, bottom: zeros, left: zeros, right: zeros },
        dilation: [1; 2],
        groups: 1,
        gate: false,
        prologue: None,
        epilogue: Epilogue::with_bias(true),
    }
}

/// Channels that fill no whole number of vectors, borders on one side only, and each layer that has a kernel.
fn network() -> Graph {
    let mut net = Network { graph: Graph::new("every_kernel"), shapes: Vec::new() };
    let after = Padding { bottom: 1, right: 1, ..Padding::default() };
    let mut x = net.add("input", Input { shape: Shape::new(&[13, 11, 3]) }, &[]);
    x = net.add("stem", Conv2d { stride: [2; 2], padding: after, ..conv(24, 3, 0) }, &[x]);
    x = net.add("norm", BatchNorm { epsilon: Scalar::new(1e-3), scale: true, center: true }, &[x]);
    x = net.add("relu6", Activation::Relu6, &[x]);
    let clipped = Epilogue { activation: Some(Activation::Relu6), ..Epilogue::with_bias(true) };
    x = net.add("expand", Conv2d { epilogue: clipped, ..conv(40, 1, 0) }, &[x]);
    let bent = |activation| Epilogue { activation: Some(activation), ..clipped };
    x = net.add("pad", Pad::zeros(Padding { top: 1, left: 1, ..after }), &[x]);
    let by_channel = Conv2d { groups: 40, epilogue: clipped, ..conv(40, 3, 0) };
    x = net.add("depthwise", Conv2d { stride: [2; 2], ..by_channel }, &[x]);
    let wide = net.add(
        "wide_depthwise",
        Conv2d { groups: 40, epilogue: bent(Activation::Swish), ..conv(40, 5, 2) },
        &[x],
    );
    let grouped = Conv2d { groups: 5, epilogue: bent(Activation::Sigmoid), ..conv(40, 3, 1) };
    let grouped = net.add("grouped", grouped, &[wide]);
    let sum = net.add("add", Binary::Add, &[wide, grouped]);
    let sum = net.add("swish", Conv2d { epilogue: bent(Activation::Swish), ..conv(40, 1, 0) }, &[sum]);
    let sum = net.add("hard_swish", Activation::HardSwish, &[sum]);
    let residual =
        Epilogue { residual: true, activation_after: Some(Activation::Relu), ..Epilogue::with_bias(true) };
    let joined = net.add("residual", Conv2d { epilogue: residual, ..conv(40, 1, 0) }, &[sum, x]);
    x = net.add("hard_sigmoid", Activation::HardSigmoid, &[joined]);
    let squeeze = SqueezeExcite {
        squeezed: 11,
        reduce: Small { bias: true, activation: Some(Activation::Swish) },
        expand: Small { bias: true, activation: Some(Activation::Sigmoid) },
        scales: false,
    };
    let gate = net.add("gate", squeeze, &[wide]);
    x = net.add("gated", Conv2d { gate: true, ..conv(40, 1, 0) }, &[x, gate]);
    x = net.add("scaled", SqueezeExcite { scales: true, ..squeeze }, &[x]);
    x = net.add("mean", GlobalAveragePool { keep_dims: false }, &[x]);
    x = net.add("classes", Dense { units: 37, epilogue: Epilogue::with_bias(true) }, &[x]);
    x = net.add("softmax", Softmax::default(), &[x]);
    net.graph.add_output(x);
    net.graph.add_output(joined);
    others(&mut net, joined);
    net.graph
}

/// An output for each kernel that few networks have, on the map `x`.
fn others(net: &mut Network, x: NodeId) {
    let mut outputs: Vec<NodeId> = Activation::BY_NAME
        .map(|activation| net.add(&format!("only_{}", activation.name()), activation, &[x]))
        .to_vec();
    outputs.extend(
        Binary::ALL.map(|binary| net.add(&format!("only_{}", binary.name()), binary, &[x, outputs[0]])),
    );
    outputs.push(net.add("prelu", Prelu { slope: Shape::new(&[40]) }, &[x]));
    let Conv2d { filters, kernel, stride, padding, dilation, groups, epilogue, .. } = conv(7, 3, 1);
    let transposed = Conv2dTranspose {
        filters,
        kernel,
        stride: stride.map(|step| 2 * step),
        padding,
        output_padding: [1, 0],
        dilation,
        groups,
        epilogue,
    };
    outputs.push(net.add("transposed", transposed, &[x]));
    let resize = Resize {
        size: [5, 7],
        scale: None,
        interpolation: Interpolation::Bilinear,
        coordinates: Coordinates::HalfPixel,
    };
    outputs.push(net.add("resize", resize, &[x]));
    for kind in [ReduceKind::Mean, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min] {
        let reduce = Reduce { kind, axes: [1].as_slice().into(), keep_dims: true };
        outputs.push(net.add(&format!("{}_columns", reduce.kind.name()), reduce, &[x]));
        let reduce = Reduce { kind, axes: [0, 2].as_slice().into(), keep_dims: true };
        outputs.push(net.add(&format!("{}_others", reduce.kind.name()), reduce, &[x]));
    }
    outputs.push(net.add("arg_max", ArgMax { keep_dims: true, last: false }, &[x]));
    outputs.push(net.add("turned", Transpose { axes: [2, 0, 1].as_slice().into() }, &[x]));
    outputs.push(net.add("joined", Concat { axis: 2, inputs: 2 }, &[x, outputs[0]]));
    outputs.push(net.add("log_softmax", Softmax { log: true }, &[x]));
    outputs.into_iter().for_each(|output| net.graph.add_output(output));
}

/// Runs every call of two workers on the processor and in the interpreter, on memory of their own, and compares after each.
fn run(plan: &Plan, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
    let workers = 2;
    let mut memory = plan::interpret::memory(plan, inputs, workers);
    let mut expected = memory.clone();
    for launch in plan.steps.iter().flat_map(|step| plan::interpret::launches(plan, step, workers)) {
        let plan::interpret::Launch { kernel, arguments, items } = launch;
        let kernel = &plan.kernels[kernel];
        interpret::run(kernel, &mut expected, &arguments, items).unwrap();
        processor::run(&lower(kernel).unwrap(), &mut memory, &arguments, items);
        assert_eq!(difference(&expected, &memory), None, "{kernel}");
    }
    plan::interpret::outputs(plan, memory)
}

fn every_kernel_equals_the_interpreter(level: Level) {
    let plan = schedule(&network(), &Machine::of(level), None).unwrap();
    let elements: usize = plan.inputs[0].shape.iter().product();
    let inputs = [ramp(elements)];
    let outputs = run(&plan, &inputs);
    assert_eq!(difference(&plan::interpret::run(&plan, &inputs, 1).unwrap(), &outputs), None);
    let total: f32 = outputs[0].iter().sum();
    assert!((total - 1.0).abs() < 1e-4, "the classes' probabilities add up to {total}");
    assert!(outputs[1].iter().any(|&value| value > 0.0) && outputs[1].iter().all(|value| value.is_finite()));
}

/// The outputs of `plan` from machine code, run by `workers` on the processor.
fn processed(plan: &Plan, inputs: &[Vec<f32>], workers: usize) -> Vec<Vec<f32>> {
    let mut memory = plan::interpret::memory(plan, inputs, workers);
    let codes: Vec<Vec<u8>> = plan.kernels.iter().map(|kernel| lower(kernel).unwrap()).collect();
    let launches: Vec<plan::interpret::Launch> =
        plan.steps.iter().flat_map(|step| plan::interpret::launches(plan, step, workers)).collect();
    let call = |launch| {
        let plan::interpret::Launch { kernel, arguments, items }: &plan::interpret::Launch = launch;
        processor::Call { kernel: *kernel, arguments, items: *items }
    };
    let calls: Vec<processor::Call<'_>> = launches.iter().map(call).collect();
    processor::run_all(&codes, &calls, &mut memory);
    plan::interpret::outputs(plan, memory)
}

fn bits(outputs: &[Vec<f32>]) -> Vec<u32> {
    outputs.iter().flatten().map(|value| value.to_bits()).collect()
}

fn ramp(elements: usize) -> Vec<f32> {
    (0..elements).map(|index| ((index * 37 % 101) as f32 - 50.0) / 25.0).collect()
}

#[test]
fn mobilenet_v2_for_avx512_computes_what_the_interpreter_computes() {
    computes_for_avx512("mobilenet_v2");
}

#[test]
fn a_network_with_squeeze_and_excite_for_avx512_computes_what_the_interpreter_computes() {
    computes_for_avx512("mobilenet_v3_small");
}

/// A network of the zoo at a third of its width and 96×96 pixels, as it would run on a CPU with AVX-512.
fn computes_for_avx512(name: &str) {
    let options = zoo::ZooOptions { width: 0.35, resolution: Some(96), ..zoo::ZooOptions::default() };
    let text = zoo::description(name, &options).unwrap();
    let (graph, _) =
        json::read(&text, &Source { file: format!("{name}.json"), ..Source::default() }).unwrap();
    let options = Options { machine: Machine::of(Level::V4), ..Options::native() };
    let optimised = crate::optimise(graph.clone(), &options).unwrap();
    let plan = crate::schedule(&optimised.graph, &options).unwrap();
    let input = ramp(96 * 96 * 3);
    let first = processed(&plan, std::slice::from_ref(&input), 1);
    for workers in [2, 3] {
        assert_eq!(bits(&processed(&plan, std::slice::from_ref(&input), workers)), bits(&first));
    }
    let image = Tensor::from_shape_vec(vec![96, 96, 3], input.into_iter().map(f64::from).collect()).unwrap();
    let exact = frit_ir::interpret::run(&graph, &[image]).unwrap();
    let largest = exact[0].iter().fold(0.0f64, |largest, value| largest.max(value.abs()));
    for (exact, &found) in exact[0].iter().zip(&first[0]) {
        assert!((exact - f64::from(found)).abs() <= 1e-4 * largest, "{found} is not {exact}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn random_blocks_compute_what_their_vector_programs_mean(
        graph in random::blocks(BlockSizes { size: 16, channels: 40 }),
        level in prop::sample::select(&[Level::V3, Level::V4][..]),
        way in prop::sample::select(&[None, Some(ways::BANDS), Some(ways::GROUPS)][..]),
        workers in 1usize..=4,
    ) {
        let options = Options { machine: Machine::of(level), way, ..Options::native() };
        let plan = crate::schedule(&crate::optimise(graph, &options).unwrap().graph, &options).unwrap();
        let inputs = [ramp(plan.inputs[0].shape.iter().product())];
        let expected = plan::interpret::run(&plan, &inputs, 1).unwrap();
        prop_assert_eq!(bits(&processed(&plan, &inputs, workers)), bits(&expected));
    }

    #[test]
    fn random_networks_compute_what_their_vector_programs_mean(
        graph in random::fused_graphs(),
        level in prop::sample::select(&[Level::V3, Level::V4][..]),
        workers in 1usize..=3,
    ) {
        let plan = schedule(&graph, &Machine::of(level), None).unwrap();
        let inputs = [ramp(plan.inputs[0].shape.iter().product())];
        let expected = plan::interpret::run(&plan, &inputs, 1).unwrap();
        let (expected, found) = (expected, processed(&plan, &inputs, workers));
        prop_assert_eq!(difference(&expected, &found), None);
    }
}

#[test]
fn every_kernel_at_8_lanes_equals_the_interpreter() {
    every_kernel_equals_the_interpreter(Level::V3);
}

#[test]
fn every_kernel_at_16_lanes_equals_the_interpreter() {
    every_kernel_equals_the_interpreter(Level::V4);
}
