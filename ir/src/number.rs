//! The arithmetic that the interpreter evaluates in.

use std::iter::Sum;

use num_traits::Float;

/// An arithmetic to evaluate in: f32, or f64 as the judge of f32.
pub trait Number: Float + Sum + Send + Sync + 'static {
    /// The number nearest to `value`.
    fn of(value: f32) -> Self;
}

impl Number for f32 {
    fn of(value: f32) -> f32 {
        value
    }
}

impl Number for f64 {
    fn of(value: f32) -> f64 {
        f64::from(value)
    }
}
