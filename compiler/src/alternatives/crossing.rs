//! From how many channels on one 5×5 window is cheaper than two 3×3, which see as far: with a depthwise window the second 1×1
//! convolution grows with the square of the channels and the windows only with their number (Tan et al., MnasNet, 2019).

use frit_ir::Diagnostic;

use super::design::{Design, Spatial};

/// Where one 5×5 begins to be cheaper than two 3×3, all channels of a block in proportion.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// What is compared.
    pub by: Measure,
    /// Output channels from which on one 5×5 is cheaper; none where it is so at no number of them.
    pub from: Option<usize>,
    /// The numbers of channels that were tried; empty where all up to [`MOST`] are known.
    pub tried: Vec<usize>,
}

/// What a crossing is by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Multiply-accumulates.
    Macs,
    /// Predicted time.
    Predicted,
    /// Measured time.
    Measured,
}

impl Measure {
    /// In reports.
    pub fn name(self) -> &'static str {
        match self {
            Measure::Macs => "macs",
            Measure::Predicted => "predicted_ms",
            Measure::Measured => "measured_ms",
        }
    }
}

/// The most channels that are looked at.
pub const MOST: usize = 1 << 12;

/// The two of `design` with `channels` of output.
pub(super) fn pair(design: &Design, channels: usize) -> [Design; 2] {
    let scaled = design.scaled(channels);
    let window = |kernel| Spatial { kernel, padding: None, ..scaled.spatial };
    let one = Design { spatial: window(5), stacked: 1, ..scaled };
    [one, Design { spatial: window(3), stacked: 2, ..one }]
}

/// By a cost that both have at every number of channels, found by halving: the difference of the two is of the second degree in
/// the channels, and 0 at none, so that it changes its sign once at most.
///
/// # Errors
/// Those of `cost`.
pub(super) fn exact(
    design: &Design,
    mut cost: impl FnMut(&Design) -> Result<u64, Diagnostic>,
) -> Result<Crossing, Diagnostic> {
    let unit = design.unit();
    let mut is_cheaper = |count: usize| {
        let [one, two] = pair(design, count * unit);
        Ok::<bool, Diagnostic>(cost(&one)? < cost(&two)?)
    };
    let (mut below, mut from) = (0, MOST.div_ceil(unit));
    let crossing = |from| Crossing { by: Measure::Macs, from, tried: Vec::new() };
    if !is_cheaper(from)? {
        return Ok(crossing(None));
    }
    while from - below > 1 {
        let middle = below + (from - below) / 2;
        if is_cheaper(middle)? {
            from = middle;
        } else {
            below = middle;
        }
    }
    Ok(crossing(Some(from * unit)))
}

/// The numbers of channels at which times are compared: powers of two around those of `design`.
pub(super) fn steps(design: &Design) -> Vec<usize> {
    let (unit, own) = (design.unit(), design.output[2]);
    let powers = (2..12).map(|power| (1usize << power).next_multiple_of(unit));
    let mut steps: Vec<usize> = powers.filter(|&channels| channels <= 2 * own.max(16)).collect();
    steps.dedup();
    steps
}

/// By times of one 5×5 and of two 3×3 at each of `tried`, ascending.
pub(super) fn between(by: Measure, tried: Vec<usize>, times: &[[f64; 2]]) -> Crossing {
    let behind = times.iter().rev().take_while(|[one, two]| one < two).count();
    let from = tried.len().checked_sub(behind).and_then(|first| tried.get(first)).copied();
    Crossing { by, from, tried }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_window_is_faster_from_where_it_stays_so() {
        let crossing = |times: &[[f64; 2]]| between(Measure::Measured, vec![4, 8, 16], times).from;
        assert_eq!(crossing(&[[2.0, 1.0], [1.0, 2.0], [1.0, 2.0]]), Some(8));
        assert_eq!(crossing(&[[1.0, 2.0], [2.0, 1.0], [1.0, 2.0]]), Some(16));
        assert_eq!(crossing(&[[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]), None);
        assert_eq!(crossing(&[[1.0, 2.0]; 3]), Some(4));
    }
}
