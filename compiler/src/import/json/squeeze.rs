//! Squeeze and excite (Hu et al., 2018): the mean of each channel, two small layers, and a gate for each channel.
//!
//! What the ratio is one of, how the channels are rounded, and the two functions differ from network to network; a
//! description says them, in `defaults` or at the stage.

use frit_ir::NodeId;
use frit_ir::Op;
use frit_ir::ops::{Binary, GlobalAveragePool, Scalar};

use super::defaults::{Base, SqueezeRule};
use super::kinds::Positive;
use super::layer::{Convolution, Filters, Nodes, Origin};
use crate::import::reader::Reader;
use crate::import::window::WindowRule;

/// How many channels the small layer in the middle has.
#[derive(Debug, Clone, Copy)]
enum Squeezed {
    Channels(usize),
    Ratio(Scalar, Base),
}

/// Squeeze and excite of a stage.
#[derive(Debug, Clone)]
pub(super) struct SqueezeExcite {
    squeezed: Squeezed,
    rule: SqueezeRule,
}

/// The layers that it is.
pub(super) const LAYERS: usize = 6;

/// What a stage says of it.
pub(super) struct Said {
    pub(super) ratio: Option<Positive>,
    pub(super) channels: Option<usize>,
    pub(super) rule: Option<SqueezeRule>,
}

impl Said {
    /// Squeeze and excite as it is said, with `default` where the stage does not say how; the inner option is none where it
    /// has none.
    pub(super) fn resolve(
        self,
        reader: &mut Reader<'_, '_>,
        default: Option<&SqueezeRule>,
    ) -> Option<Option<SqueezeExcite>> {
        if self.ratio.is_none() && self.channels.is_none() {
            return Some(None);
        }
        let Some(rule) = self.rule.or_else(|| default.cloned()) else {
            let help = "{\"of\": \"input\" or \"expanded\", \"divisor\": N, \"activation\": NAME, \"gate\": \"sigmoid\" or \"hard_sigmoid\"}; here or in defaults";
            reader.missing("squeeze_excite", help);
            return None;
        };
        let squeezed = match (self.channels, self.ratio) {
            (Some(channels), _) => Squeezed::Channels(channels),
            (None, ratio) => {
                if rule.of.is_none() {
                    reader.missing("of", "\"input\" or \"expanded\": what se_ratio is a ratio of");
                }
                Squeezed::Ratio(ratio?.0, rule.of?)
            }
        };
        Some(Some(SqueezeExcite { squeezed, rule }))
    }
}

impl SqueezeExcite {
    /// Adds its layers behind `at`, in a block whose input has `input` channels; `origin` is the block's.
    pub(super) fn build(
        &self,
        nodes: &mut dyn Nodes,
        origin: Origin<'_>,
        input: usize,
        at: NodeId,
    ) -> Option<NodeId> {
        let expanded = nodes.channels(at);
        let named = |part: &str| format!("{}/se/{part}", origin.name);
        let pool = Op::GlobalAveragePool(GlobalAveragePool { keep_dims: true });
        let pooled = nodes.add(Origin { name: &named("pool"), ..origin }, pool, &[at])?;
        let small = self.channels(input, expanded);
        let (reduce, gate) = (named("reduce"), named("gate"));
        let (reduce, gate) = (Origin { name: &reduce, ..origin }, Origin { name: &gate, ..origin });
        let reduced = nodes.convolution(reduce, &pointwise(small), pooled)?;
        let reduced = nodes.activate(reduce, self.rule.activation.0, reduced)?;
        let gated = nodes.convolution(gate, &pointwise(expanded), reduced)?;
        let gated = nodes.activate(gate, self.rule.gate.0, gated)?;
        nodes.add(Origin { name: &named("mul"), ..origin }, Op::Binary(Binary::Mul), &[at, gated])
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
    Convolution { filters: Filters::Count { filters, groups: 1 }, window: WindowRule::POINT, bias: true }
}
