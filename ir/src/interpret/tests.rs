//! Each op against values computed by hand.

use super::*;
use crate::ops::{
    BatchNorm, Binary, Conv2d, Dense, GlobalAveragePool, Input, Padding, Reshape, Scalar, Softmax,
};
use crate::weights::{Data, Weight};
use crate::{Node, Provenance};

fn add(graph: &mut Graph, op: Op, inputs: &[NodeId], weights: &[(&[usize], &[f32])]) -> NodeId {
    let name = format!("n{}", graph.len());
    let mut names = Vec::new();
    for (index, (shape, values)) in weights.iter().enumerate() {
        let weight = format!("{name}.{index}");
        graph.weights.insert(&weight, Weight::new(Shape::new(shape), Data::Values((*values).into())));
        names.push(weight);
    }
    graph.add(Node { sources: Provenance::source(&name), name, op, weights: names }, inputs)
}

/// The value of `op` on an input of `shape` that counts from 1.
fn value(shape: &[usize], op: Op, weights: &[(&[usize], &[f32])]) -> Vec<f64> {
    let mut graph = Graph::new("test");
    let input = add(&mut graph, Op::Input(Input { shape: Shape::new(shape) }), &[], &[]);
    let output = add(&mut graph, op, &[input], weights);
    graph.add_output(output);
    let count: usize = shape.iter().product();
    let image = Tensor::from_shape_vec(shape, (1..=count).map(|v| v as f64).collect()).unwrap();
    run(&graph, &[image]).unwrap().remove(0).into_raw_vec_and_offset().0
}

fn conv(filters: usize, kernel: [usize; 2], groups: usize) -> Conv2d {
    Conv2d {
        filters,
        kernel,
        stride: [1, 1],
        padding: Padding::default(),
        dilation: [1, 1],
        groups,
        gate: false,
        prologue: None,
        epilogue: Epilogue::default(),
    }
}

#[test]
fn a_convolution_slides_its_kernel_without_turning_it() {
    let op = Op::Conv2d(conv(1, [2, 2], 1));
    // 1 2 3 / 4 5 6 / 7 8 9 under 1 2 / 3 4
    assert_eq!(value(&[3, 3, 1], op, &[(&[2, 2, 1, 1], &[1., 2., 3., 4.])]), [37., 47., 67., 77.]);
}

#[test]
fn padding_is_zeros_on_the_side_it_says() {
    let padding = Padding { top: 0, bottom: 1, left: 1, right: 0 };
    let op = Op::Conv2d(Conv2d { padding, ..conv(1, [2, 2], 1) });
    assert_eq!(value(&[2, 2, 1], op, &[(&[2, 2, 1, 1], &[1., 2., 3., 4.])]), [14., 30., 6., 11.]);
}

#[test]
fn stride_and_dilation_count_pixels() {
    let op = Op::Conv2d(Conv2d { stride: [1, 2], dilation: [1, 2], ..conv(1, [1, 2], 1) });
    assert_eq!(value(&[1, 5, 1], op, &[(&[1, 2, 1, 1], &[1., 10.])]), [31., 53.]);
}

#[test]
fn groups_see_their_own_channels_only() {
    let op = Op::Conv2d(conv(4, [1, 1], 2));
    let kernel = [1., 2., 3., 4., 10., 20., 30., 40.];
    // Inputs 1 2 | 3 4: filters 0 and 1 see the first pair, 2 and 3 the second.
    assert_eq!(value(&[1, 1, 4], op, &[(&[1, 1, 2, 4], &kernel)]), [21., 42., 129., 172.]);
}

#[test]
fn an_epilogue_is_bias_then_activation_then_residual_then_activation() {
    let mut graph = Graph::new("test");
    let input = add(&mut graph, Op::Input(Input { shape: Shape::new(&[1, 1, 1]) }), &[], &[]);
    let epilogue = Epilogue {
        bias: true,
        activation: Some(Activation::Relu),
        residual: true,
        activation_after: Some(Activation::Clip { low: Scalar::new(0.0), high: Scalar::new(2.5) }),
    };
    let op = Op::Conv2d(Conv2d { epilogue, ..conv(1, [1, 1], 1) });
    let weights: [(&[usize], &[f32]); 2] = [(&[1, 1, 1, 1], &[-1.0]), (&[1], &[0.5])];
    let output = add(&mut graph, op, &[input, input], &weights);
    graph.add_output(output);
    let at = |x: f64| run(&graph, &[Tensor::from_elem(vec![1, 1, 1], x)]).unwrap()[0][[0, 0, 0]];
    assert_eq!((at(2.0), at(3.0), at(-1.0)), (2.0, 2.5, 0.5));
}

#[test]
fn a_batch_norm_is_its_formula() {
    let op = Op::BatchNorm(BatchNorm { epsilon: Scalar::new(0.25), scale: true, center: true });
    let weights: [(&[usize], &[f32]); 4] =
        [(&[2], &[2.0, 1.0]), (&[2], &[0.5, 0.0]), (&[2], &[1.0, 0.0]), (&[2], &[0.75, 3.75])];
    assert_eq!(value(&[1, 1, 2], op, &weights), [0.5, 1.0]);
}

