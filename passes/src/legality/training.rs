//! Batch normalisation in training mode: a compiled network normalises by the statistics that training left behind,
//! never by those of the images at hand (Ioffe and Szegedy, 2015).

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

/// The fault of a batch normalisation that takes its statistics from the images at hand.
pub fn fault() -> Diagnostic {
    Diagnostic::error(codes::TRAINING_MODE, "the batch normalisation is in training mode")
        .note("its result would depend on the other images of the batch, and its mean and variance would change")
        .help("export the network for inference: training=False in Keras, model.eval() in PyTorch; or write \"training\": false")
}
