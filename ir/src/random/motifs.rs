//! Networks made of the motifs that the e-graph and the schedule look for, most of them with one attribute off: where a stage has
//! another idea of a motif than the one that defines it, the near miss shows it.

mod convolutions;
mod joins;
mod maps;
mod weaving;

use std::fmt;

use proptest::prelude::*;

use super::growing::Budget;
use super::{Choices, Growing};
use crate::Graph;
use weaving::Weaving;

/// A group of layers that is recognised as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Motif {
    /// Expansion, depthwise convolution, projection, and often the addition of what went in.
    Block,
    /// Depthwise convolution, pointwise one, and both again: two blocks that share no layer.
    Separable,
    /// A depthwise convolution times a gate that squeeze and excite makes of it, then a projection.
    Squeeze,
    /// A map times its own means, then a convolution.
    Gate,
    /// Maps that are computed into the tensor that they are joined to, perhaps one inside another.
    Concat,
    /// A convolution in groups, read by a pointwise one.
    Grouped,
    /// A sum of a map and what a convolution makes of it.
    Residual,
    /// A map cut into parts, a convolution of each, joined: a grouped convolution.
    Split,
    /// Convolutions of one map, joined: one convolution with the filters of all.
    Siblings,
    /// A clamp before a depthwise convolution, of a map that others read too.
    Prologue,
    /// A pool over windows, and a convolution.
    Pool,
    /// Padding before a convolution without any.
    Pad,
    /// Batch normalisations before or behind a convolution.
    Norm,
    /// A map made small and large again, joined to itself.
    Upsample,
    /// Channels in another order between two convolutions.
    Shuffle,
    /// The average of a map, a fully connected layer, probabilities.
    Head,
}

/// What a near miss of a motif has other than the motif.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Off {
    /// Steps down and across differ.
    Stride,
    /// Taps lie apart, not alike down and across.
    Dilation,
    /// Each side has zeros of its own.
    Padding,
    /// The window is not square, even, or a single pixel.
    Kernel,
    /// A number of channels is next to the usual one.
    Channels,
    /// Half as many groups.
    Groups,
    /// One filter a group, of several channels.
    OneFilter,
    /// One channel a group, of several filters.
    Multiplier,
    /// What should be pointwise has a window, a stride, padding or groups.
    Pointwise,
    /// A function that is no clamp, or none where there should be one.
    Activation,
    /// Operands the other way round.
    Order,
    /// One value is read where two should be.
    Twice,
    /// Along another axis.
    Axis,
    /// What goes in is joined as it is.
    Source,
    /// One of several that should be alike is not.
    Unlike,
    /// Parts that overlap.
    Overlap,
    /// Padding that is no zeros.
    Value,
    /// A value inside has a second reader.
    SecondReader,
    /// A value inside is an output.
    MiddleOutput,
}

/// Adds the layers of a motif on the value that is given; the value that they make, or nothing where a layer is not legal or the
/// attribute found no place.
type Weave = fn(&mut Weaving<'_, '_>, usize) -> Option<usize>;

/// Every motif, how it is made, and what may be off.
const MOTIFS: [(Motif, Weave, &[Off]); 16] = {
    use Off::*;
    [
        (
            Motif::Block,
            convolutions::block,
            &[
                SecondReader,
                MiddleOutput,
                Stride,
                Dilation,
                Padding,
                Kernel,
                Channels,
                Groups,
                OneFilter,
                Multiplier,
                Pointwise,
                Activation,
                Twice,
            ],
        ),
        (
            Motif::Separable,
            convolutions::separable,
            &[SecondReader, MiddleOutput, Stride, Dilation, Kernel, Channels, OneFilter, Multiplier],
        ),
        (
            Motif::Squeeze,
            convolutions::squeeze,
            &[SecondReader, MiddleOutput, Stride, Padding, Kernel, Channels, Activation, Order, Twice, Axis],
        ),
        (Motif::Gate, convolutions::gate, &[SecondReader, MiddleOutput, Order, Twice, Axis, Pointwise]),
        (Motif::Concat, joins::concat, &[SecondReader, MiddleOutput, Channels, Twice, Axis, Source, Stride]),
        (
            Motif::Grouped,
            convolutions::grouped,
            &[
                SecondReader,
                MiddleOutput,
                Stride,
                Dilation,
                Padding,
                Kernel,
                Channels,
                OneFilter,
                Multiplier,
                Pointwise,
                Activation,
            ],
        ),
        (
            Motif::Residual,
            joins::residual,
            &[SecondReader, MiddleOutput, Activation, Order, Twice, Axis, Unlike],
        ),
        (
            Motif::Split,
            joins::split,
            &[SecondReader, MiddleOutput, Channels, Order, Twice, Unlike, Overlap, OneFilter],
        ),
        (Motif::Siblings, joins::siblings, &[SecondReader, MiddleOutput, Channels, Twice, Unlike]),
        (
            Motif::Prologue,
            convolutions::prologue,
            &[SecondReader, MiddleOutput, Stride, Dilation, Padding, Kernel, Groups, OneFilter, Activation],
        ),
        (Motif::Pool, convolutions::pool, &[SecondReader, MiddleOutput, Stride, Dilation, Padding, Kernel]),
        (Motif::Pad, convolutions::pad, &[SecondReader, MiddleOutput, Stride, Padding, Value, Multiplier]),
        (Motif::Norm, convolutions::norm, &[SecondReader, MiddleOutput, Padding, Order, Activation]),
        (Motif::Upsample, maps::upsample, &[SecondReader, MiddleOutput, Kernel, Padding, Channels]),
        (Motif::Shuffle, maps::shuffle, &[SecondReader, MiddleOutput, Order, Channels]),
        (Motif::Head, maps::head, &[SecondReader, MiddleOutput, Axis, Activation]),
    ]
};

