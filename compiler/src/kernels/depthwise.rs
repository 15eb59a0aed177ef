//! Depthwise convolution over a map in channel blocks: every channel is convolved with a kernel of its own.
//!
//! ```text
//! for block in items
//!     for row run: for row
//!         for column run: for tile            `pixels` neighbouring outputs
//!             sum[pixel] = bias
//!             for tap down the window: hold its row of weights
//!                 for column under the tile: load it once, clamped where the convolution has a clamp before it
//!                     sum[pixel] += column * weight      for each pixel whose window has it
//!             output[pixel] = epilogue(sum)
//!         row_sum[row] = what was stored, added up            where the mean of the map is wanted
//! ```
//! In a large window the taps down are a loop, and so are those across, some at a time.
//!
//! The block is the outermost loop, so that each line of the input leaves the second-level cache once. Every sum adds
//! its taps in the window's order, whatever the tile.
//!
//! The sum of a row is made tile by tile, in the order of the row, so that it is the same bits whichever rows are computed
//! together.
//!
//! Parameters: input, weights (bias and taps of each block), output, residual, row sums. Items: blocks of channels.

use std::ops::Range;

use frit_ir::ops::{Activation, Conv2d, Epilogue, Scalar};

use super::window::{self, Axis, Run};
use super::{F32, Strides, advance, at, epilogue, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// The shape and where the tensors lie.
#[derive(Debug, Clone)]
pub struct Depthwise {
    /// The window's vertical axis.
    pub rows: Axis,
    /// The window's horizontal axis.
    pub columns: Axis,
    /// The rows of the output to compute; at least one.
    pub span: Range<usize>,
    /// Where the rows of the input lie.
    pub ring: Ring,
    /// Strides of the input.
    pub input: Strides,
    /// Strides of the output.
    pub output: Strides,
    /// Strides of the residual.
    pub residual: Strides,
    /// A clamp of what is read; the zeros outside the map stay zeros.
    pub prologue: Option<Activation>,
    /// What happens to the sums.
    pub epilogue: Epilogue,
    /// Where the sum of each row of the output goes, if anywhere.
    pub row_sums: Option<RowSums>,
}

/// How the sums of rows lie: a vector for each block of channels and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RowSums {
    /// Bytes from the sum of one row to that of the next.
    pub row: usize,
    /// Bytes from one block of channels to the next.
    pub block: usize,
}

impl Depthwise {
    /// Registers that the bounds of the clamp take.
    pub fn bounds(&self) -> usize {
        self.clamp().into_iter().flatten().count()
    }

    /// Whether the taps of its window are loops.
    fn is_large(&self) -> bool {
        window::is_large([self.rows.kernel, self.columns.kernel])
    }

    /// How many taps across the window are spelled out side by side.
    pub fn stretch(&self) -> usize {
        if self.is_large() { self.columns.kernel.min(window::STRETCH) } else { self.columns.kernel }
    }

    /// The bounds that bound something.
    fn clamp(&self) -> [Option<Scalar>; 2] {
        let limits = |clamp: Activation| clamp.limits().expect("the schedule puts nothing else here");
        self.prologue.map_or([None; 2], limits)
    }
}

/// Rows of a map that lie in turn in as many places: row `r` in place `(r + shift) % rows`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// How many places there are.
    pub rows: usize,
    /// The place of row 0.
    pub shift: usize,
}

impl Ring {
    /// A place for each row of a map of `rows`.
    pub fn whole(rows: usize) -> Ring {
        Ring { rows, shift: 0 }
    }

    /// The place of `row`.
    pub fn place(&self, row: usize) -> usize {
        (row + self.shift) % self.rows
    }
}

/// Emits the loop nest of one depthwise convolution.
pub(super) struct Emitter<'a> {
    spec: &'a Depthwise,
    columns: Vec<Run>,
    block: [Pointer; 4],
    row: [Pointer; 3],
    tile: [Pointer; 3],
    /// The row of the input and the weights under a tap of a large window, and the tap's pixel.
    tap: Option<[Pointer; 3]>,
    /// Where the row sums lie, and those of the level of blocks and of rows.
    sums: Option<(RowSums, [Pointer; 2])>,
    vector: i64,
}

