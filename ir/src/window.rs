//! A window that slides over a map: what convolutions and pools have in common.

use crate::ops::{Conv2d, Conv2dTranspose, Padding, Pool};

/// How a window slides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Window {
    /// Its taps, down and across.
    pub kernel: [usize; 2],
    /// Steps down and right.
    pub stride: [usize; 2],
    /// What lies around the map.
    pub padding: Padding,
    /// Distance of the taps.
    pub dilation: [usize; 2],
}

impl Window {
    /// Pixels from its first tap to its last along `axis` (0: down, 1: across); none where they can't be counted.
    pub fn extent(&self, axis: usize) -> Option<usize> {
        self.kernel[axis].checked_sub(1)?.checked_mul(self.dilation[axis])?.checked_add(1)
    }
}

impl Conv2d {
    /// The convolution of all channels to `filters` in `window`, with nothing before or behind its sums.
    pub fn over(window: Window, filters: usize) -> Conv2d {
        let Window { kernel, stride, padding, dilation } = window;
        Conv2d { kernel, stride, padding, dilation, ..Conv2d::pointwise(filters) }
    }

    /// The window that slides.
    pub fn window(&self) -> Window {
        let Conv2d { kernel, stride, padding, dilation, .. } = *self;
        Window { kernel, stride, padding, dilation }
    }
}

impl Conv2dTranspose {
    /// The window that slides over the result.
    pub fn window(&self) -> Window {
        let Conv2dTranspose { kernel, stride, padding, dilation, .. } = *self;
        Window { kernel, stride, padding, dilation }
    }
}

impl Pool {
    /// The window that slides.
    pub fn window(&self) -> Window {
        let Pool { kernel, stride, padding, dilation, .. } = *self;
        Window { kernel, stride, padding, dilation }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reaches_over_its_taps_and_what_is_between_them() {
        let conv = Conv2d { kernel: [3, 1], dilation: [2, 5], ..Conv2d::pointwise(8) };
        assert_eq!([0, 1].map(|axis| conv.window().extent(axis)), [Some(5), Some(1)]);
        assert_eq!(Conv2d::over(conv.window(), 8), conv);
        let far = Window { kernel: [usize::MAX; 2], ..conv.window() };
        assert_eq!(far.extent(0), None);
    }
}
