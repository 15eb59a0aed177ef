//! Which rows a band computes, and where they lie in its ring.
//!
//! The rows of the expanded map that a band of output rows needs and the band before it has not computed are as many for
//! every band inside the map. The ring has room for a whole number of such advances, so that no band's fresh rows are
//! torn, and after one *turn* of the ring every address repeats: the kernels of one turn serve all turns between the
//! borders.

use std::ops::Range;

use crate::kernels::depthwise::Ring;
use crate::kernels::window::Axis;

/// The bands of a depthwise convolution's output, a turn of the ring at a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turns {
    rows: Axis,
    /// Output rows of a band.
    pub(super) height: usize,
    /// Bands of a turn.
    bands: usize,
    /// Where the expanded rows lie.
    pub(super) ring: Ring,
}

impl Turns {
    /// Bands of `height` output rows of a window's vertical axis `rows`, over a map that is expanded band by band, or that
    /// is there as a whole.
    pub(super) fn new(rows: Axis, height: usize, expands: bool) -> Turns {
        if !expands {
            return Turns { rows, height, bands: 1, ring: Ring::whole(rows.input) };
        }
        let fresh = height * rows.stride;
        let kept = extent(&rows).saturating_sub(rows.stride);
        let bands = (fresh + kept).div_ceil(fresh);
        let places = bands * fresh;
        // Place 0 is that of the first fresh row of a turn.
        let behind = extent(&rows) as i64 - (rows.stride + rows.before) as i64;
        let shift = (-behind).rem_euclid(places as i64) as usize;
        Turns { rows, height, bands, ring: Ring { rows: places, shift } }
    }

    /// Output rows of a turn.
    pub(super) fn height(&self) -> usize {
        self.height * self.bands
    }

    /// Input rows from one turn to the next.
    pub(super) fn advance(&self) -> usize {
        self.height() * self.rows.stride
    }

    /// How many turns there are, the last perhaps shorter.
    pub(super) fn count(&self) -> usize {
        self.rows.output.div_ceil(self.height())
    }

    /// The output rows of each band of a turn.
    pub(super) fn bands(&self, turn: usize) -> Vec<Range<usize>> {
        let begin = turn * self.height();
        let end = (begin + self.height()).min(self.rows.output);
        (begin..end).step_by(self.height).map(|row| row..(row + self.height).min(end)).collect()
    }

    /// The expanded rows that the band of output rows `span` computes.
    pub(super) fn fresh(&self, span: &Range<usize>) -> Range<usize> {
        self.needed_before(span.start)..self.needed_before(span.end)
    }

    /// The expanded rows that a worker computes before `turn`, where it begins there.
    pub(super) fn halo(&self, turn: usize) -> Range<usize> {
        let row = turn * self.height();
        let first = (row * self.rows.stride).saturating_sub(self.rows.before).min(self.rows.input);
        first.min(self.needed_before(row))..self.needed_before(row)
    }

    /// The end of the input rows that output rows below `row` need, were there no border at the top.
    fn needed_before(&self, row: usize) -> usize {
        let end = row * self.rows.stride + extent(&self.rows);
        end.saturating_sub(self.rows.stride + self.rows.before).min(self.rows.input)
    }

    /// Neighbouring turns that run the same kernels: the first one, and how many. `expand` is the vertical axis of the
    /// expansion's window, where it has one.
    pub(super) fn sections(&self, expand: Option<Axis>) -> Vec<(usize, usize)> {
        let mut sections: Vec<(usize, usize)> = Vec::new();
        let mut last = None;
        for turn in 0..self.count() {
            let pattern = self.pattern(turn, expand);
            match sections.last_mut() {
                Some((_, count)) if last.as_ref() == Some(&pattern) => *count += 1,
                _ => sections.push((turn, 1)),
            }
            last = Some(pattern);
        }
        sections
    }

