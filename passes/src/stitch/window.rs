//! Windows that make a map of one size out of one of another.

use frit_ir::ops::Padding;

/// A window along one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    /// Elements past the edges, before and behind.
    pub(super) padding: [usize; 2],
}

impl Span {
    /// The window of `stride` elements that never reads one twice: what is over is past the edges. None where `stride` does not
    /// give `to` elements.
    pub(super) fn tiling(from: usize, to: usize) -> Option<Span> {
        let stride = from.div_ceil(to.max(1));
        Span::same(from, to, stride, stride)
    }

    /// The smallest window inside the map that reads all of it.
    pub(super) fn inside(from: usize, to: usize) -> Option<Span> {
        let stride = from.checked_div(to).filter(|&stride| stride > 0)?;
        let kernel = from.checked_sub((to - 1).checked_mul(stride)?)?;
        (kernel > 0).then_some(Span { kernel, stride, padding: [0, 0] })
    }

    /// A window of `kernel` every `stride` elements, with TensorFlow's `same` padding.
    pub(super) fn same(from: usize, to: usize, kernel: usize, stride: usize) -> Option<Span> {
        if stride == 0 || from.div_ceil(stride) != to {
            return None;
        }
        let total = ((to - 1) * stride + kernel).saturating_sub(from);
        Some(Span { kernel, stride, padding: [total / 2, total - total / 2] })
    }

    /// Which elements of `from` it reads, `to` times.
    pub(super) fn reads(&self, from: usize, to: usize) -> Vec<bool> {
        let mut read = vec![false; from];
        for place in 0..to {
            let first = (place * self.stride).saturating_sub(self.padding[0]);
            let end = (place * self.stride + self.kernel).saturating_sub(self.padding[0]).min(from);
            read.iter_mut().take(end).skip(first).for_each(|read| *read = true);
        }
        read
    }
}

/// The padding of windows down and across.
pub(super) fn padding([down, across]: [Span; 2]) -> Padding {
    Padding {
        top: down.padding[0],
        bottom: down.padding[1],
        left: across.padding[0],
        right: across.padding[1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_give_the_size_that_is_asked_for_or_are_none() {
        for (from, to) in [(56, 28), (28, 17), (28, 8), (29, 15), (7, 7), (9, 1), (5, 4)] {
            let spans =
                [Span::tiling(from, to), Span::inside(from, to), Span::same(from, to, 3, from.div_ceil(to))];
            for span in spans.into_iter().flatten() {
                let padded = from + span.padding[0] + span.padding[1];
                assert_eq!((padded - span.kernel) / span.stride + 1, to, "{from} to {to}: {span:?}");
            }
            assert!(
                Span::inside(from, to).unwrap().reads(from, to).iter().all(|&read| read),
                "{from} to {to}"
            );
        }
        assert_eq!(Span::tiling(28, 17), None);
        assert_eq!(Span::inside(28, 8).map(|span| (span.kernel, span.stride)), Some((7, 3)));
        assert_eq!(Span::inside(4, 5), None);
    }

    #[test]
    fn a_step_that_is_longer_than_its_window_reads_a_part() {
        let strided = Span::same(8, 4, 1, 2).unwrap();
        assert_eq!(strided.reads(8, 4).iter().filter(|read| **read).count(), 4);
        let overlapping = Span::same(8, 4, 3, 2).unwrap();
        assert!(overlapping.reads(8, 4).iter().all(|&read| read));
    }
}
