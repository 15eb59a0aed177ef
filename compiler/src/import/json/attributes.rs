//! What each op and stage takes, and what it takes where the layer says nothing.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{
    Activation, BatchNorm, Binary, Dense, Epilogue, GlobalAveragePool, Pad, Padding, Reshape, Scalar, Softmax,
};
use frit_ir::{Op, Shape};
use frit_passes::legality::training;

use super::document::{Content, Value};
use super::fields::{Reader, unknown, wrong};
use super::layers::What;
use super::squeeze;
use super::stages::{self, Stage};
use crate::import::limits;

/// The ops by their names in descriptions.
const OPS: [&str; 18] = [
    "conv2d",
    "depthwise_conv2d",
    "batch_norm",
    "relu",
    "relu6",
    "sigmoid",
    "swish",
    "hard_sigmoid",
    "hard_swish",
    "clip",
    "add",
    "mul",
    "pad",
    "global_avg_pool",
    "dense",
    "softmax",
    "reshape",
    "flatten",
];

/// What `activation` may be.
pub(super) const ACTIVATIONS: [(&str, Option<Activation>); 7] = [
    ("relu", Some(Activation::Relu)),
    ("relu6", Some(Activation::Relu6)),
    ("sigmoid", Some(Activation::Sigmoid)),
    ("swish", Some(Activation::Swish)),
    ("hard_sigmoid", Some(Activation::HardSigmoid)),
    ("hard_swish", Some(Activation::HardSwish)),
    ("linear", None),
];

/// What `padding` may be, besides four numbers.
const PADDINGS: [(&str, PaddingRule); 3] =
    [("same", PaddingRule::Same), ("valid", PaddingRule::Valid), ("torch", PaddingRule::Torch)];

/// What layers take where they say nothing. There are no defaults but those that the description gives: frameworks differ in
/// each of these, silently.
#[derive(Default)]
pub(super) struct Defaults {
    pub(super) padding: Option<PaddingRule>,
    /// Of stages; the inner option is none for `linear`.
    pub(super) activation: Option<Option<Activation>>,
    pub(super) epsilon: Option<Scalar>,
    pub(super) squeeze_excite: Option<squeeze::Rule>,
}

/// How the zeros around a map follow from its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaddingRule {
    /// TensorFlow's: as many positions as `size / stride`, rounded up; an odd zero comes last.
    Same,
    /// None.
    Valid,
    /// `(kernel - 1) / 2` on each side, of the dilated kernel.
    Torch,
    /// These.
    Given(Padding),
}

/// How a window slides over a map.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) padding: PaddingRule,
}

/// How many filters a convolution has.
#[derive(Debug, Clone, Copy)]
pub(super) enum Filters {
    /// So many.
    Count {
        /// Output channels.
        filters: usize,
        /// Groups that the channels are split into.
        groups: usize,
    },
    /// So many for each input channel, each channel a group of its own.
    PerChannel(usize),
}

/// A convolution whose input is not known yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Convolution {
    pub(super) filters: Filters,
    pub(super) window: Window,
    pub(super) bias: bool,
}

/// What a layer computes.
#[derive(Debug)]
pub(super) enum Kind {
    Plain(Op),
    Convolution(Convolution),
    Stage(Stage),
}

impl Defaults {
    /// Reads the description's `defaults`.
    pub(super) fn read(mut reader: Reader<'_, '_>) -> Defaults {
        let padding = reader.take("padding").and_then(|value| padding_rule(&value, &mut reader));
        let activation = reader.take("activation");
        let activation = activation.and_then(|value| reader.as_choice(&value, "activation", &ACTIVATIONS));
        let epsilon = reader.take("batch_norm").and_then(|value| {
            let mut norm = Reader::open(&value, reader.findings)?;
            let epsilon = norm.need("epsilon").and_then(|value| epsilon(&value, &mut norm));
            norm.finish();
            epsilon
        });
        let squeeze_excite =
            reader.take("squeeze_excite").and_then(|value| squeeze::rule(&value, &mut reader));
        reader.finish();
        Defaults { padding, activation, epsilon, squeeze_excite }
    }
}