    /// All that the kernels of a turn depend on.
    fn pattern(&self, turn: usize, expand: Option<Axis>) -> Vec<Pattern> {
        let expanded = |rows: Range<usize>| {
            let taps = expand.map(|axis| rows.clone().map(move |row| Pattern::Taps(axis.taps(row))));
            std::iter::once(Pattern::Rows(rows.len())).chain(taps.into_iter().flatten()).collect::<Vec<_>>()
        };
        let mut pattern = expanded(self.halo(turn));
        for span in self.bands(turn) {
            pattern.extend(expanded(self.fresh(&span)));
            pattern.extend(span.map(|row| Pattern::Taps(self.rows.taps(row))));
        }
        pattern
    }
}

/// A part of what the kernels of a turn depend on.
#[derive(Debug, PartialEq, Eq)]
enum Pattern {
    /// So many rows are expanded.
    Rows(usize),
    /// These taps of a window fall inside the map.
    Taps(Range<usize>),
}

/// Input rows from the first tap of a window to behind its last.
fn extent(rows: &Axis) -> usize {
    (rows.kernel - 1) * rows.dilation + 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn axes() -> impl Strategy<Value = Axis> {
        (1usize..40, 1usize..8, 1usize..4, 1usize..3, 0usize..4, 0usize..4).prop_filter_map(
            "the window fits",
            |(input, kernel, stride, dilation, before, after)| {
                let free = (input + before + after).checked_sub((kernel - 1) * dilation + 1)?;
                Some(Axis { input, output: free / stride + 1, kernel, stride, dilation, before })
            },
        )
    }

    proptest! {
        /// Runs the bands from any turn on, noting in each place of the ring which row lies there.
        #[test]
        fn every_row_that_a_window_reads_lies_in_its_place(rows in axes(), height in 1usize..5, begin in 0usize..40) {
            let turns = Turns::new(rows, height, true);
            let begin = begin % turns.count();
            let mut places = vec![None; turns.ring.rows];
            for row in turns.halo(begin) {
                places[turns.ring.place(row)] = Some(row);
            }
            for span in (begin..turns.count()).flat_map(|turn| turns.bands(turn)) {
                for row in turns.fresh(&span) {
                    places[turns.ring.place(row)] = Some(row);
                }
                for output in span {
                    for tap in rows.taps(output) {
                        let row = (rows.origin(output) + (tap * rows.dilation) as i64) as usize;
                        prop_assert_eq!(places[turns.ring.place(row)], Some(row), "row {} of output {}", row, output);
                    }
                }
            }
        }

        #[test]
        fn fresh_rows_lie_one_behind_the_other(rows in axes(), height in 1usize..5) {
            let turns = Turns::new(rows, height, true);
            for turn in 0..turns.count() {
                let fresh = turns.bands(turn).into_iter().map(|span| turns.fresh(&span));
                for rows in fresh.chain([turns.halo(turn)]) {
                    let first = rows.clone().next().map_or(0, |row| turns.ring.place(row));
                    for (distance, row) in rows.enumerate() {
                        prop_assert_eq!(turns.ring.place(row), first + distance);
                    }
                }
            }
        }

        #[test]
        fn sections_cover_every_turn_and_those_inside_are_one(rows in axes(), height in 1usize..5) {
            let turns = Turns::new(rows, height, true);
            let sections = turns.sections(None);
            prop_assert_eq!(sections.iter().map(|&(_, count)| count).sum::<usize>(), turns.count());
            let bands: usize = (0..turns.count()).map(|turn| turns.bands(turn).len()).sum();
            prop_assert_eq!(bands, rows.output.div_ceil(height));
        }
    }

    #[test]
    fn a_3x3_window_in_bands_of_two_rows_turns_every_four() {
        let rows = Axis { input: 56, output: 56, kernel: 3, stride: 1, dilation: 1, before: 1 };
        let turns = Turns::new(rows, 2, true);
        assert_eq!((turns.ring.rows, turns.height(), turns.count()), (4, 4, 14));
        assert_eq!(turns.halo(0), 0..1);
        assert_eq!(turns.bands(0), [0..2, 2..4]);
        assert_eq!([turns.fresh(&(0..2)), turns.fresh(&(2..4))], [1..3, 3..5]);
        assert_eq!(turns.sections(None), [(0, 1), (1, 12), (13, 1)]);
    }
}
