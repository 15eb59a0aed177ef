//! A band of output rows at a time through all layers. The expanded rows lie in a ring of the worker's (see `ring`), so that
//! rows which two bands need are expanded once; only where a worker begins, it expands what the band before would have
//! left it.

use std::ops::Range;

use frit_ir::diagnostic::Diagnostic;

use super::pair::{self, Bases, Convolution, Split, scratch};
use crate::kernels::Strides;
use crate::kernels::depthwise::{self, Depthwise};
use crate::plan::{Argument, Call, Region, Section, Way, Work};
use crate::schedule::block::Block;
use crate::schedule::network::Network;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::ring::Turns;
use crate::schedule::stage::{Effort, Kernels};
use crate::schedule::subgraph::{Candidate, Subgraph};
use crate::schedule::tiles;

/// In bands of rows.
pub const BANDS: Way = Way { name: "bands", about: "In bands of rows through all layers" };

pub(super) fn candidate(net: &Network<'_>, subgraph: &Subgraph<'_>) -> Option<Candidate> {
    let blueprint = subgraph.block.as_ref()?;
    let cost = net.predicted(|predictor| blueprint.bands(predictor));
    let (block, height) = (blueprint.block, blueprint.height());
    let place = move |placement: &mut Placement<'_>| {
        let bands = Bands::place(placement, &block, height)?;
        let touched: Vec<Region> =
            [bands.input, bands.residual, bands.output].iter().map(|placed| placed.region).collect();
        placement.add_stage(&block.layers(), Effort::Predicted(cost), &touched, move |kernels| {
            bands.sections(kernels).map(Work::Bands)
        });
        Ok(())
    };
    Some(Candidate { way: BANDS, cost, place: Some(Box::new(place)) })
}

/// The layers of a block with their packed weights, and what it reads and writes.
struct Bands {
    expand: Option<Convolution>,
    depthwise: Depthwise,
    depthwise_weights: Argument,
    project: Option<Convolution>,
    input: Placed,
    output: Placed,
    residual: Placed,
    /// How the ring lies, behind what the depthwise convolution makes, in scratch memory.
    ring: Strides,
    ring_offset: usize,
    turns: Turns,
}

