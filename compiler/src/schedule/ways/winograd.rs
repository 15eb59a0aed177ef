//! A dense 3×3 convolution at stride 1 by Winograd's F(4×4, 3×3) (see `kernels::winograd`): the tiles of the whole map are
//! transformed, multiplied frequency by frequency, and transformed back, in three stages.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Conv2d, Epilogue};
use frit_ir::{NodeId, Op};

use crate::kernels::conv::Conv;
use crate::kernels::window::Axis;
use crate::kernels::winograd::{self, FREQUENCIES, Tiles, Winograd};
use crate::kernels::{F32, Strides};
use crate::pack::{self, Source};
use crate::plan::{Argument, Blank, Region, Way, Work};
use crate::schedule::LARGEST;
use crate::schedule::layers::convolution::{self, Base, Operands};
use crate::schedule::network::Network;
use crate::schedule::placed::{Placed, apart};
use crate::schedule::placement::Placement;
use crate::schedule::predict::{Predictor, Workload};
use crate::schedule::stage::Effort;
use crate::schedule::subgraph::{Candidate, Subgraph};
use crate::schedule::tiles::{self, Columns, Sums};

/// By Winograd's algorithm.
pub const WINOGRAD: Way = Way {
    name: "winograd",
    about: "Dense 3x3 convolutions with a quarter of the multiplications (Winograd)",
};

pub(super) fn candidate(net: &Network<'_>, subgraph: &Subgraph<'_>) -> Option<Candidate> {
    let &[id] = &subgraph.layers[..] else { return None };
    let Op::Conv2d(conv) = net.op(id) else { return None };
    let product = Product::new(net, id, conv)?;
    let layer = net.layer(id);
    let cost = net.predicted(|predictor| {
        MARGIN * (product.transforms_ms(&layer, predictor) + product.products_ms(predictor))
    });
    let place = move |placement: &mut Placement<'_>| place(placement, id, product);
    Some(Candidate { way: WINOGRAD, cost, place: Some(Box::new(place)) })
}

/// By how much it must be predicted to be faster, as it rounds more often and takes more memory.
const MARGIN: f64 = 1.2;

/// The convolution in tiles.
#[derive(Clone, Copy)]
struct Product {
    winograd: Winograd,
    lanes: usize,
    inputs: usize,
    filters: usize,
}

impl Product {
    /// None where `conv` is none that can be computed so, or its tiles would be more than a kernel can address.
    fn new(net: &Network<'_>, id: NodeId, conv: &Conv2d) -> Option<Product> {
        let is_plain = conv.kernel == [3, 3]
            && (conv.stride, conv.dilation, conv.groups) == ([1, 1], [1, 1], 1)
            && conv.prologue.is_none()
            && net.op(id).gate().is_none()
            && !net.shares_kernel(id);
        let [height, width, _] = net.shape(net.operand(id, 0)).map()?;
        let [rows, columns, filters] = net.map(id);
        let axis = |input, output, before| winograd::Axis { input, output, before };
        let winograd = Winograd {
            rows: axis(height, rows, conv.padding.top),
            columns: axis(width, columns, conv.padding.left),
        };
        let product = Product { winograd, lanes: net.width.lanes, inputs: net.input_channels(id), filters };
        let is_addressed = |channels| product.bytes(channels).is_some_and(|bytes| bytes <= LARGEST);
        (is_plain && is_addressed(product.inputs) && is_addressed(filters)).then_some(product)
    }

    /// How the tiles of so many channels lie, as a map of one row for each frequency.
    fn layout(&self, channels: usize) -> Tiles {
        let tile = self.lanes * F32;
        let block = apart(self.winograd.tiles() * tile);
        Tiles { tile, block, frequency: apart(channels.div_ceil(self.lanes) * block) }
    }

    /// Bytes of the tiles of so many channels.
    fn bytes(&self, channels: usize) -> Option<usize> {
        let padded = channels.checked_next_multiple_of(self.lanes)?.checked_add(self.lanes)?;
        let pixels = self.winograd.tiles().checked_add(64)?.checked_mul(F32)?;
        pixels.checked_mul(padded)?.checked_mul(FREQUENCIES)?;
        self.layout(channels).frequency.checked_mul(FREQUENCIES)
    }

    /// What each of the frequencies sums up.
    fn sums(&self) -> Sums {
        let (pixels, vectors) = (self.winograd.tiles(), self.filters.div_ceil(self.lanes));
        Sums { pixels, row: pixels, vectors, taps: 1, channels: self.inputs }
    }

    /// Milliseconds of both transforms: some 150 instructions each for a vector of a tile's channels, which pass through memory
    /// between its two halves.
    fn transforms_ms(&self, layer: &Workload, predictor: &Predictor<'_>) -> f64 {
        const INSTRUCTIONS: usize = 150;
        /// Of the peak of multiply-adds, as every third instruction loads or stores.
        const SHARE: f64 = 0.35;
        let Sums { pixels, vectors, .. } = self.sums();
        let (workers, peak) = (predictor.workers, 1e6 * predictor.machine.gflops());
        let blocks = self.inputs.div_ceil(self.lanes) + vectors;
        let instructions = 2.0 * (INSTRUCTIONS * pixels * blocks * self.lanes) as f64;
        instructions / (SHARE * peak) / workers as f64
            + predictor.far(layer.read_bytes() / workers)
            + 2.0 * predictor.far(layer.bytes / workers)
            + 2.0 * predictor.barrier()
    }

