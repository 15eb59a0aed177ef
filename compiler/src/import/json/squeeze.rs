//! Squeeze and excite (Hu et al., 2018): the mean of each channel, two small layers, and a gate for each channel.
//!
//! What the ratio is one of, how the channels are rounded, and the two functions differ from network to network; a
//! description says them, in `defaults` or at the stage.

use frit_ir::NodeId;
use frit_ir::Op;
use frit_ir::ops::{Activation, Binary, GlobalAveragePool};

use super::attributes::{self, ACTIVATIONS, Convolution, Filters};
use super::build::{Builder, Origin};
use super::document::Value;
use super::fields::{Reader, wrong};

/// What a ratio is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    /// The channels of the block's input (EfficientNet, MnasNet).
    Input,
    /// The channels between the 1×1 convolutions (MobileNetV3).
    Expanded,
}

/// The names of [`Base`].
const BASES: [(&str, Base); 2] = [("input", Base::Input), ("expanded", Base::Expanded)];

/// What stages take where they say nothing else.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rule {
    of: Option<Base>,
    divisor: usize,
    activation: Option<Activation>,
    gate: Option<Activation>,
}

/// How many channels the small layer in the middle has.
#[derive(Debug, Clone, Copy)]
enum Squeezed {
    Channels(usize),
    Ratio(f32, Base),
}

/// Squeeze and excite of a stage.
#[derive(Debug, Clone, Copy)]
pub(super) struct SqueezeExcite {
    squeezed: Squeezed,
    rule: Rule,
}

/// The layers that it is.
pub(super) const LAYERS: usize = 6;

/// Reads the object that says how.
pub(super) fn rule<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>) -> Option<Rule> {
    let mut object = Reader::open(value, reader.findings)?;
    let of = object.take("of").map(|value| object.as_choice(&value, "of", &BASES));
    let divisor = object.count_or("divisor", 1);
    let mut function = |name: &'static str| {
        let value = object.need(name)?;
        object.as_choice(&value, name, &ACTIVATIONS)
    };
    let (activation, gate) = (function("activation"), function("gate"));
    object.finish();
    // A fault inside was told; without one, `of` may be missing.
    let of = match of {
        Some(found) => Some(found?),
        None => None,
    };
    Some(Rule { of, divisor: divisor?, activation: activation?, gate: gate? })
}

/// Reads what a stage says of it; the inner option is none where it has none.
pub(super) fn read(reader: &mut Reader<'_, '_>, default: Option<Rule>) -> Option<Option<SqueezeExcite>> {
    let own = reader.take("squeeze_excite");
    let (ratio, channels) = (reader.take("se_ratio"), reader.take("se_channels"));
    match (&ratio, &channels, &own) {
        (None, None, None) => return Some(None),
        (None, None, Some(own)) => {
            reader.fault(Some(own), wrong("squeeze_excite needs se_ratio or se_channels beside it"));
            return None;
        }
        (Some(_), Some(channels), _) => {
            reader.fault(Some(channels), wrong("a stage takes se_ratio or se_channels, not both"));
            return None;
        }
        _ => {}
    }
    let rule = match own {
        Some(own) => Some(rule(&own, reader)?),
        None => default,
    };
    let Some(rule) = rule else {
        let help = "{\"of\": \"input\" or \"expanded\", \"divisor\": N, \"activation\": NAME, \"gate\": \"sigmoid\" or \"hard_sigmoid\"}; here or in defaults";
        reader.missing("squeeze_excite", help);
        return None;
    };
    let squeezed = match (ratio, channels) {
        (Some(value), _) => ratio_of(&value, reader, rule.of)?,
        (None, channels) => Squeezed::Channels(reader.as_count(&channels?, "se_channels")?),
    };
    Some(Some(SqueezeExcite { squeezed, rule }))
}

/// Reads a ratio; what it is one of must be said.
fn ratio_of<'a>(value: &Value<'a>, reader: &mut Reader<'_, 'a>, of: Option<Base>) -> Option<Squeezed> {
    let ratio = reader.as_number(value, "se_ratio")?;
    if ratio <= 0.0 {
        reader.fault(Some(value), wrong(&format!("se_ratio {ratio} is not greater than 0")));
        return None;
    }
    if of.is_none() {
        reader.missing("of", "\"input\" or \"expanded\": what se_ratio is a ratio of");
    }
    Some(Squeezed::Ratio(ratio, of?))
}

impl SqueezeExcite {
    /// Adds its layers behind `at`, in a block whose input has `input` channels; `origin` is the block's.
    pub(super) fn build(
        &self,
        builder: &mut Builder<'_, '_>,
        origin: Origin<'_>,
        input: usize,
        at: NodeId,
    ) -> Option<NodeId> {
        let expanded = builder.channels(at);
        let named = |part: &str| format!("{}/se/{part}", origin.name);
        let pool = Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true });
        let pooled = builder.add(Origin { name: &named("pool"), ..origin }, pool, &[at])?;
        let small = self.channels(input, expanded);
        let (reduce, gate) = (named("reduce"), named("gate"));
        let (reduce, gate) = (Origin { name: &reduce, ..origin }, Origin { name: &gate, ..origin });
        let reduced = builder.convolution(reduce, &pointwise(small), pooled)?;
        let reduced = builder.activate(reduce, self.rule.activation, reduced)?;
        let gated = builder.convolution(gate, &pointwise(expanded), reduced)?;
        let gated = builder.activate(gate, self.rule.gate, gated)?;
        builder.add(Origin { name: &named("mul"), ..origin }, Op::Binary(Binary::Mul), &[at, gated])
    }

    /// The channels in the middle, at least one.
    fn channels(&self, input: usize, expanded: usize) -> usize {
        let (ratio, of) = match self.squeezed {
            Squeezed::Channels(channels) => return channels,
            Squeezed::Ratio(ratio, Base::Input) => (ratio, input),
            Squeezed::Ratio(ratio, Base::Expanded) => (ratio, expanded),
        };
        let wanted = of as f64 * f64::from(ratio);
        match self.rule.divisor {
            1 => wanted.floor().max(1.0) as usize,
            divisor => make_divisible(wanted, divisor),
        }
    }
}

/// The multiple of `divisor` nearest to `wanted` channels that is not more than a tenth below, and at least one: as the
/// authors of MobileNetV2 and V3 round in their published code.
pub(crate) fn make_divisible(wanted: f64, divisor: usize) -> usize {
    let divisor = divisor as f64;
    let nearest = ((wanted / divisor + 0.5).floor() * divisor).max(divisor);
    let kept = if nearest < 0.9 * wanted { nearest + divisor } else { nearest };
    kept as usize
}

/// A 1×1 convolution with a bias.
fn pointwise(filters: usize) -> Convolution {
    Convolution { bias: true, ..attributes::pointwise(Filters::Count { filters, groups: 1 }) }
}
