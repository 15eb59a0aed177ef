//! The largest or mean element of each window, over a map in channel blocks.
//!
//! ```text
//! for block in items
//!     for row run: for row
//!         for column run: for tile            `pixels` neighbouring outputs
//!             for column under the tile
//!                 value = largest (or sum) of the column's elements under the window
//!                 result[pixel] = largest (or sum) of result and value      for each pixel whose window has it
//!             output[pixel] = result          (times 1 / count, for a mean)
//! ```
//! What lies outside the map is left out, not compared with. Columns are reduced first, and their results in order, so that
//! a mean is the same bits whatever the tile.
//!
//! Parameters: input, output. Items: blocks of channels.

use std::ops::Range;

use super::window::{Axis, Run};
use super::{Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Builder, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

/// What becomes of the elements under a window.
#[derive(Debug, Clone, PartialEq)]
pub enum Reduction {
    /// The largest; NaN where there is one; minus infinity of none.
    Largest,
    /// Their sum, divided by a count for each row of the output times one for each column.
    Mean {
        /// For each row of the output, at least 1.
        rows: Vec<usize>,
        /// For each column of the output, at least 1.
        columns: Vec<usize>,
    },
}

/// The shape and where the tensors lie.
#[derive(Debug, Clone)]
pub struct WindowPool {
    /// What becomes of the elements.
    pub reduction: Reduction,
    /// The window's vertical axis.
    pub rows: Axis,
    /// The window's horizontal axis.
    pub columns: Axis,
    /// Strides of the input.
    pub input: Strides,
    /// Strides of the output.
    pub output: Strides,
}

/// Tiles whose windows meet the borders in the same way and whose elements are counted alike.
struct Counted {
    run: Run,
    /// For each position of a tile.
    counts: Vec<usize>,
}

/// The pointers of the loop nest; input and output of each level.
struct Emitter<'a> {
    pool: &'a WindowPool,
    block: [Pointer; 2],
    row: [Pointer; 2],
    tile: [Pointer; 2],
}

/// Builds the kernel with tiles of at most `pixels` outputs.
pub fn build(width: Width, pool: &WindowPool, pixels: usize) -> Result<Program, TooManyRegisters> {
    let mut builder = Builder::new(name(pool, pixels), width, 2);
    let b = &mut builder;
    let bases = [b.parameter(0), b.parameter(1)];
    let level = |b: &mut Builder| bases.map(|base| b.pointer(base, 0));
    let emitter = Emitter { pool, block: level(b), row: level(b), tile: level(b) };
    let (rows, columns) = (pool.counted_rows(), pool.counted_columns(pixels));
    b.repeat(Count::Items, |b| {
        for rows in &rows {
            emitter.rows(b, rows, &columns);
        }
        advance(b, emitter.block, [pool.input.block, pool.output.block]);
    });
    builder.finish()
}

fn name(pool: &WindowPool, pixels: usize) -> String {
    let WindowPool { rows, columns, .. } = pool;
    let kind = if pool.reduction == Reduction::Largest { "max" } else { "avg" };
    let [down, across, stride] = [rows.kernel, columns.kernel, columns.stride];
    format!("{kind}_pool{down}x{across}s{stride}_{}x{}_{pixels}", rows.output, columns.output)
}

impl WindowPool {
    fn counted_rows(&self) -> Vec<Counted> {
        let count = |row: usize| match &self.reduction {
            Reduction::Largest => 1,
            Reduction::Mean { rows, .. } => rows[row],
        };
        counted(self.rows.runs(1), count)
    }

    fn counted_columns(&self, pixels: usize) -> Vec<Counted> {
        let count = |column: usize| match &self.reduction {
            Reduction::Largest => 1,
            Reduction::Mean { columns, .. } => columns[column],
        };
        counted(self.columns.runs(pixels), count)
    }
}

/// `runs`, split where the counts of one tile differ from those of the tile before.
fn counted(runs: Vec<Run>, count: impl Fn(usize) -> usize) -> Vec<Counted> {
    let mut all: Vec<Counted> = Vec::new();
    for run in runs {
        let own = all.len();
        for tile in 0..run.count {
            let start = run.start + tile * run.width;
            let counts: Vec<usize> = (start..start + run.width).map(&count).collect();
            match all[own..].last_mut() {
                Some(last) if last.counts == counts => last.run.count += 1,
                _ => all.push(Counted { run: Run { start, count: 1, ..run.clone() }, counts }),
            }
        }
    }
    all
}

/// What is common to the tiles of a row run.
struct Taps<'a> {
    rows: &'a Range<usize>,
    columns: &'a [Range<usize>],
}

