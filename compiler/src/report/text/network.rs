//! Networks: passes, costs, schedules.

use frit_passes::Report;

use super::{bytes, counted, grouped};
use crate::cost::{Cost, Sizes};
use crate::plan::{Argument, Choice, Region};
use crate::report::results::Summary;
use crate::report::table::{Align, Table, printable};
use crate::report::{Call, Item, Listing, Work};

/// One line: `mobilenet_v2: legal, 156 layers, 3,504,872 parameters, 300,774,272 MACs`; then the findings, where it was linted.
pub fn summary(summary: &Summary) -> String {
    let Summary { model, layers, totals, transposes, warnings, findings } = summary;
    let moved = match (transposes.border, transposes.inside) {
        (0, 0) => String::new(),
        (border, inside) => format!(", {} at the border and {inside} inside", counted(border, "transpose")),
    };
    let warned = if *warnings == 0 { String::new() } else { format!(", {}", counted(*warnings, "warning")) };
    format!(
        "{}: legal, {}, {} parameters, {} MACs{moved}{warned}\n{}",
        printable(model),
        counted(*layers, "layer"),
        grouped(totals.parameters),
        grouped(totals.macs),
        findings.as_deref().map(super::findings).unwrap_or_default()
    )
}

/// A line for each pass: what it counted, whether it changed anything, how long it took; then what the e-graph did.
pub fn passes(reports: &[Report]) -> String {
    let mut table = Table::new(&[
        ("pass", Align::Left),
        ("changed", Align::Right),
        ("ms", Align::Right),
        ("counts", Align::Left),
    ]);
    for report in reports {
        let changed =
            if report.unchanged() { "(unchanged)".to_owned() } else { grouped(report.changed.len() as u64) };
        let counts: Vec<String> =
            report.counts.iter().map(|(what, count)| format!("{what} {}", grouped(*count))).collect();
        let milliseconds = format!("{:.2}", report.milliseconds);
        table.row([report.name.to_owned(), changed, milliseconds, counts.join(", ")]);
    }
    table.text() + &reports.iter().map(rewriting).collect::<String>()
}

fn rewriting(report: &Report) -> String {
    let Some(rewriting) = &report.rewriting else { return String::new() };
    let ended = match &rewriting.reached {
        None => "saturated".to_owned(),
        Some(reached) => reached.to_string(),
    };
    let mut table = Table::new(&[("rule", Align::Left), ("fired", Align::Right)]);
    for (rule, times) in &rewriting.firings {
        table.row([(*rule).to_owned(), grouped(*times)]);
    }
    format!(
        "\n{ended}: {}, {} e-nodes from {}, {} e-classes, extraction {}\n\n{}",
        counted(rewriting.iterations, "iteration"),
        grouped(rewriting.enodes as u64),
        grouped(rewriting.encoded as u64),
        grouped(rewriting.classes as u64),
        if rewriting.exact { "exact" } else { "bounded" },
        table.text()
    )
}

/// A table of layers, one of blocks, and the totals.
pub fn cost(cost: &Cost) -> String {
    let sized = |first: [String; 3], sizes: &Sizes| {
        let [name, what, shape] = first;
        let weights = bytes(sizes.weight_bytes);
        let results = bytes(sizes.activation_bytes);
        [name, what, shape, grouped(sizes.parameters), grouped(sizes.macs), weights, results]
    };
    let titled = |name, what| {
        Table::new(&[
            (name, Align::Left),
            (what, Align::Left),
            ("shape", Align::Left),
            ("parameters", Align::Right),
            ("MACs", Align::Right),
            ("weights", Align::Right),
            ("result", Align::Right),
        ])
    };
    let mut layers = titled("layer", "op");
    for layer in &cost.layers {
        let first = [layer.name.clone(), layer.op.to_owned(), layer.shape.to_string()];
        layers.row(sized(first, &layer.sizes));
    }
    let mut blocks = titled("block", "layers");
    for block in &cost.blocks {
        let first = [block.name.clone(), grouped(block.layers as u64), block.shape.to_string()];
        blocks.row(sized(first, &block.sizes));
    }
    let totals = &cost.totals;
    format!(
        "{}\n{}\n{}: {} parameters (and {} statistics), {} MACs, weights {}, results {}\n",
        layers.text(),
        blocks.text(),
        printable(&cost.model),
        grouped(totals.parameters),
        grouped(totals.statistics),
        grouped(totals.macs),
        bytes(totals.weight_bytes),
        bytes(totals.activation_bytes),
    )
}

