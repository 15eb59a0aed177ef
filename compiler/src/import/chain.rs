//! A few layers in one line, as a command takes them: `global_avg_pool, dense 10, softmax`.
//!
//! Each is the name of an op of descriptions, what it counts (`dense 10` or `dense:10`, `conv2d 64 3`), and other fields as
//! `NAME=VALUE`. The line becomes a description, which says all else.

use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults, Graph, Shape};
use serde_json::{Map, Value as Json, json};

use super::json as description;
use super::request::Source;

/// What stands behind the name of an op without a name of its own, by the op.
const COUNTS: &[(&str, &[&str])] = &[
    ("dense", &["units"]),
    ("conv2d", &["filters", "kernel"]),
    ("conv2d_transpose", &["filters", "kernel"]),
    ("depthwise_conv2d", &["kernel"]),
    ("max_pool", &["kernel"]),
    ("avg_pool", &["kernel"]),
    ("dropout", &["rate"]),
];

/// What the layers take is called.
const INPUT: &str = "head";

/// The network of the layers of `line`, with an input of `shape` named `head` and weights drawn from `seed`; with warnings.
///
/// # Errors
/// The line is no list of layers; else the faults of the description that it says.
pub fn chain(line: &str, shape: &Shape, seed: u64) -> Result<(Graph, Faults), Faults> {
    let layers: Vec<Json> = line.split(',').map(|words| layer(words.trim())).collect::<Result<_, _>>()?;
    let description = json!({
        "frit": 1, "name": INPUT,
        "input": {"name": INPUT, "shape": shape.axes()},
        "weights": {"seed": seed},
        "defaults": {"padding": "same"},
        "layers": layers,
    });
    let source = Source { file: format!("\"{line}\""), ..Source::default() };
    description::read(&description.to_string(), &source).map_err(placed)
}

/// A layer as a description has it.
fn layer(text: &str) -> Result<Json, Diagnostic> {
    let mut words = text.split(|c: char| c.is_whitespace() || c == ':').filter(|word| !word.is_empty());
    let Some(op) = words.next() else {
        let message = "a layer is missing between two commas, or all of them";
        return Err(
            Diagnostic::error(codes::BAD_VALUE, message).help("write \"global_avg_pool, dense 10, softmax\"")
        );
    };
    let counts = COUNTS.iter().find(|(known, _)| *known == op).map_or(&[][..], |(_, names)| names);
    let mut counts = counts.iter();
    let mut fields = Map::from_iter([("op".to_owned(), json!(op))]);
    for word in words {
        let (name, value) = match word.split_once('=') {
            Some((name, value)) => (name.to_owned(), value),
            None => match counts.next() {
                Some(name) => ((*name).to_owned(), word),
                None => {
                    let message = format!("{op} says nothing of what {word} is");
                    let fault = Diagnostic::error(codes::BAD_VALUE, message);
                    return Err(
                        fault.help(format!("write NAME={word}, as its field is called in a description"))
                    );
                }
            },
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| json!(value));
        if fields.insert(name.clone(), value).is_some() {
            let message = format!("{name} of {op} is given twice");
            return Err(Diagnostic::error(codes::BAD_VALUE, message));
        }
    }
    Ok(Json::Object(fields))
}

/// Faults without lines and columns, which nobody wrote.
fn placed(mut faults: Faults) -> Faults {
    for fault in faults.iter_mut() {
        (fault.place.line, fault.place.column) = (None, None);
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ops(line: &str) -> Vec<String> {
        let (graph, _) =
            chain(line, &Shape::new(&[4, 4, 8]), 1).unwrap_or_else(|faults| panic!("{faults:?}"));
        let shapes = graph.shapes().unwrap();
        let node = |id| format!("{} {} {}", graph.node(id).name, graph.node(id).op.name(), shapes[&id]);
        graph.topological().into_iter().map(node).collect()
    }

    #[test]
    fn layers_take_what_they_count_behind_their_name() {
        assert_eq!(
            ops("conv2d 6 3 stride=2 bias=false, relu, global_avg_pool, dense 10, softmax"),
            [
                "head input 4x4x8",
                "head/conv2d conv2d 2x2x6",
                "head/relu relu 2x2x6",
                "head/global_avg_pool global_avg_pool 6",
                "head/dense dense 10",
                "head/softmax softmax 10"
            ]
        );
    }

    #[test]
    fn what_is_no_layer_is_a_fault_that_says_so() {
        let fault = |line: &str| {
            let faults = chain(line, &Shape::new(&[4, 4, 8]), 1).err().unwrap();
            let first = faults.iter().next().unwrap().clone();
            (first.code, first.message)
        };
        assert_eq!(fault("dense 10,, relu").0, codes::BAD_VALUE);
        assert_eq!(fault("relu 3").1, "relu says nothing of what 3 is");
        assert_eq!(fault("dense 3 units=4").1, "units of dense is given twice");
        assert_eq!(fault("desne 3").0, codes::BAD_VALUE);
        assert_eq!(fault("denes units=3").0, codes::UNKNOWN_OP);
        assert_eq!(fault("dense 10").0, codes::RANK);
    }
}