impl PaddingRule {
    /// The zeros around a map of this height and width; none where no map can have so many.
    pub(super) fn around(self, map: [usize; 2], window: &Window) -> Option<Padding> {
        let sides = |axis: usize| -> Option<[usize; 2]> {
            let reach = (window.kernel[axis] - 1).checked_mul(window.dilation[axis])?.checked_add(1)?;
            match self {
                PaddingRule::Same => {
                    let stride = window.stride[axis];
                    let last = (map[axis].div_ceil(stride) - 1).checked_mul(stride)?;
                    let total = last.checked_add(reach)?.saturating_sub(map[axis]);
                    Some([total / 2, total - total / 2])
                }
                PaddingRule::Torch => Some([(reach - 1) / 2; 2]),
                PaddingRule::Valid | PaddingRule::Given(_) => Some([0; 2]),
            }
        };
        if let PaddingRule::Given(padding) = self {
            return Some(padding);
        }
        let ([top, bottom], [left, right]) = (sides(0)?, sides(1)?);
        Some(Padding { top, bottom, left, right })
    }
}

/// Reads what the op or stage takes, and the activation that follows it; a field that it does not take is a fault.
pub(super) fn read<'a>(
    what: &What<'a>,
    mut reader: Reader<'_, 'a>,
    defaults: &Defaults,
) -> (Option<Kind>, Option<Activation>) {
    let (known, kind): (&[&str], &str) =
        if what.stage { (stages::NAMES.as_slice(), "stage") } else { (OPS.as_slice(), "op") };
    if !known.contains(&what.word.as_str()) {
        let message = format!("there is no {kind}");
        let fault = unknown(codes::UNKNOWN_OP, &message, &what.word, known.iter().copied());
        reader.fault(Some(&what.value), fault);
        return (None, None);
    }
    let kind = match what.word.as_str() {
        "conv2d" => convolution(&mut reader, defaults, false).map(Kind::Convolution),
        "depthwise_conv2d" => convolution(&mut reader, defaults, true).map(Kind::Convolution),
        word if what.stage => stages::read(word, &mut reader, defaults).map(Kind::Stage),
        word => plain(word, &mut reader, defaults).map(Kind::Plain),
    };
    let activation = match what.word.as_str() {
        "conv2d" | "depthwise_conv2d" | "dense" => follower(&mut reader),
        _ => Some(None),
    };
    reader.finish();
    (kind.filter(|_| activation.is_some()), activation.flatten())
}

/// Reads an op whose attributes need no shape.
fn plain(word: &str, reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Op> {
    Some(match word {
        "batch_norm" => Op::BatchNorm(batch_norm(reader, defaults)?),
        "clip" => Op::Activation(clip(reader)?),
        "add" => Op::Binary(Binary::Add),
        "mul" => Op::Binary(Binary::Mul),
        "pad" => {
            let value = reader.need("padding")?;
            Op::Pad(Pad::zeros(zeros(&value, reader)?))
        }
        "global_avg_pool" => {
            Op::GlobalAveragePool(GlobalAveragePool { keep_dims: reader.flag("keep_dims", false)? })
        }
        "dense" => {
            let (units, bias) = (reader.count("units"), reader.flag("bias", true));
            Op::Dense(Dense { units: units?, epilogue: Epilogue::with_bias(bias?) })
        }
        "softmax" => Op::Softmax(Softmax::default()),
        "reshape" => {
            let value = reader.need("shape")?;
            Op::Reshape(Reshape::To(shape(&value, reader)?))
        }
        "flatten" => Op::Reshape(Reshape::Flatten),
        _ => Op::Activation(Activation::of_name(word)?),
    })
}

fn convolution(reader: &mut Reader<'_, '_>, defaults: &Defaults, depthwise: bool) -> Option<Convolution> {
    let filters = if depthwise {
        reader.count_or("multiplier", 1).map(Filters::PerChannel)
    } else {
        let (filters, groups) = (reader.count("filters"), reader.count_or("groups", 1));
        filters.zip(groups).map(|(filters, groups)| Filters::Count { filters, groups })
    };
    let window = window(reader, defaults, None);
    let bias = reader.flag("bias", true);
    Some(Convolution { filters: filters?, window: window?, bias: bias? })
}

/// A 1×1 convolution without a bias.
pub(super) fn pointwise(filters: Filters) -> Convolution {
    let window = Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: PaddingRule::Valid };
    Convolution { filters, window, bias: false }
}

/// Reads a window; `kernel` is its size where the layer says nothing.
pub(super) fn window(
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
    kernel: Option<usize>,
) -> Option<Window> {
    let kernel = reader.pair("kernel", kernel);
    let (stride, dilation) = (reader.pair("stride", Some(1)), reader.pair("dilation", Some(1)));
    let padding = match reader.take("padding") {
        Some(value) => padding_rule(&value, reader),
        None if defaults.padding.is_some() => defaults.padding,
        // Every rule gives a kernel of one pixel no padding.
        None if kernel == Some([1, 1]) => Some(PaddingRule::Valid),
        None => {
            let help = "\"same\" (Keras), \"torch\" (PyTorch), \"valid\" or [top, bottom, left, right]; here or in defaults";
            reader.missing("padding", help);
            None
        }
    };
    Some(Window { kernel: kernel?, stride: stride?, dilation: dilation?, padding: padding? })
}

