//! What layers take where they say nothing.

use frit_ir::ops::Scalar;

use super::kinds::{Follower, Pair, Positive};
use super::section::{Choice, section, section_kind};
use crate::import::reader::Reader;
use crate::import::window::{PaddingRule, WindowRule};

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
    pub(super) fn check(&self, reader: &mut Reader<'_, '_>, defaults: &Defaults) {
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

/// What a ratio is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// The channels of the block's input (EfficientNet, MnasNet).
    Input,
    /// The channels between the 1×1 convolutions (MobileNetV3).
    Expanded,
}

impl Choice for Base {
    const CHOICES: &'static [(&'static str, Base)] = &[("input", Base::Input), ("expanded", Base::Expanded)];
}

section! {
    /// How squeeze and excite goes.
    SqueezeRule {
        /// What se_ratio is a ratio of: the channels of the block's input, or those that it expands them to.
        of: Option<Base>,
        /// What the channels in the middle are rounded to a multiple of; 1 cuts them to a whole number.
        divisor: usize = 1,
        /// What follows the first layer.
        activation: Follower,
        /// What makes the gate, behind the second.
        gate: Follower,
    }
}
section_kind!(SqueezeRule);
