//! What each op takes, and what it takes where the layer says nothing.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{
    Activation, BatchNorm, Binary, Dense, Epilogue, GlobalAveragePool, Padding, Reshape, Scalar, Softmax,
};
use frit_ir::{Op, Shape};

use super::fields::{Reader, unknown, wrong};
use super::kinds::{Follower, Pair, PaddingRule, Positive};
use super::layers::What;
use super::section::{Field, Rule, Section, section, section_kind};
use super::squeeze::SqueezeRule;
use super::stages::{self, Stage};
use super::window::Window;

/// An op or a stage: its name, and what it takes.
pub(super) struct Entry {
    /// Its name in descriptions.
    pub(super) name: &'static str,
    /// What it is.
    pub(super) doc: &'static str,
    /// Its fields.
    pub(super) fields: &'static [Field],
    /// What holds between them.
    pub(super) rules: &'static [Rule],
    /// What it takes from the description's `defaults` where it says nothing.
    pub(super) inherits: &'static [Inherited],
    read: fn(&'static str, &mut Reader<'_, '_>, &Defaults) -> Option<(Kind, Option<Activation>)>,
}

impl Entry {
    /// The entry whose fields are those of `L`.
    pub(super) const fn new<L: Layer>(name: &'static str, doc: &'static str) -> Entry {
        Entry { name, doc, fields: L::FIELDS, rules: L::RULES, inherits: L::INHERITS, read: read_as::<L> }
    }
}

/// A section that is a layer.
pub(super) trait Layer: Section {
    /// What it takes from the description's `defaults` where it says nothing.
    const INHERITS: &'static [Inherited] = &[];

