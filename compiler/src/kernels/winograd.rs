//! Winograd's F(4×4, 3×3): a 3×3 convolution at stride 1 as 36 pointwise ones over a sixteenth of the pixels.
//!
//! ```text
//! for tile of 4 by 4 outputs
//!     values[36] = B' · input[6][6] · B                     [`input`]
//! for frequency of 36
//!     sums[frequency] = values[frequency] · weights[frequency]      a pointwise convolution (`conv`)
//! for tile
//!     output[4][4] = epilogue(A' · sums[6][6] · A + bias)   [`output`]
//! ```
//! (Lavin and Gray, Fast Algorithms for Convolutional Neural Networks, 2016.) The polynomials are taken at 0, ±1/2, ±3/2 and
//! infinity, where the error is about twice that of the plain sum, at most 3e-6 of the largest output over 256 channels; at the usual
//! 0, ±1, ±2 it is six times that. A tile that hangs
//! over the map takes zeros for what lies outside, and stores what lies inside.
//!
//! Both transforms go over the columns of a tile and then over its rows; what lies between is in memory that the result takes.
//!
//! Parameters of [`input`]: input, values. Items: blocks of input channels. Of [`output`]: sums, bias, output, residual. Items:
//! blocks of output channels.

use std::ops::Range;

use frit_ir::ops::{Epilogue, Scalar};

use super::{F32, Strides, advance, at, epilogue, set};
use crate::vector::builder::TooManyRegisters;
use crate::vector::program::Width;
use crate::vector::{Address, Builder, Count, Instruction, Operand, Pointer, Program, Register};

/// Outputs of a tile along each axis.
pub const OUTPUTS: usize = 4;

/// Inputs of a tile along each axis, and points along each of its frequencies.
pub const INPUTS: usize = 6;

/// Frequencies of a tile.
pub const FREQUENCIES: usize = INPUTS * INPUTS;

/// The two points beside 0 and infinity; each counts with both signs.
const POINTS: [f64; 2] = [0.5, 1.5];

/// One axis of the map, in tiles.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    /// Length of the input.
    pub input: usize,
    /// Length of the output.
    pub output: usize,
    /// Zeros before the input.
    pub before: usize,
}

/// Neighbouring tiles that meet the borders in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Run {
    first: usize,
    count: usize,
    /// Of a tile's inputs, those inside the map.
    inputs: Range<usize>,
    /// Of its outputs, how many are inside the map.
    outputs: usize,
}

impl Axis {
    /// Tiles along the axis.
    pub fn tiles(&self) -> usize {
        self.output.div_ceil(OUTPUTS)
    }

    fn runs(&self) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for tile in 0..self.tiles() {
            let begin = tile * OUTPUTS;
            let inside = |place: usize| place.saturating_sub(begin).min(INPUTS);
            let inputs = inside(self.before)..inside(self.before + self.input);
            let outputs = OUTPUTS.min(self.output - begin);
            match runs.last_mut() {
                Some(last) if (&last.inputs, last.outputs) == (&inputs, outputs) => last.count += 1,
                _ => runs.push(Run { first: tile, count: 1, inputs, outputs }),
            }
        }
        runs
    }
}

/// Where the values or the sums of tiles lie.
#[derive(Debug, Clone, Copy)]
pub struct Tiles {
    /// From one tile to the next.
    pub tile: usize,
    /// From one block of channels to the next.
    pub block: usize,
    /// From one frequency to the next.
    pub frequency: usize,
}

/// The convolution of a map.
#[derive(Debug, Clone, Copy)]
pub struct Winograd {
    /// Its vertical axis.
    pub rows: Axis,
    /// Its horizontal axis.
    pub columns: Axis,
}

/// Maps that a tile lies in.
struct Maps<const N: usize> {
    bases: [Pointer; N],
    strides: [Strides; N],
    /// How many pixels, down and across, a tile begins before its outputs.
    before: [usize; 2],
}

