//! What is applied to the input of a convolution.

use frit_ir::NodeId;
use frit_ir::diagnostic::Diagnostic;
use frit_ir::ops::{Activation, Conv2d};

use super::Scheduler;
use super::placement::Placed;

/// Whether the kernel of depthwise convolutions computes `conv` over so many input channels: it is depthwise, and what comes
/// before it is nothing or a clamp, whose lower bound comes with the load.
pub(super) fn has_depthwise_kernel(conv: &Conv2d, input_channels: usize) -> bool {
    conv.is_depthwise(input_channels) && conv.prologue.is_none_or(|prologue| prologue.bounds().is_some())
}

impl Scheduler<'_> {
    /// What node `id` reads first, with `prologue` applied to it by a step of its own: not every kernel has a place for it.
    pub(super) fn before(&mut self, id: NodeId, prologue: Activation) -> Result<Placed, Diagnostic> {
        let operand = self.graph.operands(id)[0];
        let input = self.tensor_in_blocks(operand)?;
        let output = self.place_in_blocks(&self.shapes[&operand].clone());
        self.each_element(id, None, Some(prologue), [input, output])?;
        Ok(output)
    }
}
