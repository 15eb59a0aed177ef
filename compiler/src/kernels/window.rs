//! One axis of a sliding window, split into runs of equal tiles.
//!
//! A small window is spelled out, tap by tap, once for each way in which it meets the borders. A large one would be too much
//! code: its taps are counted loops, which need every tap at every position. The schedule writes out what lies around the map
//! of a large window, so that none hangs over an edge.

use std::ops::Range;

/// One axis of a convolution's window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Axis {
    /// Length of the input.
    pub input: usize,
    /// Number of positions of the window.
    pub output: usize,
    /// Number of taps.
    pub kernel: usize,
    /// Steps from one position to the next.
    pub stride: usize,
    /// Distance of the taps.
    pub dilation: usize,
    /// Zeros before the input.
    pub before: usize,
}

/// `count` tiles in a row, each of `width` positions, whose windows meet the borders in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// The first position.
    pub start: usize,
    /// Positions of one tile.
    pub width: usize,
    /// Number of tiles.
    pub count: usize,
    /// For each position of a tile, the taps that fall inside the input.
    pub taps: Vec<Range<usize>>,
}

/// The most taps of a window that are spelled out.
const MOST_SPELLED: usize = 128;

/// The most taps of it along one axis: as many ways there are to meet the borders.
const LONGEST_SPELLED: usize = 16;

/// Whether the taps of a window of `kernel` are counted loops.
pub fn is_large(kernel: [usize; 2]) -> bool {
    kernel[0].saturating_mul(kernel[1]) > MOST_SPELLED || kernel.iter().any(|&taps| taps > LONGEST_SPELLED)
}

/// How many taps of a row of a large window are spelled out at a time, so that neighbouring outputs share what they load.
pub const STRETCH: usize = 7;

impl Axis {
    /// An axis of `length` positions without a window.
    pub fn plain(length: usize) -> Axis {
        Axis { input: length, output: length, kernel: 1, stride: 1, dilation: 1, before: 0 }
    }

    /// The taps of the window at `position` that fall inside the input.
    pub fn taps(&self, position: usize) -> Range<usize> {
        let origin = position * self.stride;
        let first = self.before.saturating_sub(origin).div_ceil(self.dilation);
        let end = (self.input + self.before).saturating_sub(origin).div_ceil(self.dilation);
        let end = end.min(self.kernel);
        first.min(end)..end
    }

    /// The taps that some position may have inside the input: all but those that no window has there, as far as these lie in
    /// whole steps of the dilation before it. At least one.
    pub fn met(&self) -> Range<usize> {
        let end = self.taps(0).end.max(1);
        let first = self.taps(self.output.saturating_sub(1)).start.min(self.before / self.dilation);
        first.min(end - 1)..end
    }

    /// The axis with the taps of [`Axis::met`] alone.
    pub fn cut(&self) -> Axis {
        let met = self.met();
        Axis { kernel: met.len(), before: self.before - met.start * self.dilation, ..*self }
    }

    /// How far the windows hang over the input, before and behind it.
    pub fn overhang(&self) -> [usize; 2] {
        let reach = (self.output.saturating_sub(1)) * self.stride + (self.kernel - 1) * self.dilation + 1;
        [self.before, reach.saturating_sub(self.before + self.input)]
    }

    /// The axis over an input that has its [`Axis::overhang`] written out.
    pub fn inside(&self) -> Axis {
        let [before, behind] = self.overhang();
        Axis { input: before + self.input + behind, before: 0, ..*self }
    }

    /// The index of the input under tap 0 at `position`; negative in the zeros before it.
    pub fn origin(&self, position: usize) -> i64 {
        position as i64 * self.stride as i64 - self.before as i64
    }

    /// The first index of the input that the windows of `run` read; 0 where they read none. All positions of a tile of a
    /// run along this axis must have the same taps.
    pub fn first_input(&self, run: &Run) -> usize {
        match run.taps[0] {
            ref taps if taps.is_empty() => 0,
            ref taps => run.start * self.stride + taps.start * self.dilation - self.before,
        }
    }

    /// Of a tile's positions, whose taps inside the map are `taps`, those whose window has `place` under one of these, and
    /// under which. Places are counted from tap 0 of the first position.
    pub fn uses(&self, taps: &[Range<usize>], place: usize) -> Vec<(usize, usize)> {
        taps.iter()
            .enumerate()
            .filter_map(|(position, inside)| {
                let distance = place.checked_sub(position * self.stride)?;
                let tap = distance / self.dilation;
                (distance.is_multiple_of(self.dilation) && inside.contains(&tap)).then_some((position, tap))
            })
            .collect()
    }

    /// All positions as runs of tiles of at most `widest` positions, balanced so that widths differ by one at most.
    pub fn runs(&self, widest: usize) -> Vec<Run> {
        self.runs_of(0..self.output, widest)
    }

