//! Stages: several blocks in one line, as the papers' tables have them. The first block takes the stage's stride, the
//! others 1.

mod block;
mod bottleneck;
mod inverted_residual;
mod separable;

use super::entry::Entry;

/// The stages by their names in descriptions.
pub(super) const STAGES: &[Entry] = &[
    Entry::new::<inverted_residual::Fields>(
        "inverted_residual",
        "Blocks that expand, filter each channel and project (MobileNetV2 and V3, MnasNet, EfficientNet)",
    ),
    Entry::new::<separable::Fields>("separable", "Depthwise and 1x1 convolutions in turn (MobileNet)"),
    Entry::new::<bottleneck::Fields>(
        "bottleneck",
        "Blocks that reduce, filter in groups and expand, around a shortcut (ResNet, ResNeXt)",
    ),
];
