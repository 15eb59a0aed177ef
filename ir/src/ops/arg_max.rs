//! Where the largest element stands along the last axis.

use crate::interpret::Number;
use crate::tensor::{Shape, Tensor};

/// Attributes of an arg max; its result is a whole number in f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ArgMax {
    /// Whether the axis stays, with length 1.
    pub keep_dims: bool,
    /// Whether the last of several equal ones is meant instead of the first.
    pub last: bool,
}

impl ArgMax {
    pub(super) fn shape_rule(self, operands: &[Shape]) -> Shape {
        let mut axes = operands[0].axes().to_vec();
        axes.pop();
        if self.keep_dims {
            axes.push(1);
        }
        Shape::new(&axes)
    }

    /// The index in each vector along the last axis; NaN is larger than all.
    pub(crate) fn evaluate<T: Number>(self, input: &Tensor<T>) -> Tensor<T> {
        let length = input.shape().last().copied().unwrap_or(1);
        let dense = input.as_slice().expect("tensors of the interpreter are dense");
        let indices = dense.chunks_exact(length).map(|vector| {
            let mut best = 0;
            for (index, &x) in vector.iter().enumerate() {
                let most = vector[best];
                let larger = x > most || (x.is_nan() && !most.is_nan());
                let equal = x == most || (x.is_nan() && most.is_nan());
                if larger || (self.last && equal) {
                    best = index;
                }
            }
            T::from(best).expect("an index fits every float")
        });
        ndarray::Array1::from_iter(indices).into_dyn()
    }
}
