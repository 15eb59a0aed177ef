//! Offsets in the arena: tensors that are never alive at once share memory.

/// A tensor's size and the steps in which it is alive, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) bytes: usize,
    pub(super) first: usize,
    pub(super) last: usize,
}

/// Where offsets begin: at cache lines.
const LINE: usize = 64;

/// Offsets in bytes, and the size of the arena.
///
/// Larger tensors are placed first, each at the lowest offset where it overlaps nothing that is alive with it (Pisarchyk
/// and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020, "greedy by size").
pub(super) fn place(slots: &[Slot]) -> (Vec<usize>, usize) {
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|&slot| (std::cmp::Reverse(slots[slot].bytes), slot));
    let mut offsets = vec![0; slots.len()];
    let mut done: Vec<usize> = Vec::new();
    for slot in order {
        let mut busy: Vec<(usize, usize)> = done
            .iter()
            .filter(|&&other| {
                slots[other].first <= slots[slot].last && slots[slot].first <= slots[other].last
            })
            .map(|&other| (offsets[other], offsets[other] + slots[other].bytes.next_multiple_of(LINE)))
            .collect();
        busy.sort_unstable();
        let mut offset = 0;
        for (begin, end) in busy {
            if offset + slots[slot].bytes <= begin {
                break;
            }
            offset = offset.max(end);
        }
        offsets[slot] = offset;
        done.push(slot);
    }
    let size = (0..slots.len()).map(|slot| offsets[slot] + slots[slot].bytes.next_multiple_of(LINE)).max();
    (offsets, size.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn tensors_alive_at_once_do_not_overlap(
            slots in proptest::collection::vec((1usize..5000, 0usize..20, 0usize..6), 0..30)
        ) {
            let slots: Vec<Slot> =
                slots.into_iter().map(|(bytes, first, steps)| Slot { bytes, first, last: first + steps }).collect();
            let (offsets, size) = place(&slots);
            for (a, &slot) in slots.iter().enumerate() {
                prop_assert!(offsets[a] % LINE == 0 && offsets[a] + slot.bytes <= size);
                for (b, &other) in slots.iter().enumerate().take(a) {
                    let together = slot.first <= other.last && other.first <= slot.last;
                    let apart = offsets[a] + slot.bytes <= offsets[b] || offsets[b] + other.bytes <= offsets[a];
                    prop_assert!(!together || apart, "{slot:?} at {} and {other:?} at {}", offsets[a], offsets[b]);
                }
            }
        }
    }

    #[test]
    fn a_chain_needs_two_buffers_only() {
        let slots: Vec<Slot> = (0..10).map(|step| Slot { bytes: 640, first: step, last: step + 1 }).collect();
        assert_eq!(place(&slots).1, 2 * 640);
    }
}
