//! Values that are known when a file is read: weights where they lie in the file, and what shapes are computed from.

use std::sync::Arc;

use bytes::Bytes;
use frit_ir::weights::{Data, Lent};
use frit_ir::{Shape, Weight};

use super::kind::Kind;
use super::symbol::Symbol;

/// A dense tensor of known values.
#[derive(Debug, Clone)]
pub(super) struct Constant {
    /// The type of its values.
    pub(super) kind: Kind,
    /// Its axes, as the file counts them.
    pub(super) dims: Vec<usize>,
    values: Values,
}

#[derive(Debug, Clone)]
enum Values {
    /// As they lie in a file, little-endian, in another order of axes perhaps.
    Raw { bytes: Bytes, stored: Vec<usize>, order: Vec<usize> },
    /// Row-major.
    Symbols(Arc<[Symbol]>),
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
    pub(super) fn lent(kind: Kind, dims: Vec<usize>, bytes: Bytes) -> Constant {
        let order = (0..dims.len()).collect();
        Constant { kind, values: Values::Raw { bytes, stored: dims.clone(), order }, dims }
    }

    /// A tensor of `kind` with these values, row-major.
    pub(super) fn new(kind: Kind, dims: Vec<usize>, mut values: impl Iterator<Item = Symbol>) -> Constant {
        let size = kind.bytes().unwrap_or(0);
        let mut bytes = Vec::with_capacity(values.size_hint().0.saturating_mul(size));
        while let Some(symbol) = values.next() {
            let Some(written) = symbol.written(kind) else {
                // A number that is not known, or of a type that is only read.
                let before = bytes.chunks_exact(size.max(1)).map(|value| Symbol::read(kind, value));
                let symbols = before.chain([symbol]).chain(values).collect();
                return Constant { kind, dims, values: Values::Symbols(symbols) };
            };
            bytes.extend_from_slice(&written[..size]);
        }
        Constant::lent(kind, dims, Bytes::from(bytes))
    }

    /// Whole numbers along one axis.
    pub(super) fn ints(values: impl ExactSizeIterator<Item = Symbol>) -> Constant {
        Constant::new(Kind::I64, vec![values.len()], values)
    }

    /// Number of elements.
    pub(super) fn len(&self) -> usize {
        count(&self.dims).unwrap_or(usize::MAX)
    }

    /// The element at `index`, row-major.
    pub(super) fn at(&self, index: usize) -> Symbol {
        match &self.values {
            Values::Raw { order, .. } if !order.is_sorted() => {
                self.stored(place(index, &self.dims, &strides(&self.dims), &self.steps()))
            }
            _ => self.stored(index),
        }
    }

