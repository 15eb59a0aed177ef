//! Values that are known when a file is read: weights where they lie in the file, and what shapes are computed from.

use std::sync::Arc;

use bytes::Bytes;
use frit_ir::weights::{Data, Mapped};
use frit_ir::{Element, Shape, Weight};
use smallvec::SmallVec;

use super::data_type::DataType;
use super::fault::Outcome;
use super::symbol::Symbol;
use crate::import::budget::Budget;

/// A dense tensor of known values.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    /// The type of its values.
    pub(super) kind: DataType,
    /// Its axes, as the file counts them.
    pub(super) dims: Vec<usize>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// As they lie in a file, little-endian, in another order of axes perhaps.
    Raw { bytes: Bytes, stored: Vec<usize>, order: Vec<usize> },
    /// Row-major.
    Symbols(Arc<Vec<Symbol>>),
}

/// Elements of a tensor with these axes; none where they are too many to count.
pub(super) fn count(dims: &[usize]) -> Option<usize> {
    dims.iter().try_fold(1usize, |product, &axis| product.checked_mul(axis))
}

/// The distance of an element to the next along each of the axes of a dense tensor.
pub(super) fn strides(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; dims.len()];
    for axis in (1..dims.len()).rev() {
        strides[axis - 1] = strides[axis].saturating_mul(dims[axis]);
    }
    strides
}

impl Constant {
    /// A tensor whose values lie in `bytes`, row-major.
    pub(super) fn mapped(kind: DataType, dims: Vec<usize>, bytes: Bytes) -> Constant {
        let order = (0..dims.len()).collect();
        Constant { kind, values: Values::Raw { bytes, stored: dims.clone(), order }, dims }
    }

    /// A tensor of `kind` with these values, row-major, as many as its axes say. Reading and writing each, and the memory for
    /// them, are taken from `budget`.
    pub(super) fn new(
        budget: &Budget,
        kind: DataType,
        dims: Vec<usize>,
        mut values: impl Iterator<Item = Symbol>,
    ) -> Outcome<Constant> {
        let length = count(&dims).unwrap_or(usize::MAX);
        budget.take_work(length.saturating_mul(2))?;
        let size = kind.bytes().unwrap_or(0);
        let mut bytes = budget.list(length.saturating_mul(size))?;
        while let Some(symbol) = values.next() {
            let Some(written) = symbol.written(kind) else {
                // A number that is not known, or of a type that is only read.
                let mut symbols = budget.list(length)?;
                symbols.extend(bytes.chunks_exact(size.max(1)).map(|value| Symbol::read(kind, value)));
                symbols.push(symbol);
                symbols.extend(values);
                return Ok(Constant { kind, dims, values: Values::Symbols(Arc::new(symbols)) });
            };
            bytes.extend_from_slice(&written[..size]);
        }
        Ok(Constant::mapped(kind, dims, Bytes::from(bytes)))
    }

    /// Whole numbers along one axis.
    pub(super) fn ints(budget: &Budget, values: impl ExactSizeIterator<Item = Symbol>) -> Outcome<Constant> {
        Constant::new(budget, DataType::I64, vec![values.len()], values)
    }

    /// One number.
    pub(super) fn number(budget: &Budget, kind: DataType, value: Symbol) -> Outcome<Constant> {
        Constant::new(budget, kind, Vec::new(), std::iter::once(value))
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        count(&self.dims).unwrap_or(usize::MAX)
    }

    /// The first element, unknown where there is none.
    pub(super) fn first(&self) -> Symbol {
        self.stored(0)
    }

