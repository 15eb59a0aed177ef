//! Squeeze and excite: the gate, and what it scales.
//!
//! The depthwise convolution before it leaves the sum of each row of its map (see `kernels::depthwise`), in the same place
//! whichever way its block goes through the caches. From these the two small layers make the gate, in one stage where the
//! first of them takes less than a barrier, else in two. The gate then scales the map, or the weights of the convolution
//! behind, as the graph says.

use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::squeeze_excite::Small;
use frit_ir::ops::{Binary, SqueezeExcite};
use frit_ir::{NodeId, Op, Shape};

use crate::kernels::binary::{self, Function, Join, Side};
use crate::kernels::conv::Panels;
use crate::kernels::depthwise::RowSums;
use crate::kernels::squeeze::{self, Part, Squeeze};
use crate::kernels::{F32, Strides, pool};
use crate::pack::{self, Source};
use crate::plan::{Argument, Region};
use crate::schedule::network::Network;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::predict::Predictor;
use crate::schedule::stage::Effort;

/// What a gate is made of: the sums of rows, and the packed weights of the two layers.
#[derive(Clone, Copy)]
struct Sources {
    sums: Argument,
    reduce: Argument,
    expand: Argument,
}

/// The gate, and where it scales the map, the map.
pub(super) fn place(
    placement: &mut Placement<'_>,
    id: NodeId,
    layers: &SqueezeExcite,
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let operand = net.operand(id, 0);
    let map = placement.tensor_in_blocks(operand)?;
    let (mut spec, sums) = if net.leaves_row_sums(operand) {
        let (sums, begin) = map.row_sums(net.width.lanes);
        (spec(&map, sums, layers), map.reach_from(begin, 0))
    } else {
        let pooled = place_means(placement, id, &map);
        let sums = RowSums { row: 0, block: pooled.strides.block };
        (spec(&Placed { rows: 1, columns: 1, ..map }, sums, layers), pooled.reach(0))
    };
    spec.layers.scales = false;
    let [reduce, expand] = pack_layers(placement, id, layers, map.channels)?;
    let vector = Shape::new(&[1, 1, map.channels]);
    let gate = if layers.scales { placement.place_in_blocks(&vector) } else { placement.place(id) };
    place_gate(placement, id, spec, Sources { sums, reduce, expand }, gate);
    if layers.scales {
        place_scaled(placement, id, (operand, map), gate);
    }
    Ok(())
}

fn spec(map: &Placed, sums: RowSums, layers: &SqueezeExcite) -> Squeeze {
    Squeeze { channels: map.channels, rows: map.rows, pixels: map.pixels(), sums, layers: *layers }
}

/// The means of `map`, where nothing left its sums.
fn place_means(placement: &mut Placement<'_>, id: NodeId, map: &Placed) -> Placed {
    let (net, map) = (placement.net, *map);
    let pooled = placement.place_in_blocks(&Shape::new(&[1, 1, map.channels]));
    let items = net.blocks(map.channels);
    let bytes = map.pixels() * items * net.width.lanes * F32;
    placement.pass(id, bytes, &[map.region, pooled.region], move |kernels| {
        let program = pool::build(kernels.width, map.pixels(), map.strides, pooled.strides);
        let arguments = vec![map.reach(map.strides.block), pooled.reach(pooled.strides.block)];
        kernels.items(program, arguments, items)
    });
    pooled
}

fn pack_layers(
    placement: &mut Placement<'_>,
    id: NodeId,
    layers: &SqueezeExcite,
    channels: usize,
) -> Result<[Argument; 2], Diagnostic> {
    let [reduce, expand] = layers.split(&placement.net.graph.node(id).weights);
    let reduce = pack_layer(placement, &layers.reduce, reduce, [channels, layers.squeezed])?;
    let expand = pack_layer(placement, &layers.expand, expand, [layers.squeezed, channels])?;
    Ok([reduce, expand])
}

