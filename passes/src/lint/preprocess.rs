//! Pictures that are prepared otherwise than those of training: what the first convolution makes of them is compared with
//! the statistics that its batch normalisation remembers.
//!
//! Of a channel of photographs mean and deviation are known well enough (those of ImageNet). The mean of a filter's sum
//! follows from them exactly, and its deviation is at most `Σ |w| σ`, by the triangle inequality.

use frit_ir::ops::{Activation, Scalar};
use frit_ir::weights::Values;
use frit_ir::{NodeId, Op, Preprocess};

use super::network::Network;
use super::{Found, Sure};

/// Means of the channels of ImageNet's photographs, of 0 to 1.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
/// Their deviations.
const DEVIATION: [f64; 3] = [0.229, 0.224, 0.225];
/// How large a part of the most possible a deviation usually is, in the median over a layer's filters.
const USUAL: f64 = 0.4;
/// A misfit that is told; the right preparation has a fifth of it.
const MISFIT: f64 = 1.5;
/// A misfit that no trained network has with what it was trained with,
const CLEAR: f64 = 3.0;
/// and deviations beyond the most possible, which other photographs than ImageNet's do not explain.
const IMPOSSIBLE: f64 = 1.5;

/// The preparation of pictures that does not fit the network's first normalisation, where that was trained.
pub(super) fn statistics(network: &Network<'_>) -> Vec<Found> {
    network.order.iter().filter_map(|&id| found(network, id)).collect()
}

fn found(network: &Network<'_>, input: NodeId) -> Option<Found> {
    let given = network.graph.preprocess.as_ref().filter(|_| matches!(network.op(input), Op::Input(_)))?;
    let first = First::behind(network, input)?;
    let fit = first.fit(given)?;
    let fits = USUALLY.iter().filter_map(|(name, other)| Some((*name, first.fit(other)?)));
    let (name, best) = fits.min_by(|(_, a), (_, b)| a.misfit().total_cmp(&b.misfit()))?;
    if fit.misfit() < MISFIT || best.misfit() > fit.misfit() - 1.0 {
        return None;
    }
    let [low, high] = given.range.map(Scalar::get);
    let [mean, std] = [given.mean, given.std].map(|channels| channels.map(Scalar::get));
    Some(Found {
        layers: vec![("first", first.conv), ("norm", first.norm), ("pictures", input)],
        message: "pictures are prepared otherwise than those that the network was trained with".to_owned(),
        why: format!(
            "of photographs as prepared here ({low} to {high}, less {mean:?}, by {std:?}) the filters' sums lie \
             {:.1} deviations off the means that the normalisation remembers, and its deviations are {:.3} of the \
             most possible; of photographs as {name} it is {:.1} and {:.3}",
            fit.shift, fit.spread, best.shift, best.spread
        ),
        what: format!("prepare pictures as they were for training, probably {name}"),
        sure: if fit.misfit() >= CLEAR || fit.spread > IMPOSSIBLE { Sure::Likely } else { Sure::Possible },
    })
}

