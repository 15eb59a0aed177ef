//! What could stand in the place of blocks.

use super::{bytes, counted, grouped};
use crate::alternatives::{Costs, Crossing, MOST, Measure, Study};
use crate::report::results::Alternatives;
use crate::report::table::{Align, Table, printable};

/// For each distinct block a table, and from how many channels on one 5×5 is cheaper than two 3×3.
pub fn alternatives(found: &Alternatives) -> String {
    let studies: Vec<String> = found.studies.iter().map(|study| block(study, found)).collect();
    let measured = found.machine.as_ref().map_or(String::new(), |machine| {
        format!("\nmeasured on {}, one thread, medians of runs in turns\n", printable(machine))
    });
    let none = if studies.is_empty() { "no block with a square window\n" } else { "" };
    let distinct = counted(studies.len(), "distinct block");
    let model = printable(&found.model);
    let isa = if found.isa.is_empty() { String::new() } else { format!(", {}", found.isa) };
    format!("{model}: {distinct}{isa}\n{none}{}{measured}", studies.concat())
}

fn block(study: &Study, found: &Alternatives) -> String {
    let predicted = study.alternatives.iter().any(|other| other.costs.predicted_ms.is_some());
    let measured = found.machine.is_some();
    let title = |name, asked: bool| if asked { name } else { "" };
    let mut table = Table::new(&[
        ("alternative", Align::Left),
        ("parameters", Align::Right),
        ("MACs", Align::Right),
        ("result", Align::Right),
        ("ops/byte", Align::Right),
        (title("predicted ms", predicted), Align::Right),
        (title("measured ms", measured), Align::Right),
    ]);
    for other in &study.alternatives {
        let Costs { sizes, predicted_ms, measured_ms } = other.costs;
        let time = |ms: Option<f64>| ms.map_or(String::new(), |ms| format!("{ms:.3}"));
        table.row([
            other.what.clone(),
            grouped(sizes.parameters),
            grouped(sizes.macs),
            bytes(sizes.activation_bytes),
            format!("{:.1}", other.costs.intensity()),
            time(predicted_ms),
            time(measured_ms),
        ]);
    }
    let crossings: String = study.crossings.iter().map(|crossing| sentence(study, crossing)).collect();
    format!("\n{}\n{}\n{}{crossings}", names(&study.blocks), study.design, table.text())
}

/// The first blocks by name, and how many more there are.
fn names(blocks: &[String]) -> String {
    const NAMED: usize = 6;
    let named: Vec<String> = blocks.iter().take(NAMED).map(|name| printable(name)).collect();
    let more = blocks.len().saturating_sub(NAMED);
    named.join(", ") + &if more > 0 { format!(" and {more} more") } else { String::new() }
}

fn sentence(study: &Study, crossing: &Crossing) -> String {
    let (by, adjective) = match crossing.by {
        Measure::Macs => ("MACs", "cheaper"),
        Measure::Predicted => ("predicted time", "faster"),
        Measure::Measured => ("measured time", "faster"),
    };
    let own = study.design.output[2];
    let first = crossing.tried.first().copied().unwrap_or(study.design.unit());
    let of = match &crossing.tried[..] {
        [] => String::new(),
        tried => {
            let tried: Vec<String> = tried.iter().map(usize::to_string).collect();
            format!(" (of {})", tried.join(", "))
        }
    };
    match crossing.from {
        None if crossing.tried.is_empty() => {
            format!(
                "By {by} two 3x3 are {adjective} than one 5x5 at every number of channels up to {MOST}.\n"
            )
        }
        None => {
            format!(
                "By {by} two 3x3 are {adjective} than one 5x5 at the most channels that were tried{of}.\n"
            )
        }
        Some(from) if from == first => {
            format!("By {by} one 5x5 is {adjective} than two 3x3 at every number of channels{of}.\n")
        }
        Some(from) => {
            format!(
                "By {by} one 5x5 is {adjective} than two 3x3 from {from} channels on{of}; this block has {own}.\n"
            )
        }
    }
}
