//! How far a tensor is from what it should be.

use super::overflow::is_past;

/// How far a tensor is from what it should be, as f32 has both: past the largest one all numbers are the same infinity. Where one has NaN and the other has not, everything is infinitely far.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Difference {
    /// The largest difference of two elements.
    pub max_abs: f64,
    /// That, as a share of the largest magnitude that the tensor should have.
    pub max_rel: f64,
    /// The largest distance of two elements in f32 numbers between them; it is large where an element should be close
    /// to zero, however small the difference.
    pub ulp: u64,
}

impl Difference {
    /// The worse of both, in each respect.
    pub fn max(&self, other: &Difference) -> Difference {
        Difference {
            max_abs: self.max_abs.max(other.max_abs),
            max_rel: self.max_rel.max(other.max_rel),
            ulp: self.ulp.max(other.ulp),
        }
    }

    fn infinite() -> Difference {
        Difference { max_abs: f64::INFINITY, max_rel: f64::INFINITY, ulp: u64::MAX }
    }
}

/// Compares element by element; tensors of different lengths are infinitely far from each other.
///
/// `lost` says of which elements plain f32 arithmetic makes no finite number, where there are any: of these nothing is asked
/// but that they be none, or right.
pub fn difference(expected: &[f64], values: impl ExactSizeIterator<Item = f64>, lost: &[bool]) -> Difference {
    if values.len() != expected.len() {
        return Difference::infinite();
    }
    let mut max_abs = 0.0f64;
    let mut largest = 0.0f64;
    let mut ulp = 0;
    let lost = lost.iter().copied().chain(std::iter::repeat(false));
    for ((&expected, value), lost) in expected.iter().zip(values).zip(lost) {
        let is_past = is_past(expected) && (expected as f32) == (value as f32);
        if is_past || (lost && !value.is_finite()) {
            continue;
        }
        if expected == value || (expected.is_nan() && value.is_nan()) {
            largest = largest.max(expected.abs());
            continue;
        }
        if !(expected - value).is_finite() {
            return Difference::infinite();
        }
        max_abs = max_abs.max((expected - value).abs());
        largest = largest.max(expected.abs());
        ulp = ulp.max(steps(expected as f32, value as f32));
    }
    let max_rel = if max_abs == 0.0 { 0.0 } else { max_abs / largest };
    Difference { max_abs, max_rel, ulp }
}

/// How many f32 numbers lie from `a` to `b`.
fn steps(a: f32, b: f32) -> u64 {
    let place = |value: f32| {
        let magnitude = i64::from(value.to_bits() & 0x7fff_ffff);
        if value.is_sign_negative() { -magnitude } else { magnitude }
    };
    place(a).abs_diff(place(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(expected: &[f64], values: &[f64]) -> Difference {
        difference(expected, values.iter().copied(), &[])
    }

    #[test]
    fn past_the_largest_f32_all_numbers_of_a_sign_are_one() {
        assert_eq!(of(&[1e60, 2.0], &[f64::INFINITY, 2.0]), Difference::default());
        assert_eq!(of(&[-1e39], &[f64::NEG_INFINITY]), Difference::default());
        assert_eq!(of(&[1e60], &[f64::NEG_INFINITY]).max_rel, f64::INFINITY);
        assert_eq!(of(&[1e38], &[f64::INFINITY]).max_rel, f64::INFINITY);
        assert_eq!(of(&[1e39], &[3.0]).max_rel, 1.0);
    }

    #[test]
    fn what_f32_arithmetic_loses_may_be_no_number_but_no_other() {
        let of = |value: f64| difference(&[2.0, 4.0], [value, 4.0].into_iter(), &[true, false]).max_rel;
        assert_eq!([f64::NAN, f64::INFINITY, 2.0].map(of), [0.0; 3]);
        assert_eq!(of(3.0), 0.25);
        assert_eq!(difference(&[2.0], [f64::NAN].into_iter(), &[false]).max_rel, f64::INFINITY);
    }

    #[test]
    fn the_relative_difference_is_by_the_largest_magnitude() {
        let found = of(&[0.0, -8.0, 1.0], &[0.5, -8.0, 1.0]);
        assert_eq!((found.max_abs, found.max_rel), (0.5, 0.5 / 8.0));
    }

    #[test]
    fn steps_count_f32_numbers_across_zero() {
        assert_eq!(steps(1.0, 1.0 + f32::EPSILON), 1);
        assert_eq!(steps(-0.0, 0.0), 0);
        assert_eq!(steps(-f32::from_bits(1), f32::from_bits(2)), 3);
    }

    #[test]
    fn nan_equals_nan_and_nothing_else() {
        assert_eq!(of(&[f64::NAN, 1.0], &[f64::NAN, 1.0]), Difference::default());
        assert_eq!(of(&[f64::NAN], &[1.0]).max_rel, f64::INFINITY);
        assert_eq!(of(&[1.0], &[f64::NAN]).max_rel, f64::INFINITY);
        assert_eq!(of(&[1.0], &[f64::INFINITY]).max_abs, f64::INFINITY);
    }

    #[test]
    fn another_value_where_all_should_be_zero_is_infinitely_off() {
        assert_eq!(of(&[0.0, 0.0], &[0.0, 1e-9]).max_rel, f64::INFINITY);
        assert_eq!(of(&[0.0], &[0.0]), Difference::default());
    }

    #[test]
    fn tensors_of_different_lengths_differ() {
        assert_eq!(of(&[1.0], &[1.0, 1.0]).max_rel, f64::INFINITY);
    }
}
