use frit_ir::ops::{Activation, Binary, Scalar};
use frit_ir::{Graph, NodeId};
use proptest::prelude::*;

use crate::testing::{Net, around, conv, difference, ops, optimised, rounding};

const SIXTH: f32 = Activation::SIXTH.get();

/// What constants rounded to f32 may move a value by.
const ROUNDED: f64 = 1e-6;

/// A network under construction in which every layer and number gets a name of its own.
struct Speller {
    net: Net,
    layers: usize,
}

impl Speller {
    fn name(&mut self) -> String {
        self.layers += 1;
        format!("n{}", self.layers)
    }

    fn apply(&mut self, activation: Activation, x: NodeId) -> NodeId {
        let name = self.name();
        self.net.activation(&name, activation, x)
    }

    fn join(&mut self, binary: Binary, first: NodeId, second: NodeId) -> NodeId {
        let name = self.name();
        self.net.binary(&name, binary, first, second)
    }

    /// `x` and a number, joined.
    fn with(&mut self, binary: Binary, x: NodeId, number: f32) -> NodeId {
        let name = self.name();
        let number = self.net.constant(&name, &[1], &[number]);
        self.join(binary, x, number)
    }

    /// `x + 3`, clamped to 0 and 6, in one of several ways.
    fn relu6_of_sum(&mut self, way: usize, x: NodeId) -> NodeId {
        let sum = if way.is_multiple_of(2) {
            self.with(Binary::Add, x, 3.0)
        } else {
            self.with(Binary::Sub, x, -3.0)
        };
        match way / 2 {
            0 => self.apply(Activation::Relu6, sum),
            1 => self.apply(clip(0.0, 6.0), sum),
            2 => {
                let bounded = self.with(Binary::Max, sum, 0.0);
                self.with(Binary::Min, bounded, 6.0)
            }
            _ => {
                let bounded = self.apply(Activation::Relu, sum);
                self.with(Binary::Min, bounded, 6.0)
            }
        }
    }

    fn sixth(&mut self, by_division: bool, x: NodeId) -> NodeId {
        if by_division { self.with(Binary::Div, x, 6.0) } else { self.with(Binary::Mul, x, SIXTH) }
    }

    /// The product, in either order.
    fn product(&mut self, swapped: bool, first: NodeId, second: NodeId) -> NodeId {
        let (first, second) = if swapped { (second, first) } else { (first, second) };
        self.join(Binary::Mul, first, second)
    }
}

fn clip(low: f32, high: f32) -> Activation {
    Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) }
}

/// What is left of a network that `spell` makes of an input, or of a convolution.
fn spelled(behind_conv: bool, spell: impl FnOnce(&mut Speller, NodeId) -> NodeId) -> (Graph, Vec<String>) {
    let mut speller = Speller { net: Net::new(1), layers: 0 };
    let mut x = speller.net.input("x", &[3, 3, 4]);
    if behind_conv {
        x = speller.net.conv("conv", conv(4, 3), x);
    }
    let y = spell(&mut speller, x);
    let source = speller.net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    let difference = difference(&source, &graph);
    assert!(difference <= ROUNDED, "outputs differ by {difference:e}");
    assert!(rewriting.iterations <= 8, "{} iterations", rewriting.iterations);
    let ops = ops(&graph);
    (graph, ops)
}

/// That `spell` is `name`, alone and behind a convolution.
fn assert_is(name: &str, spell: impl Fn(&mut Speller, NodeId) -> NodeId) {
    assert_eq!(spelled(false, &spell).1, [name]);
    assert_eq!(spelled(true, &spell).1, [format!("conv2d+{name}")]);
}

/// That nothing in it is `name`.
fn assert_is_not(name: &str, spell: impl Fn(&mut Speller, NodeId) -> NodeId) {
    let left = spelled(false, spell).1;
    assert!(!left.iter().any(|op| op.contains(name)), "{left:?}");
}

