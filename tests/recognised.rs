//! What frameworks spell out is recognised: their files give the kernels that frit's own networks have.

use std::collections::BTreeMap;
use std::path::Path;

use frit_compiler::import::{self, Request, Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_compiler::{Options, optimise};
use frit_ir::{Graph, Op};
use frit_tests::{manifest, root};

/// Files below the folder of models, and the network of the zoo that each is at another width.
const NETWORKS: [(&str, &str); 12] = [
    ("onnx/efficientnet_b0_narrow.dynamo.opset20.dynamic.onnx", "efficientnet_b0"),
    ("onnx/efficientnet_b0_narrow.legacy.opset17.onnx", "efficientnet_b0"),
    ("onnx/mnasnet0_5.legacy.opset17.onnx", "mnasnet_b1"),
    ("onnx/mobilenet_v2_035.dynamo.opset20.onnx", "mobilenet_v2"),
    ("onnx/mobilenet_v2_035.legacy.opset17.onnx", "mobilenet_v2"),
    ("onnx/mobilenet_v3_small.dynamo.opset20.onnx", "mobilenet_v3_small"),
    ("onnx/mobilenet_v3_small.legacy.opset17.dynamic.onnx", "mobilenet_v3_small"),
    ("onnx/mobilenet_v3_small_torchvision.legacy.opset17.onnx", "mobilenet_v3_small"),
    ("pretrained/mobilenet_v2_imagenet.keras", "mobilenet_v2"),
    ("pretrained/mobilenet_v2_imagenet.onnx", "mobilenet_v2"),
    ("seeds/s3_efficientnet_b0.keras", "efficientnet_b0"),
    ("seeds/s3_efficientnet_b0.onnx", "efficientnet_b0"),
];

/// Files of networks that spell out what they do, and how many kernels of each kind are left.
const SPELLED: [(&str, &[(&str, usize)]); 6] = [
    // Squeeze and excite of dense layers that are turned, and batch normalisations as arithmetic.
    ("seeds/s0_relu6.onnx", &[("avg_pool", 1), ("conv2d", 49), ("squeeze_excite", 8)]),
    ("seeds/s0_relu6.keras", &[("avg_pool", 1), ("conv2d", 49), ("resize", 1), ("squeeze_excite", 8)]),
    // Gates with two activations, behind the projection, so that sums of them stay.
    (
        "seeds/s3_mobilenet_v3_operators.keras",
        &[("add", 5), ("conv2d", 50), ("global_avg_pool", 1), ("squeeze_excite", 8)],
    ),
    // Grouped convolutions of slices.
    ("seeds/s4_split.keras", &[("conv2d", 24), ("global_avg_pool", 1), ("max_pool", 1)]),
    ("seeds/s4_slices.onnx", &[("conv2d", 24), ("global_avg_pool", 1), ("max_pool", 1)]),
    // Convolutions that all read one slice.
    ("seeds/s4_lambda.onnx", &[("conv2d", 24), ("global_avg_pool", 1), ("max_pool", 1), ("slice", 6)]),
];

/// The kernels of a network by kind, fused. A dense layer is a convolution of one pixel; where elements lie, and a softmax
/// at the end, is not the network's.
fn kernels(graph: Graph) -> BTreeMap<&'static str, usize> {
    let optimised = optimise(graph, &Options::native()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let mut count = BTreeMap::new();
    for id in optimised.graph.ids() {
        match &optimised.graph.node(id).op {
            Op::Input(_) | Op::Reshape(_) | Op::Transpose(_) | Op::Concat(_) | Op::Softmax(_) => {}
            Op::Dense(_) => *count.entry("conv2d").or_default() += 1,
            op => *count.entry(op.name()).or_default() += 1,
        }
    }
    count
}

fn read(path: &Path) -> Graph {
    let (graph, _) = import::load(path, &Request::default())
        .unwrap_or_else(|faults| panic!("{}: {faults:?}", path.display()));
    graph
}

fn zoo(name: &str) -> Graph {
    let text = zoo::description(name, &ZooOptions::default()).unwrap_or_else(|faults| panic!("{faults:?}"));
    json::read(&text, &Source::default()).unwrap_or_else(|faults| panic!("{faults:?}")).0
}

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn networks_of_frameworks_have_the_kernels_of_the_zoo() {
    for (file, name) in NETWORKS {
        assert_eq!(kernels(read(&manifest::folder(file))), kernels(zoo(name)), "{file}");
    }
}

#[test]
#[cfg_attr(not(frit_models), ignore = "set FRIT_MODELS to a folder of models")]
fn nothing_that_is_spelled_out_stays_alone() {
    for (file, expected) in SPELLED {
        assert_eq!(kernels(read(&manifest::folder(file))), expected.iter().copied().collect(), "{file}");
    }
}

/// What needs no folder of models: a description of which every layer is written down, and a bottleneck whose batch
/// normalisations are arithmetic.
#[test]
fn small_networks_have_the_kernels_that_they_should() {
    let network = read(&root().join("examples/mobilenet_v2/model.json"));
    assert_eq!(kernels(network), kernels(zoo("mobilenet_v2")));
    let bottleneck = read(&root().join("tests/goldens/seeds/s3_mobilenet_v3_bottleneck.onnx"));
    let expected = [("conv2d", 6), ("global_avg_pool", 1), ("hard_sigmoid", 1), ("mul", 1), ("relu", 2)];
    assert_eq!(kernels(bottleneck), BTreeMap::from(expected));
}
