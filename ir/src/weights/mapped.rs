//! Values that stay in a model's file until they are asked for.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use smallvec::SmallVec;

use super::Values;
use super::order::turned;
use crate::element::Element;
use crate::tensor::Shape;

/// Whoever holds the bytes of a file, a mapped one for example.
pub type Owner = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// Values that lie in a file, little-endian and dense, perhaps in another order of axes. They are read when they are asked
/// for, each time, so that a network takes no more memory than its file.
#[derive(Clone)]
pub struct Mapped {
    pub(super) element: Element,
    owner: Owner,
    range: Range<usize>,
    pub(super) order: Option<Order>,
}

/// Where values lie, and in which order they are read: the same for two that are mapped means the same values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    element: Element,
    address: usize,
    bytes: usize,
    order: Option<Order>,
}

/// How the axes lie in the file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Order {
    /// The axes as they lie, slowest first.
    stored: Shape,
    /// Which of them comes first, second, and so on.
    axes: SmallVec<[usize; 4]>,
}

impl Mapped {
    /// The `f32` values at the bytes `range` of `owner`, in the order in which they lie; none where `range` leaves the file
    /// or holds no whole number of values.
    pub fn new(owner: Owner, range: Range<usize>) -> Option<Mapped> {
        Mapped::of(Element::F32, owner, range)
    }

    /// The same, where values are `element`s.
    pub fn of(element: Element, owner: Owner, range: Range<usize>) -> Option<Mapped> {
        let bytes = owner.as_ref().as_ref().get(range.clone())?;
        bytes.len().is_multiple_of(element.bytes()).then_some(Mapped { element, owner, range, order: None })
    }

    /// The values that `part`, a piece of `owner`'s own bytes, holds; none where it is none of these or holds no whole number
    /// of values.
    pub fn part(owner: Owner, part: &[u8]) -> Option<Mapped> {
        let begin = part.as_ptr().addr().checked_sub(owner.as_ref().as_ref().as_ptr().addr())?;
        Mapped::new(owner, begin..begin.checked_add(part.len())?)
    }

    /// The same where they lie with the axes `stored`, of which `axes` names the one that shall come first, second, and so on:
    /// `[2, 3, 1, 0]` makes a kernel `[kh, kw, in, out]` of one that lies as `[out, in, kh, kw]`. None where the axes are no
    /// permutation, or `stored` has another number of elements.
    pub fn permuted(self, stored: &Shape, axes: &[usize]) -> Option<Mapped> {
        let mut sorted: SmallVec<[usize; 4]> = axes.iter().copied().collect();
        sorted.sort_unstable();
        let permutes = sorted.iter().copied().eq(0..stored.rank());
        if !permutes || stored.elements() != Some(self.len()) || self.order.is_some() {
            return None;
        }
        let order = Order { stored: stored.clone(), axes: axes.iter().copied().collect() };
        Some(Mapped { order: Some(order), ..self })
    }

    /// The bytes that they lie in.
    pub(super) fn bytes(&self) -> &[u8] {
        self.owner.as_ref().as_ref().get(self.range.clone()).unwrap_or_default()
    }

    /// Where they lie. Another that is mapped at the same time has the same only where it has the same values.
    pub fn spot(&self) -> Spot {
        let bytes = self.bytes();
        Spot {
            element: self.element,
            address: bytes.as_ptr().addr(),
            bytes: bytes.len(),
            order: self.order.clone(),
        }
    }

