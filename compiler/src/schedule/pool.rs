//! Steps of pools over windows.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Padding, Pool, PoolKind};

use super::convolution::Window;
use super::placement::Placed;
use super::{Scheduler, tiles};
use crate::kernels::window::Axis;
use crate::kernels::window_pool::{self, Reduction, WindowPool};
use crate::plan::Call;

impl Scheduler<'_> {
    pub(super) fn pool(&mut self, id: NodeId, pool: &Pool) -> Result<(), Diagnostic> {
        let Pool { kernel, stride, padding, dilation, .. } = *pool;
        let [rows, columns] = self.window_axes(id, &Window { kernel, stride, padding, dilation })?;
        let reduction = match pool.kind {
            PoolKind::Max => Reduction::Largest,
            PoolKind::Average { counted } => Reduction::Mean {
                rows: counts(pool, 0, &rows, &counted),
                columns: counts(pool, 1, &columns, &counted),
            },
        };
        let input = self.tensor_in_blocks(self.graph.operands(id)[0])?;
        let output = self.place(id);
        let (from, to) = (input.strides, output.strides);
        let pool = WindowPool { reduction, rows, columns, input: from, output: to };
        self.window_pool(id, &pool, [input, output])
    }

    /// The step of `pool`, whose items are blocks of channels.
    pub(super) fn window_pool(
        &mut self,
        id: NodeId,
        pool: &WindowPool,
        [input, output]: [Placed; 2],
    ) -> Result<(), Diagnostic> {
        let program = window_pool::build(self.width, pool, tiles::pool(self.width));
        let arguments = vec![input.reach(input.strides.block), output.reach(output.strides.block)];
        let items = input.channels.div_ceil(self.width.lanes);
        let call = Call { kernel: self.kernel(program)?, arguments, items };
        self.step(id, vec![call]);
        Ok(())
    }
}

/// For each position along `axis`, by how many elements a mean is divided there.
fn counts(pool: &Pool, index: usize, axis: &Axis, counted: &Padding) -> Vec<usize> {
    let count = |position: usize| pool.counted(&pool.taps(index, position), index, axis.input, counted);
    (0..axis.output).map(|position| count(position).max(1)).collect()
}
