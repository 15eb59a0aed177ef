//! Counted loops around what several pointers pass over.

use super::advance;
use crate::vector::{Builder, Count, Pointer};

/// A loop over one axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Loop<const N: usize> {
    /// Its turns, at least 1.
    pub count: usize,
    /// How many bytes each pointer moves on with a turn.
    pub bytes: [usize; N],
}

/// Runs `body` inside `loops`, outermost first, with pointers that begin at `from`. As deep as there are loops, whose number
/// the schedule limits.
pub(super) fn nest<const N: usize>(
    b: &mut Builder,
    loops: &[Loop<N>],
    from: [Pointer; N],
    body: &mut dyn FnMut(&mut Builder, [Pointer; N]),
) {
    let Some((outer, inner)) = loops.split_first() else { return body(b, from) };
    let cursors = from.map(|base| b.pointer(base, 0));
    b.repeat(Count::Static(outer.count as u32), |b| {
        nest(b, inner, cursors, body);
        advance(b, cursors, outer.bytes);
    });
}

/// Runs `body` inside a loop over the kernel's items and `loops`, with the kernel's first parameters.
pub(super) fn items<const N: usize>(
    b: &mut Builder,
    bytes: [usize; N],
    loops: &[Loop<N>],
    body: &mut dyn FnMut(&mut Builder, [Pointer; N]),
) {
    let cursors = std::array::from_fn(|index| {
        let parameter = b.parameter(index);
        b.pointer(parameter, 0)
    });
    b.repeat(Count::Items, |b| {
        nest(b, loops, cursors, body);
        advance(b, cursors, bytes);
    });
}
