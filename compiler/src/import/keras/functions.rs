//! Activations: functions by their name, by an object, or a layer in the place of one.

use frit_ir::Op;
use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Binary, Scalar, Softmax};

use super::attributes::Attributes;
use super::layer::KerasLayer;
use super::layers;
use super::site::Site;
use super::tensors::Tensor;
use super::variable::Variable;
use super::version::Version;
use crate::import::document::{Content, Value};
use crate::import::findings::wrong;

/// What is done with each element, or along an axis.
pub(super) enum Function {
    /// These, one after the other; none is the identity.
    Each(Vec<Activation>),
    /// Along the last axis.
    Softmax { log: bool },
    /// `x / (1 + |x|)`
    Softsign,
    /// `x - f(x)`
    Minus(Activation),
    /// A layer.
    Layer(Box<dyn KerasLayer>),
}

/// What Keras calls the part of a layer that is its activation.
const OWNER: &str = "activation";

/// The names of functions.
const NAMES: [&str; 30] = [
    "linear",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "swish",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "tanh",
    "elu",
    "selu",
    "celu",
    "gelu",
    "mish",
    "softplus",
    "softsign",
    "softmax",
    "log_softmax",
    "exponential",
    "exp",
    "leaky_relu",
    "log_sigmoid",
    "hard_tanh",
    "tanh_shrink",
    "soft_shrink",
    "erf",
    "sqrt",
    "abs",
    "log",
];

/// SELU's factors (Klambauer et al., Self-Normalizing Neural Networks, 2017).
const SELU: [Scalar; 2] = [Scalar::new(1.673_263_2), Scalar::new(1.050_701)];

pub(super) fn leaky(slope: Scalar) -> Activation {
    Activation::LeakyRelu { slope, threshold: Scalar::ZERO }
}

/// `hard_sigmoid` as the version has it: `clip(0.2 x + 0.5, 0, 1)` in Keras 2, `relu6(x + 3) / 6` in Keras 3.
pub(super) fn hard_sigmoid(version: Version) -> Vec<Activation> {
    match version {
        Version::Keras2 => vec![Activation::rescale(0.2, 0.5), Activation::clip(0.0, 1.0)],
        Version::Keras3 => vec![Activation::HardSigmoid],
    }
}

impl Function {
    /// The function of this name.
    pub(super) fn of_name(name: &str, version: Version) -> Option<Function> {
        let each = |activations: &[Activation]| Some(Function::Each(activations.to_vec()));
        match name {
            "linear" => each(&[]),
            "relu" => each(&[Activation::Relu]),
            "relu6" => each(&[Activation::Relu6]),
            "sigmoid" => each(&[Activation::Sigmoid]),
            "silu" | "swish" => each(&[Activation::Swish]),
            "hard_sigmoid" => Some(Function::Each(hard_sigmoid(version))),
            "hard_silu" | "hard_swish" => each(&[Activation::HardSwish]),
            "tanh" => each(&[Activation::Tanh]),
            "elu" | "celu" => each(&[Activation::Elu { alpha: Scalar::ONE }]),
            "selu" => {
                let [alpha, scale] = SELU;
                each(&[Activation::Elu { alpha }, Activation::Rescale { scale, offset: Scalar::ZERO }])
            }
            "gelu" => each(&[Activation::Gelu]),
            "mish" => each(&[Activation::Mish]),
            "softplus" => each(&[Activation::Softplus]),
            "softsign" => Some(Function::Softsign),
            "softmax" => Some(Function::Softmax { log: false }),
            "log_softmax" => Some(Function::Softmax { log: true }),
            "exponential" | "exp" => each(&[Activation::Exp]),
            "leaky_relu" => each(&[leaky(Scalar::new(0.2))]),
            "log_sigmoid" => {
                each(&[Activation::rescale(-1.0, 0.0), Activation::Softplus, Activation::rescale(-1.0, 0.0)])
            }
            "hard_tanh" => each(&[Activation::clip(-1.0, 1.0)]),
            "tanh_shrink" => Some(Function::Minus(Activation::Tanh)),
            "soft_shrink" => Some(Function::Minus(Activation::clip(-0.5, 0.5))),
            "erf" => each(&[Activation::Erf]),
            "sqrt" => each(&[Activation::Sqrt]),
            "abs" => each(&[Activation::Abs]),
            "log" => each(&[Activation::Log]),
            _ => None,
        }
    }

