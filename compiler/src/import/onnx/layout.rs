//! Where the axes of a tensor lie: the file counts them in one order (batch, channels, height, width), the graph has them in
//! another (height, width, channels).
//!
//! An axis of the file is made of factors: runs of elements with a length and a stride in the graph's tensor, the outer one
//! first. A transpose in the file only names axes anew, and a reshape cuts or joins factors: neither moves an element until an
//! op needs the axes in an order that they are not in.

use smallvec::SmallVec;

use frit_ir::{NodeId, Shape};

use super::data_type::DataType;

/// A run of elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Factor {
    /// How many, at least 2.
    pub(super) length: usize,
    /// From one to the next in the graph's tensor, which is dense.
    pub(super) stride: usize,
}

/// An axis as the file counts it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Axis {
    /// The images of a batch, which the graph does not count.
    Batch,
    /// Elements of an image; an axis of length 1 has no factor.
    Of(SmallVec<[Factor; 2]>),
}

impl Axis {
    /// An axis of length 1.
    pub(super) fn one() -> Axis {
        Axis::Of(SmallVec::new())
    }

    /// Its length within an image.
    pub(super) fn length(&self) -> usize {
        self.factors().iter().map(|factor| factor.length).product()
    }

    /// Its factors, the outer one first.
    pub(super) fn factors(&self) -> &[Factor] {
        match self {
            Axis::Batch => &[],
            Axis::Of(factors) => factors,
        }
    }
}

/// A tensor of the graph as the file counts its axes.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// What makes it.
    pub(super) node: NodeId,
    /// The type that the file gives its values; they are f32 all the same.
    pub(super) kind: DataType,
    /// Its axes.
    pub(super) axes: Vec<Axis>,
}

impl View {
    /// The result of `node`, of `shape`. `axes` says for each axis of the file which axis of the graph it is: none is one of
    /// length 1.
    pub(super) fn new(node: NodeId, shape: &Shape, axes: &[GraphAxis]) -> View {
        let strides = super::constant::strides(shape.axes());
        let axis = |place: &GraphAxis| match *place {
            GraphAxis::Batch => Axis::Batch,
            GraphAxis::One => Axis::one(),
            GraphAxis::At(axis) => {
                let (length, stride) = (shape.axes()[axis], strides[axis]);
                Axis::Of((length != 1).then_some(Factor { length, stride }).into_iter().collect())
            }
        };
        View { node, kind: DataType::F32, axes: axes.iter().map(axis).collect() }
    }

    /// The axis that counts the images of a batch.
    pub(super) fn batch(&self) -> Option<usize> {
        self.axes.iter().position(|axis| *axis == Axis::Batch)
    }

    /// Number of axes.
    pub(super) fn rank(&self) -> usize {
        self.axes.len()
    }

    /// The lengths of the axes within an image, 1 for the batch.
    pub(super) fn lengths(&self) -> Vec<usize> {
        self.axes.iter().map(Axis::length).collect()
    }

    /// The length of each axis, none for the batch.
    pub(super) fn dims(&self) -> Vec<Option<usize>> {
        self.axes.iter().map(|axis| (*axis != Axis::Batch).then(|| axis.length())).collect()
    }

    /// The elements of an image.
    pub(super) fn elements(&self) -> usize {
        self.axes.iter().map(Axis::length).product()
    }

    /// The same tensor made by another node in the same order.
    pub(super) fn with(&self, node: NodeId) -> View {
        View { node, kind: self.kind, axes: self.axes.clone() }
    }

    /// The same with axes of length 1 in front, `rank` in all.
    pub(super) fn widened(&self, rank: usize) -> View {
        let mut view = self.clone();
        view.axes.splice(0..0, vec![Axis::one(); rank.saturating_sub(self.rank())]);
        view
    }

    /// The axes in another order: `axes` names the one that comes first, second, and so on.
    pub(super) fn permuted(&self, axes: &[usize]) -> View {
        View { axes: axes.iter().map(|&axis| self.axes[axis].clone()).collect(), ..self.clone() }
    }

    /// The axes within an image: all but the batch, and but a first one of length 1, which is that of a batch of one.
    pub(super) fn within(&self) -> Vec<usize> {
        let batch = self.batch().or_else(|| (self.rank() > 1 && self.axes[0].length() == 1).then_some(0));
        (0..self.rank()).filter(|&axis| Some(axis) != batch).collect()
    }

    /// The axes within an image as the graph has them where nothing else is known: those of a map rows first.
    pub(super) fn usual(&self) -> Vec<usize> {
        match self.within()[..] {
            [channels, height, width] => vec![height, width, channels],
            ref within => within.to_vec(),
        }
    }

    /// The axes within an image in the order in which they lie in the graph's tensor; none where one of them is not in one
    /// piece. Those of length 1 stand where that makes it the usual order or that of the file, else behind the one that they
    /// follow in the file, with which they may be joined once they have grown.
    pub(super) fn order(&self) -> Option<Vec<usize>> {
        [self.usual(), self.within(), self.by_place()].into_iter().find(|order| self.lies(order))
    }