proptest! {
    #[test]
    fn a_hard_sigmoid_in_any_spelling(way in 0..8usize, order in 0..4usize, by_division in any::<bool>()) {
        assert_is("hard_sigmoid", |net, x| match order {
            0 => {
                let y = net.relu6_of_sum(way, x);
                net.sixth(by_division, y)
            }
            1 => {
                let y = net.with(Binary::Add, x, 3.0);
                let y = net.sixth(by_division, y);
                net.apply(clip(0.0, 1.0), y)
            }
            2 => {
                let y = net.sixth(by_division, x);
                let y = net.with(Binary::Add, y, 0.5);
                net.apply(clip(0.0, 1.0), y)
            }
            _ => {
                let line = Activation::Rescale { scale: Scalar::new(SIXTH), offset: Scalar::new(0.5) };
                let y = net.apply(line, x);
                net.apply(clip(0.0, 1.0), y)
            }
        });
    }

    #[test]
    fn a_hard_swish_in_any_spelling(
        (way, order) in (0..8usize, 0..4usize),
        (by_division, swapped) in any::<(bool, bool)>(),
    ) {
        assert_is("hard_swish", |net, x| match order {
            0 => {
                let gate = net.relu6_of_sum(way, x);
                let product = net.product(swapped, x, gate);
                net.sixth(by_division, product)
            }
            1 => {
                let gate = net.relu6_of_sum(way, x);
                let gate = net.sixth(by_division, gate);
                net.product(swapped, x, gate)
            }
            2 => {
                let gate = net.relu6_of_sum(way, x);
                let value = net.sixth(by_division, x);
                net.product(swapped, value, gate)
            }
            _ => {
                let gate = net.apply(Activation::HardSigmoid, x);
                net.product(swapped, x, gate)
            }
        });
    }

    #[test]
    fn the_smooth_ones_in_any_spelling(swapped in any::<bool>(), place in 0..3usize) {
        assert_is("swish", |net, x| {
            let gate = net.apply(Activation::Sigmoid, x);
            net.product(swapped, x, gate)
        });
        assert_is("mish", |net, x| {
            let gate = net.apply(Activation::Exp, x);
            let gate = net.with(Binary::Add, gate, 1.0);
            let gate = net.apply(Activation::Log, gate);
            let gate = net.apply(Activation::Tanh, gate);
            net.product(swapped, x, gate)
        });
        // The half stands with the value, with the gate or behind the product.
        let halved = |net: &mut Speller, x: NodeId, gate: NodeId| {
            let mut gate = net.with(Binary::Add, gate, 1.0);
            let mut value = x;
            match place {
                0 => value = net.with(Binary::Mul, value, 0.5),
                1 => gate = net.with(Binary::Div, gate, 2.0),
                _ => {}
            }
            let product = net.product(swapped, value, gate);
            if place == 2 { net.with(Binary::Mul, product, 0.5) } else { product }
        };
        assert_is("gelu", |net, x| {
            let gate = net.with(Binary::Div, x, std::f32::consts::SQRT_2);
            let gate = net.apply(Activation::Erf, gate);
            halved(net, x, gate)
        });
        assert_is("gelu_tanh", |net, x| {
            let cube = if swapped {
                net.with(Binary::Pow, x, 3.0)
            } else {
                let square = net.join(Binary::Mul, x, x);
                net.join(Binary::Mul, x, square)
            };
            let bend = net.with(Binary::Mul, cube, 0.044_715);
            let sum = net.join(Binary::Add, x, bend);
            let gate = net.with(Binary::Mul, sum, 0.797_884_6);
            let gate = net.apply(Activation::Tanh, gate);
            halved(net, x, gate)
        });
    }

    #[test]
    fn a_leaky_relu_in_any_spelling(slope in 0.01..1.0f32, swapped in any::<bool>()) {
        assert_is("leaky_relu", |net, x| {
            let scaled = net.with(Binary::Mul, x, slope);
            let (first, second) = if swapped { (scaled, x) } else { (x, scaled) };
            net.join(Binary::Max, first, second)
        });
    }
}

/// What may stand behind a function, and is taken in by what is behind it or by the function's layer.
const FOLLOWERS: [&str; 6] =
    ["scale", "scale shift conv", "shift scale clamp", "norm conv", "scale norm conv", "clamp clamp"];

/// The layers named in `followers`, one after the other.
fn followed(net: &mut Speller, followers: &str, mut x: NodeId) -> NodeId {
    for follower in followers.split(' ') {
        let name = net.name();
        x = match follower {
            "scale" => net.with(Binary::Mul, x, 0.75),
            "shift" => net.with(Binary::Add, x, -0.25),
            "clamp" => net.apply(clip(-0.5, 0.5), x),
            "norm" => net.net.batch_norm(&name, x),
            _ => net.net.conv(&name, conv(4, 1), x),
        };
    }
    x
}

