//! The bytes that layers are made of.

use crate::ops::{Activation, Padding, Scalar};

/// The bytes that one layer is made of.
pub(super) struct Choices<'a>(pub(super) std::slice::Iter<'a, u8>);

impl Choices<'_> {
    /// A number below `count`; 0 where the bytes are used up.
    pub(super) fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % count
    }

    pub(super) fn one<T: Clone>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())].clone()
    }

    pub(super) fn flag(&mut self) -> bool {
        self.below(2) == 1
    }

    pub(super) fn padding(&mut self) -> Padding {
        if self.flag() {
            return Padding::default();
        }
        let [top, bottom, left, right] = std::array::from_fn(|_| self.below(4));
        Padding { top, bottom, left, right }
    }

    pub(super) fn activation(&mut self) -> Activation {
        let clip = |low, high| Activation::Clip { low: Scalar::new(low), high: Scalar::new(high) };
        let clips = [clip(-1.0, 1.0), clip(0.5, 2.0), clip(-0.5, f32::INFINITY)];
        let others = [
            Activation::LeakyRelu { slope: Scalar::new(0.1), threshold: Scalar::new(0.0) },
            Activation::LeakyRelu { slope: Scalar::new(-0.5), threshold: Scalar::new(0.25) },
            Activation::Elu { alpha: Scalar::new(1.5) },
            Activation::Rescale { scale: Scalar::new(0.5), offset: Scalar::new(-1.0) },
        ];
        let tame: Vec<Activation> = Activation::BY_NAME.into_iter().filter(|a| !is_wild(a)).collect();
        self.one(&[&tame[..], &clips, &others].concat())
    }

    pub(super) fn maybe_activation(&mut self) -> Option<Activation> {
        self.flag().then(|| self.activation())
    }
}

/// Whether errors grow without a bound behind it, or most of its results are no numbers.
fn is_wild(activation: &Activation) -> bool {
    matches!(activation, Activation::Exp | Activation::Log | Activation::Sqrt)
}