    /// All elements, row-major.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Symbol> + '_ {
        self.lying(0, &self.dims, &self.steps())
    }

    /// The elements of a tensor with the axes `dims`, to which this one is repeated.
    pub(super) fn repeated<'a>(&'a self, dims: &[usize]) -> impl ExactSizeIterator<Item = Symbol> + use<'a> {
        let own = self.steps();
        let step = |axis: usize| {
            let axis = (axis + own.len()).checked_sub(dims.len());
            axis.filter(|&axis| self.dims[axis] != 1).map_or(0, |axis| own[axis])
        };
        self.lying(0, dims, &(0..dims.len()).map(step).collect::<Vec<_>>())
    }

    /// The elements of a tensor with the axes `dims` that lie here from `start` on, one step along each axis as [`steps`] say.
    ///
    /// [`steps`]: Constant::steps
    pub(super) fn lying<'a>(
        &'a self,
        start: usize,
        dims: &[usize],
        steps: &[usize],
    ) -> impl ExactSizeIterator<Item = Symbol> + use<'a> {
        places(dims, steps).map(move |place| self.stored(start.wrapping_add(place)))
    }

    /// How far elements lie apart along each axis.
    pub(super) fn steps(&self) -> Vec<usize> {
        match &self.values {
            Values::Symbols(_) => strides(&self.dims),
            Values::Raw { stored, order, .. } => {
                let strides = strides(stored);
                order.iter().map(|&axis| strides[axis]).collect()
            }
        }
    }

    /// The element that lies at `place`.
    fn stored(&self, place: usize) -> Symbol {
        match &self.values {
            Values::Symbols(symbols) => symbols.get(place).copied().unwrap_or(Symbol::Unknown),
            // Weights are many and of this type.
            Values::Raw { bytes, .. } if self.kind == DataType::F32 => {
                let value = bytes.get(place * 4..).and_then(|bytes| bytes.first_chunk().copied());
                value.map_or(Symbol::Unknown, |value: [u8; 4]| {
                    Symbol::Float(f64::from(Element::F32.read(&value)))
                })
            }
            Values::Raw { bytes, .. } => {
                let size = self.kind.bytes().unwrap_or(0);
                let value = bytes.get(place * size..(place + 1) * size);
                value.map_or(Symbol::Unknown, |value| Symbol::read(self.kind, value))
            }
        }
    }

    /// All elements as whole numbers; none where one is not known.
    pub(super) fn known_ints(&self, budget: &Budget) -> Outcome<Option<Vec<i64>>> {
        self.known(budget, Symbol::int)
    }

    /// All elements as floats; none where one is not known.
    pub(super) fn known_floats(&self, budget: &Budget) -> Outcome<Option<Vec<f64>>> {
        self.known(budget, Symbol::float)
    }

    fn known<T>(&self, budget: &Budget, number: impl Fn(Symbol) -> Option<T>) -> Outcome<Option<Vec<T>>> {
        budget.take_work(self.len())?;
        let mut numbers = budget.list(self.len())?;
        for value in self.iter() {
            let Some(value) = number(value) else { return Ok(None) };
            numbers.push(value);
        }
        Ok(Some(numbers))
    }

    /// The only element, where there is one that is known.
    pub(super) fn scalar(&self) -> Option<f64> {
        if self.len() == 1 { self.first().float() } else { None }
    }

    /// The same elements with other axes, which are as many.
    pub(super) fn reshaped(&self, budget: &Budget, dims: Vec<usize>) -> Outcome<Constant> {
        Ok(match &self.values {
            Values::Raw { bytes, order, .. } if !order.is_sorted() => match split(&self.dims, order, &dims) {
                Some((stored, order)) => {
                    let values = Values::Raw { bytes: bytes.clone(), stored, order };
                    Constant { kind: self.kind, dims, values }
                }
                None => return Constant::new(budget, self.kind, dims, self.iter()),
            },
            Values::Raw { bytes, .. } => Constant::mapped(self.kind, dims, bytes.clone()),
            Values::Symbols(_) => Constant { dims, ..self.clone() },
        })
    }

    /// The axes in another order: `axes` names the one that comes first, second, and so on.
    pub(super) fn permuted(&self, budget: &Budget, axes: &[usize]) -> Outcome<Constant> {
        let dims: Vec<usize> = axes.iter().map(|&axis| self.dims[axis]).collect();
        match &self.values {
            Values::Raw { bytes, stored, order } => {
                let order = axes.iter().map(|&axis| order[axis]).collect();
                let values = Values::Raw { bytes: bytes.clone(), stored: stored.clone(), order };
                Ok(Constant { kind: self.kind, dims, values })
            }
            Values::Symbols(_) => {
                let from = strides(&self.dims);
                let steps: Vec<usize> = axes.iter().map(|&axis| from[axis]).collect();
                Constant::new(budget, self.kind, dims.clone(), self.lying(0, &dims, &steps))
            }
        }
    }

    /// The values as a weight of `shape`, which has as many: those of a tensor with the axes `stored`, of which `axes` names
    /// the one that comes first, second, and so on. None where a value is not known or of another type than f32.
    pub(super) fn weight(
        &self,
        budget: &Budget,
        (stored, axes): (&[usize], &[usize]),
        shape: Shape,
    ) -> Outcome<Option<Weight>> {
        if self.kind != DataType::F32 {
            return Ok(None);
        }
        let flat = self.reshaped(budget, stored.to_vec())?.permuted(budget, axes)?;
        let Values::Raw { bytes, stored, order } = flat.values else { return Ok(None) };
        let length = bytes.len();
        let mapped = Mapped::new(Arc::new(bytes), 0..length);
        let data = match order.is_sorted() {
            true => mapped,
            false => mapped.and_then(|mapped| mapped.permuted(&Shape::new(&stored), &order)),
        };
        Ok(data.map(|data| Weight::new(shape, Data::Mapped(data))))
    }
}

