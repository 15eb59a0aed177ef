//! One number out of all elements along some axes.
//!
//! In text: `reduce_mean`, `reduce_sum`, `reduce_max` or `reduce_min {axes=AXIS:..., keep_dims}`.

use ndarray::Axis;
use smallvec::SmallVec;

use super::{Given, Page};
use crate::diagnostic::Diagnostic;
use crate::number::Number;
use crate::tensor::{Shape, Tensor};
use crate::text::{Attributes, Written, indices, joined};

/// Which number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReduceKind {
    /// The sum divided by the count.
    Mean,
    /// The sum.
    Sum,
    /// The largest.
    Max,
    /// The smallest.
    Min,
}

impl ReduceKind {
    /// All of them.
    pub const ALL: [ReduceKind; 4] = [ReduceKind::Mean, ReduceKind::Sum, ReduceKind::Max, ReduceKind::Min];

    /// The name of the op that makes it.
    pub fn name(self) -> &'static str {
        match self {
            ReduceKind::Mean => "reduce_mean",
            ReduceKind::Sum => "reduce_sum",
            ReduceKind::Max => "reduce_max",
            ReduceKind::Min => "reduce_min",
        }
    }
}

/// Attributes of a reduction. [`super::GlobalAveragePool`] is the mean over height and width.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reduce {
    /// Which number.
    pub kind: ReduceKind,
    /// The axes, ascending, at least one.
    pub axes: SmallVec<[usize; 4]>,
    /// Whether these axes stay, with length 1.
    pub keep_dims: bool,
}

impl Page for Reduce {
    fn name(&self) -> &'static str {
        self.kind.name()
    }

    fn shape(&self, operands: &[Shape]) -> Result<Shape, Diagnostic> {
        super::check_axes(self.name(), &self.axes, &operands[0])?;
        let kept = operands[0].axes().iter().enumerate().filter_map(|(axis, &length)| {
            match (self.axes.contains(&axis), self.keep_dims) {
                (false, _) => Some(length),
                (true, true) => Some(1),
                (true, false) => None,
            }
        });
        Ok(Shape::new(&kept.collect::<SmallVec<[usize; 4]>>()))
    }

    fn print(&self, to: &mut Written) {
        to.value("axes", joined(&self.axes));
        to.flag("keep_dims", self.keep_dims);
    }

    fn parse(name: &str, from: &mut Attributes<'_>) -> Result<Option<Reduce>, Diagnostic> {
        let Some(kind) = ReduceKind::ALL.into_iter().find(|kind| kind.name() == name) else {
            return Ok(None);
        };
        Ok(Some(Reduce { kind, axes: from.needed("axes", indices)?, keep_dims: from.flag("keep_dims")? }))
    }

    /// The numbers, with the reduced axes gone. NaN stays NaN.
    fn evaluate<T: Number>(&self, given: &Given<'_, T>) -> Result<Tensor<T>, Diagnostic> {
        let input = given.first();
        let join = |a: T, b: T| match self.kind {
            ReduceKind::Mean | ReduceKind::Sum => a + b,
            _ if a.is_nan() || b.is_nan() => T::nan(),
            ReduceKind::Max => a.max(b),
            ReduceKind::Min => a.min(b),
        };
        let mut output = input.clone();
        for &axis in self.axes.iter().rev() {
            let mut lanes = output.axis_iter(Axis(axis));
            let mut reduced = lanes.next().expect("no axis is empty").into_owned();
            for lane in lanes {
                reduced.zip_mut_with(&lane, |a, &b| *a = join(*a, b));
            }
            output = reduced;
        }
        if self.kind == ReduceKind::Mean {
            let count = T::from(input.len() / output.len()).expect("a count fits every float");
            output.mapv_inplace(|sum| sum / count);
        }
        Ok(output)
    }
}
