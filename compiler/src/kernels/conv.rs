//! Convolution as a tile of sums: pointwise, dense k×k, the stem, and fully connected layers, from one source.
//!
//! ```text
//! for panel                                   `vectors` blocks of output channels
//!     for row run: for row                    rows whose windows meet the borders in the same way
//!         for column run: for tile            `pixels` neighbouring outputs
//!             sum[pixel][vector] = bias[vector]
//!             for tap inside the map: for channel
//!                 sum[pixel][vector] += input[pixel * stride + tap][channel] * weight[tap][channel][vector]
//!             output[pixel][vector] = epilogue(sum)
//! ```
//! A pointwise convolution at stride 1 is the case of one row that holds the whole map; a fully connected layer is the
//! case of one pixel. The taps of a large window are loops. Where a smaller one hangs over the border, the tile leaves out the taps that fall outside; no sum
//! depends on the tile that it is computed in, so results are the same bits for every tiling.
//!
//! Which of the three loops takes the kernel's share of items is the schedule's choice ([`Item`]); the others are
//! spelled out or counted by constants.
//!
//! Parameters: input, weights (see `pack`), output, residual.

use std::ops::Range;

use frit_ir::ops::Epilogue;

use super::window::{self, Axis, Run};
use super::{F32, Strides, advance, at, epilogue, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// The shape of one group's convolution and where its tensors lie.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    /// The window's vertical axis.
    pub rows: Axis,
    /// The window's horizontal axis.
    pub columns: Axis,
    /// Input channels of the group.
    pub channels: usize,
    /// Strides of the input.
    pub input: Strides,
    /// Strides of the output.
    pub output: Strides,
    /// Strides of the residual.
    pub residual: Strides,
    /// What happens to the sums.
    pub epilogue: Epilogue,
}

/// `count` panels of `vectors` blocks of output channels each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Panels {
    /// Blocks of output channels side by side.
    pub vectors: usize,
    /// Number of panels.
    pub count: usize,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Item {
    /// A panel.
    Panels,
    /// A row; `rows` has one run.
    Rows,
    /// A tile; `rows` and `columns` have one run each.
    Tiles,
}

/// The part of the loop nest that one kernel covers.
#[derive(Debug, Clone)]
pub struct Nest {
    /// What an item is.
    pub item: Item,
    /// Panels, one after the other in the weights and in the output.
    pub panels: Panels,
    /// Runs of single rows.
    pub rows: Vec<Run>,
    /// Runs of tiles.
    pub columns: Vec<Run>,
    /// Lines of the next panel's weights that each tile asks for in each block of channels, so that they come from memory while
    /// this panel is used ([`Nest::lines_ahead`]).
    pub ahead: usize,
}

impl Nest {
    /// Tiles of a panel.
    pub fn tiles(&self) -> usize {
        let count = |runs: &[Run]| runs.iter().map(|run| run.count).sum::<usize>();
        count(&self.rows) * count(&self.columns)
    }

    /// Lines that each tile must ask for in a block of channels, so that a worker's tiles ask for a whole panel: all of them where
    /// panels are shared out, half of them or fewer else.
    pub fn lines_ahead(&self, lanes: usize) -> usize {
        let tiles = if self.item == Item::Panels { self.tiles() } else { self.tiles().div_ceil(2) };
        (lanes * self.panels.vectors * lanes * F32).div_ceil(LINE).div_ceil(tiles.max(1))
    }
}

/// The most instructions of a tile's sums: more of them leave the cache of instructions.
const MOST_CODE: usize = 2500;

/// Channels that a tile of so many `pixels` and blocks spells out in the loop over them: a block of channels, or a quarter;
/// `None` where even that is too much code.
pub fn unrolled(width: Width, taps: usize, channels: usize, [pixels, vectors]: [usize; 2]) -> Option<usize> {
    let broadcasts = if width.embeds(vectors) { 0 } else { pixels };
    let product = taps * (pixels * vectors + broadcasts + vectors);
    let spelled = |turn: usize| if channels < width.lanes { channels } else { turn };
    [width.lanes, width.lanes / 4].into_iter().find(|&turn| product * spelled(turn) <= MOST_CODE)
}