    /// Milliseconds of the products between them, with the passing of all tiles through memory.
    fn products_ms(&self, predictor: &Predictor<'_>) -> f64 {
        let Sums { pixels, vectors, .. } = self.sums();
        let (workers, peak) = (predictor.workers, 1e6 * predictor.machine.gflops());
        let between = self.bytes(self.inputs).unwrap_or(0) + self.bytes(self.filters).unwrap_or(0);
        let flops = 2.0 * (FREQUENCIES * pixels * vectors * self.lanes * self.inputs) as f64;
        let panels = tiles::items(predictor.machine.width(), self.sums());
        let share = predictor.share(panels) as f64 / panels.max(1) as f64;
        let weights = predictor.far(FREQUENCIES * (self.inputs + 1) * vectors * self.lanes * F32 / workers);
        (flops / (0.85 * peak) * share).max(weights)
            + 3.0 * predictor.far(between / workers)
            + predictor.calls(FREQUENCIES)
    }
}

/// Tiles in the arena.
#[derive(Clone, Copy)]
struct Stored {
    region: Region,
    tiles: Tiles,
}

impl Stored {
    fn new(placement: &mut Placement<'_>, tiles: Tiles) -> Stored {
        let region = placement.new_tensor(tiles.frequency * FREQUENCIES, Blank::default());
        Stored { region, tiles }
    }

    fn bytes(&self) -> usize {
        self.tiles.frequency * FREQUENCIES
    }

    /// By blocks of channels.
    fn argument(&self) -> Argument {
        Argument { region: self.region, offset: 0, stride: self.tiles.block }
    }

    /// Those of one frequency.
    fn at(&self, frequency: usize) -> Argument {
        Argument { region: self.region, offset: frequency * self.tiles.frequency, stride: 0 }
    }

    /// How one frequency lies, as a map of one row.
    fn strides(&self) -> Strides {
        Strides { row: 0, pixel: self.tiles.tile, block: self.tiles.block, channel: F32 }
    }
}

/// The three stages, and the memory of the tiles between them.
fn place(placement: &mut Placement<'_>, id: NodeId, product: Product) -> Result<(), Diagnostic> {
    let net = placement.net;
    let conv = net.convolution(id).expect("a product is made of a convolution");
    let operands = Operands::place_in_blocks(placement, id)?;
    let values = Stored::new(placement, product.layout(product.inputs));
    let sums = Stored::new(placement, product.layout(product.filters));
    let columns = tiles::conv(net.width, product.sums());
    let source = convolution::source(net, id, conv)?;
    let bias = bias(placement, &source);
    let panels = columns.iter().map(|columns| columns.panels).collect();
    let weights = placement.pack(Source::Winograd(pack::Conv { bias: None, panels, ..source }));
    transform(placement, id, product.winograd, (operands.input, values));
    multiply(placement, id, product, [values, sums], (columns, weights));
    transform_back(placement, id, (product, sums), (operands, bias, conv.epilogue));
    Ok(())
}

/// The bias in vectors, zeros where there is none.
fn bias(placement: &mut Placement<'_>, source: &pack::Conv) -> Argument {
    let mut bias = source.bias.as_deref().map_or_else(|| vec![0.0; source.filters], |bias| bias.to_vec());
    bias.resize(source.filters.next_multiple_of(source.lanes), 0.0);
    placement.pack(Source::Values(bias.into()))
}

/// The stage that transforms the input.
fn transform(
    placement: &mut Placement<'_>,
    id: NodeId,
    winograd: Winograd,
    (input, values): (Placed, Stored),
) {
    placement.pass(id, 2 * values.bytes(), &[input.region, values.region], move |kernels| {
        let program = winograd::input(kernels.width, &winograd, input.strides, values.tiles);
        let arguments = vec![input.argument(input.strides.block), values.argument()];
        kernels.items(program, arguments, input.channels.div_ceil(kernels.width.lanes))
    });
}

/// The stage of the products: a pointwise convolution for each frequency.
fn multiply(
    placement: &mut Placement<'_>,
    id: NodeId,
    product: Product,
    [values, sums]: [Stored; 2],
    (columns, weights): (Vec<Columns>, Argument),
) {
    let conv = Conv {
        rows: Axis::plain(1),
        columns: Axis::plain(product.winograd.tiles()),
        channels: product.inputs,
        input: values.strides(),
        output: sums.strides(),
        residual: sums.strides(),
        epilogue: Epilogue::default(),
    };
    let cost = placement.net.predicted(|predictor| product.products_ms(predictor));
    placement.add_stage(&[id], Effort::Predicted(cost), &[values.region, sums.region], move |kernels| {
        let mut calls = Vec::new();
        let mut weights = weights;
        for frequency in 0..FREQUENCIES {
            let output = sums.at(frequency);
            let mut base = Base { input: values.at(frequency), weights, output, residual: output };
            for columns in &columns {
                calls.push(convolution::by_panels(kernels, &conv, columns, base)?);
                base.pass(&conv, columns.panels, product.lanes);
            }
            weights = base.weights;
        }
        Ok(Work::Items(calls))
    });
}

/// The stage that transforms the sums back.
fn transform_back(
    placement: &mut Placement<'_>,
    id: NodeId,
    (product, sums): (Product, Stored),
    (operands, bias, epilogue): (Operands, Argument, Epilogue),
) {
    let Operands { output, residual, .. } = operands;
    let touched = [sums.region, output.region, residual.region];
    placement.pass(id, 2 * sums.bytes(), &touched, move |kernels| {
        let maps = [output.strides, residual.strides];
        let program = winograd::output(kernels.width, &product.winograd, sums.tiles, maps, &epilogue);
        let arguments = vec![
            sums.argument(),
            Argument { stride: product.lanes * F32, ..bias },
            output.argument(output.strides.block),
            residual.argument(residual.strides.block),
        ];
        kernels.items(program, arguments, product.filters.div_ceil(product.lanes))
    });
}