impl Emitter<'_> {
    fn rows(&self, b: &mut Builder, rows: &Counted, columns: &[Counted]) {
        let (pool, run) = (self.pool, &rows.run);
        let first = pool.rows.first_input(run) * pool.input.row;
        set(b, self.row, self.block, [first as i64, (run.start * pool.output.row) as i64]);
        b.repeat(Count::Static(run.count as u32), |b| {
            for columns in columns {
                self.columns(b, (&run.taps[0], rows.counts[0]), columns);
            }
            advance(b, self.row, [pool.rows.stride * pool.input.row, pool.output.row]);
        });
    }

    fn columns(&self, b: &mut Builder, (rows, row_count): (&Range<usize>, usize), columns: &Counted) {
        let (pool, run) = (self.pool, &columns.run);
        let first = pool.columns.origin(run.start) * pool.input.pixel as i64;
        set(b, self.tile, self.row, [first, (run.start * pool.output.pixel) as i64]);
        let counts: Vec<usize> = columns.counts.iter().map(|count| count * row_count).collect();
        b.repeat(Count::Static(run.count as u32), |b| {
            self.tile(b, &Taps { rows, columns: &run.taps }, &counts);
            let steps = [pool.columns.stride * pool.input.pixel, pool.output.pixel];
            advance(b, self.tile, steps.map(|bytes| run.width * bytes));
        });
    }

    fn tile(&self, b: &mut Builder, taps: &Taps<'_>, counts: &[usize]) {
        let pool = self.pool;
        let results = b.registers(taps.columns.len());
        let nothing = if pool.reduction == Reduction::Largest { f32::NEG_INFINITY } else { 0.0 };
        for &to in &results {
            b.emit(Instruction::Constant { to, value: nothing });
        }
        let columns = &pool.columns;
        let reach = (results.len() - 1) * columns.stride + (columns.kernel - 1) * columns.dilation + 1;
        for column in (0..reach).filter(|_| !taps.rows.is_empty()) {
            let uses = columns.uses(taps.columns, column);
            if !uses.is_empty() {
                let value = self.column(b, taps.rows, column);
                for (pixel, _) in uses {
                    self.join(b, results[pixel], value);
                }
                b.free(value);
            }
        }
        if pool.reduction != Reduction::Largest {
            divide(b, &results, counts);
        }
        for (pixel, &from) in results.iter().enumerate() {
            b.emit(Instruction::Store { to: at(self.tile[1], (pixel * pool.output.pixel) as i64), from });
        }
        b.free_all(results);
    }

    /// The elements of one column under the window, reduced.
    fn column(&self, b: &mut Builder, rows: &Range<usize>, column: usize) -> Register {
        let (pool, value, next) = (self.pool, b.register(), b.register());
        for tap in rows.clone() {
            let down = (tap - rows.start) * pool.rows.dilation * pool.input.row;
            let from = at(self.tile[0], (down + column * pool.input.pixel) as i64);
            if tap == rows.start {
                b.emit(Instruction::Load { to: value, from });
            } else if pool.reduction == Reduction::Largest {
                b.emit(Instruction::Load { to: next, from });
                largest(b, value, next);
            } else {
                b.emit(Instruction::Add { to: value, a: value, b: Operand::Memory(from) });
            }
        }
        b.free(next);
        value
    }

    fn join(&self, b: &mut Builder, result: Register, value: Register) {
        match self.pool.reduction {
            Reduction::Largest => largest(b, result, value),
            Reduction::Mean { .. } => {
                b.emit(Instruction::Add { to: result, a: result, b: Operand::Register(value) });
            }
        }
    }
}

/// `so_far = the larger of so_far and value`, NaN where either is: a maximum gives its second operand there, which is the
/// right one only for a NaN so far.
fn largest(b: &mut Builder, so_far: Register, value: Register) {
    let (larger, is_number) = (b.register(), b.register());
    let comparison = Comparison::LessOrEqual;
    b.emit(Instruction::Compare { to: is_number, comparison, a: value, b: value });
    b.emit(Instruction::Maximum { to: larger, a: value, b: Operand::Register(so_far) });
    b.emit(Instruction::Select { to: so_far, mask: is_number, yes: larger, no: value });
    b.free_all([larger, is_number]);
}

/// Multiplies each of `sums` by one over its count.
fn divide(b: &mut Builder, sums: &[Register], counts: &[usize]) {
    let factor = b.register();
    let mut held = None;
    for (&to, &count) in sums.iter().zip(counts) {
        if held != Some(count) {
            b.emit(Instruction::Constant { to: factor, value: 1.0 / count as f32 });
            held = Some(count);
        }
        b.emit(Instruction::Multiply { to, a: to, b: Operand::Register(factor) });
    }
    b.free(factor);
}

/// Registers that a tile needs beside its results.
pub const REGISTERS_BESIDE: usize = 4;
