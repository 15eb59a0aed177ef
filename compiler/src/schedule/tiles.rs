//! Tiles: how many neighbouring outputs a kernel computes at once, by rule from the shape and the target.

use crate::kernels::conv::{self, Panels};
use crate::kernels::depthwise::Depthwise;
use crate::kernels::window::{Axis, Run};
use crate::kernels::window_pool;
use crate::vector::program::Width;

/// Panels of one width, and the tile that goes down them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    /// The panels.
    pub(super) panels: Panels,
    /// Neighbouring outputs of a tile.
    pub(super) pixels: usize,
}

/// Maps of fewer pixels than this are taken by broad tiles where a value comes with the multiplication.
const SMALL_MAP: usize = 64;

/// The panels that cover `vectors` blocks of output channels in a map of `pixels` outputs, in the order of channels.
///
/// A tile of two blocks is the best ratio of loads to multiplications where sums are few: 4×2 of 8, 6×2 of 12. An odd block
/// joins the last two as 4×3 where that many sums are left, because a tile of one block reads a value for every
/// multiplication. Where a value comes with the multiplication itself the tile is high, 14×1; small maps, of whose rows 7
/// are a good divisor, get 7×4.
pub(super) fn conv(width: Width, pixels: usize, vectors: usize) -> Vec<Columns> {
    let preferred = match width.broadcast_operand {
        true if pixels >= SMALL_MAP => 1,
        true => 4,
        false => 2,
    };
    let wide =
        if pixels < highest(width, preferred) { widest(width, pixels) } else { preferred }.min(vectors);
    let joins = !width.broadcast_operand
        && highest(width, 3) >= HIGH
        && wide == 2
        && vectors % 2 == 1
        && vectors >= 3;
    let (count, last) = if joins { ((vectors - 3) / 2, 3) } else { (vectors / wide, vectors % wide) };
    [(wide, count), (last, 1)]
        .into_iter()
        .filter(|&(vectors, count)| vectors > 0 && count > 0)
        .map(|(vectors, count)| Columns {
            panels: Panels { vectors, count },
            pixels: highest(width, vectors).min(pixels),
        })
        .collect()
}

/// Tiles that go down panels which are there already, in a map of `pixels` outputs.
pub(super) fn down(width: Width, pixels: usize, panels: &[Panels]) -> Vec<Columns> {
    let fitting = |vectors: usize| {
        let highest = highest(width, vectors).min(pixels);
        (1..=highest).rev().find(|&pixels| fits(width, pixels, vectors)).unwrap_or(1)
    };
    panels.iter().map(|&panels| Columns { panels, pixels: fitting(panels.vectors) }).collect()
}

/// A tile of so many pixels is high enough for three blocks side by side.
const HIGH: usize = 4;

/// The most pixels of a tile: more are more code, and no fewer loads for each multiplication.
const HIGHEST: usize = 14;

impl Columns {
    /// The tiles of a row of `columns`, or of the whole map where it lies as one row.
    pub(super) fn across(&self, columns: &Axis, is_flat: bool) -> Vec<Run> {
        columns.runs(if is_flat { self.pixels } else { across(columns.output, self.pixels) })
    }
}

/// The most outputs of a tile in rows of `columns` outputs, of at most `most`: one that divides the row, where there is
/// one not much smaller, so that the code for a window is there in one width only.
fn across(columns: usize, most: usize) -> usize {
    (most.div_ceil(3) * 2..=most).rev().find(|&pixels| columns.is_multiple_of(pixels)).unwrap_or(most)
}

/// The parts in which a pointwise convolution of its own is shared out.
pub(super) fn items(width: Width, pixels: usize, vectors: usize) -> usize {
    let columns = conv(width, pixels, vectors);
    let tiles = |columns: &Columns| pixels.div_ceil(columns.pixels);
    if columns.iter().any(|columns| tiles(columns) >= FEW_TILES) {
        columns.iter().map(tiles).max().unwrap_or(1)
    } else {
        columns.iter().map(|columns| columns.panels.count).sum()
    }
}

/// Blocks of channels of the common panel of a pointwise convolution.
pub(super) fn panel(width: Width, pixels: usize, vectors: usize) -> usize {
    conv(width, pixels, vectors).first().map_or(1, |columns| columns.panels.vectors)
}

/// Fewer tiles than this in a map are not worth splitting over workers: its panels are.
pub(super) const FEW_TILES: usize = 16;

/// The most pixels of a map whose convolutions ask for the next panel: in a larger one a panel is used for so long that
/// the wait for the next does not count.
const LARGEST_PREFETCHED: usize = 256;

/// Whether the convolutions of a map of `pixels` outputs ask for their next panel of weights while they use one.
///
/// The weights of a network pass through the caches once an inference, and often come from memory. One pixel reads
/// them in order and faster than it could ask for them.
pub(super) fn prefetches(pixels: usize) -> bool {
    (2..=LARGEST_PREFETCHED).contains(&pixels)
}

/// The most pixels of a tile of `vectors` blocks.
fn highest(width: Width, vectors: usize) -> usize {
    (width.sums / vectors).clamp(1, HIGHEST)
}