/// How frameworks prepare pictures.
const USUALLY: [(&str, Preprocess); 5] = [
    (
        "0 to 1, by the mean and deviation of ImageNet (torchvision)",
        prepared([0.0, 1.0], [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ),
    ("-1 to 1 (Keras' MobileNets)", prepared([-1.0, 1.0], [0.0; 3], [1.0; 3])),
    ("0 to 1", prepared([0.0, 1.0], [0.0; 3], [1.0; 3])),
    ("0 to 255", prepared([0.0, 255.0], [0.0; 3], [1.0; 3])),
    (
        "0 to 255 less the mean of ImageNet (Caffe)",
        prepared([0.0, 255.0], [123.68, 116.78, 103.94], [1.0; 3]),
    ),
];

/// In the order of the channels.
const fn prepared([low, high]: [f64; 2], [r, g, b]: [f64; 3], [r_std, g_std, b_std]: [f64; 3]) -> Preprocess {
    let range = [Scalar::nearest(low), Scalar::nearest(high)];
    let mean = [Scalar::nearest(r), Scalar::nearest(g), Scalar::nearest(b)];
    let std = [Scalar::nearest(r_std), Scalar::nearest(g_std), Scalar::nearest(b_std)];
    Preprocess { crop_center_square: false, bicubic: false, range, mean, std }
}

/// The first convolution, its normalisation, and what comes before both.
struct First {
    conv: NodeId,
    norm: NodeId,
    /// Kernel, in taps, channels and filters.
    kernel: Values,
    bias: Option<Values>,
    mean: Values,
    variance: Values,
    epsilon: f64,
    /// Scale and offset of what the network does to a picture before.
    line: [f64; 2],
}

/// How well pictures fit.
struct Fit {
    /// How far the sums' means are off, in deviations: the root of the mean square over the filters.
    shift: f64,
    /// The remembered deviations in parts of the most possible: the median.
    spread: f64,
}

impl Fit {
    fn misfit(&self) -> f64 {
        self.shift + (self.spread / USUAL).ln().abs()
    }
}

impl First {
    fn behind(network: &Network<'_>, input: NodeId) -> Option<First> {
        let (mut at, mut line) = (input, [1.0, 0.0]);
        let conv = loop {
            let reader = network.only_reader(at)?;
            if matches!(network.op(reader), Op::Conv2d(_)) {
                break reader;
            }
            if let Op::Activation(Activation::Rescale { scale, offset }) = network.op(reader) {
                let (scale, offset) = (f64::from(scale.get()), f64::from(offset.get()));
                line = [line[0] * scale, line[1] * scale + offset];
            } else if !matches!(network.op(reader), Op::Transpose(_) | Op::Pad(_)) {
                return None;
            }
            at = reader;
        };
        let (attributes, operand) = network.convolution(conv)?;
        let norm = network.only_reader(conv)?;
        let Op::BatchNorm(batch_norm) = network.op(norm) else { return None };
        let plain = attributes.groups == 1 && attributes.epilogue.is_linear() && !attributes.gate;
        if !plain || network.channels(operand) != Some(3) {
            return None;
        }
        let learnt = usize::from(batch_norm.scale) + usize::from(batch_norm.center);
        Some(First {
            conv,
            norm,
            kernel: network.trained(conv, 0)?,
            bias: if attributes.epilogue.bias { Some(network.trained(conv, 1)?) } else { None },
            mean: network.trained(norm, learnt)?,
            variance: network.trained(norm, learnt + 1)?,
            epsilon: f64::from(batch_norm.epsilon.get()),
            line,
        })
    }

    /// How well pictures fit that are prepared like that; none where no filter sums anything.
    fn fit(&self, preprocess: &Preprocess) -> Option<Fit> {
        let [low, high] = preprocess.range.map(f64::from);
        let channel = |of: f64, channel: usize, mean: f64| {
            (of * (high - low) + mean) / f64::from(preprocess.std[channel])
        };
        let means: [f64; 3] = std::array::from_fn(|c| {
            self.line[0] * channel(MEAN[c], c, low - f64::from(preprocess.mean[c])) + self.line[1]
        });
        let deviations: [f64; 3] =
            std::array::from_fn(|c| (self.line[0] * channel(DEVIATION[c], c, 0.0)).abs());
        let filters = self.mean.len();
        let (mut shifts, mut spreads) = (Vec::new(), Vec::new());
        for filter in 0..filters {
            let weights =
                || self.kernel.iter().skip(filter).step_by(filters).map(|&weight| f64::from(weight));
            let sum =
                |of: &[f64; 3]| weights().zip(of.iter().cycle()).map(|(weight, of)| weight * of).sum::<f64>();
            let most: f64 =
                weights().zip(deviations.iter().cycle()).map(|(weight, of)| weight.abs() * of).sum();
            let bias =
                self.bias.as_ref().and_then(|bias| bias.get(filter)).map_or(0.0, |&bias| f64::from(bias));
            let deviation = (f64::from(*self.variance.get(filter)?).max(0.0) + self.epsilon).sqrt();
            // A filter that died in training remembers nothing.
            if most > 0.0 && f64::from(self.variance[filter]) > self.epsilon {
                shifts.push(((sum(&means) + bias - f64::from(self.mean[filter])) / deviation).powi(2));
                spreads.push(deviation / most);
            }
        }
        spreads.sort_unstable_by(f64::total_cmp);
        let shift = (shifts.iter().sum::<f64>() / shifts.len().max(1) as f64).sqrt();
        spreads.get(spreads.len() / 2).map(|&spread| Fit { shift, spread })
    }
}
