//! ONNX files.
//!
//! A file is decoded where it is mapped: weights stay there until they are asked for. What is known when it is read is
//! computed (`fold`); everything else becomes a layer of the graph under the name of its node, or of its first result where it
//! has none. Tensors keep the file's order of axes outside, batch, channels, height, width, and have the graph's inside; the
//! two meet in transposes at the border (`layout`).
//!
//! The axis of a batch is none of the graph: it is the first one of an input where that has a symbol, or another number than 1
//! in front of a map or vector. A file for one image is one for any number of them.

mod call;
mod constant;
mod data_type;
mod decode;
mod fault;
mod fold;
mod functions;
mod importer;
mod join;
mod layout;
mod moments;
mod names;
mod network;
mod ops;
mod order;
mod shapes;
mod signature;
mod symbol;
mod tensors;
mod training;

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph};
use frit_passes::legality;
use frit_runtime::map::MappedFile;

use self::decode::Decoded;
use self::importer::Importer;
use self::network::Network;
use self::tensors::Store;
use super::budget::Budget;
use super::files::{folder, place};
use super::request::Request;
use crate::onnx::Model;

/// The versions of ONNX's operators that are read.
const VERSIONS: std::ops::RangeInclusive<i64> = 7..=24;

/// The graph of the ONNX file `model`, with warnings.
///
/// # Errors
/// All faults of the file.
pub(super) fn load(model: &Path, request: &Request) -> Result<(Graph, Faults), Faults> {
    let file = model.display().to_string();
    let in_file = |mut faults: Faults| {
        faults
            .iter_mut()
            .filter(|fault| fault.place.file.is_empty())
            .for_each(|fault| fault.place = place(&file));
        faults
    };
    if request.weights.is_some() {
        let message = "an ONNX file says itself where its weights are";
        let fault = Diagnostic::error(codes::BAD_VALUE, message).help("leave --weights out");
        return Err(in_file(fault.into()));
    }
    let bytes = MappedFile::open(model).map_err(|error| {
        in_file(Diagnostic::error(codes::FILE_UNREADABLE, format!("the file can't be read: {error}")).into())
    })?;
    let name = model.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    match read(Bytes::from_owner(bytes), Some(folder(model)), request) {
        Ok((mut graph, warnings)) => {
            graph.name = name;
            Ok((graph, in_file(warnings)))
        }
        Err(faults) => Err(in_file(faults)),
    }
}

/// The graph of the ONNX file that `bytes` are, with warnings. Weights in other files are read in `folder`.
///
/// # Errors
/// All faults of the file.
pub fn read(bytes: Bytes, folder: Option<&Path>, request: &Request) -> Result<(Graph, Faults), Faults> {
    let budget = Arc::new(Budget::of(bytes.len() as u64));
    let Decoded { model, functions } = decode::decode(bytes, &budget)?;
    let Some(nodes) = &model.graph else {
        return Err(Diagnostic::error(codes::ONNX_FILE, "the model has no graph").into());
    };
    let version = version(&model)?;
    let items = functions::written_out(&model, version, (&functions, &budget))?;
    let order = order::order(nodes, &items)?;
    let network = Network::new(Store::new(folder, &request.written), Arc::clone(&budget));
    let mut importer = Importer::new(nodes, (&items, &order), network, &budget);
    signature::inputs(&mut importer, request);
    for &index in order.nodes.iter().take_while(|_| !budget.is_spent()) {
        importer.node(&items[index]);
    }
    if budget.is_spent() {
        // What is left was not looked at.
        return Err(importer.network.faults);
    }
    importer.tell_missing();
    importer.tell_training();
    importer.tell_unread();
    signature::outputs(&mut importer);
    finish(importer.network)
}

/// The version of ONNX's operators that the file is written in.
fn version(model: &Model) -> Result<i64, Diagnostic> {
    let Some(version) = functions::version(&model.opset_import)? else {
        let message = "the file does not say which version of ONNX's operators (opset) it is written in";
        return Err(
            Diagnostic::error(codes::ONNX_VERSION, message).help("export the model again, with an opset")
        );
    };
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    let (first, last) = (VERSIONS.start(), VERSIONS.end());
    let side =
        if version > *last { "newer than any that is known" } else { "older than those that are read" };
    let message =
        format!("the file is written in version {version} of ONNX's operators (opset), which is {side}");
    Err(Diagnostic::error(codes::ONNX_VERSION, message)
        .note(format!("frit reads versions {first} to {last}"))
        .help("convert the model: onnx.version_converter.convert_version(model, 17)"))
}

/// What is left when all layers are there: no layer that nothing needs.
fn finish(mut network: Network) -> Result<(Graph, Faults), Faults> {
    // A file with faults never comes to legality: its joins are told here, so that one run tells all.
    if network.faults.has_errors() {
        network.faults.extend(legality::join_faults(&network.built.graph));
    }
    signature::prune(&mut network.built.graph);
    network.faults.unless_errors(network.built.finish())
}