    /// All elements, row-major.
    pub(super) fn iter(&self) -> impl ExactSizeIterator<Item = Symbol> + '_ {
        places(self.dims.clone(), self.steps()).map(|place| self.stored(place))
    }

    /// How far elements lie apart along each axis.
    fn steps(&self) -> Vec<usize> {
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
            Values::Raw { bytes, .. } if self.kind == Kind::F32 => {
                let value = bytes.get(place * 4..place * 4 + 4).and_then(|value| value.try_into().ok());
                value.map_or(Symbol::Unknown, |value| Symbol::Float(f64::from(f32::from_le_bytes(value))))
            }
            Values::Raw { bytes, .. } => {
                let size = self.kind.bytes().unwrap_or(0);
                let value = bytes.get(place * size..(place + 1) * size);
                value.map_or(Symbol::Unknown, |value| Symbol::read(self.kind, value))
            }
        }
    }

    /// All elements as whole numbers; none where one is not known.
    pub(super) fn known_ints(&self) -> Option<Vec<i64>> {
        self.iter().map(Symbol::int).collect()
    }

    /// All elements as floats; none where one is not known.
    pub(super) fn known_floats(&self) -> Option<Vec<f64>> {
        self.iter().map(Symbol::float).collect()
    }

    /// The only element, where there is one that is known.
    pub(super) fn scalar(&self) -> Option<f64> {
        if self.len() == 1 { self.at(0).float() } else { None }
    }

    /// The same elements with other axes, which are as many.
    pub(super) fn reshaped(&self, dims: Vec<usize>) -> Constant {
        match &self.values {
            Values::Raw { order, .. } if !order.is_sorted() => Constant::new(self.kind, dims, self.iter()),
            Values::Raw { bytes, .. } => Constant::lent(self.kind, dims, bytes.clone()),
            Values::Symbols(_) => Constant { dims, ..self.clone() },
        }
    }

    /// The axes in another order: `axes` names the one that comes first, second, and so on.
    pub(super) fn permuted(&self, axes: &[usize]) -> Constant {
        let dims: Vec<usize> = axes.iter().map(|&axis| self.dims[axis]).collect();
        match &self.values {
            Values::Raw { bytes, stored, order } => {
                let order = axes.iter().map(|&axis| order[axis]).collect();
                let values = Values::Raw { bytes: bytes.clone(), stored: stored.clone(), order };
                Constant { kind: self.kind, dims, values }
            }
            Values::Symbols(_) => {
                let from = strides(&self.dims);
                let steps: Vec<usize> = axes.iter().map(|&axis| from[axis]).collect();
                Constant::new(self.kind, dims.clone(), places(dims, steps).map(|place| self.stored(place)))
            }
        }
    }

    /// The values as a weight of `shape`, which has as many: those of a tensor with the axes `stored`, of which `axes` names
    /// the one that comes first, second, and so on. None where a value is not known or of another type than f32.
    pub(super) fn weight(&self, stored: &[usize], axes: &[usize], shape: Shape) -> Option<Weight> {
        if self.kind != Kind::F32 {
            return None;
        }
        let flat = self.reshaped(stored.to_vec()).permuted(axes);
        let Values::Raw { bytes, stored, order } = flat.values else { return None };
        let length = bytes.len();
        let lent = Lent::new(Arc::new(bytes), 0..length)?;
        let data = if order.is_sorted() { lent } else { lent.permuted(&Shape::new(&stored), &order)? };
        Some(Weight { shape, data: Data::Lent(data) })
    }
}

/// The places of the elements of a tensor with the axes `dims`, row-major, where one step along each axis is one of `steps`.
pub(super) fn places(dims: Vec<usize>, steps: Vec<usize>) -> impl ExactSizeIterator<Item = usize> {
    let strides = strides(&dims);
    // The step along an axis of one element is never taken.
    let plain = dims
        .iter()
        .zip(steps.iter().zip(&strides))
        .all(|(&length, (step, stride))| length == 1 || step == stride);
    (0..count(&dims).unwrap_or(0)).map(move |index| match plain {
        true => index,
        false => place(index, &dims, &strides, &steps),
    })
}

/// The place of the element `index` of a tensor with the axes `dims` and these strides.
fn place(index: usize, dims: &[usize], strides: &[usize], steps: &[usize]) -> usize {
    let axes = strides.iter().zip(dims).zip(steps);
    axes.map(|((&stride, &length), &step)| index / stride % length.max(1) * step).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(dims: &[usize]) -> Constant {
        Constant::new(
            Kind::F32,
            dims.to_vec(),
            (0..count(dims).unwrap()).map(|value| Symbol::Int(value as i64)),
        )
    }

    fn floats(constant: &Constant) -> Vec<f64> {
        constant.known_floats().unwrap()
    }

    #[test]
    fn axes_change_their_order_without_a_copy_and_with_one() {
        let turned = counted(&[2, 3]).permuted(&[1, 0]);
        assert_eq!((floats(&turned), turned.dims.clone()), (vec![0.0, 3.0, 1.0, 4.0, 2.0, 5.0], vec![3, 2]));
        assert_eq!(floats(&turned.permuted(&[1, 0])), floats(&counted(&[6])));
        assert_eq!(floats(&turned.reshaped(vec![6])), floats(&turned));
        let ints = Constant::new(Kind::I64, vec![2, 3], (0..6).map(Symbol::Int)).permuted(&[1, 0]);
        assert_eq!(ints.known_ints().unwrap(), [0, 3, 1, 4, 2, 5]);
    }

    #[test]
    fn a_weight_has_its_values_in_the_order_that_its_op_wants() {
        let weight = counted(&[2, 3]).weight(&[2, 3], &[1, 0], Shape::new(&[3, 2])).unwrap();
        let Data::Lent(lent) = weight.data else { panic!("it is copied") };
        assert_eq!(*lent.values(), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
        assert!(Constant::ints([Symbol::Batch].into_iter()).weight(&[1], &[0], Shape::new(&[1])).is_none());
    }
}