/// A tile at hand.
struct Tile<'a, const N: usize> {
    /// Where it begins in each of the maps.
    maps: [Pointer; N],
    /// Its frequencies.
    tiles: Pointer,
    rows: &'a Run,
    columns: &'a Run,
}

/// Builds the transform of a map's tiles.
pub fn input(
    width: Width,
    winograd: &Winograd,
    map: Strides,
    tiles: Tiles,
) -> Result<Program, TooManyRegisters> {
    let Winograd { rows, columns } = winograd;
    let mut builder = Builder::new(format!("winograd_input_{}x{}", rows.input, columns.input), width, 2);
    let constants = input_constants().map(|value| constant(&mut builder, value));
    let maps = Maps { bases: [builder.parameter(0)], strides: [map], before: [rows.before, columns.before] };
    let values = builder.parameter(1);
    winograd.each(&mut builder, maps, (values, tiles), |b, tile| {
        let [from] = tile.maps;
        let place =
            |row: usize, column: usize| at(tile.tiles, ((row * INPUTS + column) * tiles.frequency) as i64);
        for column in 0..INPUTS {
            let inside =
                |row: usize| tile.rows.inputs.contains(&row) && tile.columns.inputs.contains(&column);
            let value = |row: usize| at(from, (row * map.row + column * map.pixel) as i64);
            let values = std::array::from_fn(|row| inside(row).then(|| value(row)));
            transform_input(b, &constants, values, std::array::from_fn(|row| place(row, column)));
        }
        for row in 0..INPUTS {
            let places: [Address; INPUTS] = std::array::from_fn(|column| place(row, column));
            transform_input(b, &constants, places.map(Some), places);
        }
    });
    builder.finish()
}

/// Builds the transform back, the epilogue behind it; the `strides` are those of output and residual.
pub fn output(
    width: Width,
    winograd: &Winograd,
    tiles: Tiles,
    strides: [Strides; 2],
    epilogue: &Epilogue,
) -> Result<Program, TooManyRegisters> {
    let Winograd { rows, columns } = winograd;
    let name = format!("winograd_output_{}x{}{}", rows.output, columns.output, epilogue::name(epilogue));
    let mut builder = Builder::new(name, width, 4);
    let [output, residual] = strides;
    let bias = Strides { row: 0, pixel: 0, block: width.lanes * F32, channel: F32 };
    let maps = Maps {
        bases: [1, 2, 3].map(|index| builder.parameter(index)),
        strides: [bias, output, residual],
        before: [0, 0],
    };
    let sums = builder.parameter(0);
    winograd.each(&mut builder, maps, (sums, tiles), |b, tile| {
        let place =
            |row: usize, column: usize| at(tile.tiles, ((row * INPUTS + column) * tiles.frequency) as i64);
        for column in 0..INPUTS {
            let sums = transform_output(b, std::array::from_fn(|row| place(row, column)));
            for (row, from) in sums.into_iter().enumerate() {
                b.emit(Instruction::Store { to: place(row, column), from });
                b.free(from);
            }
        }
        let [bias, output, residual] = tile.maps;
        for row in 0..tile.rows.outputs {
            let mut sums = transform_output(b, std::array::from_fn(|column| place(row, column))).to_vec();
            b.free_all(sums.drain(tile.columns.outputs..));
            for &to in &sums {
                b.emit(Instruction::Add { to, a: to, b: Operand::Memory(at(bias, 0)) });
            }
            let places = |pointer: Pointer, strides: Strides| {
                let place = |column: usize| at(pointer, (row * strides.row + column * strides.pixel) as i64);
                (0..tile.columns.outputs).map(place).collect::<Vec<Address>>()
            };
            epilogue::store(b, epilogue, sums, &places(residual, strides[1]), &places(output, strides[0]));
        }
    });
    builder.finish()
}

impl Winograd {
    /// Tiles of a map.
    pub fn tiles(&self) -> usize {
        self.rows.tiles() * self.columns.tiles()
    }

