//! Windows as files say them: how the zeros around a map follow from its size is a rule, which a map turns into numbers.

use frit_ir::diagnostic::codes;
use frit_ir::ops::Padding;
use frit_ir::{Diagnostic, Window};

/// How the zeros around a map follow from its size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PaddingRule {
    /// TensorFlow's: as many positions as `size / stride`, rounded up; an odd zero comes last.
    Same,
    /// The same, but an odd zero comes first.
    SameLower,
    /// None.
    Valid,
    /// `(kernel - 1) / 2` on each side, of the dilated kernel.
    Torch,
    /// These.
    Given(Padding),
}

impl PaddingRule {
    /// `total` before and behind a map, where an odd one has its place by the rule.
    pub(super) fn halves(self, total: usize) -> [usize; 2] {
        let less = total / 2;
        if self == PaddingRule::SameLower { [total - less, less] } else { [less, total - less] }
    }
}

/// A window whose padding is a rule.
#[derive(Debug, Clone, Copy)]
pub(super) struct WindowRule {
    pub(super) kernel: [usize; 2],
    pub(super) stride: [usize; 2],
    pub(super) dilation: [usize; 2],
    pub(super) padding: PaddingRule,
}

impl WindowRule {
    /// One pixel.
    pub(super) const POINT: WindowRule =
        WindowRule { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: PaddingRule::Valid };

    /// The window over a map of this height and width.
    ///
    /// # Errors
    /// No map can have so many zeros around it.
    pub(super) fn over(&self, map: [usize; 2]) -> Result<Window, Diagnostic> {
        let window = self.unpadded();
        let sides = |axis: usize| {
            let sides = self.sides(axis, window.extent(axis)?, map[axis]);
            sides.map(|[before, behind]| (before, behind))
        };
        let ((top, bottom), (left, right)) = sides(0).zip(sides(1)).ok_or_else(too_far)?;
        Ok(Window { padding: Padding { top, bottom, left, right }, ..window })
    }

    /// Pixels from the first tap to the last along an axis.
    ///
    /// # Errors
    /// They can't be counted.
    pub(super) fn extent(&self, axis: usize) -> Result<usize, Diagnostic> {
        self.unpadded().extent(axis).ok_or_else(too_far)
    }

    fn unpadded(&self) -> Window {
        let WindowRule { kernel, stride, dilation, .. } = *self;
        Window { kernel, stride, padding: Padding::default(), dilation }
    }

    /// The zeros before and behind a map of `length` along an axis; none where they can't be counted.
    fn sides(&self, axis: usize, extent: usize, length: usize) -> Option<[usize; 2]> {
        match self.padding {
            PaddingRule::Same | PaddingRule::SameLower => {
                let stride = self.stride[axis];
                let last = length.div_ceil(stride).saturating_sub(1).checked_mul(stride)?;
                let total = last.checked_add(extent)?.saturating_sub(length);
                Some(self.padding.halves(total))
            }
            PaddingRule::Torch => Some([(extent - 1) / 2; 2]),
            PaddingRule::Valid => Some([0; 2]),
            PaddingRule::Given(padding) => Some(padding.along(axis)),
        }
    }
}

/// The fault of a window that no map can hold.
pub(super) fn too_far() -> Diagnostic {
    Diagnostic::error(codes::KERNEL_TOO_LARGE, "a kernel that reaches further than any map")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_odd_zero_stands_where_the_rule_says() {
        let window = WindowRule { kernel: [3, 2], stride: [2, 1], ..WindowRule::POINT };
        let sides =
            |padding: PaddingRule| WindowRule { padding, ..window }.over([4, 4]).unwrap().padding.sides();
        assert_eq!(sides(PaddingRule::Same), [0, 1, 0, 1]);
        assert_eq!(sides(PaddingRule::SameLower), [1, 0, 1, 0]);
        assert_eq!(sides(PaddingRule::Torch), [1, 1, 0, 0]);
        assert_eq!(sides(PaddingRule::Valid), [0; 4]);
    }

    #[test]
    fn a_window_past_all_maps_is_a_fault() {
        let window = WindowRule { kernel: [usize::MAX, 1], dilation: [2, 1], ..WindowRule::POINT };
        assert_eq!(window.over([4, 4]).unwrap_err().code, codes::KERNEL_TOO_LARGE);
    }
}
