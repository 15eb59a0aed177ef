//! What each op takes, and what it takes where the layer says nothing.

use frit_ir::diagnostic::codes;
use frit_ir::ops::{Activation, Scalar};
use frit_ir::{Diagnostic, Op, Shape};

use super::fields::Reader;
use super::kinds::{Follower, Pair, Positive};
use super::layers::What;
use super::ops::OPS;
use super::ops::split::Split;
use super::section::{Field, Rule, Section, section, section_kind};
use super::squeeze::SqueezeRule;
use super::stages::{self, Stage};
use crate::import::window::{PaddingRule, WindowRule};

/// What a layer computes, and the activation that follows it.
type Read = (Kind, Option<Activation>);

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
    read: fn(&'static str, &mut Reader<'_, '_>, &Defaults) -> Option<Read>,
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

    /// The window of a layer, which takes its padding from here where it says none.
    pub(super) fn window(
        &self,
        [kernel, stride, dilation]: [Pair; 3],
        padding: Option<PaddingRule>,
    ) -> Option<WindowRule> {
        // Every rule gives a kernel of one pixel no padding.
        let point = (kernel.0 == [1, 1]).then_some(PaddingRule::Valid);
        let padding = padding.or(self.padding).or(point)?;
        Some(WindowRule { kernel: kernel.0, stride: stride.0, dilation: dilation.0, padding })
    }
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
    pub(super) window: WindowRule,
    pub(super) bias: bool,
}

/// What a layer computes.
#[derive(Debug)]
pub(super) enum Kind {
    Plain(Op),
    /// An op that the shapes of its operands complete.
    Shaped(Box<dyn Shaped>),
    /// A constant, with its value where the description says it.
    Constant(Shape, Option<Vec<f32>>),
    Convolution(Convolution),
    Split(Split),
    Stage(Stage),
}

/// What becomes an op when the shapes of its operands are known.
pub(super) trait Shaped: std::fmt::Debug {
    /// The op on operands of these shapes.
    ///
    /// # Errors
    /// What does not fit these shapes.
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic>;

    /// How many operands it takes where it is given so many.
    fn arity(&self, _given: usize) -> usize {
        1
    }
}

impl Kind {
    /// How many operands it takes where it is given so many.
    pub(super) fn arity(&self, given: usize) -> usize {
        match self {
            Kind::Plain(op) => op.arity(),
            Kind::Shaped(shaped) => shaped.arity(given),
            Kind::Constant(..) => 0,
            Kind::Convolution(_) | Kind::Split(_) | Kind::Stage(_) => 1,
        }
    }
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
        let fault = reader.findings.unknown(codes::UNKNOWN_OP, &message, &what.word, known);
        reader.fault(Some(&what.value), fault);
        return (None, None);
    };
    let read = (entry.read)(entry.name, &mut reader, defaults);
    reader.finish();
    read.map_or((None, None), |(kind, activation)| (Some(kind), activation))
}

fn read_as<L: Layer>(word: &'static str, reader: &mut Reader<'_, '_>, defaults: &Defaults) -> Option<Read> {
    let layer = L::read(reader);
    for inherited in L::INHERITS {
        inherited.check(reader, defaults);
    }
    let layer = layer?;
    let follower = layer.follower();
    Some((layer.kind(word, reader, defaults)?, follower))
}
