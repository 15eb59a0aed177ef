//! Where a tensor lies and how: dense as the caller has it, or in blocks of channels.

use frit_ir::Shape;
use frit_ir::diagnostic::{Diagnostic, codes};

use super::LARGEST;
use crate::kernels::depthwise::RowSums;
use crate::kernels::{F32, Strides};
use crate::plan::{Argument, Blank, Region};

/// A tensor in memory.
#[derive(Debug, Clone, Copy)]
pub(super) struct Placed {
    pub(super) region: Region,
    /// Bytes from the begin of that memory to the tensor's.
    pub(super) offset: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) channels: usize,
    pub(super) strides: Strides,
    pub(super) is_dense: bool,
}

impl Placed {
    /// Channels last, nothing between.
    pub(super) fn dense(shape: &Shape, lanes: usize, region: Region) -> Placed {
        let [rows, columns, channels] = extent(shape);
        let pixel = channels * F32;
        let strides = Strides { row: columns * pixel, pixel, block: lanes * F32, channel: F32 };
        Placed { region, offset: 0, rows, columns, channels, strides, is_dense: true }
    }

    /// `[channels / lanes][rows][columns][lanes]`, and its bytes.
    ///
    /// Blocks are kept from lying a multiple of a page apart ([`apart`]).
    pub(super) fn in_blocks(shape: &Shape, lanes: usize, region: Region) -> (Placed, usize) {
        Placed::blocks(shape, lanes, region, 0)
    }

    /// The same, and behind the pixels of each block a vector for each row, where its sum is left.
    pub(super) fn with_row_sums(shape: &Shape, lanes: usize, region: Region) -> (Placed, usize) {
        let [rows, ..] = extent(shape);
        Placed::blocks(shape, lanes, region, rows * lanes * F32)
    }

    /// In blocks with so many bytes `behind` the pixels of each.
    fn blocks(shape: &Shape, lanes: usize, region: Region, behind: usize) -> (Placed, usize) {
        let [rows, columns, channels] = extent(shape);
        let pixel = lanes * F32;
        let row = columns * pixel;
        let blocks = channels.div_ceil(lanes);
        let block = rows * row + behind;
        let block = if blocks > 1 { apart(block) } else { block };
        let strides = Strides { row, pixel, block, channel: F32 };
        (Placed { region, offset: 0, rows, columns, channels, strides, is_dense: false }, blocks * block)
    }

    /// The lanes behind the last channel, where the tensor lies in blocks of `lanes`.
    pub(super) fn blank(&self, lanes: usize) -> Blank {
        let last = self.channels % lanes;
        if last == 0 {
            return Blank::default();
        }
        let begin = self.channels / lanes * self.strides.block + last * F32;
        Blank { begin, bytes: (lanes - last) * F32, stride: self.strides.pixel, count: self.pixels() }
    }

    /// The map of `[rows, columns, channels]` that lies dense at `from` with its channels first.
    pub(super) fn channels_first(
        from: &Placed,
        [rows, columns, channels]: [usize; 3],
        lanes: usize,
    ) -> Placed {
        let channel = rows * columns * F32;
        let strides = Strides { row: columns * F32, pixel: F32, block: lanes * channel, channel };
        Placed { rows, columns, channels, strides, is_dense: false, ..*from }
    }

    /// Whether the tensor lies in blocks of `lanes` and when it is dense in the same way: one pixel of whole blocks, one behind
    /// the other. A view into a larger map has other blocks between them.
    pub(super) fn lies_both_ways(&self, lanes: usize) -> bool {
        self.pixels() == 1 && self.channels.is_multiple_of(lanes) && self.strides.block == lanes * F32
    }

    /// The part of `channels` channels that begins with block `block`.
    pub(super) fn channels_from(&self, block: usize, channels: usize) -> Placed {
        Placed { offset: self.offset + block * self.strides.block, channels, ..*self }
    }

    pub(super) fn pixels(&self) -> usize {
        self.rows * self.columns
    }

    /// Where the sums of rows lie, from the begin of a map that was placed with them.
    pub(super) fn row_sums(&self, lanes: usize) -> (RowSums, usize) {
        let sums = RowSums { row: lanes * F32, block: self.strides.block };
        (sums, self.rows * self.strides.row)
    }

    /// The argument that begins at the tensor and steps by `stride` bytes an item.
    pub(super) fn argument(&self, stride: usize) -> Argument {
        self.argument_from(0, stride)
    }

    /// The argument that begins `offset` bytes behind the tensor's begin and steps by `stride` bytes an item.
    pub(super) fn argument_from(&self, offset: usize, stride: usize) -> Argument {
        Argument { region: self.region, offset: self.offset + offset, stride }
    }
}

/// So many bytes, or a line more where that is a whole number of pages: what lies so far apart would compete for the same lines of
/// the first-level cache.
pub(super) fn apart(bytes: usize) -> usize {
    const PAGE: usize = 4096;
    const LINE: usize = 64;
    if bytes.is_multiple_of(PAGE) { bytes + LINE } else { bytes }
}

/// Rows, columns and channels: a map's own axes, one pixel for a vector, else all axes but the last as columns.
fn extent(shape: &Shape) -> [usize; 3] {
    match *shape.axes() {
        [] => [1, 1, 1],
        [rows, columns, channels] => [rows, columns, channels],
        [ref pixels @ .., channels] => [1, pixels.iter().product(), channels],
    }
}

/// Refuses a tensor that passes [`LARGEST`] in blocks of `lanes`.
pub(super) fn check_size(shape: &Shape, lanes: usize) -> Result<(), Diagnostic> {
    let [rows, columns, channels] = extent(shape);
    let padded = channels.checked_next_multiple_of(lanes);
    let bytes = padded.and_then(|padded| {
        [rows, columns, F32].iter().try_fold(padded, |bytes, &factor| bytes.checked_mul(factor))
    });
    match bytes {
        Some(bytes) if bytes <= LARGEST => Ok(()),
        _ => {
            let takes = bytes.map_or("more than 2^64".to_owned(), |bytes| bytes.to_string());
            let message =
                format!("a tensor of {shape} takes {takes} bytes, and a kernel can address {LARGEST}");
            Err(Diagnostic::error(codes::LIMIT, message)
                .note(format!("channels lie in blocks of {lanes}"))
                .help("compile the network for a smaller input"))
        }
    }
}