/// Bytes of a cache line.
const LINE: usize = 64;

impl Conv {
    /// Bytes of the weights of one panel of `vectors` blocks: the bias, then every tap's channels.
    pub fn panel_bytes(&self, vectors: usize, lanes: usize) -> usize {
        (1 + self.rows.kernel * self.columns.kernel * self.channels) * vectors * lanes * F32
    }

    /// Bytes of its input, as far as they are channels.
    pub fn input_bytes(&self) -> usize {
        self.rows.input * self.columns.input * self.channels * F32
    }

    /// Whether the taps of its window are loops.
    fn is_large(&self) -> bool {
        window::is_large([self.rows.kernel, self.columns.kernel])
    }

    /// Bytes from the input's begin to the first row that the window of `run` reads.
    pub fn input_row(&self, run: &Run) -> usize {
        self.rows.first_input(run) * self.input.row
    }

    /// Bytes from there to the first row that the next window of `run` reads; 0 where they read none, so that no address leaves
    /// the input.
    pub fn input_step(&self, run: &Run) -> usize {
        if run.taps[0].is_empty() { 0 } else { self.rows.stride * self.input.row }
    }

    /// Bytes from a row's begin to tap 0 of the first pixel of `run`; negative in the zeros to its left.
    fn input_column(&self, run: &Run) -> i64 {
        self.columns.origin(run.start) * self.input.pixel as i64
    }
}

/// The pointers of the loop nest, outermost first; input, output and residual of each level, in this order.
struct Pointers {
    panel: [Pointer; 3],
    row: [Pointer; 3],
    tile: [Pointer; 3],
    weights: Pointer,
    /// The row of the input and the weights under a tap of a large window, and the tap's pixel.
    tap: Option<[Pointer; 3]>,
    /// Input and weights of the loop over channels.
    channel: [Pointer; 2],
    /// Where the lines of the next panel lie that the next tile and the next channels ask for.
    ahead: [Pointer; 2],
}

/// Emits the loop nest of one convolution.
pub(super) struct Emitter<'a> {
    conv: &'a Conv,
    nest: &'a Nest,
    pointers: Pointers,
    lanes: usize,
}

/// Builds the kernel that covers `nest`.
///
/// Pointers begin at the first row of the nest, with [`Item::Tiles`] at the first tile of the run; the input at the first
/// row that is read for it, the weights at the first panel.
pub fn build(width: Width, conv: &Conv, nest: &Nest) -> Result<Program, TooManyRegisters> {
    let mut builder = Builder::new(name(conv, nest), width, 4);
    let b = &mut builder;
    let bases = [0, 1, 2, 3].map(|index| b.parameter(index));
    let emitter = Emitter::new(b, conv, nest, bases);
    b.repeat(emitter.count(Item::Panels, nest.panels.count), |b| emitter.panel(b));
    builder.finish()
}

/// The kernel's name.
pub(super) fn name(conv: &Conv, nest: &Nest) -> String {
    let pixels = nest.columns.iter().map(|run| run.width).max().unwrap_or(1);
    let Panels { vectors, count } = nest.panels;
    let blocks = vectors * count;
    let stride = if conv.columns.stride > 1 { format!("s{}", conv.columns.stride) } else { String::new() };
    format!(
        "conv{}x{}{stride}_{}to{blocks}v_{pixels}x{vectors}{}",
        conv.rows.kernel,
        conv.columns.kernel,
        conv.channels,
        epilogue::name(&conv.epilogue)
    )
}

/// The parts of one tile that its code depends on.
struct Tile<'a> {
    /// Taps down the window, all inside the map.
    row_taps: &'a Range<usize>,
    /// For each pixel, the taps across the window that fall inside the map.
    column_taps: &'a [Range<usize>],
}