fn padding_rule<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>) -> Option<PaddingRule> {
    match reader.content(value)? {
        Content::Array(_) => zeros(value, reader).map(PaddingRule::Given),
        _ => reader.as_choice(value, "padding", &PADDINGS),
    }
}

/// Reads four numbers: top, bottom, left, right.
fn zeros<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>) -> Option<Padding> {
    let elements = reader.as_list(value, "padding")?;
    let sides: Vec<Option<usize>> =
        elements.iter().map(|element| reader.as_whole(element, "padding")).collect();
    let sides: Option<Vec<usize>> = sides.into_iter().collect();
    let [top, bottom, left, right] = reader.exactly(value, sides?, "padding")?;
    Some(Padding { top, bottom, left, right })
}

/// Reads one to four axes.
pub(super) fn shape<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>) -> Option<Shape> {
    let elements = reader.as_list(value, "shape")?;
    if elements.is_empty() || elements.len() > 4 {
        reader.fault(Some(value), wrong(&format!("shape takes 1 to 4 axes, not {}", elements.len())));
        return None;
    }
    let axes: Vec<Option<usize>> = elements.iter().map(|element| reader.as_count(element, "shape")).collect();
    let axes: Option<Vec<usize>> = axes.into_iter().collect();
    axes.map(|axes| Shape::new(&axes))
}

fn batch_norm(reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<BatchNorm> {
    let epsilon = match reader.take("epsilon") {
        Some(value) => epsilon(&value, reader),
        None => default_epsilon(reader, defaults),
    };
    let (scale, center) = (reader.flag("scale", true), reader.flag("center", true));
    if let Some(value) = reader.take("training")
        && reader.as_flag(&value, "training")?
    {
        reader.fault(Some(&value), training::fault());
    }
    Some(BatchNorm { epsilon: epsilon?, scale: scale?, center: center? })
}

/// The description's epsilon; it is a fault where there is none.
pub(super) fn default_epsilon(reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Scalar> {
    if defaults.epsilon.is_none() {
        let help = "\"defaults\": {\"batch_norm\": {\"epsilon\": 1e-3}} is what Keras takes, 1e-5 what PyTorch takes";
        reader.missing("epsilon", help);
    }
    defaults.epsilon
}

fn epsilon<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>) -> Option<Scalar> {
    let number = reader.as_number(value, "epsilon")?;
    if number <= 0.0 {
        reader.fault(Some(value), wrong("epsilon must be greater than 0 in f32"));
        return None;
    }
    Some(Scalar::new(number))
}

fn clip(reader: &mut Reader<'_, '_>) -> Option<Activation> {
    let low = reader.need("low").and_then(|value| reader.as_number(&value, "low"));
    let high = reader.need("high").and_then(|value| reader.as_number(&value, "high"));
    let (low, high) = (low?, high?);
    if low > high {
        reader.fault(None, wrong(&format!("low {low} is above high {high}")));
        return None;
    }
    Some(Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) })
}

/// Reads `activation`, none where there is none: the inner option is none for `linear` too.
fn follower(reader: &mut Reader<'_, '_>) -> Option<Option<Activation>> {
    match reader.take("activation") {
        Some(value) => reader.as_choice(&value, "activation", &ACTIVATIONS),
        None => Some(None),
    }
}

/// Reads the activation of a stage.
pub(super) fn stage_activation(
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
) -> Option<Option<Activation>> {
    match reader.take("activation") {
        Some(value) => reader.as_choice(&value, "activation", &ACTIVATIONS),
        None if defaults.activation.is_some() => defaults.activation,
        None => {
            reader.missing(
                "activation",
                "\"relu6\", \"swish\" or another activation, or \"linear\"; here or in defaults",
            );
            None
        }
    }
}

/// Reads how often a stage repeats its block.
pub(super) fn repeat(reader: &mut Reader<'_, '_>) -> Option<usize> {
    let Some(value) = reader.take("repeat") else { return Some(1) };
    let repeat = reader.as_count(&value, "repeat")?;
    if repeat as u64 > limits::REPEAT {
        let message = format!("repeat {repeat} is above the limit of {}", limits::REPEAT);
        reader.fault(Some(&value), frit_ir::Diagnostic::error(codes::LIMIT, message));
        return None;
    }
    Some(repeat)
}
