//! Transposed convolutions: an ordinary convolution for each phase of the stride.
//!
//! The outputs at the same place between two steps of the stride meet the same taps: every so manyth of the kernel, in
//! reverse. They are the outputs of a plain convolution with those taps, stored a stride apart.

use frit_ir::NodeId;
use frit_ir::diagnostic::{Diagnostic, codes};
use frit_ir::ops::{Conv2dTranspose, Scalar};

use super::convolution::{self, Operands, Weighted};
use super::large_window;
use crate::kernels::Strides;
use crate::kernels::window::{self, Axis};
use crate::pack;
use crate::schedule::placed::Placed;
use crate::schedule::placement::Placement;
use crate::schedule::windows::check_window;

/// The most phases of a stride, each of which is a convolution of its own.
const MOST_PHASES: usize = 1024;

/// One axis of a phase.
struct Phase {
    /// The window over what is left of the input.
    axis: Axis,
    /// The kernel's taps under it, in order.
    taps: Vec<usize>,
    /// Elements of the input before the first that is read.
    skipped: usize,
    /// The first output.
    first: usize,
}

/// An ordinary convolution for each phase.
pub(super) fn place(
    placement: &mut Placement<'_>,
    id: NodeId,
    conv: &Conv2dTranspose,
) -> Result<(), Diagnostic> {
    let net = placement.net;
    let operand = net.operand(id, 0);
    let channels = net.input_channels(id);
    if conv.stride[0].saturating_mul(conv.stride[1]) > MOST_PHASES {
        let [down, across] = conv.stride;
        let message = format!("a stride of {down}x{across} has more than {MOST_PHASES} phases");
        return Err(
            Diagnostic::error(codes::LIMIT, message).help("resize the map, and put a convolution behind it")
        );
    }
    let (kernel, bias) = net.kernel_and_bias(id, conv.epilogue)?;
    let mut operands = Operands::place(placement, id)?;
    if window::is_large(conv.kernel) {
        operands.input = placement.tensor_in_blocks(operand)?;
    }
    let phases = |axis: usize| {
        let input = [operands.input.rows, operands.input.columns][axis];
        let output = [operands.output.rows, operands.output.columns][axis];
        let phase = move |first: usize| phase(conv, axis, [input, output], first);
        (0..conv.stride[axis].min(output)).map(phase).collect::<Vec<_>>()
    };
    let across = phases(1);
    let per_tap = kernel.len() / (conv.kernel[0] * conv.kernel[1]);
    let mut parts = Vec::new();
    for down in phases(0) {
        for across in &across {
            let axes = [down.axis, across.axis];
            check_window(&axes[1], channels)?;
            let taps = down.taps.iter().flat_map(|y| across.taps.iter().map(move |x| y * conv.kernel[1] + x));
            let mut values: pack::Values =
                taps.flat_map(|tap| kernel[tap * per_tap..][..per_tap].iter().copied()).collect();
            let mut part = operands.phase([&down, across], conv.stride);
            let mut axes = axes;
            if window::is_large(axes.map(|axis| axis.kernel)) {
                values = large_window::kernel(&values, &axes);
                (part.input, axes) = large_window::place(placement, id, part.input, axes, Scalar::default())?;
            }
            let source = pack::Conv {
                kernel: values,
                bias: bias.clone(),
                taps: axes[0].kernel * axes[1].kernel,
                inputs_per_group: channels / conv.groups,
                filters: conv.filters,
                groups: conv.groups,
                inputs: 0..channels,
                outputs: 0..conv.filters,
                panels: Vec::new(),
                lanes: net.width.lanes,
            };
            let work = Weighted { id, axes, epilogue: conv.epilogue };
            parts.extend(convolution::parts(placement, &part, work, &source));
        }
    }
    convolution::stage(placement, id, parts);
    Ok(())
}

impl Operands {
    /// What a phase reads and writes.
    fn phase(&self, [down, across]: [&Phase; 2], stride: [usize; 2]) -> Operands {
        let moved = |placed: Placed, [row, column]: [usize; 2]| Placed {
            offset: placed.offset + row * placed.strides.row + column * placed.strides.pixel,
            ..placed
        };
        let outputs = |placed: Placed| {
            let Strides { row, pixel, .. } = placed.strides;
            Placed {
                rows: down.axis.output,
                columns: across.axis.output,
                strides: Strides { row: stride[0] * row, pixel: stride[1] * pixel, ..placed.strides },
                ..moved(placed, [down.first, across.first])
            }
        };
        Operands {
            input: Placed {
                rows: self.input.rows - down.skipped,
                columns: self.input.columns - across.skipped,
                ..moved(self.input, [down.skipped, across.skipped])
            },
            output: outputs(self.output),
            residual: outputs(self.residual),
            gate: None,
        }
    }
}

/// The outputs `first`, `first + stride` and so on along `axis`.
fn phase(conv: &Conv2dTranspose, axis: usize, [input, output]: [usize; 2], first: usize) -> Phase {
    let (stride, dilation) = (conv.stride[axis], conv.dilation[axis]);
    let count = (output - first).div_ceil(stride);
    let origin = (first + conv.padding.along(axis)[0]) as i64;
    // The inputs under the taps of the first output, from the last tap, which lies first, on.
    let under = |tap: usize| {
        let place = origin - (tap * dilation) as i64;
        (place.rem_euclid(stride as i64) == 0).then(|| place.div_euclid(stride as i64))
    };
    let met: Vec<(usize, i64)> =
        (0..conv.kernel[axis]).rev().filter_map(|tap| Some((tap, under(tap)?))).collect();
    let begin = met.first().map_or(i64::MAX, |&(_, place)| place);
    let skipped = usize::try_from(begin).unwrap_or(0);
    let plain = Axis { input, output: count, kernel: 1, stride: 1, dilation: 1, before: count };
    if skipped >= input {
        // Nothing but the bias: a tap that no output reaches.
        return Phase { axis: plain, taps: vec![0], skipped: 0, first };
    }
    let apart = met.get(1).map_or(1, |&(_, second)| (second - begin) as usize);
    let before = usize::try_from(-begin).unwrap_or(0);
    let axis = Axis { input: input - skipped, kernel: met.len(), dilation: apart, before, ..plain };
    Phase { axis, taps: met.into_iter().map(|(tap, _)| tap).collect(), skipped, first }
}
