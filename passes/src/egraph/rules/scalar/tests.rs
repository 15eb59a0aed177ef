use frit_ir::ops::{Activation, Binary, Scalar};
use proptest::prelude::*;

use crate::testing::{Net, assert_equal, assert_same_limits, conv, ops, optimised};

/// Exact in f32, and so are their reciprocals.
const NUMBERS: [f32; 8] = [0.0, 1.0, -1.0, 0.5, 2.0, -4.0, 8.0, -0.25];

/// A tensor of `axes` and a constant of `number`, joined; what is left of it, and whether `rule` fired.
fn joined(
    axes: &[usize],
    of: &[usize],
    values: &[f32],
    binary: Binary,
    swapped: bool,
) -> (Vec<String>, bool) {
    let mut net = Net::new(1);
    let x = net.input("x", axes);
    let number = net.constant("number", of, values);
    let (first, second) = if swapped { (number, x) } else { (x, number) };
    let y = net.binary("join", binary, first, second);
    let source = net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_equal(&source, &graph);
    assert_same_limits(&source, &graph);
    (ops(&graph), rewriting.firings.contains_key("name-arithmetic"))
}

proptest! {
    #[test]
    fn one_number_is_a_function_of_each_element(
        axes in prop::collection::vec(1..4usize, 0..4),
        ones in 0..4usize,
        of_all in any::<bool>(),
        binary in prop::sample::select(Binary::ALL.to_vec()),
        number in prop::sample::select(NUMBERS.to_vec()),
        swapped in any::<bool>(),
    ) {
        let of = if of_all { axes.clone() } else { vec![1; ones.min(axes.len())] };
        let (left, fired) = joined(&axes, &of, &[number], binary, swapped);
        let expected = match binary {
            Binary::Pow => !swapped && number == 1.0,
            // A sixth is rounded.
            Binary::Div => !swapped && number != 0.0,
            _ => true,
        };
        prop_assert_eq!(fired, expected, "{:?}", left);
        if fired {
            prop_assert!(left.iter().all(|op| ["rescale", "relu", "relu6", "clip", "reshape"].contains(&op.as_str())), "{:?}", left);
        }
    }

    #[test]
    fn lines_of_lines_are_one_line(
        numbers in prop::collection::vec(
            (prop::sample::select(vec![0.5f32, -0.25]), prop::sample::select(vec![0.0f32, 1.0, -2.0])),
            1..6,
        ),
    ) {
        let mut net = Net::new(2);
        let mut y = net.input("x", &[3, 2, 4]);
        for (index, &(scale, offset)) in numbers.iter().enumerate() {
            y = net.activation(&format!("a{index}"), Activation::rescale(scale, offset), y);
        }
        let source = net.finish(&[y]);
        let (graph, rewriting) = optimised(&source);
        assert_equal(&source, &graph);
        prop_assert!(ops(&graph).len() == 1, "{:?}", ops(&graph));
        prop_assert!(rewriting.enodes <= 4 * rewriting.encoded);
    }
}

#[test]
fn a_number_that_widens_stays() {
    // More axes, or longer ones: the tensor is repeated.
    for (axes, of) in [(&[3][..], &[1, 1, 1][..]), (&[1, 3, 1], &[2, 1, 1]), (&[], &[1])] {
        let (left, fired) = joined(axes, of, &[2.0], Binary::Add, false);
        assert!(!fired, "{left:?}");
        assert_eq!(left.last().map(String::as_str), Some("add"));
    }
}

#[test]
fn several_numbers_and_those_without_end_stay() {
    for values in [&[1.0, 2.0][..], &[f32::INFINITY], &[f32::NAN]] {
        let (left, fired) = joined(&[2, 2, 2], &[2], values, Binary::Mul, false);
        assert!(!fired, "{left:?}");
    }
    // A clamp may have no end, but no bound that is no number.
    assert!(joined(&[2], &[1], &[f32::INFINITY], Binary::Min, false).1);
    assert!(!joined(&[2], &[1], &[f32::NAN], Binary::Min, false).1);
    // The reciprocal of what is close to nothing has no end.
    assert!(!joined(&[2], &[1], &[1e-40], Binary::Div, false).1);
    assert!(!joined(&[2], &[1], &[3e38], Binary::Div, false).1);
}

#[test]
fn a_square_is_a_product() {
    let square = |values: &[f32], swapped| joined(&[2, 3], &[1], values, Binary::Pow, swapped).0;
    assert_eq!(square(&[2.0], false), ["mul"]);
    assert_eq!(square(&[3.0], false).last().map(String::as_str), Some("pow"));
    assert_eq!(square(&[2.0], true).last().map(String::as_str), Some("pow"));
}

#[test]
fn a_clamp_of_two_numbers_is_one() {
    let mut net = Net::new(3);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", conv(3, 3), x);
    let (zero, six) = (net.constant("zero", &[], &[0.0]), net.constant("six", &[1], &[6.0]));
    let y = net.binary("max", Binary::Max, zero, y);
    let y = net.binary("min", Binary::Min, y, six);
    let source = net.finish(&[y]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["conv2d+relu6"]);
    assert_equal(&source, &graph);
}

#[test]
fn what_an_output_is_stays_what_it_is() {
    let mut net = Net::new(4);
    let x = net.input("x", &[4, 4, 3]);
    let number = net.constant("number", &[1], &[0.0]);
    let y = net.binary("max", Binary::Max, x, number);
    let source = net.finish(&[y, number]);
    let (graph, _) = optimised(&source);
    assert_eq!(ops(&graph), ["constant", "max"]);
    assert_equal(&source, &graph);
}

#[test]
fn a_line_that_is_none_is_its_operand() {
    let mut net = Net::new(5);
    let x = net.input("x", &[4]);
    let y = net.activation("same", Activation::rescale(1.0, 0.0), x);
    let y = net.activation("tanh", Activation::Tanh, y);
    let y = net.activation("other", Activation::rescale(1.0, 0.5), y);
    let source = net.finish(&[y]);
    assert_eq!(ops(&optimised(&source).0), ["tanh", "rescale"]);
}

#[test]
fn a_line_too_steep_for_f32_stays_two() {
    let mut net = Net::new(6);
    let x = net.input("x", &[4]);
    let steep = Activation::Rescale { scale: Scalar::new(1e30), offset: Scalar::default() };
    let y = net.activation("first", steep, x);
    let y = net.activation("second", steep, y);
    let source = net.finish(&[y]);
    assert_eq!(ops(&optimised(&source).0), ["rescale", "rescale"]);
}