    /// The positions of `span` as [`Axis::runs`] makes them of all; none for none.
    pub fn runs_of(&self, span: Range<usize>, widest: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let tiles = span.len().div_ceil(widest);
        if tiles == 0 {
            return runs;
        }
        let (base, wider) = (span.len() / tiles, span.len() % tiles);
        let mut start = span.start;
        for tile in 0..tiles {
            let width = base + usize::from(tile < wider);
            let taps: Vec<Range<usize>> =
                (start..start + width).map(|position| self.taps(position)).collect();
            match runs.last_mut() {
                Some(last) if last.width == width && last.taps == taps => last.count += 1,
                _ => runs.push(Run { start, width, count: 1, taps }),
            }
            start += width;
        }
        runs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEM: Axis = Axis { input: 224, output: 112, kernel: 3, stride: 2, dilation: 1, before: 1 };

    #[test]
    fn a_symmetric_stride_2_window_has_one_edge() {
        let runs = STEM.runs(4);
        assert_eq!(runs.len(), 2, "{runs:?}");
        assert_eq!((runs[0].count, runs[1].count), (1, 27));
        assert_eq!(runs[0].taps, [1..3, 0..3, 0..3, 0..3]);
        assert_eq!(runs[1].start, 4);
    }

    #[test]
    fn widths_are_balanced_and_cover_every_position_once() {
        for output in 1..60 {
            for widest in 1..9 {
                let runs = Axis::plain(output).runs(widest);
                let total: usize = runs.iter().map(|r| r.width * r.count).sum();
                assert_eq!(total, output);
                let widths: Vec<usize> = runs.iter().map(|r| r.width).collect();
                let (least, most) = (widths.iter().min().unwrap(), widths.iter().max().unwrap());
                assert!(most - least <= 1 && *most <= widest, "{output} by {widest}: {widths:?}");
            }
        }
    }

    #[test]
    fn a_window_wholly_in_the_padding_has_no_taps() {
        let axis = Axis { input: 2, output: 6, kernel: 2, stride: 1, dilation: 1, before: 3 };
        assert!(axis.taps(0).is_empty());
        assert_eq!(axis.taps(2), 1..2);
        assert_eq!(axis.taps(4), 0..1);
        assert!(axis.taps(5).is_empty());
    }

    #[test]
    fn a_window_larger_than_its_map_is_cut_to_it() {
        let pool = Axis { input: 7, output: 1, kernel: 1280, stride: 1280, dilation: 1, before: 0 };
        assert_eq!(pool.cut(), Axis { kernel: 7, ..pool });
        let same = Axis { input: 7, output: 7, kernel: 33, stride: 1, dilation: 1, before: 16 };
        assert_eq!((same.met(), same.cut().before), (10..23, 6));
        assert_eq!(same.cut().overhang(), [6, 6]);
        let nowhere = Axis { input: 2, output: 1, kernel: 3, stride: 1, dilation: 1, before: 9 };
        assert_eq!(nowhere.cut().kernel, 1);
    }

    #[test]
    fn a_cut_axis_reads_what_the_whole_one_reads_and_one_inside_hangs_over_nothing() {
        let axes = [(40, 1, 1, 20), (40, 3, 2, 30), (9, 2, 7, 33), (3, 1, 1, 1), (12, 5, 3, 0)];
        for (kernel, stride, dilation, before) in axes {
            for (input, output) in [(1, 1), (5, 1), (5, 7), (30, 4)] {
                let axis = Axis { input, output, kernel, stride, dilation, before };
                let (cut, met) = (axis.cut(), axis.met());
                let inside = cut.inside();
                assert_eq!(inside.overhang(), [0, 0]);
                for position in 0..output {
                    let read = |axis: &Axis| -> Vec<i64> {
                        let taps = axis.taps(position);
                        taps.map(|tap| axis.origin(position) + (tap * dilation) as i64).collect()
                    };
                    assert_eq!(read(&axis), read(&cut), "{axis:?} at {position}");
                    let (taps, kept) = (axis.taps(position), cut.taps(position));
                    assert_eq!(taps.len(), kept.len());
                    assert!(taps.is_empty() || taps.start == kept.start + met.start);
                    assert_eq!(inside.taps(position), 0..cut.kernel, "{axis:?} at {position}");
                }
            }
        }
    }

    #[test]
    fn taps_are_those_that_plain_arithmetic_finds() {
        for (kernel, stride, dilation, before) in [(3, 1, 2, 2), (5, 3, 1, 2), (2, 2, 3, 0), (1, 4, 1, 1)] {
            let axis = Axis { input: 9, output: 4, kernel, stride, dilation, before };
            for position in 0..4 {
                let inside = |tap: usize| (0..9).contains(&(axis.origin(position) + (tap * dilation) as i64));
                let expected: Vec<usize> = (0..kernel).filter(|&tap| inside(tap)).collect();
                assert_eq!(axis.taps(position).collect::<Vec<_>>(), expected, "{axis:?} at {position}");
                let run = Run { start: position, width: 1, count: 1, taps: vec![axis.taps(position)] };
                let first =
                    expected.first().map_or(0, |&tap| axis.origin(position) + (tap * dilation) as i64);
                assert_eq!(axis.first_input(&run) as i64, first, "{axis:?} at {position}");
            }
        }
    }
}