#[test]
fn a_mean_goes_over_the_map_and_keeps_its_axes_if_asked() {
    for keep_dims in [false, true] {
        let op = Op::GlobalAveragePool(GlobalAveragePool { keep_dims });
        assert_eq!(value(&[2, 1, 2], op, &[]), [2.0, 3.0]);
    }
}

#[test]
fn a_dense_layer_multiplies_from_the_left() {
    let epilogue = Epilogue::with_bias(true);
    let weights: [(&[usize], &[f32]); 2] = [(&[2, 3], &[1., 2., 3., 10., 20., 30.]), (&[3], &[0.5, 0., 0.])];
    assert_eq!(value(&[2], Op::Dense(Dense { units: 3, epilogue }), &weights), [21.5, 42., 63.]);
}

#[test]
fn a_softmax_adds_up_to_one_and_never_overflows() {
    let values = value(&[3], Op::Softmax(Softmax::default()), &[]);
    assert!((values.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!((values[2] / values[1] - 1.0f64.exp()).abs() < 1e-12);
    let mut graph = Graph::new("test");
    let input = add(&mut graph, Op::Input(Input { shape: Shape::new(&[2]) }), &[], &[]);
    let output = add(&mut graph, Op::Softmax(Softmax::default()), &[input], &[]);
    graph.add_output(output);
    let large = run(&graph, &[Tensor::from_elem(vec![2], 1e30f32)]).unwrap();
    assert_eq!(large[0].as_slice(), Some([0.5, 0.5].as_slice()));
}

#[test]
fn a_pad_and_a_flatten_keep_the_order_of_pixels() {
    let padding = Padding { top: 1, bottom: 0, left: 0, right: 1 };
    assert_eq!(value(&[1, 2, 1], Op::Pad(crate::ops::Pad::zeros(padding)), &[]), [0., 0., 0., 1., 2., 0.]);
    assert_eq!(value(&[1, 2, 2], Op::Reshape(Reshape::Flatten), &[]), [1., 2., 3., 4.]);
}

#[test]
fn clamps_keep_nan() {
    for activation in [Activation::Relu, Activation::Relu6] {
        assert!(activation.apply(f32::NAN).is_nan());
    }
    assert_eq!(Activation::Relu6.apply(7.0f64), 6.0);
}

#[test]
fn an_add_of_two_shapes_is_a_fault() {
    let mut graph = Graph::new("test");
    let a = add(&mut graph, Op::Input(Input { shape: Shape::new(&[2]) }), &[], &[]);
    let b = add(&mut graph, Op::Input(Input { shape: Shape::new(&[3]) }), &[], &[]);
    let sum = add(&mut graph, Op::Binary(Binary::Add), &[a, b], &[]);
    graph.add_output(sum);
    let inputs = [Tensor::<f32>::zeros(vec![2]), Tensor::zeros(vec![3])];
    assert!(run(&graph, &inputs).unwrap_err().iter().any(|fault| fault.code == codes::JOIN_SHAPES));
}

#[test]
fn weights_and_inputs_that_do_not_fit_are_faults() {
    let text = "@k : 2x2 seeded(1)\n%x = input : 2\n%y = dense %x, @k : 2\noutput %y\n";
    let codes = |text: &str, inputs: &[Tensor<f64>]| {
        let faults = run(&crate::text::parse(text).unwrap(), inputs).unwrap_err();
        faults.iter().map(|fault| fault.code).collect::<Vec<_>>()
    };
    let image = || Tensor::zeros(vec![2]);
    assert!(run(&crate::text::parse(text).unwrap(), &[image()]).is_ok());
    assert_eq!(codes(text, &[]), [codes::INPUT_SHAPE]);
    assert_eq!(codes(text, &[image(), image()]), [codes::INPUT_SHAPE]);
    assert_eq!(codes(text, &[Tensor::zeros(vec![3])]), [codes::INPUT_SHAPE]);
    assert_eq!(codes(&text.replace("%x, @k", "%x"), &[image()]), [codes::WEIGHT_MISSING]);
    assert_eq!(codes(&text.replace("@k : 2x2", "@k : 2x3"), &[image()]), [codes::WEIGHT_SHAPE]);
    let unknown = text.replace("seeded(1)", "digest(0000000000000000)");
    assert_eq!(codes(&unknown, &[image()]), [codes::WEIGHT_MISSING]);
}

proptest::proptest! {
    #[test]
    fn the_outputs_of_a_run_are_those_nodes_values(graph in crate::random::fused_graphs()) {
        let Op::Input(input) = &graph.node(graph.inputs()[0]).op else { unreachable!("it is an input") };
        let mut count = 0.0;
        let image = Tensor::from_shape_simple_fn(input.shape.axes(), || { count += 1.0; f64::sin(count) });
        let all = run_all(&graph, std::slice::from_ref(&image)).unwrap();
        proptest::prop_assert_eq!(all.len(), graph.len());
        let shapes = graph.shapes().unwrap();
        for (value, id) in run(&graph, &[image]).unwrap().iter().zip(graph.outputs()) {
            proptest::prop_assert_eq!(value, &all[id]);
            proptest::prop_assert_eq!(value.shape(), shapes[id].axes());
            proptest::prop_assert!(value.iter().all(|x| x.is_finite()));
        }
    }
}