impl Bands {
    fn place(placement: &mut Placement<'_>, block: &Block, height: usize) -> Result<Bands, Diagnostic> {
        let net = placement.net;
        let first = block.expand.unwrap_or(block.depthwise);
        let operand = net.operand(first, 0);
        let input = match block.expand {
            Some(_) => placement.home(operand),
            None => placement.tensor_in_blocks(operand)?,
        };
        let residual = net.op(block.last()).residual().map(|index| net.operand(block.last(), index));
        let residual = residual.map(|residual| placement.tensor_in_blocks(residual)).transpose()?;
        let [rows, columns, channels] = net.map(first);
        let layer = |placement: &mut Placement<'_>, id, strides, pixels| {
            Convolution::new(placement, id, strides, pixels)
        };
        let mut expand =
            block.expand.map(|id| layer(placement, id, input.strides, rows * columns)).transpose()?;
        let (mut depthwise, depthwise_weights) = pair::depthwise(placement, block, input.strides)?;
        let turns = Turns::new(depthwise.rows, height, expand.is_some());
        let [rows_out, columns_out, channels_out] = net.map(block.depthwise);
        let band_rows = if block.project.is_some() { height } else { 0 };
        let (band, band_bytes) = pair::in_scratch(net, [band_rows, columns_out, channels_out]);
        let (ring, ring_bytes) = pair::in_scratch(net, [turns.ring.rows, columns, channels]);
        let ring_offset = band_bytes.next_multiple_of(64);
        let mut project =
            block.project.map(|id| layer(placement, id, band, rows_out * columns_out)).transpose()?;
        let output = placement.place(block.last());
        let residual = residual.unwrap_or(output);
        (depthwise.output, depthwise.residual) = (output.strides, output.strides);
        depthwise.row_sums = pair::row_sums(net, block, &output);
        if let Some(project) = &mut project {
            (project.conv.output, project.conv.residual) = (output.strides, residual.strides);
            (depthwise.output, depthwise.residual) = (band, band);
        }
        placement.scratch(ring_offset);
        if let Some(expand) = &mut expand {
            (expand.conv.output, expand.conv.residual) = (ring, ring);
            (depthwise.input, depthwise.ring) = (ring, turns.ring);
            placement.scratch(ring_offset + ring_bytes);
        }
        Ok(Bands {
            expand,
            depthwise,
            depthwise_weights,
            project,
            input,
            output,
            residual,
            ring,
            ring_offset,
            turns,
        })
    }

    fn sections(&self, kernels: &mut Kernels) -> Result<Vec<Section>, Diagnostic> {
        let window = self.expand.as_ref().filter(|layer| !layer.is_flat).map(|layer| layer.conv.rows);
        let mut sections = Vec::new();
        for (first, bands) in self.turns.sections(window) {
            let halo = self.halo(kernels, first)?;
            let mut calls = Vec::new();
            for span in self.turns.bands(first) {
                calls.extend(self.band(kernels, &span)?);
            }
            sections.push(Section { bands, halo, calls });
        }
        Ok(sections)
    }

    /// What a worker runs before `turn` where it begins there.
    fn halo(&self, kernels: &mut Kernels, turn: usize) -> Result<Vec<Call>, Diagnostic> {
        let rows = self.turns.halo(turn);
        match &self.expand {
            Some(expand) if !rows.is_empty() => {
                let input = self.input.argument(self.input_advance());
                let ring = self.ring(&rows);
                expand.calls(kernels, &rows, [input, ring, ring])
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The calls of a band of output rows.
    fn band(&self, kernels: &mut Kernels, span: &Range<usize>) -> Result<Vec<Call>, Diagnostic> {
        let turns = &self.turns;
        let depthwise = Depthwise { span: span.clone(), ..self.depthwise.clone() };
        let input = self.input.argument(self.input_advance());
        let by_row = |placed: &Placed| {
            let row = placed.strides.row;
            placed.argument_from(span.start * row, turns.height() * row)
        };
        let own = self.depthwise_weights;
        let lanes = kernels.width.lanes;
        let row_sums = depthwise.row_sums.map(|sums| {
            let (_, begin) = self.output.row_sums(lanes);
            self.output.argument_from(begin + span.start * sums.row, turns.height() * sums.row)
        });
        let band = if self.project.is_some() { scratch(0) } else { by_row(&self.output) };
        let mut calls = match &self.expand {
            Some(expand) => {
                let rows = turns.fresh(span);
                let offset = self.ring(&rows).offset - self.ring_offset;
                let tensors = [input, expand.weights, own, scratch(self.ring_offset), band];
                let bases = Bases { tensors, row_sums };
                pair::calls(kernels, (expand, &rows), (&depthwise, offset), bases, Split::Nothing)?
            }
            None => {
                let pixels = tiles::depthwise(kernels.width, &depthwise);
                let items = self.input.channels.div_ceil(lanes);
                let arguments = [input, own, band, band].into_iter().chain(row_sums).collect();
                let program = depthwise::build(kernels.width, &depthwise, pixels);
                vec![kernels.call(program, arguments, items)?]
            }
        };
        if let Some(project) = &self.project {
            let reaches = [band, by_row(&self.output), by_row(&self.residual)];
            calls.extend(project.calls(kernels, &(0..span.len()), reaches)?);
        }
        Ok(calls)
    }

    /// Bytes of the input from one turn to the next.
    fn input_advance(&self) -> usize {
        let rows = self.expand.as_ref().map_or(1, |expand| expand.conv.rows.stride);
        self.turns.advance() * rows * self.input.strides.row
    }

    fn ring(&self, rows: &Range<usize>) -> Argument {
        let place = if rows.is_empty() { 0 } else { self.turns.ring.place(rows.start) };
        scratch(self.ring_offset + place * self.ring.row)
    }
}