/// Where the tensors of the loop nest begin.
#[derive(Clone, Copy)]
pub(super) struct Bases {
    /// Input, weights, output, residual.
    pub(super) tensors: [Pointer; 4],
    /// Row sums; of no concern where none are made.
    pub(super) row_sums: Pointer,
}

/// Whether this kernel computes `conv` over so many input channels: it is depthwise, and what comes before it is nothing or a
/// clamp, whose lower bound comes with the load.
pub fn computes(conv: &Conv2d, input_channels: usize) -> bool {
    conv.is_depthwise(input_channels) && conv.prologue.is_none_or(|prologue| prologue.bounds().is_some())
}

/// Builds the kernel with tiles of at most `pixels` outputs.
///
/// The input begins at place 0; output, residual and row sums at the first row of the span.
pub fn build(width: Width, spec: &Depthwise, pixels: usize) -> Result<Program, TooManyRegisters> {
    let parameters = if spec.row_sums.is_some() { 5 } else { 4 };
    let mut builder = Builder::new(name(spec, pixels), width, parameters);
    let b = &mut builder;
    let tensors = [0, 1, 2, 3].map(|index| b.parameter(index));
    let bases = Bases { tensors, row_sums: b.parameter(parameters - 1) };
    let emitter = Emitter::new(b, spec, pixels, bases);
    b.repeat(Count::Items, |b| emitter.block(b));
    builder.finish()
}

/// The kernel's name.
pub(super) fn name(spec: &Depthwise, pixels: usize) -> String {
    let (rows, columns) = (&spec.rows, &spec.columns);
    format!(
        "depthwise{}x{}s{}_{}x{}_{pixels}{}{}",
        rows.kernel,
        columns.kernel,
        columns.stride,
        spec.span.len(),
        columns.output,
        epilogue::name(&spec.epilogue),
        if spec.row_sums.is_some() { "_sum" } else { "" }
    ) + &spec.prologue.map_or(String::new(), |clamp| format!("_of_{}", clamp.name()))
}

/// A tap down the window and the bytes from the first of them to its row.
struct RowTap {
    tap: usize,
    offset: i64,
}

/// Neighbouring taps of one row of the window.
struct Taps<'a> {
    /// The window's horizontal axis with these taps alone.
    axis: Axis,
    /// For each output of the tile, which of them it has inside the map.
    inside: &'a [Range<usize>],
    /// Where the first one lies under the first output, and where its weights are.
    input: (Pointer, i64),
    weights: (Pointer, i64),
}