    /// Emits `body` for every tile in a loop over blocks of channels.
    fn each<const N: usize>(
        &self,
        builder: &mut Builder,
        Maps { bases, strides, before }: Maps<N>,
        (base, tiles): (Pointer, Tiles),
        mut body: impl FnMut(&mut Builder, Tile<'_, N>),
    ) {
        let [block, row, tile] = [(); 3].map(|()| bases.map(|base| builder.pointer(base, 0)));
        let [block_tiles, at_tile] = [(); 2].map(|()| builder.pointer(base, 0));
        let (rows, columns) = (self.rows.runs(), self.columns.runs());
        let origin = |tile: usize, before: usize| (tile * OUTPUTS) as i64 - before as i64;
        builder.repeat(Count::Items, |b| {
            set(b, [at_tile], [block_tiles], [0]);
            for down in &rows {
                set(b, row, block, strides.map(|strides| origin(down.first, before[0]) * strides.row as i64));
                b.repeat(Count::Static(down.count as u32), |b| {
                    for across in &columns {
                        let offsets =
                            strides.map(|strides| origin(across.first, before[1]) * strides.pixel as i64);
                        set(b, tile, row, offsets);
                        b.repeat(Count::Static(across.count as u32), |b| {
                            body(b, Tile { maps: tile, tiles: at_tile, rows: down, columns: across });
                            advance(b, tile, strides.map(|strides| OUTPUTS * strides.pixel));
                            advance(b, [at_tile], [tiles.tile]);
                        });
                    }
                    advance(b, row, strides.map(|strides| OUTPUTS * strides.row));
                });
            }
            advance(b, block, strides.map(|strides| strides.block));
            advance(b, [block_tiles], [tiles.block]);
        });
    }
}

/// With p and q for the points: `p²q²`, `-(p² + q²)`, `-q²`, `-p²`, `p`, `-p`, `q`, `-q`, as [`transform_input`] takes them.
fn input_constants() -> [f64; 8] {
    let [p, q] = POINTS;
    [p * p * q * q, -(p * p + q * q), -q * q, -p * p, p, -p, q, -q]
}

/// `to = value`, which an f32 holds as it is.
fn set_constant(b: &mut Builder, to: Register, value: f64) {
    b.emit(Instruction::Constant { to, value: Scalar::nearest(value).get() });
}

/// A new register with `value`.
fn constant(b: &mut Builder, value: f64) -> Register {
    let to = b.register();
    set_constant(b, to, value);
    to
}

/// `sum += a * b`
fn add_product(b: &mut Builder, sum: Register, a: Register, other: Register) {
    b.emit(Instruction::MultiplyAdd { sum, a, b: Operand::Register(other) });
}

/// A new register with what is in `from`.
fn copied(b: &mut Builder, from: Register) -> Register {
    let to = b.register();
    b.emit(Instruction::Move { to, from });
    to
}

/// A column or row of B' · input: the values of the polynomial through six inputs that the products need.
fn transform_input(
    b: &mut Builder,
    &[product, negative_sum, q_square, p_square, p, minus_p, q, minus_q]: &[Register; 8],
    values: [Option<Address>; INPUTS],
    places: [Address; INPUTS],
) {
    let x = values.map(|value| match value {
        Some(Address { base, offset, .. }) => b.load(base, offset),
        None => constant(b, 0.0),
    });
    let store = |b: &mut Builder, place: usize, from: Register| {
        b.emit(Instruction::Store { to: places[place], from });
        b.free(from);
    };
    // At 0 and at infinity.
    for (place, [last, middle, first]) in [(0, [x[4], x[2], x[0]]), (5, [x[5], x[3], x[1]])] {
        let sum = copied(b, last);
        add_product(b, sum, middle, negative_sum);
        add_product(b, sum, first, product);
        store(b, place, sum);
    }
    b.free_all([x[0], x[5]]);
    for (place, square, [plus, minus]) in [(1, q_square, [p, minus_p]), (3, p_square, [q, minus_q])] {
        let [even, odd] = [[x[4], x[2]], [x[3], x[1]]].map(|[high, low]| {
            let sum = copied(b, high);
            add_product(b, sum, low, square);
            sum
        });
        let sum = copied(b, even);
        add_product(b, sum, odd, plus);
        store(b, place, sum);
        add_product(b, even, odd, minus);
        store(b, place + 1, even);
        b.free(odd);
    }
    b.free_all(x[1..5].iter().copied());
}

/// A column or row of A' · sums, in four registers.
fn transform_output(b: &mut Builder, places: [Address; INPUTS]) -> [Register; OUTPUTS] {
    let [p, q] = POINTS;
    let m = places.map(|Address { base, offset, .. }| b.load(base, offset));
    let pair = |b: &mut Builder, plus: Register, minus: Register| {
        let difference = b.register();
        b.emit(Instruction::Subtract { to: difference, a: plus, b: Operand::Register(minus) });
        b.emit(Instruction::Add { to: plus, a: plus, b: Operand::Register(minus) });
        b.free(minus);
        (plus, difference)
    };
    let (near, near_odd) = pair(b, m[1], m[2]);
    let (far, far_odd) = pair(b, m[3], m[4]);
    for to in [near, far] {
        b.emit(Instruction::Add { to: m[0], a: m[0], b: Operand::Register(to) });
    }
    let constant = b.register();
    let scaled = |b: &mut Builder, sum: Register, a: Register, value: f64| {
        set_constant(b, constant, value);
        add_product(b, sum, a, constant);
    };
    scaled(b, m[5], near_odd, p * p * p);
    scaled(b, m[5], far_odd, q * q * q);
    for (even, odd, [first, second]) in [(near_odd, far_odd, [p, q]), (near, far, [p * p, q * q])] {
        set_constant(b, constant, first);
        b.emit(Instruction::Multiply { to: even, a: even, b: Operand::Register(constant) });
        set_constant(b, constant, second);
        add_product(b, even, odd, constant);
    }
    b.free_all([constant, far, far_odd]);
    [m[0], near_odd, near, m[5]]
}

/// The 36 values of a 3×3 kernel `taps`, row by row, that its products are made with.
pub fn transform_weights(taps: [f64; 9]) -> [f64; FREQUENCIES] {
    let along = |g: [f64; 3]| -> [f64; INPUTS] {
        let [p, q] = POINTS;
        let even = |point: f64| g[0] + point * point * g[2];
        let scales =
            [1.0 / (p * p * q * q), 0.5 / (p * p * (p * p - q * q)), 0.5 / (q * q * (q * q - p * p))];
        [
            g[0] * scales[0],
            (even(p) + p * g[1]) * scales[1],
            (even(p) - p * g[1]) * scales[1],
            (even(q) + q * g[1]) * scales[2],
            (even(q) - q * g[1]) * scales[2],
            g[2],
        ]
    };
    let columns: [[f64; INPUTS]; 3] =
        std::array::from_fn(|column| along(std::array::from_fn(|row| taps[row * 3 + column])));
    let mut values = [0.0; FREQUENCIES];
    for (row, values) in values.chunks_exact_mut(INPUTS).enumerate() {
        let found = along(std::array::from_fn(|column| columns[column][row]));
        values.copy_from_slice(&found);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_meet_the_borders_in_at_most_a_few_ways() {
        let axis = Axis { input: 17, output: 17, before: 1 };
        let run = |first, count, inputs, outputs| Run { first, count, inputs, outputs };
        assert_eq!(
            axis.runs(),
            [run(0, 1, 1..6, 4), run(1, 3, 0..6, 4), run(4, 1, 0..2, 1)],
            "the last tile has one output, whose window ends outside"
        );
        assert_eq!(Axis { input: 6, output: 4, before: 0 }.runs(), [run(0, 1, 0..6, 4)]);
        let small = Axis { input: 1, output: 1, before: 1 };
        assert_eq!(small.runs(), [run(0, 1, 1..2, 1)]);
    }
}
