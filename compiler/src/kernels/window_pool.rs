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
//! a mean is the same bits whatever the tile. In a large window the elements of a column are a loop, and so are the columns,
//! some at a time.
//!
//! Parameters: input, output, and 1 / count for each output where they differ. Items: blocks of channels.

use std::ops::Range;

use frit_ir::ops::Scalar;

use super::window::{self, Axis, Run};
use super::{F32, Strides, advance, at, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Comparison, Count, Instruction, Operand, Pointer, Program, Register};

/// What becomes of the elements under a window.
#[derive(Debug, Clone, PartialEq)]
pub enum Reduction {
    /// The largest; NaN where there is one; minus infinity of none.
    Largest,
    /// Their sum, divided by so many; `None` where that is another number for each output, and a parameter.
    Mean(Option<usize>),
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

/// The pointers of the loop nest; input and output of each level.
struct Emitter<'a> {
    pool: &'a WindowPool,
    columns: Vec<Run>,
    block: [Pointer; 2],
    row: [Pointer; 2],
    tile: [Pointer; 2],
    /// Where the factors of the outputs begin, and those of a tile.
    factors: Option<[Pointer; 2]>,
    /// The column under a tap of a large window, and the row of some columns.
    tap: Option<[Pointer; 2]>,
}

/// Builds the kernel with tiles of at most `pixels` outputs.
pub fn build(width: Width, pool: &WindowPool, pixels: usize) -> Result<Program, TooManyRegisters> {
    let has_factors = pool.reduction == Reduction::Mean(None);
    let mut builder = Builder::new(name(pool, pixels), width, 2 + usize::from(has_factors));
    let b = &mut builder;
    let bases = [b.parameter(0), b.parameter(1)];
    let level = |b: &mut Builder| bases.map(|base| b.pointer(base, 0));
    let (block, row, tile) = (level(b), level(b), level(b));
    let factors = has_factors.then(|| b.parameter(2)).map(|base| [base, b.pointer(base, 0)]);
    let tap = pool.is_large().then(|| [b.pointer(bases[0], 0), b.pointer(bases[0], 0)]);
    let emitter = Emitter { pool, columns: pool.columns.runs(pixels), block, row, tile, factors, tap };
    b.repeat(Count::Items, |b| {
        if let Some([base, next]) = factors {
            set(b, [next], [base], [0]);
        }
        for run in &pool.rows.runs(1) {
            emitter.rows(b, run);
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
    /// Whether the taps of its window are loops.
    fn is_large(&self) -> bool {
        window::is_large([self.rows.kernel, self.columns.kernel])
    }
}

/// What is common to the tiles of a row run.
struct Taps<'a> {
    rows: &'a Range<usize>,
    columns: &'a [Range<usize>],
}

impl Emitter<'_> {
    fn rows(&self, b: &mut Builder, run: &Run) {
        let pool = self.pool;
        let first = pool.rows.first_input(run) * pool.input.row;
        set(b, self.row, self.block, [first as i64, (run.start * pool.output.row) as i64]);
        b.repeat(Count::Static(run.count as u32), |b| {
            for columns in &self.columns {
                self.columns(b, &run.taps[0], columns);
            }
            advance(b, self.row, [pool.rows.stride * pool.input.row, pool.output.row]);
        });
    }

    fn columns(&self, b: &mut Builder, rows: &Range<usize>, run: &Run) {
        let pool = self.pool;
        let first = pool.columns.origin(run.start) * pool.input.pixel as i64;
        set(b, self.tile, self.row, [first, (run.start * pool.output.pixel) as i64]);
        b.repeat(Count::Static(run.count as u32), |b| {
            self.tile(b, &Taps { rows, columns: &run.taps });
            let steps = [pool.columns.stride * pool.input.pixel, pool.output.pixel];
            advance(b, self.tile, steps.map(|bytes| run.width * bytes));
            if let Some([_, next]) = self.factors {
                advance(b, [next], [run.width * F32]);
            }
        });
    }

    fn tile(&self, b: &mut Builder, taps: &Taps<'_>) {
        let pool = self.pool;
        let results = b.registers(taps.columns.len());
        let nothing = if pool.reduction == Reduction::Largest { Scalar::NEG_INFINITY } else { Scalar::ZERO };
        for &to in &results {
            b.emit(Instruction::Constant { to, value: nothing.get() });
        }
        match self.tap {
            Some(pointers) => self.loop_over_taps(b, &results, pointers),
            None if taps.rows.is_empty() => {}
            None => self.spelled(b, &results, taps),
        }
        self.divide(b, &results);
        for (pixel, &from) in results.iter().enumerate() {
            b.emit(Instruction::Store { to: at(self.tile[1], (pixel * pool.output.pixel) as i64), from });
        }
        b.free_all(results);
    }

    /// Joins each column under a window of which every tap is code of its own to the outputs that have it.
    fn spelled(&self, b: &mut Builder, results: &[Register], taps: &Taps<'_>) {
        let columns = &self.pool.columns;
        for (column, uses) in under(columns, taps.columns) {
            let value = self.column(b, taps.rows, column);
            for (pixel, _) in uses {
                self.join(b, results[pixel], value);
            }
            b.free(value);
        }
    }

    /// Joins all columns under a large window; every output has all of its taps inside the map.
    fn loop_over_taps(&self, b: &mut Builder, results: &[Register], [pixel, row]: [Pointer; 2]) {
        let columns = &self.pool.columns;
        let stretch = columns.kernel.min(window::STRETCH);
        let some = |b: &mut Builder, count: usize| {
            let axis = Axis { kernel: count, ..*columns };
            let under = under(&axis, &vec![0..count; results.len()]);
            for some in under.chunks(AT_ONCE) {
                self.side_by_side(b, results, some, [pixel, row]);
            }
            advance(b, [pixel], [count * columns.dilation * self.pool.input.pixel]);
        };
        set(b, [pixel], [self.tile[0]], [0]);
        b.repeat(Count::Static((columns.kernel / stretch) as u32), |b| some(b, stretch));
        if !columns.kernel.is_multiple_of(stretch) {
            some(b, columns.kernel % stretch);
        }
    }

    /// Reduces `columns`, counted from `pixel`, in one loop down the window, and joins each to the outputs that have it.
    fn side_by_side(
        &self,
        b: &mut Builder,
        results: &[Register],
        columns: &[(usize, Uses)],
        [pixel, row]: [Pointer; 2],
    ) {
        let pool = self.pool;
        let place = |column: usize| at(row, (column * pool.input.pixel) as i64);
        set(b, [row], [pixel], [0]);
        let values = b.registers(columns.len());
        for (&to, &(column, _)) in values.iter().zip(columns) {
            b.emit(Instruction::Load { to, from: place(column) });
        }
        b.repeat(Count::Static(pool.rows.kernel as u32 - 1), |b| {
            advance(b, [row], [pool.rows.dilation * pool.input.row]);
            for (&value, &(column, _)) in values.iter().zip(columns) {
                self.add(b, value, place(column));
            }
        });
        for (&value, (_, uses)) in values.iter().zip(columns) {
            for &(pixel, _) in uses {
                self.join(b, results[pixel], value);
            }
        }
        b.free_all(values);
    }

    /// The elements of one column under the window, reduced.
    fn column(&self, b: &mut Builder, rows: &Range<usize>, column: usize) -> Register {
        let (pool, value) = (self.pool, b.register());
        for tap in rows.clone() {
            let down = (tap - rows.start) * pool.rows.dilation * pool.input.row;
            let from = at(self.tile[0], (down + column * pool.input.pixel) as i64);
            if tap == rows.start {
                b.emit(Instruction::Load { to: value, from });
            } else {
                self.add(b, value, from);
            }
        }
        value
    }

    /// Joins the elements at `from` to those of a column so far.
    fn add(&self, b: &mut Builder, so_far: Register, from: Address) {
        if self.pool.reduction == Reduction::Largest {
            let next = b.register();
            b.emit(Instruction::Load { to: next, from });
            largest(b, so_far, next);
            b.free(next);
        } else {
            b.emit(Instruction::Add { to: so_far, a: so_far, b: Operand::Memory(from) });
        }
    }

    fn join(&self, b: &mut Builder, result: Register, value: Register) {
        match self.pool.reduction {
            Reduction::Largest => largest(b, result, value),
            Reduction::Mean(_) => {
                b.emit(Instruction::Add { to: result, a: result, b: Operand::Register(value) });
            }
        }
    }

    /// Multiplies the sum of each output by one over its count.
    fn divide(&self, b: &mut Builder, sums: &[Register]) {
        let Reduction::Mean(count) = self.pool.reduction else { return };
        let factor = b.register();
        if let Some(count) = count {
            b.emit(Instruction::Constant { to: factor, value: Scalar::ratio(1, count).get() });
        }
        for (pixel, &to) in sums.iter().enumerate() {
            if let Some([_, factors]) = self.factors {
                b.emit(Instruction::Broadcast { to: factor, from: at(factors, (pixel * F32) as i64) });
            }
            b.emit(Instruction::Multiply { to, a: to, b: Operand::Register(factor) });
        }
        b.free(factor);
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

/// The outputs of a tile that have a column under their window, each with the tap that meets it.
type Uses = Vec<(usize, usize)>;

/// The columns under the windows of a tile whose outputs have `taps` inside the map, from tap 0 of the first output on.
fn under(axis: &Axis, taps: &[Range<usize>]) -> Vec<(usize, Uses)> {
    let reach = (taps.len() - 1) * axis.stride + (axis.kernel - 1) * axis.dilation + 1;
    let columns = (0..reach).map(|column| (column, axis.uses(taps, column)));
    columns.filter(|(_, uses)| !uses.is_empty()).collect()
}

/// Columns of a large window that are reduced at the same time, so that none waits for its own last sum.
const AT_ONCE: usize = 4;

/// Registers that a tile needs beside its results.
pub const REGISTERS_BESIDE: usize = AT_ONCE + 3;