#[test]
fn every_spelling_has_the_kernels_of_the_named_function_whatever_follows() {
    type Spell = fn(&mut Speller, NodeId) -> NodeId;
    let spellings: [(Activation, Spell); 6] = [
        (Activation::HardSigmoid, |net, x| {
            let y = net.relu6_of_sum(0, x);
            net.sixth(true, y)
        }),
        (Activation::HardSwish, |net, x| {
            let gate = net.relu6_of_sum(0, x);
            let product = net.join(Binary::Mul, x, gate);
            net.sixth(true, product)
        }),
        (Activation::HardSwish, |net, x| {
            let gate = net.relu6_of_sum(0, x);
            let gate = net.sixth(false, gate);
            net.join(Binary::Mul, x, gate)
        }),
        (Activation::Swish, |net, x| {
            let gate = net.apply(Activation::Sigmoid, x);
            net.join(Binary::Mul, x, gate)
        }),
        (Activation::Gelu, |net, x| {
            let gate = net.with(Binary::Div, x, std::f32::consts::SQRT_2);
            let gate = net.apply(Activation::Erf, gate);
            let gate = net.with(Binary::Add, gate, 1.0);
            let product = net.join(Binary::Mul, x, gate);
            net.with(Binary::Mul, product, 0.5)
        }),
        (Activation::LeakyRelu { slope: Scalar::new(0.25), threshold: Scalar::ZERO }, |net, x| {
            let scaled = net.with(Binary::Mul, x, 0.25);
            net.join(Binary::Max, x, scaled)
        }),
    ];
    for (named, spell) in spellings {
        for followers in FOLLOWERS {
            for behind_conv in [false, true] {
                let short = spelled(behind_conv, |net, x| {
                    let y = net.apply(named, x);
                    followed(net, followers, y)
                });
                let long = spelled(behind_conv, |net, x| {
                    let y = spell(net, x);
                    followed(net, followers, y)
                });
                assert_eq!(long.1, short.1, "{named:?} and {followers}, behind a convolution: {behind_conv}");
            }
        }
    }
}

#[test]
fn a_prelu_with_one_slope_is_a_leaky_relu_and_with_several_is_not() {
    for (axes, slopes, expected) in [
        (&[][..], &[0.25][..], "conv2d+leaky_relu"),
        (&[3], &[0.25], "conv2d+leaky_relu"),
        (&[1, 1, 3], &[-0.5], "conv2d+leaky_relu"),
        (&[3], &[0.25, 0.5], "prelu"),
        (&[1], &[f32::INFINITY], "prelu"),
    ] {
        let mut net = Net::new(5);
        let x = net.input("x", &[4, 4, 2]);
        let y = net.conv("conv", conv(3, 3), x);
        let shape = frit_ir::Shape::new(axes);
        let y = net.add("prelu", frit_ir::Op::Prelu(frit_ir::ops::Prelu { slope: shape.clone() }), &[y]);
        let count = shape.elements().expect("tests are small");
        let data = frit_ir::weights::Data::Values(slopes.iter().copied().cycle().take(count).collect());
        net.graph.weights.insert("prelu.slope", frit_ir::Weight::new(shape, data));
        let source = net.finish(&[y]);
        let (graph, _) = optimised(&source);
        assert!(difference(&source, &graph) <= ROUNDED + rounding(&source));
        assert_eq!(ops(&graph).last().map(String::as_str), Some(expected));
    }
}

#[test]
fn other_slopes_and_corners_are_no_hard_sigmoid() {
    // Keras 2's, one that is rounded to four digits, corners elsewhere, other bounds, and one that falls.
    for (scale, offset, low, high) in [
        (0.2, 0.5, 0.0, 1.0),
        (0.1667, 0.5, 0.0, 1.0),
        (SIXTH, 0.4, 0.0, 1.0),
        (SIXTH, 0.5, 0.0, 0.5),
        (SIXTH, 0.5, -1.0, 1.0),
        (-SIXTH, 0.5, 0.0, 1.0),
        (0.0, 0.5, 0.0, 1.0),
        (SIXTH, 0.5, 1.0, 0.0),
    ] {
        for gates in [false, true] {
            assert_is_not("hard_s", |net, x| {
                let line = Activation::Rescale { scale: Scalar::new(scale), offset: Scalar::new(offset) };
                let y = net.apply(line, x);
                let y = net.apply(clip(low, high), y);
                if gates { net.join(Binary::Mul, x, y) } else { y }
            });
        }
    }
    assert_is_not("hard_s", |net, x| {
        let y = net.relu6_of_sum(0, x);
        net.with(Binary::Mul, y, 0.166)
    });
}

