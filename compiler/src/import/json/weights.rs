//! Values for the weights: from a safetensors file, or from a seed when they are asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use frit_ir::diagnostic::codes;
use frit_ir::weights::{Data, Mapped, Owner};
use frit_ir::{Diagnostic, Graph, Shape, Weight};
use frit_runtime::map::MappedFile;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::build::Needed;
use super::layer::WrittenLayer;
use super::tensors;
use crate::import::document::Value;
use crate::import::findings::Findings;
use crate::import::limits;
use crate::import::nearest::nearest;

/// Unused tensors that are told of by name.
const UNUSED_NAMED: usize = 8;

/// Gives every weight in `needed` to `graph`, to be drawn from `seed`.
pub(super) fn seeded<'a>(
    graph: &mut Graph,
    needed: Vec<Needed>,
    seed: u64,
    at: &Value<'a>,
    findings: &mut Findings<'a>,
) {
    let total = needed
        .iter()
        .fold(0usize, |total, weight| total.saturating_add(weight.shape.elements().unwrap_or(usize::MAX)));
    if total > limits::SEEDED_VALUES {
        let message = format!("{total} seeded weights are above the limit of {}", limits::SEEDED_VALUES);
        findings.add(at, Diagnostic::error(codes::LIMIT, message));
        return;
    }
    for weight in needed {
        graph.weights.insert(weight.name, Weight::new(weight.shape, Data::Seeded(seed)));
    }
}

/// Where weights are read from.
pub(super) struct Shelf<'s, 'a> {
    /// The file.
    pub(super) path: &'s Path,
    /// The file's name in faults.
    pub(super) name: &'s str,
    /// Where the description names it.
    pub(super) at: &'s Value<'a>,
}

/// Gives every weight in `needed` to `graph`, with its values from the file. Weights that are missing, of another type or
/// shape are faults, tensors that nobody needs a warning. Whether the values are finite is legality's concern.
///
/// Returns the shapes of those that have another shape than is needed.
pub(super) fn from_file<'a>(
    graph: &mut Graph,
    needed: &[Needed],
    shelf: &Shelf<'_, 'a>,
    layers: &[WrittenLayer<'a>],
    findings: &mut Findings<'a>,
) -> BTreeMap<String, Shape> {
    let mut misfits = BTreeMap::new();
    let unreadable = |reason: String| {
        let message = format!("the weights {} can't be read", shelf.name);
        Diagnostic::error(codes::WEIGHTS_UNREADABLE, message).note(reason)
    };
    let bytes = match MappedFile::open(shelf.path) {
        Ok(bytes) => Arc::new(bytes),
        Err(error) => {
            findings.add(shelf.at, unreadable(error.to_string()));
            return misfits;
        }
    };
    let file = match tensors::read(&bytes) {
        Ok(file) => file,
        Err(reason) => {
            findings.add(shelf.at, unreadable(reason));
            return misfits;
        }
    };
    let tensors: BTreeMap<&str, TensorView<'_>> = file.iter().collect();
    for weight in needed {
        match mapped(weight, &tensors, (&bytes, shelf.name)) {
            Ok(mapped) => {
                let shape = weight.shape.clone();
                graph.weights.insert(weight.name.clone(), Weight::new(shape, Data::Mapped(mapped)));
            }
            Err(fault) => {
                if let (codes::WEIGHT_SHAPE, Some(given)) = (fault.code, tensors.get(weight.name.as_str())) {
                    misfits.insert(weight.name.clone(), Shape::new(given.shape()));
                }
                let is_missing = fault.code == codes::WEIGHT_MISSING && !findings.is_full();
                let near = is_missing.then(|| nearest(&weight.name, tensors.keys().copied())).flatten();
                let fault = match near {
                    Some(near) => fault.help(format!("the nearest is {near}")),
                    None => *fault,
                };
                findings.add(&layers[weight.layer].value, fault.at(weight.node.clone()));
            }
        }
    }
    if !findings.has_errors()
        && let Some(warning) = unused(needed, &tensors, shelf.name)
    {
        findings.add(shelf.at, warning);
    }
    misfits
}

/// The values of one weight, which stay in the file.
fn mapped(
    weight: &Needed,
    tensors: &BTreeMap<&str, TensorView<'_>>,
    (bytes, file): (&Arc<MappedFile>, &str),
) -> Result<Mapped, Box<Diagnostic>> {
    let Some(tensor) = tensors.get(weight.name.as_str()) else {
        let message = format!("the weight {} is not in {file}", weight.name);
        let fault = Diagnostic::error(codes::WEIGHT_MISSING, message).note(format!("it is {}", weight.shape));
        return Err(Box::new(fault));
    };
    if tensor.dtype() != Dtype::F32 {
        let message = format!("the weight {} of {file} is {:?}, not F32", weight.name, tensor.dtype());
        return Err(Box::new(Diagnostic::error(codes::WEIGHT_TYPE, message)));
    }
    if tensor.shape() != weight.shape.axes() {
        let message = format!("the weight {} of {file} has another shape than its layer needs", weight.name);
        let fault = Diagnostic::error(codes::WEIGHT_SHAPE, message)
            .operand("given", weight.name.as_str(), Shape::new(tensor.shape()).to_string())
            .operand("needed", weight.name.as_str(), weight.shape.to_string());
        return Err(Box::new(fault));
    }
    let owner: Owner = bytes.clone();
    Mapped::part(owner, tensor.data()).ok_or_else(|| {
        let message = format!("the weight {} of {file} holds no whole number of values", weight.name);
        Box::new(Diagnostic::error(codes::WEIGHTS_UNREADABLE, message))
    })
}

/// The warning that some tensors are needed by no layer.
fn unused(needed: &[Needed], tensors: &BTreeMap<&str, TensorView<'_>>, file: &str) -> Option<Diagnostic> {
    let used: BTreeSet<&str> = needed.iter().map(|weight| weight.name.as_str()).collect();
    let unused: Vec<&str> = tensors.keys().copied().filter(|name| !used.contains(name)).collect();
    if unused.is_empty() {
        return None;
    }
    let more = unused.len().saturating_sub(UNUSED_NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = unused.iter().take(UNUSED_NAMED).copied().collect::<Vec<_>>().join(", ");
    let message = format!("{} tensors of {file} are needed by no layer", unused.len());
    Some(Diagnostic::warning(codes::WEIGHT_UNUSED, message).note(format!("{named}{tail}")))
}
