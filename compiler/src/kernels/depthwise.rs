//! Depthwise convolution over a map in channel blocks: every channel is convolved with a kernel of its own.
//!
//! ```text
//! for block in items
//!     for row run: for row
//!         for column run: for tile            `pixels` neighbouring outputs
//!             sum[pixel] = bias
//!             for tap down the window: hold its row of weights
//!                 for column under the tile: load it once
//!                     sum[pixel] += column * weight      for each pixel whose window has it
//!             output[pixel] = epilogue(sum)
//! ```
//! The block is the outermost loop, so that each line of the input leaves the second-level cache once. Every sum adds
//! its taps in the window's order, whatever the tile.
//!
//! Parameters: input, weights (bias and taps of each block), output, residual. Items: blocks of channels.

use std::ops::Range;

use frit_ir::ops::Epilogue;

use super::window::{Axis, Run};
use super::{F32, Strides, advance, at, epilogue, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// The shape and where the tensors lie.
#[derive(Debug, Clone, Copy)]
pub struct Depthwise {
    /// The window's vertical axis.
    pub rows: Axis,
    /// The window's horizontal axis.
    pub columns: Axis,
    /// Strides of the input.
    pub input: Strides,
    /// Strides of the output.
    pub output: Strides,
    /// Strides of the residual.
    pub residual: Strides,
    /// What happens to the sums.
    pub epilogue: Epilogue,
}

struct Emitter<'a> {
    spec: &'a Depthwise,
    columns: Vec<Run>,
    block: [Pointer; 4],
    row: [Pointer; 3],
    tile: [Pointer; 3],
    vector: i64,
}

/// Builds the kernel with tiles of at most `pixels` outputs.
pub fn build(width: Width, spec: &Depthwise, pixels: usize) -> Result<Program, TooManyRegisters> {
    let (rows, columns) = (&spec.rows, &spec.columns);
    let name = format!(
        "depthwise{}x{}s{}_{}x{}_{pixels}{}",
        rows.kernel,
        columns.kernel,
        columns.stride,
        rows.output,
        columns.output,
        epilogue::name(&spec.epilogue)
    );
    let mut builder = Builder::new(name, width, 4);
    let b = &mut builder;
    let [input, weights, output, residual] = [0, 1, 2, 3].map(|index| b.parameter(index));
    let level = |b: &mut Builder| [input, output, residual].map(|base| b.pointer(base, 0));
    let block = [input, weights, output, residual].map(|base| b.pointer(base, 0));
    let (row, tile) = (level(b), level(b));
    let vector = (width.lanes * F32) as i64;
    let emitter = Emitter { spec, columns: columns.runs(pixels), block, row, tile, vector };
    b.repeat(Count::Items, |b| emitter.block(b));
    builder.finish()
}

