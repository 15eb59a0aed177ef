//! Functions of each element, as ONNX has them or as what it has adds up to them.

use frit_ir::ops::{Activation, Scalar};

use super::nodes::{Nodes, float, text};

/// `activation` of the tensor `x`, as the tensor `name`.
pub(super) fn function(nodes: &mut Nodes, activation: &Activation, name: &str, x: &str) {
    let (operator, attributes) = match *activation {
        Activation::Relu6 => return clip(nodes, name, x, [Scalar::ZERO, Scalar::new(6.0)]),
        Activation::Clip { low, high } => return clip(nodes, name, x, [low, high]),
        Activation::Swish => return swish(nodes, name, x),
        Activation::Rescale { scale, offset } => return rescale(nodes, name, x, [scale, offset]),
        Activation::LeakyRelu { slope, threshold } if threshold != Scalar::ZERO => {
            return leaky_from(nodes, name, x, [slope, threshold]);
        }
        Activation::LeakyRelu { slope, .. } => ("LeakyRelu", vec![float("alpha", slope)]),
        Activation::Elu { alpha } => ("Elu", vec![float("alpha", alpha)]),
        Activation::HardSigmoid => {
            ("HardSigmoid", vec![float("alpha", Activation::SIXTH), float("beta", Scalar::new(0.5))])
        }
        Activation::Gelu => ("Gelu", vec![text("approximate", "none")]),
        Activation::GeluTanh => ("Gelu", vec![text("approximate", "tanh")]),
        Activation::Relu => ("Relu", vec![]),
        Activation::Sigmoid => ("Sigmoid", vec![]),
        Activation::HardSwish => ("HardSwish", vec![]),
        Activation::Tanh => ("Tanh", vec![]),
        Activation::Mish => ("Mish", vec![]),
        Activation::Softplus => ("Softplus", vec![]),
        Activation::Erf => ("Erf", vec![]),
        Activation::Exp => ("Exp", vec![]),
        Activation::Log => ("Log", vec![]),
        Activation::Sqrt => ("Sqrt", vec![]),
        Activation::Abs => ("Abs", vec![]),
    };
    nodes.add_named(operator, name, &[x], attributes);
}

fn swish(nodes: &mut Nodes, name: &str, x: &str) {
    let gate = nodes.add("Sigmoid", &format!("{name}/sigmoid"), &[x], vec![]);
    nodes.add_named("Mul", name, &[x, &gate], vec![]);
}

fn rescale(nodes: &mut Nodes, name: &str, x: &str, [scale, offset]: [Scalar; 2]) {
    let scale = nodes.scalar(&format!("{name}/scale"), scale);
    let scaled = nodes.add("Mul", &format!("{name}/mul"), &[x, &scale], vec![]);
    let offset = nodes.scalar(&format!("{name}/offset"), offset);
    nodes.add_named("Add", name, &[&scaled, &offset], vec![]);
}

/// A bound that is infinite is left out.
fn clip(nodes: &mut Nodes, name: &str, x: &str, bounds: [Scalar; 2]) {
    let [low, high] = [("low", bounds[0]), ("high", bounds[1])].map(|(side, bound)| {
        if bound.is_finite() { nodes.scalar(&format!("{name}/{side}"), bound) } else { String::new() }
    });
    nodes.add_named("Clip", name, &[x, &low, &high], vec![]);
}

/// `x` from the threshold on, else the slope times the distance from it.
fn leaky_from(nodes: &mut Nodes, name: &str, x: &str, [slope, threshold]: [Scalar; 2]) {
    let slope = nodes.scalar(&format!("{name}/slope"), slope);
    let threshold = nodes.scalar(&format!("{name}/threshold"), threshold);
    let distance = nodes.add("Sub", &format!("{name}/distance"), &[x, &threshold], vec![]);
    let below = nodes.add("Mul", &format!("{name}/below"), &[&slope, &distance], vec![]);
    let is_above = nodes.add("GreaterOrEqual", &format!("{name}/is_above"), &[x, &threshold], vec![]);
    nodes.add_named("Where", name, &[&is_above, x, &below], vec![]);
}
