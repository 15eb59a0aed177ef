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

/// What a convolution computes, as far as its tiles depend on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    /// Outputs of a map.
    pub(super) pixels: usize,
    /// Neighbours that a tile may be made of: a row, or all pixels where they lie as one.
    pub(super) row: usize,
    /// Blocks of output channels.
    pub(super) vectors: usize,
    /// Taps of the window.
    pub(super) taps: usize,
    /// Input channels.
    pub(super) channels: usize,
}

/// Maps of fewer pixels than this are taken by broad tiles where a value comes with the multiplication.
const SMALL_MAP: usize = 64;

/// The panels that cover the output channels of a convolution, in their order.
///
/// A tile of two blocks is the best ratio of loads to multiplications where sums are few: 4×2 of 8, 6×2 of 12. An odd block
/// joins the last two as 4×3 where that many sums are left, because a tile of one block reads a value for every
/// multiplication. Where a value comes with the multiplication itself the tile is high, 14×1; small maps, of whose rows 7
/// are a good divisor, get 7×4. Where that can't be had for several blocks, what a tile costs decides.
pub(super) fn conv(width: Width, sums: Sums) -> Vec<Columns> {
    let Sums { pixels, vectors, .. } = sums;
    let by_cost = width.broadcast_operand && !width.embeds(2);
    if by_cost && pixels >= FEW_PIXELS {
        return cheapest(width, sums);
    }
    let preferred = match width.broadcast_operand {
        true if pixels >= SMALL_MAP => 1,
        true => 4,
        false => 2,
    };
    let is_one_tile = by_cost || pixels < highest(width, preferred);
    let wide = if is_one_tile { widest(width, pixels) } else { preferred }.min(vectors);
    let joins = !width.broadcast_operand
        && highest(width, 3) >= HIGH
        && wide == 2
        && vectors % 2 == 1
        && vectors >= 3;
    let (count, last) = if joins { ((vectors - 3) / 2, 3) } else { (vectors / wide, vectors % wide) };
    filled(width, pixels, [(wide, count), (last, 1)])
}

/// Those of two kinds of panels of so many blocks that there are any of, with tiles of at most `most` pixels.
fn filled(width: Width, most: usize, panels: [(usize, usize); 2]) -> Vec<Columns> {
    let panels = panels.into_iter().filter(|&(vectors, count)| vectors > 0 && count > 0);
    down(width, most, &panels.map(|(vectors, count)| Panels { vectors, count }).collect::<Vec<_>>())
}

/// Fewer pixels than this are one tile, which is as broad as can be.
const FEW_PIXELS: usize = 8;

/// The most blocks of a tile that is chosen by its cost.
const BROADEST: usize = 4;

/// The panels whose tiles take the fewest cycles, all about equally broad, of those whose code stays small.
fn cheapest(width: Width, sums: Sums) -> Vec<Columns> {
    let choices = (1..=BROADEST.min(sums.vectors)).map(|most| balanced(width, sums, most));
    let is_short = |columns: &[Columns]| {
        let tile =
            |c: &Columns| conv::unrolled(width, sums.taps, sums.channels, [c.pixels, c.panels.vectors]);
        columns.iter().all(|c| c.panels.vectors == 1 || tile(c).is_some())
    };
    let cost = |columns: &[Columns]| columns.iter().map(|columns| cycles(sums, columns)).sum::<f64>();
    let costs = choices.filter(|columns| is_short(columns)).map(|columns| (cost(&columns), columns));
    costs.min_by(|a, b| a.0.total_cmp(&b.0)).map_or_else(Vec::new, |(_, columns)| columns)
}

/// Panels of at most `most` blocks, as equal as they can be.
fn balanced(width: Width, sums: Sums, most: usize) -> Vec<Columns> {
    let panels = sums.vectors.div_ceil(most);
    let (base, wider) = (sums.vectors / panels, sums.vectors % panels);
    filled(width, sums.row, [(base + 1, wider), (base, panels - wider)])
}

/// Cycles of all tiles of `columns` by the ports of a core with two units, three broadcasts and two loads a cycle, as measured
/// (Emerald Rapids): a unit waits where fewer sums than it has stages follow one another, and a tile of one block, which reads
/// a value for each multiplication, loses a little more to its loads; tiles of several take longer to begin and to store.
fn cycles(sums: Sums, columns: &Columns) -> f64 {
    const STAGES: f64 = 5.0;
    let Columns { panels: Panels { vectors, count }, pixels } = *columns;
    let tiles = (sums.row.div_ceil(pixels) * (sums.pixels / sums.row)) as f64;
    let (broad, high) = (vectors as f64, sums.pixels as f64 / tiles);
    let (busy, each) = if vectors == 1 { (1.02, 0.7) } else { (1.0, 1.6) };
    let product = (broad * high / 2.0).max(broad / 2.0 + high / 3.0).max(STAGES);
    let products = (sums.taps * sums.channels) as f64;
    count as f64 * tiles * (busy * product * products + each * broad * high)
}

