//! What could stand in the place of blocks.

use serde::Serialize;

use super::Object;
use super::network::Totals;
use crate::alternatives::{Alternative, Crossing, Study};
use crate::report::results::Alternatives;

#[derive(Serialize)]
struct StudyRecord<'a> {
    blocks: &'a [String],
    design: String,
    input: [usize; 3],
    output: [usize; 3],
    alternatives: Vec<Other<'a>>,
    crossings: Vec<Point<'a>>,
}

#[derive(Serialize)]
struct Other<'a> {
    what: &'a str,
    #[serde(flatten)]
    sizes: Totals,
    ops_per_byte: f64,
    predicted_ms: Option<f64>,
    measured_ms: Option<f64>,
}

impl<'a> From<&'a Alternative> for Other<'a> {
    fn from(alternative: &'a Alternative) -> Other<'a> {
        let costs = &alternative.costs;
        Other {
            what: &alternative.what,
            sizes: Totals::from(&costs.sizes),
            ops_per_byte: costs.intensity(),
            predicted_ms: costs.predicted_ms,
            measured_ms: costs.measured_ms,
        }
    }
}

#[derive(Serialize)]
struct Point<'a> {
    by: &'static str,
    from_channels: Option<usize>,
    tried: &'a [usize],
}

impl<'a> From<&'a Crossing> for Point<'a> {
    fn from(crossing: &'a Crossing) -> Point<'a> {
        Point { by: crossing.by.name(), from_channels: crossing.from, tried: &crossing.tried }
    }
}

/// `{"model", "isa", "machine", "blocks": [{"blocks", "design", "input", "output", "alternatives", "crossings"}]}`.
///
/// `alternatives` are `{"what", "parameters", "statistics", "macs", "weight_bytes", "activation_bytes", "ops_per_byte",
/// "predicted_ms", "measured_ms"}`, the block as it stands first; `crossings` `{"by", "from_channels", "tried"}`: from how many
/// channels on one 5×5 is cheaper than two 3×3, null where it is not; `tried` is empty where all were looked at. `machine` and
/// measured times are null where nothing was measured.
pub fn alternatives(found: &Alternatives) -> String {
    Object::default()
        .field("model", &found.model)
        .field("isa", &found.isa)
        .field("machine", &found.machine)
        .list("blocks", found.studies.iter().map(described))
        .text()
}

fn described(study: &Study) -> StudyRecord<'_> {
    StudyRecord {
        blocks: &study.blocks,
        design: study.design.to_string(),
        input: study.design.input,
        output: study.design.output,
        alternatives: study.alternatives.iter().map(Other::from).collect(),
        crossings: study.crossings.iter().map(Point::from).collect(),
    }
}
