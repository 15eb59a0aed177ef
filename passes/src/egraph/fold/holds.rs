//! What f32 holds as well as the parts that it was folded from.
//!
//! A fold is equal over the reals; whether it is in f32 depends on the numbers. One is refused that is not finite, whose
//! weights leave the values no room, that takes a filter out of the normal range, or whose offset rounds away what the filter
//! makes.

use frit_ir::weights::Values;

use super::Known;

/// A summand so many times larger than what it is added to takes half of the digits from it.
pub(crate) const ROUNDING: f64 = 4096.0;

/// The largest weight that a fold may make: half of the exponents are left for the values, so that no product of the two is
/// infinite where the file's are not.
const LARGEST: f32 = 9.3e18;

/// A filter whose largest weight is above has all of f32's digits in those that are 2^24 times smaller.
const FULL_RANGE: f32 = 2.0 * f32::MIN_POSITIVE / f32::EPSILON;

/// What offsets are at least compared with: a filter with nothing but tiny weights makes its bias, as it is meant to.
const LEAST_SUM: f64 = 1.0 / 256.0;

/// Weights before and after they were scaled.
pub(super) struct Scaled<'a> {
    pub(super) before: &'a [f32],
    pub(super) after: &'a [f32],
    /// The factor of each filter.
    pub(super) filters: &'a [f64],
    /// The smallest magnitude of an input's factor but for zero, and the largest.
    pub(super) inputs: [f64; 2],
}

impl Scaled<'_> {
    /// Whether no weight is too large, and no filter that had f32's full range lost the normal one.
    pub(super) fn holds(&self) -> bool {
        let factors = extremes(self.filters);
        let (least, most) = (factors[0] * self.inputs[0], factors[1] * self.inputs[1]);
        let largest = largest(self.after);
        let is_small = largest <= LARGEST || (largest.is_finite() && most <= 1.0);
        is_small && (least >= f64::from(f32::EPSILON) || self.keeps_range())
    }

    /// A filter that a factor of zero takes away is meant to go.
    fn keeps_range(&self) -> bool {
        let count = self.filters.len();
        let [before, after] = [self.before, self.after].map(|values| by_filter(values, count));
        let lost = |((&before, &after), &factor): ((&f32, &f32), &f64)| {
            before >= FULL_RANGE && after < f32::MIN_POSITIVE && factor != 0.0
        };
        self.inputs[1] == 0.0 || !before.iter().zip(&after).zip(self.filters).any(lost)
    }
}

/// The smallest magnitude but for zero, and the largest.
pub(super) fn extremes(factors: &[f64]) -> [f64; 2] {
    let magnitudes = || factors.iter().map(|factor| factor.abs()).filter(|&factor| factor != 0.0);
    [magnitudes().fold(f64::INFINITY, f64::min), magnitudes().fold(0.0, f64::max)]
}

/// The largest magnitude; by bits, of which those of NaN are the largest, so that one is never lost.
fn largest(values: &[f32]) -> f32 {
    let magnitude = |value: &f32| (value.to_bits() & 0x7fff_ffff) as i32;
    f32::from_bits(values.iter().map(magnitude).max().unwrap_or(0) as u32)
}

/// The largest magnitude of each filter, the last axis.
fn by_filter(values: &[f32], filters: usize) -> Vec<f32> {
    let mut all = vec![0.0f32; filters];
    for row in values.chunks_exact(filters.max(1)) {
        all.iter_mut().zip(row).for_each(|(largest, value)| *largest = largest.max(value.abs()));
    }
    all
}

/// Whether no offset rounds away what the filter beside it makes; `kernel` gives the weights, where they are known.
pub(super) fn offsets_hold(offsets: &Known, kernel: impl FnOnce() -> Option<Values>) -> bool {
    let each = || offsets.values.iter().zip(offsets.magnitudes());
    let is_large =
        |(value, &magnitude): (&f64, &f64)| magnitude >= ROUNDING * LEAST_SUM || cancels(*value, magnitude);
    if !each().any(is_large) {
        return true;
    }
    let Some(kernel) = kernel() else { return true };
    let mut sums = vec![0.0; offsets.values.len()];
    for row in kernel.chunks_exact(sums.len().max(1)) {
        sums.iter_mut().zip(row).for_each(|(sum, &weight)| *sum += f64::from(weight).abs());
    }
    let rounds = |((value, &magnitude), sum): ((&f64, &f64), f64)| {
        // A filter of zeros has no digits to lose.
        let is_far = magnitude >= ROUNDING * sum && sum > 0.0;
        is_far && (magnitude >= ROUNDING * LEAST_SUM || cancels(*value, magnitude))
    };
    !each().zip(sums).any(rounds)
}

/// Whether a sum is far smaller than what was added up.
fn cancels(sum: f64, parts: f64) -> bool {
    sum.abs() * ROUNDING < parts
}

/// Whether all are numbers in f32.
pub(super) fn are_finite(values: &[f32]) -> bool {
    values.iter().all(|value| value.is_finite())
}