/// Tiles that go down panels which are there already, in a map of `pixels` outputs.
pub(super) fn down(width: Width, pixels: usize, panels: &[Panels]) -> Vec<Columns> {
    panels.iter().map(|&panels| Columns { panels, pixels: fitting(width, panels.vectors, pixels) }).collect()
}

/// The most pixels, at most `most`, of a tile of `vectors` blocks that fits the registers.
fn fitting(width: Width, vectors: usize, most: usize) -> usize {
    let highest = highest(width, vectors).min(most);
    (1..=highest).rev().find(|&pixels| fits(width, pixels, vectors)).unwrap_or(1)
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
pub(super) fn items(width: Width, sums: Sums) -> usize {
    let columns = conv(width, sums);
    let tiles = |columns: &Columns| sums.pixels.div_ceil(columns.pixels);
    if columns.iter().any(|columns| tiles(columns) >= FEW_TILES) {
        columns.iter().map(tiles).max().unwrap_or(1)
    } else {
        columns.iter().map(|columns| columns.panels.count).sum()
    }
}

/// Blocks of channels of the common panel of a pointwise convolution.
pub(super) fn panel(width: Width, sums: Sums) -> usize {
    conv(width, sums).first().map_or(1, |columns| columns.panels.vectors)
}

/// Fewer tiles than this in a map are not worth splitting over workers: its panels are.
pub(super) const FEW_TILES: usize = 16;

/// So many panels are shared evenly enough by what workers there are.
pub(super) const MANY_PANELS: usize = 8;

/// The most pixels of a map whose convolutions ask for the next panel: in a larger one a panel is used for so long that
/// the wait for the next does not count.
const LARGEST_PREFETCHED: usize = 1024;

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
    const AVX512: Width = Width { broadcast_operand: true, units: 1, ..Width::new(16, 32, true) };

    const TWO_UNITS: Width = Width { units: 2, ..AVX512 };

    /// A pointwise convolution of 96 channels.
    fn pointwise(pixels: usize, vectors: usize) -> Sums {
        Sums { pixels, row: pixels, vectors, taps: 1, channels: 96 }
    }

    fn tiles(width: Width, pixels: usize, vectors: usize) -> Vec<(usize, usize, usize)> {
        let tile = |c: &Columns| (c.pixels, c.panels.vectors, c.panels.count);
        conv(width, pointwise(pixels, vectors)).iter().map(tile).collect()
    }

    #[test]
    fn panels_of_any_map_fit_the_tiles_of_any_other() {
        for width in [PORTABLE, AVX2, AVX512, TWO_UNITS] {
            for (first, vectors) in (1..=70).flat_map(|first| (1..=40).map(move |vectors| (first, vectors))) {
                let panels: Vec<Panels> =
                    conv(width, pointwise(first, vectors)).iter().map(|c| c.panels).collect();
                for pixels in [1, 2, 5, 49, 196] {
                    for tile in down(width, pixels, &panels) {
                        let wanted = (tile.pixels, tile.panels.vectors);
                        assert!((1..=pixels).contains(&tile.pixels), "{wanted:?} of {pixels}");
                        assert!(fits(width, tile.pixels, tile.panels.vectors), "{wanted:?} of {width:?}");
                    }
                }
                assert_eq!(down(width, first, &panels), conv(width, pointwise(first, vectors)), "its own");
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
    fn two_units_get_the_tile_of_least_cost() {
        let of = |pixels, vectors, taps, channels, row| {
            let sums = Sums { pixels, row, vectors, taps, channels };
            let tile = |c: &Columns| (c.pixels, c.panels.vectors, c.panels.count);
            conv(TWO_UNITS, sums).iter().map(tile).collect::<Vec<_>>()
        };
        // Few products: a tile that begins and ends quickly.
        assert_eq!(of(784, 9, 1, 24, 784), [(14, 1, 9)]);
        assert_eq!(of(361, 46, 1, 728, 361), [(14, 2, 23)]);
        assert_eq!(of(49, 20, 1, 320, 49), [(9, 3, 6), (14, 2, 1)]);
        // A stem: three blocks would be too much code, however little it is in each tap.
        assert_eq!(of(12544, 4, 49, 3, 112), [(14, 1, 4)]);
        // Rows of 17 are two tiles of nine, whose sums are too few in one block.
        assert_eq!(of(289, 12, 9, 256, 17), [(9, 3, 4)]);
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
        for width in [PORTABLE, AVX2, AVX512, TWO_UNITS] {
            for (pixels, vectors) in (1..60).flat_map(|p| (1..40).map(move |v| (p, v))) {
                let columns = conv(width, pointwise(pixels, vectors));
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
