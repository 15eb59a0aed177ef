//! What is said of weights that were drawn, not trained.

use frit_ir::diagnostic::codes;
use frit_ir::weights::Data;
use frit_ir::{Diagnostic, Faults, Graph};

/// The warning that `what`, layers that were added to a network, has weights that nobody trained; nothing where it has none.
pub(crate) fn warning(layers: &Graph, what: &str) -> Faults {
    let drawn: Vec<(&str, u64)> = layers
        .weights
        .iter()
        .filter_map(|(name, weight)| match weight.data {
            Data::Seeded(seed) => Some((name, seed)),
            _ => None,
        })
        .collect();
    let Some(&(_, seed)) = drawn.first() else { return Faults::new() };
    let names: Vec<&str> = drawn.iter().map(|(name, _)| *name).collect();
    let message = format!("{what} has weights that nobody trained, drawn from seed {seed}");
    let fault = Diagnostic::warning(codes::UNTRAINED_LAYERS, message);
    fault
        .note(format!("they are {}", names.join(", ")))
        .help("train them before you trust what comes out")
        .into()
}