/// The axes and the order in which a tensor of the axes `dims`, stored in `order`, lies where each of them becomes some of
/// `parts`, or none of length 1; nothing where an axis of `parts` reaches over several.
fn split(dims: &[usize], order: &[usize], parts: &[usize]) -> Option<(Vec<usize>, Vec<usize>)> {
    let mut ranges = vec![0..0; dims.len()];
    let mut end = 0;
    for (axis, &length) in dims.iter().enumerate() {
        let begin = end;
        while end < parts.len() && count(&parts[begin..end])? < length {
            end += 1;
        }
        // Those of length 1 behind the last belong to it.
        end = if axis + 1 == dims.len() { parts.len() } else { end };
        (count(&parts[begin..end])? == length).then_some(())?;
        ranges[order[axis]] = begin..end;
    }
    let places: Vec<usize> = ranges.into_iter().flatten().collect();
    let stored = places.iter().map(|&place| parts[place]).collect();
    let mut order = vec![0; places.len()];
    places.iter().enumerate().for_each(|(at, &place)| order[place] = at);
    Some((stored, order))
}

/// The places of the elements of a tensor with the axes `dims`, row-major, where one step along each axis is one of `steps`. A
/// step back is one forward past the largest number.
pub(super) fn places(dims: &[usize], steps: &[usize]) -> Places {
    let mut axes: SmallVec<[Counter; 4]> = SmallVec::new();
    // The step along an axis of one element is never taken.
    for (&length, &step) in dims.iter().zip(steps).filter(|&(&length, _)| length != 1) {
        match axes.last_mut() {
            Some(outer) if outer.step == step.wrapping_mul(length) => {
                *outer = Counter { index: 0, length: outer.length.saturating_mul(length), step };
            }
            _ => axes.push(Counter { index: 0, length, step }),
        }
    }
    Places { axes, place: 0, left: count(dims).unwrap_or(0) }
}

/// Where a walk is along an axis.
#[derive(Debug, Clone, Copy)]
struct Counter {
    index: usize,
    length: usize,
    step: usize,
}

/// A walk over the elements of a tensor.
#[derive(Debug, Clone)]
pub(super) struct Places {
    /// Axes along which elements are not as far apart as along the one before.
    axes: SmallVec<[Counter; 4]>,
    place: usize,
    left: usize,
}

impl Iterator for Places {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        let place = self.place;
        for axis in self.axes.iter_mut().rev() {
            axis.index += 1;
            self.place = self.place.wrapping_add(axis.step);
            if axis.index < axis.length {
                break;
            }
            axis.index = 0;
            self.place = self.place.wrapping_sub(axis.step.wrapping_mul(axis.length));
        }
        Some(place)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Places {}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(kind: DataType, dims: &[usize]) -> Constant {
        let values = (0..count(dims).unwrap()).map(|value| Symbol::Int(value as i64));
        Constant::new(&Budget::default(), kind, dims.to_vec(), values).unwrap()
    }

    fn permuted(constant: &Constant, axes: &[usize]) -> Constant {
        constant.permuted(&Budget::default(), axes).unwrap()
    }

    fn floats(constant: &Constant) -> Vec<f64> {
        constant.known_floats(&Budget::default()).unwrap().unwrap()
    }

