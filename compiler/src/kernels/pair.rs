//! An expansion and the depthwise convolution behind it, a panel of channels at a time.
//!
//! ```text
//! for panel in items
//!     ring[rows of the nest] = convolution of the panel
//!     for block of the panel: output[rows of the span] = depthwise convolution of ring
//! ```
//! What lies between the two never leaves the near caches. The ring holds some rows of the expanded map. Where bands of
//! rows follow each other, its panels lie side by side, and those rows that the next band needs again stay; where a panel
//! is computed as a whole, all panels take the same place.
//!
//! Parameters: input, weights of the convolution, weights of the depthwise convolution, ring, output, and where they are wanted
//! row sums. Items: panels.

use super::conv::{self, Conv, Nest};
use super::depthwise::{self, Bases, Depthwise};
use super::set;
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Count, Program};

/// The two convolutions.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The first one; its output is the ring.
    pub expand: Conv,
    /// Its panels and rows; no rows where the ring has all that the span needs.
    pub nest: Nest,
    /// Bytes from the ring's begin to the first row of the nest.
    pub expand_offset: usize,
    /// The second one; its input is the ring.
    pub depthwise: Depthwise,
    /// The most outputs of a tile of the second one.
    pub pixels: usize,
    /// Whether each panel has its own place in the ring.
    pub keeps: bool,
}

/// Builds the kernel.
pub fn build(width: Width, pair: &Pair) -> Result<Program, TooManyRegisters> {
    let name = format!(
        "{}__{}",
        conv::name(&pair.expand, &pair.nest),
        depthwise::name(&pair.depthwise, pair.pixels)
    );
    let sums = usize::from(pair.depthwise.row_sums.is_some());
    let mut builder = Builder::new(name, width, 5 + sums);
    let b = &mut builder;
    let [input, expand_weights, depthwise_weights, ring, output, row_sums] =
        [0, 1, 2, 3, 4, 4 + sums].map(|index| b.parameter(index));
    let bases = [input, expand_weights, ring, ring];
    let expand = conv::Emitter::new(b, &pair.expand, &pair.nest, bases);
    let bases = Bases { tensors: [ring, depthwise_weights, output, output], row_sums };
    let depthwise = depthwise::Emitter::new(b, &pair.depthwise, pair.pixels, bases);
    let first_row = pair.expand_offset as i64;
    set(b, [expand.output()], [ring], [first_row]);
    b.repeat(Count::Items, |b| {
        if !pair.keeps {
            set(b, [expand.output(), depthwise.input()], [ring, ring], [first_row, 0]);
        }
        expand.panel(b);
        b.repeat(Count::Static(pair.nest.panels.vectors as u32), |b| depthwise.block(b));
    });
    builder.finish()
}
