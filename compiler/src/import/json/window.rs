//! How a window slides over a map, and what it needs around that map.

use frit_ir::ops::Padding;

use super::attributes::Defaults;
use super::kinds::{PaddingRule, Pair};

/// A window, with its padding perhaps still a rule.
#[derive(Debug, Clone, Copy)]
pub(in crate::import) struct Window {
    pub(in crate::import) kernel: [usize; 2],
    pub(in crate::import) stride: [usize; 2],
    pub(in crate::import) dilation: [usize; 2],
    pub(in crate::import) padding: PaddingRule,
}

impl Window {
    /// One pixel.
    pub(in crate::import) const POINT: Window =
        Window { kernel: [1, 1], stride: [1, 1], dilation: [1, 1], padding: PaddingRule::Valid };

    /// The window of a layer, with the description's padding where it says none.
    pub(in crate::import::json) fn new(
        [kernel, stride, dilation]: [Pair; 3],
        padding: Option<PaddingRule>,
        defaults: &Defaults,
    ) -> Option<Window> {
        // Every rule gives a kernel of one pixel no padding.
        let point = (kernel.0 == [1, 1]).then_some(PaddingRule::Valid);
        let padding = padding.or(defaults.padding).or(point)?;
        Some(Window { kernel: kernel.0, stride: stride.0, dilation: dilation.0, padding })
    }

    /// Pixels from its first tap to its last along an axis; none where they can't be counted.
    pub(in crate::import) fn reach(&self, axis: usize) -> Option<usize> {
        (self.kernel[axis] - 1).checked_mul(self.dilation[axis])?.checked_add(1)
    }

    /// The zeros around a map of this height and width; none where no map can have so many.
    pub(in crate::import) fn around(&self, map: [usize; 2]) -> Option<Padding> {
        let sides = |axis: usize| -> Option<[usize; 2]> {
            let reach = self.reach(axis)?;
            match self.padding {
                PaddingRule::Same => {
                    let stride = self.stride[axis];
                    let last = (map[axis].div_ceil(stride) - 1).checked_mul(stride)?;
                    let total = last.checked_add(reach)?.saturating_sub(map[axis]);
                    Some([total / 2, total - total / 2])
                }
                PaddingRule::Torch => Some([(reach - 1) / 2; 2]),
                PaddingRule::Valid | PaddingRule::Given(_) => Some([0; 2]),
            }
        };
        if let PaddingRule::Given(padding) = self.padding {
            return Some(padding);
        }
        let ([top, bottom], [left, right]) = (sides(0)?, sides(1)?);
        Some(Padding { top, bottom, left, right })
    }
}