#[test]
fn the_gate_of_another_value_or_with_another_factor_is_none() {
    assert_is_not("swish", |net, x| {
        let other = net.with(Binary::Mul, x, 2.0);
        let gate = net.apply(Activation::Sigmoid, other);
        net.join(Binary::Mul, x, gate)
    });
    assert_is_not("swish", |net, x| {
        let steep = net.with(Binary::Mul, x, 1.702);
        let gate = net.apply(Activation::Sigmoid, steep);
        net.join(Binary::Mul, x, gate)
    });
    assert_is_not("swish", |net, x| {
        let gate = net.relu6_of_sum(0, x);
        let product = net.join(Binary::Mul, x, gate);
        net.with(Binary::Add, product, SIXTH)
    });
    assert_is_not("mish", |net, x| {
        let gate = net.apply(Activation::Softplus, x);
        net.join(Binary::Mul, x, gate)
    });
    // A factor that is none of them stays behind it.
    let scaled = spelled(false, |net, x| {
        let gate = net.apply(Activation::Sigmoid, x);
        let product = net.join(Binary::Mul, x, gate);
        net.with(Binary::Mul, product, 2.0)
    });
    assert_eq!(scaled.1, ["swish", "rescale"]);
    assert_is_not("gelu", |net, x| {
        let gate = net.apply(Activation::Erf, x);
        let gate = net.with(Binary::Add, gate, 1.0);
        let product = net.join(Binary::Mul, x, gate);
        net.with(Binary::Mul, product, 0.5)
    });
    assert_is_not("softplus", |net, x| {
        let exp = net.apply(Activation::Exp, x);
        let sum = net.with(Binary::Add, exp, 2.0);
        net.apply(Activation::Log, sum)
    });
}

#[test]
fn a_slope_below_zero_or_above_one_or_with_a_summand_is_no_leaky_relu() {
    for (binary, number) in [(Binary::Mul, -0.5), (Binary::Mul, 1.5), (Binary::Add, 1.0), (Binary::Mul, 0.0)]
    {
        assert_is_not("leaky", |net, x| {
            let scaled = net.with(binary, x, number);
            net.join(Binary::Max, x, scaled)
        });
    }
    assert_is_not("leaky", |net, x| {
        let scaled = net.with(Binary::Mul, x, 0.5);
        net.join(Binary::Min, x, scaled)
    });
}

#[test]
fn a_gate_that_others_read_too_is_there_for_them() {
    let mut net = Net::new(2);
    let x = net.input("x", &[4, 4, 3]);
    let y = net.conv("conv", crate::testing::conv(3, 3), x);
    let gate = net.activation("gate", Activation::Sigmoid, y);
    let product = net.binary("product", Binary::Mul, y, gate);
    let pool = net.pool("pool", false, gate);
    let source = net.finish(&[product, pool]);
    let (graph, _) = optimised(&source);
    assert!(difference(&source, &graph) <= ROUNDED + rounding(&source));
    // An output is a barrier: the product reads it.
    let mut net = Net::new(3);
    let x = net.input("x", &[4, 4, 3]);
    let gate = net.activation("gate", Activation::Sigmoid, x);
    let product = net.binary("product", Binary::Mul, x, gate);
    let source = net.finish(&[product, gate]);
    assert_eq!(ops(&optimised(&source).0), ["sigmoid", "mul"]);
}

#[test]
fn a_hundred_of_them_in_a_row_end_in_as_many_layers() {
    let mut speller = Speller { net: Net::new(4), layers: 0 };
    let mut y = speller.net.input("x", &[3, 3, 2]);
    for layer in 0..100 {
        y = speller.net.conv(
            &format!("conv{layer}"),
            frit_ir::ops::Conv2d { padding: around(1), ..conv(2, 3) },
            y,
        );
        let gate = speller.relu6_of_sum(4, y);
        let product = speller.product(false, y, gate);
        y = speller.sixth(true, product);
    }
    let source = speller.net.finish(&[y]);
    let (graph, rewriting) = optimised(&source);
    assert_eq!(ops(&graph), vec!["conv2d+hard_swish"; 100]);
    assert!(rewriting.enodes <= 4 * rewriting.encoded, "{} of {}", rewriting.enodes, rewriting.encoded);
    assert!(rewriting.iterations <= 8, "{} iterations", rewriting.iterations);
}
