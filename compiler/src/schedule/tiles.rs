//! Tiles: how many neighbouring outputs a kernel computes at once, by rule from the shape and the target.

use crate::kernels::conv::Panels;
use crate::kernels::window::Axis;
use crate::vector::program::Width;

/// A convolution's tile and the panels that cover its output channels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConvTile {
    /// Neighbouring outputs of a tile.
    pub(super) pixels: usize,
    /// One or two kinds of panels, the wider first.
    pub(super) panels: Vec<Panels>,
}

/// Sums that a kernel keeps in registers.
///
/// At 128 bits 8: Cranelift copies a multiplicand for every fused multiply-add and spills beyond that. Wider vectors
/// leave four registers for the weights and the broadcast value.
fn sums(width: Width) -> usize {
    if width.lanes == 4 { 8 } else { width.registers - 4 }
}

/// The tile for `pixels` outputs of `vectors` blocks of channels each: two blocks wide, and as many pixels as the sums
/// allow; wider where there are too few pixels to keep the multipliers busy.
pub(super) fn conv(width: Width, pixels: usize, vectors: usize) -> ConvTile {
    let sums = sums(width);
    let wide = 2.max(sums / pixels.clamp(1, sums)).min(vectors);
    let tile = (sums / wide).clamp(1, pixels.max(1));
    let mut panels = vec![Panels { vectors: wide, count: vectors / wide }];
    if !vectors.is_multiple_of(wide) {
        panels.push(Panels { vectors: vectors % wide, count: 1 });
    }
    ConvTile { pixels: tile, panels }
}

/// Outputs of a depthwise tile: up to 8, with a row of the window and one column of the input beside them.
pub(super) fn depthwise(width: Width, columns: &Axis) -> usize {
    let beside = columns.kernel + 1;
    let room = if beside + 4 > width.registers { width.registers - 2 } else { width.registers - beside };
    room.clamp(1, 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTABLE: Width = Width { lanes: 4, registers: 16, fused: true };

    #[test]
    fn a_map_gets_four_pixels_by_two_vectors() {
        let tile = conv(PORTABLE, 196, 24);
        assert_eq!(tile, ConvTile { pixels: 4, panels: vec![Panels { vectors: 2, count: 12 }] });
    }

    #[test]
    fn one_pixel_gets_eight_vectors_and_the_rest_is_a_panel_of_its_own() {
        let tile = conv(PORTABLE, 1, 250);
        assert_eq!(tile.pixels, 1);
        assert_eq!(tile.panels, [Panels { vectors: 8, count: 31 }, Panels { vectors: 2, count: 1 }]);
    }

    #[test]
    fn one_vector_gets_eight_pixels() {
        assert_eq!(conv(PORTABLE, 49, 1).pixels, 8);
    }
}