    #[test]
    fn axes_change_their_order_without_a_copy_and_with_one() {
        let counted = |dims: &[usize]| counted(DataType::F32, dims);
        let turned = permuted(&counted(&[2, 3]), &[1, 0]);
        assert_eq!((floats(&turned), turned.dims.clone()), (vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0], vec![3, 2]));
        assert_eq!(floats(&permuted(&turned, &[1, 0])), floats(&counted(&[6])));
        assert_eq!(floats(&turned.reshaped(&Budget::default(), vec![6]).unwrap()), floats(&turned));
        let symbols = (0..5).map(Symbol::Int).chain([Symbol::Batch]);
        let symbols = Constant::new(&Budget::default(), DataType::I64, vec![2, 3], symbols).unwrap();
        let turned = permuted(&symbols, &[1, 0]);
        let values: Vec<String> = turned.iter().map(|value| value.to_string()).collect();
        assert_eq!(values, ["0", "3", "1", "4", "2", "batch"]);
    }

    #[test]
    fn what_is_turned_is_not_copied_where_each_of_its_axes_only_splits() {
        let turned = permuted(&counted(DataType::F32, &[4, 1, 6]), &[2, 1, 0]);
        for (dims, is_lent) in [
            (&[6, 1, 4][..], true),
            (&[1, 2, 3, 4], true),
            (&[6, 2, 1, 2, 1], true),
            (&[3, 2, 2, 2], true),
            (&[24], false),
            (&[3, 8], false),
            (&[12, 2], false),
        ] {
            let budget = Budget::default();
            let parts = turned.reshaped(&budget, dims.to_vec()).unwrap();
            assert_eq!((floats(&parts), &parts.dims[..]), (floats(&turned), dims));
            assert_eq!(
                matches!(&parts.values, Values::Raw { order, .. } if !order.is_sorted()),
                is_lent,
                "{dims:?}"
            );
        }
    }

    #[test]
    fn a_walk_goes_over_axes_in_any_order_repeats_and_goes_back() {
        let walk = |dims: &[usize], steps: &[usize]| places(dims, steps).collect::<Vec<_>>();
        assert_eq!(walk(&[2, 1, 3], &[3, 99, 1]), [0, 1, 2, 3, 4, 5]);
        assert_eq!(walk(&[3, 2], &[1, 3]), [0, 3, 1, 4, 2, 5]);
        assert_eq!(walk(&[2, 2, 2], &[1, 0, 4]), [0, 4, 0, 4, 1, 5, 1, 5]);
        assert_eq!(walk(&[], &[]), [0]);
        assert_eq!(walk(&[0, 1 << 40], &[1 << 40, 1]), [0; 0]);
        let back = counted(DataType::I64, &[4]);
        let back: Vec<Symbol> = back.lying(3, &[2], &[2usize.wrapping_neg()]).collect();
        assert_eq!(back, [Symbol::Int(3), Symbol::Int(1)]);
    }

    #[test]
    fn what_is_made_is_taken_from_the_budget() {
        let budget = Budget::default();
        let endless = Constant::new(&budget, DataType::F32, vec![1 << 40], std::iter::repeat(Symbol::Int(0)));
        assert!(endless.is_err() && budget.is_spent());
        // Booleans are a byte each, what is not known of them sixteen.
        let budget = Budget::default();
        let unknown = std::iter::repeat_n(Symbol::Unknown, 10_000_000);
        assert!(Constant::new(&budget, DataType::BOOL, vec![10_000_000], unknown).is_err());
        assert!(budget.is_spent());
    }

    #[test]
    fn a_weight_has_its_values_in_the_order_that_its_op_wants() {
        let budget = Budget::default();
        let counted = counted(DataType::F32, &[2, 3]);
        let weight = counted.weight(&budget, (&[2, 3], &[1, 0]), Shape::new(&[3, 2])).unwrap().unwrap();
        let Data::Mapped(mapped) = weight.data else { panic!("it is copied") };
        assert_eq!(*mapped.values(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        let batch = Constant::ints(&budget, [Symbol::Batch].into_iter()).unwrap();
        assert!(batch.weight(&budget, (&[1], &[0]), Shape::new(&[1])).unwrap().is_none());
    }
}