impl<'a> Emitter<'a> {
    /// Sets up the pointers of the nest; `bases` are input, weights, output and residual.
    pub(super) fn new(b: &mut Builder, conv: &'a Conv, nest: &'a Nest, bases: [Pointer; 4]) -> Emitter<'a> {
        let [input, weights, output, residual] = bases;
        let level = |b: &mut Builder| [input, output, residual].map(|base| b.pointer(base, 0));
        let pointers = Pointers {
            panel: level(b),
            row: level(b),
            tile: level(b),
            weights: b.pointer(weights, 0),
            tap: conv.is_large().then(|| [input, weights, input].map(|base| b.pointer(base, 0))),
            channel: [b.pointer(input, 0), b.pointer(weights, 0)],
            ahead: [b.pointer(weights, 0), b.pointer(weights, 0)],
        };
        Emitter { conv, nest, pointers, lanes: b.width().lanes }
    }

    /// Where the next panel is stored.
    pub(super) fn output(&self) -> Pointer {
        self.pointers.panel[1]
    }

    /// One panel; the pointers move on to the next.
    pub(super) fn panel(&self, b: &mut Builder) {
        let (conv, vectors) = (self.conv, self.nest.panels.vectors);
        let panel = conv.panel_bytes(vectors, self.lanes);
        if self.nest.ahead > 0 {
            set(b, [self.pointers.ahead[0]], [self.pointers.weights], [panel as i64]);
        }
        for run in &self.nest.rows {
            self.rows(b, run);
        }
        advance(b, [self.pointers.weights], [panel]);
        advance(b, self.pointers.panel, [0, vectors * conv.output.block, vectors * conv.residual.block]);
    }

    fn rows(&self, b: &mut Builder, run: &Run) {
        let (conv, first) = (self.conv, &self.nest.rows[0]);
        let rows = run.start - first.start;
        let input = conv.input_row(run) as i64 - conv.input_row(first) as i64;
        let offsets = [input, (rows * conv.output.row) as i64, (rows * conv.residual.row) as i64];
        set(b, self.pointers.row, self.pointers.panel, offsets);
        b.repeat(self.count(Item::Rows, run.count), |b| {
            for columns in &self.nest.columns {
                self.columns(b, &run.taps[0], columns);
            }
            let steps = [conv.rows.stride * conv.input.row, conv.output.row, conv.residual.row];
            advance(b, self.pointers.row, steps);
        });
    }

    fn columns(&self, b: &mut Builder, row_taps: &Range<usize>, run: &Run) {
        let conv = self.conv;
        let offsets = if self.nest.item == Item::Tiles {
            [0; 3]
        } else {
            let pixels = |strides: Strides| (run.start * strides.pixel) as i64;
            [conv.input_column(run), pixels(conv.output), pixels(conv.residual)]
        };
        set(b, self.pointers.tile, self.pointers.row, offsets);
        b.repeat(self.count(Item::Tiles, run.count), |b| {
            self.tile(b, &Tile { row_taps, column_taps: &run.taps });
            let steps = [conv.columns.stride * conv.input.pixel, conv.output.pixel, conv.residual.pixel];
            advance(b, self.pointers.tile, steps.map(|bytes| run.width * bytes));
        });
    }

    fn count(&self, item: Item, constant: usize) -> Count {
        if self.nest.item == item { Count::Items } else { Count::Static(constant as u32) }
    }

    fn tile(&self, b: &mut Builder, tile: &Tile<'_>) {
        let vectors = self.nest.panels.vectors;
        if self.nest.ahead > 0 {
            let [tile, channel] = self.pointers.ahead;
            set(b, [channel], [tile], [0]);
            advance(b, [tile], [self.nest.ahead * LINE]);
        }
        let sums = b.registers(tile.column_taps.len() * vectors);
        let vector = (self.lanes * F32) as i64;
        for (index, &to) in sums.iter().enumerate() {
            if index < vectors {
                b.emit(Instruction::Load { to, from: at(self.pointers.weights, index as i64 * vector) });
            } else {
                b.emit(Instruction::Move { to, from: sums[index % vectors] });
            }
        }
        match self.pointers.tap {
            Some(pointers) => self.loop_over_taps(b, &sums, pointers),
            None => {
                for row_tap in tile.row_taps.clone() {
                    for column_tap in 0..self.conv.columns.kernel {
                        self.tap(b, tile, &sums, [row_tap, column_tap]);
                    }
                }
            }
        }
        let place = |pointer: Pointer, strides: Strides, index: usize| {
            let (pixel, vector) = (index / vectors, index % vectors);
            at(pointer, (pixel * strides.pixel + vector * strides.block) as i64)
        };
        let [_, output, residual] = self.pointers.tile;
        let residuals: Vec<Address> =
            (0..sums.len()).map(|index| place(residual, self.conv.residual, index)).collect();
        let outputs: Vec<Address> =
            (0..sums.len()).map(|index| place(output, self.conv.output, index)).collect();
        epilogue::store(b, &self.conv.epilogue, sums, &residuals, &outputs);
    }

    /// Adds what all taps of a large window contribute; every pixel has all of them inside the map.
    fn loop_over_taps(&self, b: &mut Builder, sums: &[Register], [row, weights, pixel]: [Pointer; 3]) {
        let conv = self.conv;
        let vectors = self.nest.panels.vectors;
        let pixels: Vec<usize> = (0..sums.len() / vectors).collect();
        let step = vectors * self.lanes * F32;
        set(b, [row, weights], [self.pointers.tile[0], self.pointers.weights], [0, step as i64]);
        b.repeat(Count::Static(conv.rows.kernel as u32), |b| {
            set(b, [pixel], [row], [0]);
            b.repeat(Count::Static(conv.columns.kernel as u32), |b| {
                set(b, self.pointers.channel, [pixel, weights], [0; 2]);
                self.channels(b, sums, &pixels);
                advance(
                    b,
                    [pixel, weights],
                    [conv.columns.dilation * conv.input.pixel, conv.channels * step],
                );
            });
            advance(b, [row], [conv.rows.dilation * conv.input.row]);
        });
    }

    /// Adds what one tap contributes to the pixels whose window has it inside the map.
    fn tap(&self, b: &mut Builder, tile: &Tile<'_>, sums: &[Register], [row_tap, column_tap]: [usize; 2]) {
        let pixels: Vec<usize> = (0..tile.column_taps.len())
            .filter(|&pixel| tile.column_taps[pixel].contains(&column_tap))
            .collect();
        if pixels.is_empty() {
            return;
        }
        let conv = self.conv;
        let step = self.nest.panels.vectors * self.lanes * F32;
        let tap = row_tap * conv.columns.kernel + column_tap;
        let down = (row_tap - tile.row_taps.start) * conv.rows.dilation * conv.input.row;
        let across = column_tap * conv.columns.dilation * conv.input.pixel;
        let [input, weights] = self.pointers.channel;
        let offsets = [down + across, (1 + tap * conv.channels) * step].map(|bytes| bytes as i64);
        set(b, [input, weights], [self.pointers.tile[0], self.pointers.weights], offsets);
        self.channels(b, sums, &pixels);
    }

    /// Adds the products of all channels under one tap.
    fn channels(&self, b: &mut Builder, sums: &[Register], pixels: &[usize]) {
        let conv = self.conv;
        let step = self.nest.panels.vectors * self.lanes * F32;
        let [input, weights] = self.pointers.channel;
        let (blocks, rest) = (conv.channels / self.lanes, conv.channels % self.lanes);
        let taps = if conv.is_large() { 1 } else { conv.rows.kernel * conv.columns.kernel };
        let tile = [pixels.len(), self.nest.panels.vectors];
        let turn = unrolled(b.width(), taps, conv.channels, tile).unwrap_or(self.lanes / 4);
        let turns = self.lanes / turn;
        b.repeat(Count::Static(blocks as u32), |b| {
            if turns == 1 {
                (0..self.lanes).for_each(|channel| {
                    self.ask(b, channel);
                    self.channel(b, sums, pixels, channel);
                });
                advance(b, [input, weights], [conv.input.block, self.lanes * step]);
            } else {
                (0..self.lanes).for_each(|channel| self.ask(b, channel));
                b.repeat(Count::Static(turns as u32), |b| {
                    (0..turn).for_each(|channel| self.channel(b, sums, pixels, channel));
                    advance(b, [input, weights], [turn * conv.input.channel, turn * step]);
                });
                let bytes = conv.input.block as i64 - (self.lanes * conv.input.channel) as i64;
                b.emit(Instruction::Advance { pointer: input, bytes });
            }
            if self.nest.ahead > 0 {
                advance(b, [self.pointers.ahead[1]], [self.lanes * step]);
            }
        });
        for channel in 0..rest {
            self.channel(b, sums, pixels, channel);
        }
    }

    /// Asks for those lines of the next panel whose turn is beside `channel` of a block, spread over all of them.
    fn ask(&self, b: &mut Builder, channel: usize) {
        let [_, ahead] = self.pointers.ahead;
        let lines = self.nest.ahead;
        for line in (0..lines).filter(|line| line * self.lanes / lines == channel) {
            b.emit(Instruction::Prefetch { from: at(ahead, (line * LINE) as i64) });
        }
    }

    /// Adds the products of one input channel. With one pixel the weights are read as memory operands, else they are
    /// held in registers while the pixels pass.
    fn channel(&self, b: &mut Builder, sums: &[Register], pixels: &[usize], channel: usize) {
        let vectors = self.nest.panels.vectors;
        let [input, weights] = self.pointers.channel;
        let vector = (self.lanes * F32) as i64;
        let weight = |index: usize| at(weights, (channel * vectors + index) as i64 * vector);
        let value = |pixel: usize| {
            let stride = (pixel * self.conv.columns.stride * self.conv.input.pixel) as i64;
            at(input, stride + (channel * self.conv.input.channel) as i64)
        };
        if let [pixel] = *pixels {
            let broadcast = b.register();
            b.emit(Instruction::Broadcast { to: broadcast, from: value(pixel) });
            for (index, &sum) in sums[pixel * vectors..][..vectors].iter().enumerate() {
                b.emit(Instruction::MultiplyAdd { sum, a: broadcast, b: Operand::Memory(weight(index)) });
            }
            b.free(broadcast);
            return;
        }
        let held = b.registers(vectors);
        for (index, &to) in held.iter().enumerate() {
            b.emit(Instruction::Load { to, from: weight(index) });
        }
        for &pixel in pixels {
            multiply(b, &sums[pixel * vectors..][..vectors], &held, value(pixel));
        }
        b.free_all(held);
    }
}

/// `sums += weights * the value at address`; where the target multiplies by a broadcast in memory, without a register.
fn multiply(b: &mut Builder, sums: &[Register], weights: &[Register], address: Address) {
    if b.width().embeds(weights.len()) {
        for (&sum, &a) in sums.iter().zip(weights) {
            b.emit(Instruction::MultiplyAdd { sum, a, b: Operand::Broadcast(address) });
        }
        return;
    }
    let broadcast = b.register();
    b.emit(Instruction::Broadcast { to: broadcast, from: address });
    for (&sum, &weight) in sums.iter().zip(weights) {
        b.emit(Instruction::MultiplyAdd { sum, a: broadcast, b: Operand::Register(weight) });
    }
    b.free(broadcast);
}

/// Registers that a tile needs beside its sums: the weights of its blocks and the value, where these aren't in memory.
pub fn registers_beside(width: Width, pixels: usize, vectors: usize) -> usize {
    match pixels {
        1 => 1,
        _ if width.embeds(vectors) => vectors,
        _ => vectors + 1,
    }
}
