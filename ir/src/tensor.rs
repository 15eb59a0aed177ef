//! Shapes with checked products, the types of tensors, and dense tensors.

use std::fmt;

use smallvec::SmallVec;

use crate::element::Element;

/// The largest number of elements that a tensor may have: 2^40.
pub const MAX_ELEMENTS: u64 = 1 << 40;

/// Axis lengths of one image's tensor, slowest first; a map is `[height, width, channels]`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Shape(SmallVec<[usize; 4]>);

impl Shape {
    /// The shape with these axes; see [`Shape::elements`] for the limit that inference enforces.
    pub fn new(axes: &[usize]) -> Shape {
        Shape(SmallVec::from_slice(axes))
    }

    /// The axes, slowest first.
    pub fn axes(&self) -> &[usize] {
        &self.0
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// Product of the axes, or `None` where an axis is 0 or the product passes [`MAX_ELEMENTS`].
    pub fn elements(&self) -> Option<usize> {
        let product = self.0.iter().try_fold(1u64, |product, &axis| {
            product.checked_mul(axis as u64).filter(|&p| p > 0 && p <= MAX_ELEMENTS)
        })?;
        usize::try_from(product).ok()
    }

    /// Height, width and channels of a map.
    pub fn map(&self) -> Option<[usize; 3]> {
        <[usize; 3]>::try_from(self.axes()).ok()
    }

    /// The last axis, 1 for a scalar.
    pub fn channels(&self) -> usize {
        self.0.last().copied().unwrap_or(1)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("scalar");
        }
        for (index, axis) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("x")?;
            }
            write!(f, "{axis}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is known of a tensor before it is computed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Type {
    /// What its elements are.
    pub element: Element,
    /// Its axes.
    pub shape: Shape,
}

impl Type {
    /// Numbers in this shape.
    pub fn f32(shape: Shape) -> Type {
        Type { element: Element::F32, shape }
    }
}

/// As in `i64 8x8`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.element, self.shape)
    }
}

/// A dense tensor in row-major order.
pub type Tensor<T = f32> = ndarray::ArrayD<T>;