/// The most blocks of a tile of `pixels` pixels.
fn widest(width: Width, pixels: usize) -> usize {
    (1..=width.sums).rev().find(|&vectors| fits(width, pixels, vectors)).unwrap_or(1)
}

/// Whether the sums of a tile and what [`conv::registers_beside`] them are few enough.
fn fits(width: Width, pixels: usize, vectors: usize) -> bool {
    let sums_here = pixels * vectors;
    sums_here <= width.sums && sums_here + conv::registers_beside(width, pixels, vectors) <= width.registers
}

/// The most outputs of a tile whose window passes over each of its columns once.
const WIDEST: usize = 8;

/// Outputs of a depthwise tile: with a row of the window, one column of the input and the bounds of what comes before
/// beside them.
pub(super) fn depthwise(width: Width, spec: &Depthwise) -> usize {
    let bounds = spec.bounds();
    let beside = spec.stretch() + 1 + bounds;
    let room =
        if beside + 4 > width.registers { width.registers - 2 - bounds } else { width.registers - beside };
    room.clamp(1, WIDEST)
}

/// Outputs of a pool's tile.
pub(super) fn pool(width: Width) -> usize {
    (width.registers - window_pool::REGISTERS_BESIDE).clamp(1, WIDEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTABLE: Width = Width { sums: 8, ..Width::new(4, 16, true) };
    const AVX2: Width = Width::new(8, 16, true);
    const AVX512: Width = Width { broadcast_operand: true, ..Width::new(16, 32, true) };

    fn tiles(width: Width, pixels: usize, vectors: usize) -> Vec<(usize, usize, usize)> {
        let tile = |c: &Columns| (c.pixels, c.panels.vectors, c.panels.count);
        conv(width, pixels, vectors).iter().map(tile).collect()
    }

    #[test]
    fn panels_of_any_map_fit_the_tiles_of_any_other() {
        for width in [PORTABLE, AVX2, AVX512] {
            for (first, vectors) in (1..=70).flat_map(|first| (1..=40).map(move |vectors| (first, vectors))) {
                let panels: Vec<Panels> = conv(width, first, vectors).iter().map(|c| c.panels).collect();
                for pixels in [1, 2, 5, 49, 196] {
                    for tile in down(width, pixels, &panels) {
                        let wanted = (tile.pixels, tile.panels.vectors);
                        assert!((1..=pixels).contains(&tile.pixels), "{wanted:?} of {pixels}");
                        assert!(fits(width, tile.pixels, tile.panels.vectors), "{wanted:?} of {width:?}");
                    }
                }
                assert_eq!(down(width, first, &panels), conv(width, first, vectors), "its own");
            }
        }
    }

    #[test]
    fn maps_get_the_tile_of_their_target() {
        assert_eq!(tiles(PORTABLE, 196, 24), [(4, 2, 12)]);
        assert_eq!(tiles(AVX2, 196, 12), [(6, 2, 6)]);
        assert_eq!(tiles(AVX512, 196, 6), [(14, 1, 6)]);
        assert_eq!(tiles(AVX512, 49, 20), [(7, 4, 5)]);
    }

    #[test]
    fn an_odd_block_joins_two_at_256_bits_and_is_a_high_tile_elsewhere() {
        assert_eq!(tiles(AVX2, 784, 5), [(6, 2, 1), (4, 3, 1)]);
        assert_eq!(tiles(AVX2, 784, 3), [(4, 3, 1)]);
        assert_eq!(tiles(PORTABLE, 784, 5), [(4, 2, 2), (8, 1, 1)]);
    }

    #[test]
    fn one_pixel_gets_as_many_blocks_as_there_are_sums() {
        assert_eq!(tiles(PORTABLE, 1, 250), [(1, 8, 31), (1, 2, 1)]);
        assert_eq!(tiles(AVX2, 1, 125), [(1, 12, 10), (1, 5, 1)]);
    }

    #[test]
    fn a_row_is_divided_evenly_where_the_tile_stays_almost_as_wide() {
        assert_eq!(across(112, 6), 4);
        assert_eq!(across(150, 6), 6);
        assert_eq!(across(55, 6), 5);
        assert_eq!(across(113, 6), 6);
        assert_eq!(across(7, 1), 1);
    }

    #[test]
    fn every_tile_fits_its_registers_and_covers_every_block() {
        for width in [PORTABLE, AVX2, AVX512] {
            for (pixels, vectors) in (1..60).flat_map(|p| (1..40).map(move |v| (p, v))) {
                let columns = conv(width, pixels, vectors);
                let covered: usize = columns.iter().map(|c| c.panels.vectors * c.panels.count).sum();
                assert_eq!(covered, vectors);
                for Columns { panels, pixels } in columns {
                    let beside = crate::kernels::conv::registers_beside(width, pixels, panels.vectors);
                    assert!(
                        pixels * panels.vectors + beside <= width.registers,
                        "{pixels} by {panels:?} in {width:?}"
                    );
                }
            }
        }
    }
}