/// The weights of a layer block by block: an item is one.
fn pack_layer(
    placement: &mut Placement<'_>,
    layer: &Small,
    names: &[String],
    [inputs, filters]: [usize; 2],
) -> Result<Argument, Diagnostic> {
    let net = placement.net;
    let lanes = net.width.lanes;
    let kernel = net.graph.weights.values(&names[0])?;
    let bias = if layer.bias { Some(net.graph.weights.values(&names[1])?) } else { None };
    let packed = placement.pack(Source::Conv(pack::Conv {
        kernel,
        bias,
        taps: 1,
        inputs_per_group: inputs,
        filters,
        groups: 1,
        inputs: 0..inputs,
        outputs: 0..filters,
        panels: vec![Panels { vectors: 1, count: net.blocks(filters) }],
        lanes,
    }));
    Ok(Argument { stride: (1 + inputs) * lanes * F32, ..packed })
}

/// The stage or the two stages that make `gate` of the row sums.
fn place_gate(
    placement: &mut Placement<'_>,
    id: NodeId,
    spec: Squeeze,
    Sources { sums, reduce, expand }: Sources,
    gate: Placed,
) {
    let net = placement.net;
    let [first, last] = [spec.layers.squeezed, spec.channels].map(|channels| net.blocks(channels));
    let whole = |reach: Argument| Argument { stride: 0, ..reach };
    let gate = gate.reach(gate.strides.block);
    let scratch = placement.scratch(spec.scratch_bytes(net.width.lanes));
    if is_cheaper_twice(net, &spec) {
        let arguments = [sums, whole(reduce), expand, gate, scratch];
        placement.stage(id, &arguments.map(|argument| argument.region), move |kernels| {
            let program = squeeze::build(kernels.width, &spec, Part::Whole);
            kernels.items(program, arguments.to_vec(), last)
        });
        return;
    }
    // Each layer multiplies as often as the other.
    let half = Effort::Part(2);
    let reduced = placement.place_in_blocks(&Shape::new(&[1, 1, spec.layers.squeezed]));
    let arguments = [sums, reduce, reduced.reach(reduced.strides.block), scratch];
    placement.add_stage(&[id], half, &arguments.map(|argument| argument.region), move |kernels| {
        kernels.items(squeeze::build(kernels.width, &spec, Part::Reduce), arguments.to_vec(), first)
    });
    let arguments = [reduced.reach(0), expand, gate];
    placement.add_stage(&[id], half, &arguments.map(|argument| argument.region), move |kernels| {
        kernels.items(squeeze::build(kernels.width, &spec, Part::Expand), arguments.to_vec(), last)
    });
}

/// Whether two workers that both compute the first layer are done before they would have met.
fn is_cheaper_twice(net: &Network<'_>, spec: &Squeeze) -> bool {
    let bytes = F32 * spec.channels * spec.layers.squeezed.next_multiple_of(net.width.lanes);
    let predictor = Predictor { machine: net.machine, workers: 2 };
    let saved = 1e-6 * (bytes / predictor.workers) as f64 / net.machine.rates.far_gb_per_s;
    saved <= predictor.barrier()
}

/// The stage that multiplies `map`, the tensor of `operand`, by `gate`: in place where that has a place of its own and
/// nothing else reads it.
fn place_scaled(placement: &mut Placement<'_>, id: NodeId, (operand, map): (NodeId, Placed), gate: Placed) {
    let net = placement.net;
    let is_read = net.graph.users(operand) != [id] || net.is_output(operand) || net.is_output(id);
    let owns = matches!((map.region, net.op(operand)), (Region::Tensor(_), Op::Conv2d(_)));
    let output = if owns && !is_read {
        placement.settle(id, map);
        map
    } else {
        placement.place(id)
    };
    let one_pixel = Strides { row: 0, pixel: 0, ..gate.strides };
    let side = |strides: Strides| Side { strides, spreads: false };
    let product = Join {
        function: Function::Binary(Binary::Mul),
        size: [map.rows, map.columns],
        sides: [side(map.strides), side(one_pixel)],
        output: output.strides,
    };
    let items = net.blocks(map.channels);
    let bytes = 2 * map.pixels() * items * net.width.lanes * F32;
    placement.pass(id, bytes, &[map.region, gate.region, output.region], move |kernels| {
        let by_block = |tensor: &Placed| tensor.reach(tensor.strides.block);
        let arguments = vec![by_block(&map), by_block(&gate), by_block(&output)];
        kernels.items(binary::build(kernels.width, &product), arguments, items)
    });
}
