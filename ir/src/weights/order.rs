//! Values in another order of their axes.
//!
//! One axis is next to next in what is read, another in what is written. A square of both at a time is copied, so that each
//! cache line is fetched and written once (Lam, Rothberg and Wolf, The Cache Performance and Optimizations of Blocked
//! Algorithms, 1991).

use std::sync::Arc;

use smallvec::SmallVec;

/// Elements along each side of a square: a cache line of f32 values.
const SIDE: usize = 16;

/// An axis of the result.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    length: usize,
    /// How far its elements lie apart in what is read, and in the result.
    from: usize,
    to: usize,
}

/// `elements` of a tensor with the axes `stored`, copied once, so that the axis `axes[0]` is the slowest, and so on; none where
/// `axes` are no permutation or the elements are not as many.
pub(super) fn turned<T, U: Copy + Default>(
    elements: &[T],
    stored: &[usize],
    axes: &[usize],
    value: impl Fn(&T) -> U,
) -> Option<Arc<[U]>> {
    let axes = axes_of(elements.len(), stored, axes)?;
    // A range says how many there will be, so that they are made where they stay.
    let mut values: Arc<[U]> = (0..elements.len()).map(|_| U::default()).collect();
    let into = Arc::get_mut(&mut values)?;
    let Some((&last, others)) = axes.split_last() else {
        into.iter_mut().zip(elements).for_each(|(to, from)| *to = value(from));
        return Some(values);
    };
    let unit = others.iter().position(|axis| axis.from == 1);
    let outer: SmallVec<[Axis; 4]> =
        others.iter().enumerate().filter(|&(place, _)| Some(place) != unit).map(|(_, &axis)| axis).collect();
    let across = unit.map_or(Axis { length: 1, from: 1, to: 1 }, |unit| others[unit]);
    each(&outer, [0, 0], &mut |[from, to]| {
        for begin in (0..across.length).step_by(SIDE) {
            let end = across.length.min(begin + SIDE);
            for first in (0..last.length).step_by(SIDE) {
                let length = SIDE.min(last.length - first);
                for index in begin..end {
                    let source = &elements[from + index * across.from + first * last.from..];
                    let row = &mut into[to + index * across.to + first..][..length];
                    let strided = source.iter().step_by(last.from);
                    row.iter_mut().zip(strided).for_each(|(to, from)| *to = value(from));
                }
            }
        }
    });
    Some(values)
}

/// The axes of the result, slowest first: those of one element left out, and those that follow each other on both sides as one.
fn axes_of(elements: usize, stored: &[usize], axes: &[usize]) -> Option<SmallVec<[Axis; 4]>> {
    let mut sorted: SmallVec<[usize; 4]> = axes.iter().copied().collect();
    sorted.sort_unstable();
    let count = stored.iter().try_fold(1usize, |count, &length| count.checked_mul(length));
    if !sorted.iter().copied().eq(0..stored.len()) || count != Some(elements) {
        return None;
    }
    let from = |axis: usize| stored[axis + 1..].iter().product();
    let mut found: SmallVec<[Axis; 4]> = SmallVec::new();
    let mut to = 1;
    for &axis in axes.iter().rev().filter(|&&axis| stored[axis] != 1) {
        let (length, from) = (stored[axis], from(axis));
        match found.last_mut() {
            Some(inner) if inner.from * inner.length == from => inner.length *= length,
            _ => found.push(Axis { length, from, to }),
        }
        to *= length;
    }
    found.reverse();
    Some(found)
}

/// Calls `at` with the places that all elements of `axes` have on both sides.
fn each(axes: &[Axis], [from, to]: [usize; 2], at: &mut impl FnMut([usize; 2])) {
    let Some((axis, inner)) = axes.split_first() else { return at([from, to]) };
    for index in 0..axis.length {
        each(inner, [from + index * axis.from, to + index * axis.to], at);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cases() -> impl Strategy<Value = (Vec<usize>, Vec<usize>)> {
        proptest::collection::vec(0usize..40, 0..5).prop_flat_map(|lengths| {
            let axes: Vec<usize> = (0..lengths.len()).collect();
            // Four axes of forty would be too many elements.
            let lengths: Vec<usize> = lengths
                .iter()
                .enumerate()
                .map(|(axis, &length)| if axis > 1 { length % 5 } else { length })
                .collect();
            (Just(lengths).prop_shuffle(), Just(axes).prop_shuffle())
        })
    }

    proptest! {
        #[test]
        fn every_element_comes_to_its_place((stored, axes) in cases()) {
            let count: usize = stored.iter().product();
            let elements: Vec<u32> = (0..count as u32).collect();
            let found = turned(&elements, &stored, &axes, |&value| value as f32).unwrap();
            for (place, &value) in found.iter().enumerate() {
                let (mut rest, mut index) = (place, 0);
                for &axis in axes.iter().rev() {
                    let stride: usize = stored[axis + 1..].iter().product();
                    index += rest % stored[axis] * stride;
                    rest /= stored[axis];
                }
                prop_assert_eq!(value, index as f32);
            }
        }
    }

    #[test]
    fn axes_that_stay_together_are_one() {
        let axes = axes_of(2 * 3 * 4 * 5, &[2, 3, 4, 5], &[2, 3, 1, 0]).unwrap();
        let axis = |length, from, to| Axis { length, from, to };
        assert_eq!(axes[..], [axis(20, 1, 6), axis(3, 20, 2), axis(2, 60, 1)]);
        assert_eq!(axes_of(6, &[2, 3], &[0, 1]).unwrap()[..], [axis(6, 1, 1)]);
        assert!(axes_of(6, &[2, 3], &[0, 0]).is_none());
        assert!(axes_of(5, &[2, 3], &[1, 0]).is_none());
    }
}