/// A motif as it was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Drawn {
    /// Which.
    pub motif: Motif,
    /// What is off, where it is a near miss.
    pub off: Option<Off>,
}

impl Drawn {
    /// Every motif as it is, and each of its near misses.
    pub fn kinds() -> Vec<Drawn> {
        let kinds = MOTIFS.iter().flat_map(|&(motif, _, offs)| {
            let near = offs.iter().map(move |&off| Drawn { motif, off: Some(off) });
            std::iter::once(Drawn { motif, off: None }).chain(near)
        });
        kinds.collect()
    }
}

impl fmt::Display for Drawn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.off {
            None => write!(f, "{:?}", self.motif),
            Some(off) => write!(f, "{:?} with {off:?} off", self.motif),
        }
    }
}

/// A network made of motifs, and which they are.
#[derive(Debug, Clone)]
pub struct Composed {
    /// The network.
    pub graph: Graph,
    /// Its motifs, in order; fewer than were asked for where one found no place.
    pub drawn: Vec<Drawn>,
}

/// Rows and columns of inputs: most are small, and some so large that they are shared out by tiles, rows and bands.
const SIZES: [usize; 16] = [8, 16, 14, 7, 12, 28, 10, 9, 20, 5, 32, 24, 1, 40, 17, 56];

/// Channels of inputs: most fill blocks of 4, 8 or 16.
const CHANNELS: [usize; 12] = [16, 8, 32, 24, 12, 3, 48, 20, 17, 64, 1, 6];

/// What the interpreter takes some milliseconds for; tensors of this size pass the near caches of most machines.
const LARGE: Budget = Budget { elements: 160_000, macs: 2_500_000 };

/// Networks of one to three motifs, as a front end makes them or with layers that carry epilogues and prologues already.
pub fn composed() -> impl Strategy<Value = Composed> {
    let motif = prop::collection::vec(any::<u8>(), 48);
    (prop::array::uniform6(any::<u8>()), prop::collection::vec(motif, 1..=3)).prop_map(|(head, motifs)| {
        let mut choices = Choices(head.iter());
        let rows = choices.one(&SIZES);
        let columns = if choices.below(4) == 3 { choices.one(&SIZES) } else { rows };
        let channels = choices.one(&CHANNELS);
        let fused = choices.flag();
        let growing = Growing::on(&[rows, columns, channels], u64::from(head[5]));
        let growing = Growing { fused, left: LARGE, ..growing };
        compose(growing, &motifs)
    })
}

/// The motifs that `bytes` stand for, each on what the one before made.
fn compose(mut growing: Growing, bytes: &[Vec<u8>]) -> Composed {
    let (mut drawn, mut last) = (Vec::new(), 0);
    for bytes in bytes {
        let mut choices = Choices(bytes.iter());
        let (motif, weave, offs) = choices.one(&MOTIFS);
        let off = choices.below(256).checked_sub(64).map(|byte| offs[byte % offs.len()]);
        // What is not made to its end leaves nothing behind.
        let mut tried = growing.clone();
        let mut weaving = Weaving { growing: &mut tried, choices, off, is_off: false };
        let made = weave(&mut weaving, last);
        let is_off = weaving.is_off;
        if let Some(made) = made
            && is_off == off.is_some()
        {
            (growing, last) = (tried, made);
            drawn.push(Drawn { motif, off });
        }
    }
    Composed { graph: growing.finish(), drawn }
}
