//! A part of a model: from one tensor, up to another, ready to be joined with others.

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph};
use frit_passes::cut::{self, Border, Cutter, Found, Unknown, Width};
use frit_passes::legality;
use frit_passes::stitch::{self, Part};

use super::findings::unknown;

/// Where a part begins and ends, by the names or numbers of layers; none means where the whole does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range<'s> {
    /// Behind this.
    pub from: Option<&'s str>,
    /// With this.
    pub until: Option<&'s str>,
}

/// Which sides of a part are joined to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sides {
    /// A part stands before it.
    pub before: bool,
    /// A part stands behind it.
    pub behind: bool,
}

/// A part of a model, and what its ends were found to be.
#[derive(Debug, Clone)]
pub struct Piece {
    /// The part.
    pub part: Part,
    /// Behind which layer or tensor it begins, where it is not the whole's beginning.
    pub from: Option<Found>,
    /// With which it ends, where it is not the whole's end.
    pub until: Option<Found>,
    /// What is odd but allowed.
    pub warnings: Faults,
}

/// The part of `graph` that `range` says.
///
/// # Errors
/// The network is not legal; it can't be cut there; a side that is to be joined has no single tensor.
pub fn part(graph: Graph, range: Range<'_>, sides: Sides, prefix: &str) -> Result<Piece, Faults> {
    let name = graph.name.clone();
    let (mut legal, mut warnings) = legality::check(graph)?;
    let (mut entry, mut from, mut until) = (None, None, None);
    if let Some(name) = range.from {
        let (boundary, found) = {
            let cutter = Cutter::new(&legal);
            let found = find(&cutter, name)?;
            let (boundary, more) = cutter.cut(std::slice::from_ref(&found), Width::Single)?;
            warnings.extend(more);
            (boundary, found)
        };
        from = Some(found);
        entry = boundary.crossing.first().map(|crossing| legal.node(crossing.node).name.clone());
        let tail = cut::tail(&legal, &boundary, Border::Graph);
        legal = legality::check(tail)?.0;
    } else if sides.before {
        entry = Some(legal.node(stitch::entrance(&legal)?).name.clone());
    }
    let mut graph = if sides.behind || range.until.is_some() {
        let cutter = Cutter::new(&legal);
        let found = match range.until {
            Some(name) => find(&cutter, name)?,
            None => only_output(&cutter, &legal)?,
        };
        let (boundary, more) = cutter.end(&found)?;
        until = Some(found).filter(|_| range.until.is_some());
        warnings.extend(more);
        cut::head(&legal, &boundary, Border::Graph)
    } else {
        legal.into_inner()
    };
    graph.name = name;
    let exit = graph.outputs().first().copied().filter(|_| sides.behind);
    let entry = entry.and_then(|entry| graph.find(&entry));
    let part = Part { graph, entry, exit, prefix: prefix.to_owned() };
    Ok(Piece { part, from, until, warnings })
}

/// The layer or tensor that `at` names.
///
/// # Errors
/// There is none, which is said with the nearest, or several.
pub fn find(cutter: &Cutter<'_>, at: &str) -> Result<Found, Diagnostic> {
    cutter.find(at).map_err(|fault| match fault {
        Unknown::Name { known } => {
            let known = known.iter().map(String::as_str);
            unknown(codes::UNKNOWN_LAYER, "there is no layer", at, Some(known))
        }
        Unknown::Index { layers } => {
            let message = format!("there is no layer {at}");
            let fault = Diagnostic::error(codes::UNKNOWN_LAYER, message);
            match layers {
                0 => fault.note("its layers have no numbers").help("name the layer"),
                _ => fault.note(format!("the layers that can be cut at have numbers up to {}", layers - 1)),
            }
        }
        Unknown::Ambiguous { calls } => {
            let message = format!("layer {at} is called {} times", calls.len());
            Diagnostic::error(codes::UNKNOWN_LAYER, message)
                .help(format!("name a call: {}", calls.join(", ")))
        }
    })
}

/// The only output, as the source has it: its axes may be the graph's where those of the output are not.
fn only_output(cutter: &Cutter<'_>, graph: &Graph) -> Result<Found, Diagnostic> {
    let names: Vec<&str> = graph.outputs().iter().map(|&id| graph.node(id).name.as_str()).collect();
    match names[..] {
        [only] => find(cutter, only),
        _ => {
            let message = format!("{} has {} outputs: {}", graph.name, names.len(), names.join(", "));
            let fault = Diagnostic::error(codes::NO_CUT, message);
            Err(fault.help("name the tensor with which it ends: MODEL@TENSOR"))
        }
    }
}
