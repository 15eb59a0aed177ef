//! What the benches share: the network that they measure, and how long they do.

use frit_compiler::import::{Source, json};
use frit_compiler::zoo;
use frit_ir::{Graph, Op, Tensor};

/// The full-size MobileNetV2 of the zoo, with seeded weights.
///
/// # Panics
/// If the zoo has no such network, which is a fault of frit.
pub fn mobilenet_v2() -> Graph {
    network("mobilenet_v2")
}

/// A network of the zoo in full size, with seeded weights.
///
/// # Panics
/// If the zoo has no such network, or its description is wrong, which is a fault of frit.
pub fn network(name: &str) -> Graph {
    let text = zoo::description(name, &zoo::ZooOptions::default()).expect("the zoo has this network");
    let source = Source { file: format!("{name}.json"), ..Source::default() };
    json::read(&text, &source).expect("descriptions of the zoo are right").0
}

/// One image for `graph`, which has one input: a ramp between -1 and 1.
///
/// # Panics
/// If the graph has no input.
pub fn image(graph: &Graph) -> Tensor<f32> {
    let input = graph.inputs()[0];
    let Op::Input(input) = &graph.node(input).op else { unreachable!("inputs are inputs") };
    let mut value = 0u32;
    Tensor::from_shape_simple_fn(input.shape.axes().to_vec(), || {
        value = (value + 7_919) % 20_001;
        value as f32 / 10_000.0 - 1.0
    })
}