    fn by_place(&self) -> Vec<usize> {
        let stride = |axis: usize| self.axes[axis].factors().first().map(|factor| factor.stride);
        let (mut order, ones): (Vec<usize>, Vec<usize>) =
            self.within().into_iter().partition(|&axis| stride(axis).is_some());
        order.sort_by_key(|&axis| std::cmp::Reverse(stride(axis)));
        for axis in ones {
            let before =
                axis.checked_sub(1).and_then(|before| order.iter().position(|&other| other == before));
            order.insert(before.map_or(0, |place| place + 1), axis);
        }
        order
    }

    /// Whether these axes, which are all within an image, follow one another in the graph's tensor in this order.
    pub(super) fn lies(&self, order: &[usize]) -> bool {
        lie(order.iter().flat_map(|&axis| self.axes[axis].factors()))
    }

    /// The same elements with axes of other lengths, `batch` among them where there is one; none where an axis would be cut
    /// inside a factor.
    pub(super) fn reshaped(&self, lengths: &[Option<usize>]) -> Option<View> {
        let mut left: Vec<Factor> =
            self.axes.iter().flat_map(|axis| axis.factors().iter().copied()).rev().collect();
        let mut axes = Vec::with_capacity(lengths.len());
        for length in lengths {
            axes.push(match *length {
                None => Axis::Batch,
                Some(length) => Axis::Of(take(&mut left, length)?),
            });
        }
        left.is_empty().then_some(View { axes, ..self.clone() })
    }
}

/// Where an axis of the file stands among those of the graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GraphAxis {
    /// It is the batch.
    Batch,
    /// Nowhere: its length is 1.
    One,
    /// It is this one.
    At(usize),
}

/// Where `axis`, the `index`th of a tensor, stands if the graph's are those of `order`.
pub(super) fn place(axis: &Axis, index: usize, order: &[usize]) -> GraphAxis {
    match order.iter().position(|&other| other == index) {
        _ if *axis == Axis::Batch => GraphAxis::Batch,
        Some(place) => GraphAxis::At(place),
        None => GraphAxis::One,
    }
}

/// Takes factors of together `length` elements from the end of `left`.
fn take(left: &mut Vec<Factor>, length: usize) -> Option<SmallVec<[Factor; 2]>> {
    let mut taken: SmallVec<[Factor; 2]> = SmallVec::new();
    let mut missing = length;
    while missing > 1 {
        let factor = left.pop()?;
        let part = if missing.is_multiple_of(factor.length) {
            factor
        } else if factor.length.is_multiple_of(missing) {
            let inner = factor.length / missing;
            left.push(Factor { length: inner, stride: factor.stride });
            Factor { length: missing, stride: factor.stride * inner }
        } else {
            return None;
        };
        missing /= part.length;
        match taken.last_mut() {
            Some(outer) if outer.stride == part.stride * part.length => {
                *outer = Factor { length: outer.length * part.length, stride: part.stride };
            }
            _ => taken.push(part),
        }
    }
    (missing == 1).then_some(taken)
}

/// Whether `factors` follow one another, the outer one first, without a gap.
fn lie<'a>(factors: impl Iterator<Item = &'a Factor>) -> bool {
    let factors: SmallVec<[Factor; 4]> = factors.copied().collect();
    let mut inside = 1;
    factors.iter().rev().all(|factor| {
        let follows = factor.stride == inside;
        inside = factor.stride * factor.length;
        follows
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A map that lies rows first, as the file counts it: batch, channels, height, width.
    fn map(shape: [usize; 3]) -> View {
        let places = [GraphAxis::Batch, GraphAxis::At(2), GraphAxis::At(0), GraphAxis::At(1)];
        View::new(NodeId::new(0), &Shape::new(&shape), &places)
    }

    #[test]
    fn a_map_lies_rows_first_also_where_it_has_one_pixel() {
        assert_eq!(map([4, 5, 6]).order().unwrap(), [2, 3, 1]);
        assert_eq!(map([1, 1, 6]).order().unwrap(), [2, 3, 1]);
        assert_eq!(map([4, 5, 6]).permuted(&[0, 2, 3, 1]).order().unwrap(), [1, 2, 3]);
    }

    #[test]
    fn a_channel_shuffle_is_a_matter_of_names_until_an_op_needs_its_order() {
        let batch = None;
        let split = map([4, 5, 6]).reshaped(&[batch, Some(2), Some(3), Some(4), Some(5)]).unwrap();
        let shuffled = split.permuted(&[0, 2, 1, 3, 4]);
        let joined = shuffled.reshaped(&[batch, Some(6), Some(4), Some(5)]).unwrap();
        assert_eq!(joined.lengths(), [1, 6, 4, 5]);
        assert_eq!(joined.order(), None);
        let back = joined.reshaped(&[batch, Some(3), Some(2), Some(4), Some(5)]).unwrap();
        let whole = back.permuted(&[0, 2, 1, 3, 4]).reshaped(&[batch, Some(6), Some(4), Some(5)]).unwrap();
        assert_eq!(whole.axes, map([4, 5, 6]).axes);
    }

    #[test]
    fn what_would_be_cut_inside_a_factor_is_not_reshaped() {
        let turned = map([4, 1, 6]);
        assert!(turned.reshaped(&[None, Some(4), Some(6)]).is_none());
        assert!(turned.reshaped(&[None, Some(3), Some(8)]).is_some(), "6 = 3 x 2, 2 x 4 = 8");
        assert!(turned.reshaped(&[None, Some(5), Some(5)]).is_none());
    }
}