    /// What the file holds.
    pub fn element(&self) -> Element {
        self.element
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.range.len() / self.element.bytes()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The values in the order in which they lie.
    pub fn stored(&self) -> impl Iterator<Item = f32> {
        let bytes = self.bytes();
        let element = self.element;
        bytes.chunks_exact(element.bytes()).map(move |value| element.read(value))
    }

    /// The values in their order, copied once.
    pub fn values(&self) -> Values {
        let bytes = self.bytes();
        let turned = match self.element {
            Element::F32 => self.turned::<4>(bytes),
            Element::I64 => self.turned::<8>(bytes),
        };
        turned.unwrap_or_else(|| self.stored().collect())
    }

    /// The values of elements of so many bytes, where they lie in another order.
    fn turned<const BYTES: usize>(&self, bytes: &[u8]) -> Option<Values> {
        let Order { stored, axes } = self.order.as_ref()?;
        let elements = bytes.as_chunks::<BYTES>().0;
        turned(elements, stored.axes(), axes, |value| self.element.read(value)).map(Values::from)
    }
}

/// `values` of a tensor with the axes `stored`, in the order that [`Mapped::permuted`] states, copied once; none where the axes
/// are no permutation or the values are not as many.
pub fn permuted(values: &[f32], stored: &Shape, axes: &[usize]) -> Option<Values> {
    turned(values, stored.axes(), axes, |&value| value).map(Values::from)
}

impl PartialEq for Mapped {
    fn eq(&self, other: &Mapped) -> bool {
        self.values() == other.values()
    }
}

impl fmt::Debug for Mapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} values mapped", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(values: &[f32]) -> Owner {
        // An odd beginning: nothing says that a file's values are aligned.
        let bytes: Vec<u8> =
            std::iter::once(0).chain(values.iter().flat_map(|value| value.to_le_bytes())).collect();
        Arc::new(bytes)
    }

    #[test]
    fn values_are_read_where_they_lie() {
        let mapped = Mapped::new(file(&[1.0, -2.5, 3.0]), 5..13).unwrap();
        assert_eq!(*mapped.values(), [-2.5, 3.0]);
        assert_eq!(mapped.len(), 2);
        assert!(Mapped::new(file(&[1.0]), 1..6).is_none(), "past the end");
        assert!(Mapped::new(file(&[1.0]), 0..5).is_none(), "no whole number of values");
        let owner: Arc<Vec<u8>> =
            Arc::new([1.0f32, 2.0, 3.0].iter().flat_map(|value| value.to_le_bytes()).collect());
        assert_eq!(*Mapped::part(owner.clone(), &owner[4..12]).unwrap().values(), [2.0, 3.0]);
    }

    #[test]
    fn values_have_as_many_bytes_as_their_element() {
        let bytes: Vec<u8> = [3i64, -4, 5].iter().flat_map(|value| value.to_le_bytes()).collect();
        let owner: Owner = Arc::new(bytes);
        let mapped = Mapped::of(Element::I64, Arc::clone(&owner), 8..24).unwrap();
        assert_eq!((mapped.len(), mapped.element(), &*mapped.values()), (2, Element::I64, &[-4.0, 5.0][..]));
        assert!(Mapped::of(Element::I64, Arc::clone(&owner), 8..20).is_none(), "no whole number of values");
        assert_ne!(
            mapped.spot(),
            Mapped::new(owner, 8..24).unwrap().spot(),
            "other values of the same bytes"
        );
    }

    #[test]
    fn the_same_bytes_in_the_same_order_are_one_spot() {
        let owner = file(&[1.0, 2.0, 3.0, 4.0]);
        let mapped = |range: Range<usize>| Mapped::new(Arc::clone(&owner), range).unwrap();
        assert_eq!(mapped(1..17).spot(), mapped(1..17).spot());
        assert_ne!(mapped(1..17).spot(), mapped(1..13).spot());
        assert_ne!(mapped(5..9).spot(), mapped(1..5).spot());
        let turned = mapped(1..17).permuted(&Shape::new(&[2, 2]), &[1, 0]).unwrap();
        assert_ne!(turned.spot(), mapped(1..17).spot());
        assert_ne!(Mapped::new(file(&[1.0]), 1..5).unwrap().spot(), mapped(1..5).spot(), "of another file");
    }

    #[test]
    fn axes_come_in_the_order_that_is_named() {
        let values: Vec<f32> = (0u8..24).map(f32::from).collect();
        let mapped = || Mapped::new(file(&values), 1..97).unwrap();
        let (stored, axes) = (Shape::new(&[2, 3, 4]), [2, 0, 1]);
        let found = mapped().permuted(&stored, &axes).unwrap().values();
        for (index, &value) in found.iter().enumerate() {
            let (last, first, middle) = (index / 6, index / 3 % 2, index % 3);
            assert_eq!(value, values[(first * 3 + middle) * 4 + last]);
        }
        assert!(mapped().permuted(&stored, &[0, 1, 1]).is_none());
        assert!(mapped().permuted(&stored, &[0, 1]).is_none());
        assert!(mapped().permuted(&Shape::new(&[2, 3, 5]), &axes).is_none());
    }
}