impl Emitter<'_> {
    fn block(&self, b: &mut Builder) {
        for run in self.spec.rows.runs(1) {
            self.rows(b, &run);
        }
        let taps = self.spec.rows.kernel * self.spec.columns.kernel;
        let Depthwise { input, output, residual, .. } = self.spec;
        let weights = (1 + taps) * b.width().lanes * F32;
        advance(b, self.block, [input.block, weights, output.block, residual.block]);
    }

    fn rows(&self, b: &mut Builder, run: &Run) {
        let spec = self.spec;
        let first = spec.rows.first_input(run);
        let offsets = [first * spec.input.row, run.start * spec.output.row, run.start * spec.residual.row];
        let [input, _, output, residual] = self.block;
        set(b, self.row, [input, output, residual], offsets.map(|bytes| bytes as i64));
        b.repeat(Count::Static(run.count as u32), |b| {
            for columns in &self.columns {
                self.columns(b, &run.taps[0], columns);
            }
            advance(b, self.row, [spec.rows.stride * spec.input.row, spec.output.row, spec.residual.row]);
        });
    }

    fn columns(&self, b: &mut Builder, row_taps: &Range<usize>, run: &Run) {
        let spec = self.spec;
        let offsets = [
            spec.columns.origin(run.start) * spec.input.pixel as i64,
            (run.start * spec.output.pixel) as i64,
            (run.start * spec.residual.pixel) as i64,
        ];
        set(b, self.tile, self.row, offsets);
        b.repeat(Count::Static(run.count as u32), |b| {
            self.tile(b, row_taps, &run.taps);
            let steps = [spec.columns.stride * spec.input.pixel, spec.output.pixel, spec.residual.pixel];
            advance(b, self.tile, steps.map(|bytes| run.width * bytes));
        });
    }

    fn tile(&self, b: &mut Builder, row_taps: &Range<usize>, column_taps: &[Range<usize>]) {
        let sums = b.registers(column_taps.len());
        for (index, &to) in sums.iter().enumerate() {
            if index == 0 {
                b.emit(Instruction::Load { to, from: at(self.block[1], 0) });
            } else {
                b.emit(Instruction::Move { to, from: sums[0] });
            }
        }
        for row_tap in row_taps.clone() {
            self.row_of_taps(b, &sums, [row_tap, row_tap - row_taps.start], column_taps);
        }
        let place = |pointer: Pointer, stride: usize, index: usize| at(pointer, (index * stride) as i64);
        let [_, output, residual] = self.tile;
        let residuals: Vec<Address> =
            (0..sums.len()).map(|index| place(residual, self.spec.residual.pixel, index)).collect();
        epilogue::apply(b, &self.spec.epilogue, &sums, &residuals);
        for (index, &from) in sums.iter().enumerate() {
            b.emit(Instruction::Store { to: place(output, self.spec.output.pixel, index), from });
        }
        b.free_all(sums);
    }

    /// One row of the window, which lies `rows_down` rows below the tile's pointer: its weights in registers where they
    /// fit, each column of the input loaded once.
    fn row_of_taps(
        &self,
        b: &mut Builder,
        sums: &[Register],
        [row_tap, rows_down]: [usize; 2],
        column_taps: &[Range<usize>],
    ) {
        let columns = &self.spec.columns;
        let weight =
            |tap: usize| at(self.block[1], (1 + row_tap * columns.kernel + tap) as i64 * self.vector);
        let fits = sums.len() + columns.kernel < b.width().registers;
        let held: Vec<Register> = if fits { b.registers(columns.kernel) } else { Vec::new() };
        for (tap, &to) in held.iter().enumerate() {
            b.emit(Instruction::Load { to, from: weight(tap) });
        }
        let value = b.register();
        let down = rows_down * self.spec.rows.dilation * self.spec.input.row;
        let reach = (sums.len() - 1) * columns.stride + (columns.kernel - 1) * columns.dilation + 1;
        for column in 0..reach {
            let uses = uses(columns, column_taps, column);
            if uses.is_empty() {
                continue;
            }
            let from = at(self.tile[0], (down + column * self.spec.input.pixel) as i64);
            b.emit(Instruction::Load { to: value, from });
            for (pixel, tap) in uses {
                let factor = held.get(tap).map_or(Operand::Memory(weight(tap)), |&r| Operand::Register(r));
                b.emit(Instruction::MultiplyAdd { sum: sums[pixel], a: value, b: factor });
            }
        }
        b.free(value);
        b.free_all(held);
    }
}

/// The pixels of a tile whose window has `column` (counted from tap 0 of pixel 0) under a tap inside the map.
fn uses(columns: &Axis, taps: &[Range<usize>], column: usize) -> Vec<(usize, usize)> {
    taps.iter()
        .enumerate()
        .filter_map(|(pixel, inside)| {
            let distance = column.checked_sub(pixel * columns.stride)?;
            let tap = distance / columns.dilation;
            (distance.is_multiple_of(columns.dilation) && inside.contains(&tap)).then_some((pixel, tap))
        })
        .collect()
}