    /// What the layer of this name computes; the fault of what is wrong between its fields is told.
    fn kind(self, word: &'static str, reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind>;

    /// The activation that follows it.
    fn follower(&self) -> Option<Activation> {
        None
    }
}

/// A field that a layer may leave to the description's `defaults`.
pub(super) struct Inherited {
    /// Its name.
    pub(super) field: &'static str,
    /// The path of what gives it, in `defaults`.
    pub(super) path: &'static [&'static str],
    given: fn(&Defaults) -> bool,
    help: &'static str,
}

/// Of layers with a window. A kernel of one pixel needs none.
pub(super) const PADDING: Inherited = Inherited {
    field: "padding",
    path: &["padding"],
    given: |defaults| defaults.padding.is_some(),
    help: "\"same\" (Keras), \"torch\" (PyTorch), \"valid\" or [top, bottom, left, right]; here or in defaults",
};
/// Of stages.
pub(super) const ACTIVATION: Inherited = Inherited {
    field: "activation",
    path: &["activation"],
    given: |defaults| defaults.activation.is_some(),
    help: "\"relu6\", \"swish\" or another activation, or \"linear\"; here or in defaults",
};
/// Of batch normalisations, those of stages too.
pub(super) const EPSILON: Inherited = Inherited {
    field: "epsilon",
    path: &["batch_norm", "epsilon"],
    given: |defaults| defaults.batch_norm.is_some(),
    help: "\"defaults\": {\"batch_norm\": {\"epsilon\": 1e-3}} is what Keras takes, 1e-5 what PyTorch takes",
};

impl Inherited {
    /// The fault that neither the layer nor `defaults` gives it.
    fn check(&self, reader: &mut Reader<'_, '_>, defaults: &Defaults) {
        let spelled = |name| reader.given(name).map(|value| value.spelling());
        let point = self.field == PADDING.field && spelled("kernel").is_some_and(is_point);
        if spelled(self.field).is_none() && !(self.given)(defaults) && !point {
            reader.missing(self.field, self.help);
        }
    }
}

/// Whether this is how a kernel of one pixel is written.
fn is_point(kernel: &str) -> bool {
    kernel == "1" || kernel.chars().filter(|c| !c.is_whitespace()).eq("[1,1]".chars())
}

section! {
    /// What layers take where they say nothing.
    Defaults {
        /// Of every window.
        padding: Option<PaddingRule>,
        /// Of stages.
        activation: Option<Follower>,
        /// Of batch normalisations, those of stages too.
        batch_norm: Option<NormDefaults>,
        /// Of stages with se_ratio or se_channels.
        squeeze_excite: Option<SqueezeRule>,
    }
}
section_kind!(Defaults);

section! {
    /// What batch normalisations take where they say nothing.
    NormDefaults {
        /// Added to the variance: 1e-3 is what Keras takes, 1e-5 what PyTorch takes.
        epsilon: Positive,
    }
}
section_kind!(NormDefaults);

/// There are no defaults but those that the description gives: frameworks differ in each of these, silently.
impl Default for Defaults {
    fn default() -> Defaults {
        Defaults { padding: None, activation: None, batch_norm: None, squeeze_excite: None }
    }
}

impl Defaults {
    /// The epsilon of batch normalisations.
    pub(super) fn epsilon(&self) -> Option<Scalar> {
        self.batch_norm.as_ref().map(|norm| norm.epsilon.0)
    }
}

/// The ops by their names in descriptions.
pub(super) const OPS: &[Entry] = &[
    Entry::new::<ConvolutionFields>("conv2d", "A convolution, perhaps in groups"),
    Entry::new::<DepthwiseFields>("depthwise_conv2d", "A convolution of each channel by itself"),
    Entry::new::<BatchNormFields>("batch_norm", "Batch normalisation with the statistics of training"),
    Entry::new::<Plain>("relu", "max(x, 0)"),
    Entry::new::<Plain>("relu6", "min(max(x, 0), 6)"),
    Entry::new::<Plain>("sigmoid", "1 / (1 + e^-x)"),
    Entry::new::<Plain>("swish", "x * sigmoid(x), also called SiLU"),
    Entry::new::<Plain>("hard_sigmoid", "relu6(x + 3) / 6"),
    Entry::new::<Plain>("hard_swish", "x * hard_sigmoid(x)"),
    Entry::new::<ClipFields>("clip", "min(max(x, low), high)"),
    Entry::new::<Plain>("add", "The sum of two tensors of one shape"),
    Entry::new::<Plain>("mul", "The product of two tensors of one shape, or of a map and a gate"),
    Entry::new::<PadFields>("pad", "Zeros around a map"),
    Entry::new::<GlobalPoolFields>("global_avg_pool", "The mean of each channel over the map"),
    Entry::new::<DenseFields>("dense", "A fully connected layer"),
    Entry::new::<Plain>("softmax", "Exponentials along the last axis that add up to one"),
    Entry::new::<ReshapeFields>("reshape", "The same elements in another shape"),
    Entry::new::<Plain>("flatten", "The same elements as a vector"),
];

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

/// Reads what the op or stage takes, and the activation that follows it; a field that it does not take is a fault.
pub(super) fn read<'a>(
    what: &What<'a>,
    mut reader: Reader<'_, 'a>,
    defaults: &Defaults,
) -> (Option<Kind>, Option<Activation>) {
    let (entries, kind) = if what.stage { (stages::STAGES, "stage") } else { (OPS, "op") };
    let Some(entry) = entries.iter().find(|entry| entry.name == what.word) else {
        let message = format!("there is no {kind}");
        let known = entries.iter().map(|entry| entry.name);
        reader.fault(Some(&what.value), unknown(codes::UNKNOWN_OP, &message, &what.word, known));
        return (None, None);
    };
    let read = (entry.read)(entry.name, &mut reader, defaults);
    reader.finish();
    read.map_or((None, None), |(kind, activation)| (Some(kind), activation))
}

fn read_as<L: Layer>(
    word: &'static str,
    reader: &mut Reader<'_, '_>,
    defaults: &Defaults,
) -> Option<(Kind, Option<Activation>)> {
    let layer = L::read(reader);
    for inherited in L::INHERITS {
        inherited.check(reader, defaults);
    }
    let layer = layer?;
    let follower = layer.follower();
    Some((layer.kind(word, reader, defaults)?, follower))
}

section! {
    /// An op without fields.
    Plain {}
}

