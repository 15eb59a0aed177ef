//! How far a tensor is from what it should be.

/// How far a tensor is from what it should be. Where one has NaN and the other has not, everything is infinitely far.
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
pub fn difference(expected: &[f64], values: impl ExactSizeIterator<Item = f64>) -> Difference {
    if values.len() != expected.len() {
        return Difference::infinite();
    }
    let mut max_abs = 0.0f64;
    let mut largest = 0.0f64;
    let mut ulp = 0;
    for (&expected, value) in expected.iter().zip(values) {
        if expected == value || (expected.is_nan() && value.is_nan()) {
            largest = if expected.is_finite() { largest.max(expected.abs()) } else { largest };
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
        difference(expected, values.iter().copied())
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
