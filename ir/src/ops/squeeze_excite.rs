//! Squeeze and excite (Hu et al., Squeeze-and-Excitation Networks, 2018) as one op: of each channel's mean over the map
//! two small fully connected layers make its gate.
//!
//! ```text
//! mean[c]    = the mean of x[.., .., c]
//! reduced[s] = activation(sum over c of mean[c] * reduce.kernel[c, s] + reduce.bias[s])
//! gate[c]    = gate(sum over s of reduced[s] * expand.kernel[s, c] + expand.bias[c])
//! ```
//! The result is `gate` as a map of one pixel, or where the op *scales*, `x` with each channel times its gate.
//!
//! In text: `squeeze_excite {squeezed=N, reduce_bias, reduce_act=ACTIVATION, expand_bias, expand_act=ACTIVATION, scales}`.

use super::{Activation, Given, Page, WeightRole};
use crate::diagnostic::{Diagnostic, codes};
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, activation, number};

/// Attributes of squeeze and excite. The kernels are those of 1×1 convolutions, `[1, 1, in, out]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SqueezeExcite {
    /// Channels between the two layers.
    pub squeezed: usize,
    /// The first layer, from the means to the squeezed channels.
    pub reduce: Small,
    /// The second layer, back to the channels of the map.
    pub expand: Small,
    /// Whether the result is the map times its gate, and not the gate.
    pub scales: bool,
}

/// What follows the sums of one of the two layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Small {
    /// Adds a bias, the weight after the layer's kernel.
    pub bias: bool,
    /// Applied to the biased sum.
    pub activation: Option<Activation>,
}

impl SqueezeExcite {
    /// The weights of the two layers, each a kernel and perhaps a bias, out of those of the op in their order.
    pub fn split<'a, W>(&self, weights: &'a [W]) -> [&'a [W]; 2] {
        let (reduce, expand) = weights.split_at(1 + usize::from(self.reduce.bias));
        [reduce, expand]
    }
}

impl Small {
    fn evaluate<T: Number>(&self, input: &Tensor<T>, weights: &[Vec<T>], units: usize) -> Tensor<T> {
        let dense = super::Dense { units, epilogue: super::Epilogue::with_bias(self.bias) };
        let mut sums = dense.sums(input, &weights[0], weights.get(1).map(Vec::as_slice));
        if let Some(activation) = self.activation {
            sums.mapv_inplace(|x| activation.apply(x));
        }
        sums
    }
}

impl Page for SqueezeExcite {
    fn name(&self) -> &'static str {
        "squeeze_excite"
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        let [_, _, channels] = operands[0].map().ok_or_else(|| {
            Diagnostic::error(
                codes::RANK,
                format!("squeeze_excite takes a map (height x width x channels), not {}", operands[0]),
            )
        })?;
        if self.squeezed == 0 {
            let message = "squeeze_excite with 0 squeezed channels; the least is 1";
            return Err(Diagnostic::error(codes::BAD_ATTRIBUTE, message));
        }
        super::sized(if self.scales { operands[0].clone() } else { Shape::new(&[1, 1, channels]) })
    }

    fn weight_roles(&self, operands: &[Shape]) -> Vec<WeightRole> {
        let (channels, squeezed) = (operands[0].channels(), self.squeezed);
        let layers = [
            (self.reduce, "reduce.kernel", "reduce.bias", [channels, squeezed]),
            (self.expand, "expand.kernel", "expand.bias", [squeezed, channels]),
        ];
        let mut roles = Vec::new();
        for (layer, kernel, bias, [from, to]) in layers {
            roles.push(WeightRole { role: kernel, shape: Shape::new(&[1, 1, from, to]) });
            if layer.bias {
                roles.push(WeightRole { role: bias, shape: Shape::new(&[to]) });
            }
        }
        roles
    }

    fn macs(&self, operands: &[Shape], _: &Shape) -> u64 {
        2 * (operands[0].channels() as u64).saturating_mul(self.squeezed as u64)
    }

    /// The layers that it stands for, with what follows their sums, in order.
    fn parts(&self) -> Vec<&'static str> {
        let mut parts = vec!["global_avg_pool"];
        for layer in [self.reduce, self.expand] {
            parts.push("conv2d");
            if layer.bias {
                parts.push("bias");
            }
            parts.extend(layer.activation.as_ref().map(Activation::name));
        }
        if self.scales {
            parts.push("mul");
        }
        parts
    }

    fn print(&self, to: &mut Written) {
        to.value("squeezed", self.squeezed);
        to.flag("reduce_bias", self.reduce.bias);
        to.function("reduce_act", self.reduce.activation.as_ref());
        to.flag("expand_bias", self.expand.bias);
        to.function("expand_act", self.expand.activation.as_ref());
        to.flag("scales", self.scales);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<SqueezeExcite>, Diagnostic> {
        if name != "squeeze_excite" {
            return Ok(None);
        }
        Ok(Some(SqueezeExcite {
            squeezed: from.needed("squeezed", number)?,
            reduce: Small {
                bias: from.flag("reduce_bias")?,
                activation: from.value("reduce_act", activation)?,
            },
            expand: Small {
                bias: from.flag("expand_bias")?,
                activation: from.value("expand_act", activation)?,
            },
            scales: from.flag("scales")?,
        }))
    }

    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let [reduce, expand] = self.split(given.weights);
        let channels = input.shape()[2];
        let mean = super::global_pool::means(input);
        let reduced = self.reduce.evaluate(&mean, reduce, self.squeezed);
        let gate = self.expand.evaluate(&reduced, expand, channels);
        if self.scales { super::Binary::Mul.joined(input, &gate) } else { Ok(gate) }
    }
}