impl Layer for Plain {
    fn kind(self, word: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(match word {
            "add" => Op::Binary(Binary::Add),
            "mul" => Op::Binary(Binary::Mul),
            "softmax" => Op::Softmax(Softmax),
            "flatten" => Op::Reshape(Reshape::Flatten),
            _ => Op::Activation(Activation::of_name(word)?),
        }))
    }
}

section! {
    /// A convolution, perhaps in groups.
    ConvolutionFields {
        /// Output channels.
        filters: usize,
        /// Groups that the channels are split into.
        groups: usize = 1,
        /// Height and width of the kernel.
        kernel: Pair,
        /// Steps down and right.
        stride: Pair = Pair::both(1),
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map.
        padding: Option<PaddingRule>,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

impl Layer for ConvolutionFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind> {
        let window = Window::new([self.kernel, self.stride, self.dilation], self.padding, defaults)?;
        let filters = Filters::Count { filters: self.filters, groups: self.groups };
        Some(Kind::Convolution(Convolution { filters, window, bias: self.bias }))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

section! {
    /// A convolution of each channel by itself.
    DepthwiseFields {
        /// Filters for each input channel.
        multiplier: usize = 1,
        /// Height and width of the kernel.
        kernel: Pair,
        /// Steps down and right.
        stride: Pair = Pair::both(1),
        /// Distance of the kernel's taps.
        dilation: Pair = Pair::both(1),
        /// Zeros around the map.
        padding: Option<PaddingRule>,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

impl Layer for DepthwiseFields {
    const INHERITS: &'static [Inherited] = &[PADDING];

    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind> {
        let window = Window::new([self.kernel, self.stride, self.dilation], self.padding, defaults)?;
        let filters = Filters::PerChannel(self.multiplier);
        Some(Kind::Convolution(Convolution { filters, window, bias: self.bias }))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

section! {
    /// Batch normalisation with the statistics of training.
    BatchNormFields {
        /// Added to the variance.
        epsilon: Option<Positive>,
        /// Whether it multiplies by a gamma.
        scale: bool = true,
        /// Whether it adds a beta.
        center: bool = true,
    }
}

impl Layer for BatchNormFields {
    const INHERITS: &'static [Inherited] = &[EPSILON];

    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Kind> {
        let epsilon = self.epsilon.map(|epsilon| epsilon.0).or(defaults.epsilon())?;
        Some(Kind::Plain(Op::BatchNorm(BatchNorm { epsilon, scale: self.scale, center: self.center })))
    }
}

section! {
    /// A clamp.
    ClipFields {
        /// The smallest result.
        low: Scalar,
        /// The largest result.
        high: Scalar,
    }
}

impl Layer for ClipFields {
    fn kind(self, _: &'static str, reader: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        let ClipFields { low, high } = self;
        if low.get() > high.get() {
            reader.fault(None, wrong(&format!("low {} is above high {}", low.get(), high.get())));
            return None;
        }
        Some(Kind::Plain(Op::Activation(Activation::Clip { low, high })))
    }
}

section! {
    /// Zeros around a map.
    PadFields {
        /// Rows above and below, columns left and right.
        padding: Padding,
    }
}

impl Layer for PadFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(Op::Pad(self.padding)))
    }
}

section! {
    /// A pool over the whole map.
    GlobalPoolFields {
        /// Whether the result is a map of one pixel, and no vector.
        keep_dims: bool = false,
    }
}

impl Layer for GlobalPoolFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(Op::GlobalAveragePool(GlobalAveragePool { keep_dims: self.keep_dims })))
    }
}

section! {
    /// A fully connected layer.
    DenseFields {
        /// Output channels.
        units: usize,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

impl Layer for DenseFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(Op::Dense(Dense { units: self.units, epilogue: Epilogue::with_bias(self.bias) })))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

section! {
    /// The same elements in another shape.
    ReshapeFields {
        /// The shape.
        shape: Shape,
    }
}

impl Layer for ReshapeFields {
    fn kind(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Kind> {
        Some(Kind::Plain(Op::Reshape(Reshape::To(self.shape))))
    }
}