impl<'a> Emitter<'a> {
    /// Sets up the pointers of the nest.
    pub(super) fn new(b: &mut Builder, spec: &'a Depthwise, pixels: usize, bases: Bases) -> Emitter<'a> {
        let [input, _, output, residual] = bases.tensors;
        let level = |b: &mut Builder| [input, output, residual].map(|base| b.pointer(base, 0));
        let block = bases.tensors.map(|base| b.pointer(base, 0));
        let (row, tile) = (level(b), level(b));
        let sums = spec.row_sums.map(|sums| (sums, [(); 2].map(|()| b.pointer(bases.row_sums, 0))));
        let vector = (b.width().lanes * F32) as i64;
        let bases = [input, bases.tensors[1], input];
        let tap = spec.is_large().then(|| bases.map(|base| b.pointer(base, 0)));
        Emitter { spec, columns: spec.columns.runs(pixels), block, row, tile, tap, sums, vector }
    }

    /// Where the next block is read.
    pub(super) fn input(&self) -> Pointer {
        self.block[0]
    }

    /// One block of channels; the pointers move on to the next.
    pub(super) fn block(&self, b: &mut Builder) {
        for run in self.runs() {
            self.rows(b, &run);
        }
        let taps = self.spec.rows.kernel * self.spec.columns.kernel;
        let Depthwise { input, output, residual, .. } = self.spec;
        let weights = (1 + taps) * b.width().lanes * F32;
        advance(b, self.block, [input.block, weights, output.block, residual.block]);
        if let Some((sums, [block, _])) = self.sums {
            advance(b, [block], [sums.block]);
        }
    }

    /// Runs of rows whose inputs lie one behind the other: in a ring that has fewer places than the map has rows, each
    /// row is a run of its own.
    fn runs(&self) -> Vec<Run> {
        let spec = self.spec;
        let runs = spec.rows.runs_of(spec.span.clone(), 1);
        if spec.ring == Ring::whole(spec.rows.input) {
            return runs;
        }
        let single = |run: Run| {
            (run.start..run.start + run.count).map(move |start| Run { start, count: 1, ..run.clone() })
        };
        runs.into_iter().flat_map(single).collect()
    }

    fn rows(&self, b: &mut Builder, run: &Run) {
        let spec = self.spec;
        let place = |row: usize| (spec.ring.place(row) * spec.input.row) as i64;
        let first = place(spec.rows.first_input(run));
        let row_of = |tap: usize| spec.rows.origin(run.start) + (tap * spec.rows.dilation) as i64;
        let taps: Vec<RowTap> = run.taps[0]
            .clone()
            .map(|tap| RowTap { tap, offset: place(row_of(tap) as usize) - first })
            .collect();
        let down = run.start - spec.span.start;
        let offsets = [first, (down * spec.output.row) as i64, (down * spec.residual.row) as i64];
        let [input, _, output, residual] = self.block;
        set(b, self.row, [input, output, residual], offsets);
        if let Some((sums, [block, row])) = self.sums {
            set(b, [row], [block], [(down * sums.row) as i64]);
        }
        b.repeat(Count::Static(run.count as u32), |b| {
            self.begin_sum(b);
            for columns in &self.columns {
                self.columns(b, &taps, columns);
            }
            if let Some((sums, [_, row])) = self.sums {
                advance(b, [row], [sums.row]);
            }
            advance(b, self.row, [spec.rows.stride * spec.input.row, spec.output.row, spec.residual.row]);
        });
    }

    fn columns(&self, b: &mut Builder, row_taps: &[RowTap], run: &Run) {
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

    fn tile(&self, b: &mut Builder, row_taps: &[RowTap], column_taps: &[Range<usize>]) {
        let sums = b.registers(column_taps.len());
        for (index, &to) in sums.iter().enumerate() {
            if index == 0 {
                b.emit(Instruction::Load { to, from: at(self.block[1], 0) });
            } else {
                b.emit(Instruction::Move { to, from: sums[0] });
            }
        }
        let bounds = self.spec.clamp().map(|bound| {
            bound.map(|value| {
                let to = b.register();
                b.emit(Instruction::Constant { to, value: value.get() });
                to
            })
        });
        match self.tap {
            Some(pointers) => self.loop_over_taps(b, &sums, pointers, bounds),
            None => {
                for row_tap in row_taps {
                    let first = 1 + row_tap.tap * self.spec.columns.kernel;
                    let taps = Taps {
                        axis: self.spec.columns,
                        inside: column_taps,
                        input: (self.tile[0], row_tap.offset),
                        weights: (self.block[1], first as i64 * self.vector),
                    };
                    self.taps(b, &sums, &taps, bounds);
                }
            }
        }
        b.free_all(bounds.into_iter().flatten());
        let place = |pointer: Pointer, stride: usize, index: usize| at(pointer, (index * stride) as i64);
        let [_, output, residual] = self.tile;
        let residuals: Vec<Address> =
            (0..sums.len()).map(|index| place(residual, self.spec.residual.pixel, index)).collect();
        let outputs: Vec<Address> =
            (0..sums.len()).map(|index| place(output, self.spec.output.pixel, index)).collect();
        epilogue::store(b, &self.spec.epilogue, sums, &residuals, &outputs);
        self.add_to_sum(b, &outputs);
    }

    fn begin_sum(&self, b: &mut Builder) {
        let Some((_, [_, row])) = self.sums else { return };
        let zero = b.register();
        b.emit(Instruction::Constant { to: zero, value: 0.0 });
        b.emit(Instruction::Store { to: at(row, 0), from: zero });
        b.free(zero);
    }

    /// Adds up what was stored, and that to the sum of the row: one addition a tile waits for the tile before.
    fn add_to_sum(&self, b: &mut Builder, outputs: &[Address]) {
        let Some((_, [_, row])) = self.sums else { return };
        let total = b.register();
        for (index, &from) in outputs.iter().enumerate() {
            b.emit(match index {
                0 => Instruction::Load { to: total, from },
                _ => Instruction::Add { to: total, a: total, b: Operand::Memory(from) },
            });
        }
        b.emit(Instruction::Add { to: total, a: total, b: Operand::Memory(at(row, 0)) });
        b.emit(Instruction::Store { to: at(row, 0), from: total });
        b.free(total);
    }

    /// All taps of a large window, row by row; every output has all of them inside the map.
    fn loop_over_taps(
        &self,
        b: &mut Builder,
        sums: &[Register],
        [row, weights, pixel]: [Pointer; 3],
        bounds: [Option<Register>; 2],
    ) {
        let (spec, stretch) = (self.spec, self.spec.stretch());
        let (whole, rest) = (spec.columns.kernel / stretch, spec.columns.kernel % stretch);
        let some = |b: &mut Builder, count: usize| {
            let inside = vec![0..count; sums.len()];
            let axis = Axis { kernel: count, ..spec.columns };
            let taps = Taps { axis, inside: &inside, input: (pixel, 0), weights: (weights, 0) };
            self.taps(b, sums, &taps, bounds);
            let across = count * spec.columns.dilation * spec.input.pixel;
            advance(b, [pixel, weights], [across, count * self.vector as usize]);
        };
        set(b, [row, weights], [self.tile[0], self.block[1]], [0, self.vector]);
        b.repeat(Count::Static(spec.rows.kernel as u32), |b| {
            set(b, [pixel], [row], [0]);
            b.repeat(Count::Static(whole as u32), |b| some(b, stretch));
            if rest > 0 {
                some(b, rest);
            }
            advance(b, [row], [spec.rows.dilation * spec.input.row]);
        });
    }

    /// Taps of one row of the window: their weights in registers where they fit, each column of the input loaded once.
    fn taps(&self, b: &mut Builder, sums: &[Register], taps: &Taps<'_>, bounds: [Option<Register>; 2]) {
        let columns = &taps.axis;
        let weight = |tap: usize| at(taps.weights.0, taps.weights.1 + tap as i64 * self.vector);
        let clamps = bounds.into_iter().flatten().count();
        let fits = sums.len() + columns.kernel + clamps < b.width().registers;
        let held: Vec<Register> = if fits { b.registers(columns.kernel) } else { Vec::new() };
        for (tap, &to) in held.iter().enumerate() {
            b.emit(Instruction::Load { to, from: weight(tap) });
        }
        let value = b.register();
        let reach = (sums.len() - 1) * columns.stride + (columns.kernel - 1) * columns.dilation + 1;
        for column in 0..reach {
            let uses = columns.uses(taps.inside, column);
            if uses.is_empty() {
                continue;
            }
            let from = at(taps.input.0, taps.input.1 + (column * self.spec.input.pixel) as i64);
            // A column that is used once, every other one at stride 2, is read by the multiplication itself.
            if let ([(pixel, tap)], false, 0) = (uses.as_slice(), held.is_empty(), clamps) {
                let (sum, a) = (sums[*pixel], held[*tap]);
                b.emit(Instruction::MultiplyAdd { sum, a, b: Operand::Memory(from) });
                continue;
            }
            load(b, value, from, bounds);
            for (pixel, tap) in uses {
                let factor = held.get(tap).map_or(Operand::Memory(weight(tap)), |&r| Operand::Register(r));
                b.emit(Instruction::MultiplyAdd { sum: sums[pixel], a: value, b: factor });
            }
        }
        b.free(value);
        b.free_all(held);
    }
}

/// Loads what is at `from` and clamps it. A value is the second operand of each minimum and maximum, so that NaN stays NaN.
fn load(b: &mut Builder, to: Register, from: Address, [low, high]: [Option<Register>; 2]) {
    match low {
        Some(a) => b.emit(Instruction::Maximum { to, a, b: Operand::Memory(from) }),
        None => b.emit(Instruction::Load { to, from }),
    }
    if let Some(a) = high {
        b.emit(Instruction::Minimum { to, a, b: Operand::Register(to) });
    }
}
