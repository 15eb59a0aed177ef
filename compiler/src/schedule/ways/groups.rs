//! A panel of expanded channels at a time through expansion and depthwise convolution, on memory of its worker; the panels
//! are shared out. Then the projection.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;

use super::pair::{self, Bases, Convolution, Split};
use crate::kernels::depthwise::Depthwise;
use crate::plan::{Way, Work};
use crate::schedule::block::Block;
use crate::schedule::layers;
use crate::schedule::network::Network;
use crate::schedule::placement::Placement;
use crate::schedule::stage::Effort;
use crate::schedule::subgraph::{Candidate, Subgraph};
use crate::schedule::tiles;

/// In groups of channels.
pub const GROUPS: Way =
    Way { name: "groups", about: "In groups of channels through expansion and depthwise convolution" };

pub(super) fn candidate(net: &Network<'_>, subgraph: &Subgraph<'_>) -> Option<Candidate> {
    let blueprint = subgraph.block.as_ref()?;
    let block = blueprint.block;
    let expand = block.expand?;
    let cost = net.predicted(|predictor| blueprint.pairs(predictor) + blueprint.behind(predictor));
    let of_pair = net.predicted(|predictor| blueprint.pairs(predictor));
    let place = move |placement: &mut Placement<'_>| {
        place_pair(placement, &block, expand, of_pair)?;
        match block.project {
            Some(project) => layers::place(placement, project),
            None => Ok(()),
        }
    };
    Some(Candidate { way: GROUPS, cost, place: Some(Box::new(place)) })
}

/// The stage of expansion and depthwise convolution.
fn place_pair(
    placement: &mut Placement<'_>,
    block: &Block,
    expand: NodeId,
    predicted_ms: [f64; 2],
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let input = placement.home(net.operand(expand, 0));
    let [rows, columns, channels] = net.map(expand);
    let (ring, bytes) = pair::in_scratch(net, [rows, columns, channels]);
    let mut layer = Convolution::new(placement, expand, input.strides, rows * columns)?;
    layer.prefetches = tiles::prefetches(rows * columns);
    (layer.conv.output, layer.conv.residual) = (ring, ring);
    let (depthwise, weights) = pair::depthwise(placement, block, ring)?;
    let output = placement.place(block.depthwise);
    let row_sums = pair::row_sums(net, block, &output);
    let depthwise = Depthwise { output: output.strides, residual: output.strides, row_sums, ..depthwise };
    let widest = layer.columns.iter().map(|columns| columns.panels.vectors).max().unwrap_or(0);
    let a_block = bytes / net.blocks(channels);
    let scratch = placement.scratch(widest * a_block);
    let tensors = [input.argument(0), layer.weights, weights, scratch, output.argument(0)];
    let row_sums = row_sums.map(|_| output.argument_from(output.row_sums(net.width.lanes).1, 0));
    let nodes = [expand, block.depthwise];
    placement.add_stage(
        &nodes,
        Effort::Predicted(predicted_ms),
        &[input.region, output.region],
        move |kernels| {
            let bases = Bases { tensors, row_sums };
            pair::calls(kernels, (&layer, &(0..rows)), (&depthwise, 0), bases, Split::Panels).map(Work::Items)
        },
    );
    Ok(())
}
