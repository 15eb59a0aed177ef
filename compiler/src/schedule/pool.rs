//! Steps of pools over windows.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Padding, Pool, PoolKind, Scalar};

use super::convolution::Window;
use super::placement::Placed;
use super::{Scheduler, tiles};
use crate::kernels::window::{self, Axis};
use crate::kernels::window_pool::{self, Reduction, WindowPool};
use crate::pack::Source;
use crate::plan::{Argument, Call, Region};

impl Scheduler<'_> {
    pub(super) fn pool(&mut self, id: NodeId, pool: &Pool) -> Result<(), Diagnostic> {
        let Pool { kernel, stride, padding, dilation, .. } = *pool;
        let axes = self.window_axes(id, &Window { kernel, stride, padding, dilation })?;
        let mut axes = axes.map(|axis| axis.cut());
        let (reduction, factors) = self.reduction(pool, &axes);
        let mut input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        if window::is_large(axes.map(|axis| axis.kernel)) {
            let nothing = if pool.kind == PoolKind::Max { f32::NEG_INFINITY } else { 0.0 };
            (input, axes) = self.large_window(id, input, axes, Scalar::new(nothing))?;
        }
        let output = self.place(id);
        let (from, to) = (input.strides, output.strides);
        let pool = WindowPool { reduction, rows: axes[0], columns: axes[1], input: from, output: to };
        self.window_pool(id, &pool, ([input, output], factors))
    }

    /// What becomes of the elements under a window along `axes`, and where the factors of a mean lie if they differ.
    fn reduction(&mut self, pool: &Pool, axes: &[Axis; 2]) -> (Reduction, Option<Argument>) {
        let PoolKind::Average { counted } = pool.kind else { return (Reduction::Largest, None) };
        let [down, across] = [0, 1].map(|index| counts(pool, index, &axes[index], &counted));
        let mut counts =
            down.iter().flat_map(|&rows| across.iter().map(move |&columns| rows.saturating_mul(columns)));
        let first = counts.next().unwrap_or(1);
        if counts.all(|count| count == first) {
            return (Reduction::Mean(Some(first)), None);
        }
        let factor = |&rows: &usize| {
            across.iter().map(move |&columns| 1.0 / rows.saturating_mul(columns) as f32).collect::<Vec<_>>()
        };
        let factors: Vec<f32> = down.iter().flat_map(factor).collect();
        let offset = self.weights.add(Source::Values(factors.into()));
        let factors = Argument { region: Region::Weights, offset, stride: 0 };
        (Reduction::Mean(None), Some(factors))
    }

    /// The step of `pool`, whose items are blocks of channels.
    pub(super) fn window_pool(
        &mut self,
        id: NodeId,
        pool: &WindowPool,
        ([input, output], factors): ([Placed; 2], Option<Argument>),
    ) -> Result<(), Diagnostic> {
        let program = window_pool::build(self.width, pool, tiles::pool(self.width));
        let tensors = [input, output].map(|tensor| tensor.reach(tensor.strides.block));
        let arguments = tensors.into_iter().chain(factors).collect();
        let items = input.channels.div_ceil(self.width.lanes);
        let call = Call { kernel: self.kernel(program)?, arguments, items };
        self.step(id, vec![call]);
        Ok(())
    }
}

/// For each position along `axis`, by how many elements a mean is divided there.
fn counts(pool: &Pool, index: usize, axis: &Axis, counted: &Padding) -> Vec<usize> {
    let count = |position: usize| pool.counted(index, position, axis.input, counted);
    (0..axis.output).map(|position| count(position).max(1)).collect()
}