    /// The function that the field `name` names; linear where it is not there.
    pub(super) fn read(name: &str, attributes: &mut Attributes<'_, '_>) -> Option<Function> {
        let Some(value) = attributes.value(name) else { return Some(Function::Each(Vec::new())) };
        match attributes.content(&value)? {
            Content::Text(word) => Function::named(&word, &value, attributes),
            Content::Object(_) => object(&value, attributes),
            other => {
                let message = format!("{name} must be a name or an object, not {}", other.kind());
                attributes.fault(&value, wrong(&message));
                None
            }
        }
    }

    fn named<'a>(word: &str, at: &Value<'a>, attributes: &mut Attributes<'_, 'a>) -> Option<Function> {
        let found = Function::of_name(word, attributes.version);
        if found.is_none() {
            let (code, what) = (codes::KERAS_CLASS, "frit has no activation");
            let fault = attributes.findings().unknown(code, what, word, NAMES.into_iter());
            attributes.fault(at, fault);
        }
        found
    }

    /// The variables of a layer that stands here.
    pub(super) fn variables(&self) -> Vec<Variable> {
        let Function::Layer(layer) = self else { return Vec::new() };
        layer.variables().into_iter().map(|variable| Variable { owner: OWNER, ..variable }).collect()
    }

    /// What it makes of `tensor`.
    pub(super) fn apply(&self, site: &mut Site<'_, '_, '_>, tensor: Tensor) -> Option<Tensor> {
        match self {
            Function::Each(activations) => {
                activations.iter().try_fold(tensor, |tensor, &activation| site.each(activation, tensor))
            }
            Function::Softmax { log } => {
                let operand = site.plain(tensor)?;
                let node = site.add(Op::Softmax(Softmax { log: *log }), &[operand])?;
                Some(site.made(node, super::attributes::Axes::ChannelsLast))
            }
            Function::Softsign => {
                let size = site.each(Activation::Abs, tensor)?;
                let below = site.each(Activation::rescale(1.0, 1.0), size)?;
                site.both(Binary::Div, tensor, below)
            }
            Function::Minus(activation) => {
                let other = site.each(*activation, tensor)?;
                site.both(Binary::Sub, tensor, other)
            }
            Function::Layer(layer) => {
                let inputs = std::mem::replace(&mut site.inputs, vec![tensor]);
                let owner = std::mem::replace(&mut site.owner, OWNER);
                let made = layer.call(site);
                (site.inputs, site.owner) = (inputs, owner);
                made?.first().copied()
            }
        }
    }
}

/// An activation that is written as an object: a function of Keras, or a layer.
fn object<'a>(value: &Value<'a>, attributes: &mut Attributes<'_, 'a>) -> Option<Function> {
    let version = attributes.version;
    let mut fields = Attributes::open(value, "", version, attributes.findings())?;
    let class = fields.needed("class_name")?;
    let class = fields.values().as_text(&class, "class_name")?;
    let config = fields.value("config");
    match config {
        Some(config) if config.spelling().starts_with('"') => {
            let word = attributes.values().as_text(&config, "config")?;
            Function::named(&word, &config, attributes)
        }
        Some(config) => match layers::find(&class) {
            Some(read) => {
                let mut inner = Attributes::open(&config, &class, version, attributes.findings())?;
                read(&mut inner).map(Function::Layer)
            }
            None => Function::named(&class, value, attributes),
        },
        None => Function::named(&class, value, attributes),
    }
}
