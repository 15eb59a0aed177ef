//! What compiling, running and verifying gave.

use frit_images::Guess;

use super::{bytes, counted, grouped};
use crate::report::results::{Results, Written};
use crate::report::table::{Align, Table, printable};
use crate::verify::difference::Difference;
use crate::verify::overflow::Overflow;
use crate::verify::{Region, TOLERANCE, Verdict};

/// How many regions are listed, worst first.
const REGIONS: usize = 5;

/// What was written, in two lines, and a third for the header.
pub fn written(written: &Written) -> String {
    let header = written.header.as_ref();
    let header = header.map_or(String::new(), |file| format!("{}: the header\n", printable(file)));
    format!(
        "{}: {} for {}{}\n{}, {} of code and {} of weights; runs in {}, and {} for each thread\n{header}",
        printable(&written.file),
        printable(&written.model),
        written.isa,
        if written.verified { ", verified" } else { "" },
        counted(written.kernels, "kernel"),
        bytes(written.code_bytes as u64),
        bytes(written.weight_bytes as u64),
        bytes(written.arena_bytes as u64),
        bytes(written.scratch_bytes as u64),
    )
}

/// The likeliest classes of each image where they were asked for, else the outputs with their ranges.
pub fn results(results: &Results) -> String {
    match &results.top {
        Some(top) => {
            let named = top.len() > 1;
            let image = |(index, guesses): (usize, &Vec<Guess>)| {
                let title = match results.images.get(index) {
                    Some(name) if named => format!("{}\n", printable(name)),
                    _ => String::new(),
                };
                title + &classes(guesses)
            };
            top.iter().enumerate().map(image).collect::<Vec<_>>().join("\n")
        }
        None => outputs(results),
    }
}

fn classes(guesses: &[Guess]) -> String {
    let columns = [("", Align::Right), ("", Align::Right), ("", Align::Left)];
    let mut table = Table::new(&columns);
    for guess in guesses {
        let label = guess.label.clone().unwrap_or_default();
        table.row([format!("{:.3}", guess.probability), guess.index.to_string(), label]);
    }
    table.text()
}

fn outputs(results: &Results) -> String {
    let mut table = Table::new(&[
        ("output", Align::Left),
        ("shape", Align::Left),
        ("min", Align::Right),
        ("max", Align::Right),
        ("mean", Align::Right),
        ("not finite", Align::Right),
    ]);
    for output in &results.outputs {
        let range =
            [f64::from(output.min), f64::from(output.max), output.mean].map(|value| format!("{value:.5}"));
        let [min, max, mean] = range;
        let not_finite = grouped(output.not_finite as u64);
        table.row([output.name.clone(), output.shape.to_string(), min, max, mean, not_finite]);
    }
    table.text()
}

/// The differences of every output of every run, the regions that are furthest off, and the verdict.
pub fn verdict(verdict: &Verdict) -> String {
    let mut table = Table::new(&[
        ("variant", Align::Left),
        ("threads", Align::Right),
        ("output", Align::Left),
        ("max abs", Align::Right),
        ("max rel", Align::Right),
        ("ulp", Align::Right),
        ("same bits", Align::Left),
    ]);
    for run in &verdict.runs {
        for output in &run.outputs {
            let [max_abs, max_rel, ulp] = difference(&output.difference);
            let same = if run.same_bits { "yes" } else { "NO" }.to_owned();
            let [variant, threads] = [run.variant.to_string(), run.threads.to_string()];
            table.row([variant, threads, output.name.clone(), max_abs, max_rel, ulp, same]);
        }
    }
    let conclusion = format!(
        "\n{}: {}, tolerance {TOLERANCE:e} of the largest magnitude\n",
        if verdict.passed { "passed" } else { "DIFFERS" },
        counted(verdict.samples, "image"),
    );
    table.text() + &regions(&verdict.regions) + &overflow(verdict.overflow.as_ref()) + &conclusion
}

fn overflow(overflow: Option<&Overflow>) -> String {
    let said = |Overflow { layer, value, .. }: &Overflow| {
        format!("\nleaves what f32 holds at {layer}: {value:.2e}\n")
    };
    overflow.map(said).unwrap_or_default()
}

fn difference(difference: &Difference) -> [String; 3] {
    [format!("{:.2e}", difference.max_abs), format!("{:.2e}", difference.max_rel), grouped(difference.ulp)]
}

fn regions(regions: &[Region]) -> String {
    let mut worst: Vec<&Region> = regions.iter().filter(|region| region.difference.max_abs > 0.0).collect();
    worst.sort_by(|a, b| b.difference.max_rel.total_cmp(&a.difference.max_rel));
    if worst.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&[
        ("furthest after rewriting", Align::Left),
        ("max rel", Align::Right),
        ("added", Align::Right),
        ("sources", Align::Left),
    ]);
    for region in worst.into_iter().take(REGIONS) {
        let [_, max_rel, _] = difference(&region.difference);
        let sources = crate::report::abbreviated(&region.sources);
        table.row([region.name.clone(), max_rel, format!("{:.2e}", region.added), sources]);
    }
    format!("\n{}", table.text())
}
