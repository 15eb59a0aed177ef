//! Offsets in the arena: tensors that are never alive at once share memory.

use crate::plan::Tensor;

/// Where offsets begin: at cache lines.
const LINE: usize = 64;

/// Gives each of `tensors` its offset, and returns the bytes of the arena.
///
/// Larger tensors are placed first, each at the lowest offset where it overlaps nothing that is alive with it (Pisarchyk
/// and Lee, Efficient Memory Management for Deep Neural Net Inference, 2020, "greedy by size").
pub(super) fn place(tensors: &mut [Tensor]) -> usize {
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&tensor| (std::cmp::Reverse(tensors[tensor].bytes), tensor));
    let mut placed: Vec<Tensor> = Vec::with_capacity(tensors.len());
    for index in order {
        let tensor = tensors[index];
        let together = placed.iter().filter(|other| other.first <= tensor.last && tensor.first <= other.last);
        let mut busy: Vec<(usize, usize)> = together.map(|other| (other.offset, end(other))).collect();
        busy.sort_unstable();
        let mut offset = 0;
        for (begin, end) in busy {
            if offset + tensor.bytes <= begin {
                break;
            }
            offset = offset.max(end);
        }
        tensors[index].offset = offset;
        placed.push(tensors[index]);
    }
    placed.iter().map(end).max().unwrap_or(0)
}

/// Where the next tensor may begin behind `tensor`.
fn end(tensor: &Tensor) -> usize {
    tensor.offset + tensor.bytes.next_multiple_of(LINE)
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
            let tensor = |(bytes, first, steps)| Tensor { bytes, first, last: first + steps, ..Tensor::default() };
            let mut tensors: Vec<Tensor> = slots.into_iter().map(tensor).collect();
            let size = place(&mut tensors);
            for (index, tensor) in tensors.iter().enumerate() {
                prop_assert!(tensor.offset % LINE == 0 && tensor.offset + tensor.bytes <= size);
                for other in &tensors[..index] {
                    let together = tensor.first <= other.last && other.first <= tensor.last;
                    let apart = tensor.offset + tensor.bytes <= other.offset || other.offset + other.bytes <= tensor.offset;
                    prop_assert!(!together || apart, "{tensor:?} and {other:?}");
                }
            }
        }
    }

    #[test]
    fn a_chain_needs_two_buffers_only() {
        let tensor = |step| Tensor { bytes: 640, first: step, last: step + 1, ..Tensor::default() };
        assert_eq!(place(&mut (0..10).map(tensor).collect::<Vec<Tensor>>()), 2 * 640);
    }
}