/// A line for each call of each step, and the memory of all.
pub fn schedule(listing: &Listing) -> String {
    let mut table = Table::new(&[
        ("step", Align::Right),
        ("node", Align::Left),
        ("shape", Align::Left),
        ("MACs", Align::Right),
        ("kernel", Align::Left),
        ("items", Align::Right),
        ("memory", Align::Left),
    ]);
    let scheduled = listing.items.iter().filter_map(|item| item.work.as_ref().map(|work| (item, work)));
    let mut steps = 0;
    for (step, (item, work)) in scheduled.enumerate() {
        step_rows(&mut table, step, item, work);
        steps = step + 1;
    }
    let memory = listing.footprint.map_or(String::new(), |footprint| {
        format!(
            "\n{}: {}, {} between them, {}, arena {}, scratch {} a worker, packed weights {}\n",
            printable(&listing.model),
            counted(steps, "step"),
            counted(steps.saturating_sub(1), "barrier"),
            counted(footprint.kernels, "distinct kernel"),
            bytes(footprint.arena_bytes as u64),
            bytes(footprint.scratch_bytes as u64),
            bytes(footprint.weight_bytes as u64)
        )
    });
    table.text() + &choices(&listing.choices) + &memory
}

/// The way of each block, with its predicted time and that of the runner-up.
fn choices(choices: &[Choice]) -> String {
    if choices.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("block", Align::Left),
        ("way", Align::Left),
        ("ms, 1 worker", Align::Right),
        ("2 workers", Align::Right),
        ("runner-up", Align::Left),
        ("ms, 1 worker", Align::Right),
        ("2 workers", Align::Right),
    ]);
    for choice in choices {
        let [one, two] = choice.cost(choice.way).map_or([const { String::new() }; 2], milliseconds);
        let runner_up = choice.runner_up();
        let [next_one, next_two] =
            runner_up.map_or([const { String::new() }; 2], |(_, cost)| milliseconds(cost));
        let next = runner_up.map_or("none", |(way, _)| way.name);
        let block = choice.layers.last().cloned().unwrap_or_default();
        table.row([block, choice.told(), one, two, next.to_owned(), next_one, next_two]);
    }
    format!("\n{}", table.text())
}

fn milliseconds(cost: [f64; 2]) -> [String; 2] {
    cost.map(|ms| format!("{ms:.3}"))
}

fn step_rows(table: &mut Table, step: usize, item: &Item, work: &Work) {
    for (index, call) in work.calls.iter().enumerate() {
        let memory: Vec<String> = call.arguments.iter().map(place).collect();
        let shape = item.shape.as_ref().map(ToString::to_string).unwrap_or_default();
        let first = if index == 0 {
            [step.to_string(), item.name.clone(), shape, grouped(work.macs)]
        } else {
            [const { String::new() }; 4]
        };
        let [step, name, shape, macs] = first;
        table.row([step, name, shape, macs, call.kernel.clone(), items(call), memory.join(" ")]);
    }
}

/// `12`; `12 in 26 bands` where all items run in each band; `12 before them` where they run before a worker's first.
fn items(call: &Call) -> String {
    let items = grouped(call.items as u64);
    match call.bands {
        None => items,
        Some(_) if call.halo => format!("{items} before"),
        Some(bands) => format!("{items} in {}", counted(bands, "band")),
    }
}

/// `arena+4096` where all items share the place, `arena+4096/512` where each item begins 512 bytes further on.
fn place(argument: &Argument) -> String {
    let region = match argument.region {
        Region::Input(index) => format!("input{index}"),
        Region::Output(index) => format!("output{index}"),
        Region::Tensor(_) => "arena".to_owned(),
        Region::Scratch => "scratch".to_owned(),
        Region::Weights => "weights".to_owned(),
    };
    let stride = if argument.stride == 0 { String::new() } else { format!("/{}", argument.stride) };
    format!("{region}+{}{stride}", argument.offset)
}
