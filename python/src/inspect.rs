//! A model at the stages of its way, and what is odd about it.

use frit_compiler::report::{Listing, Stage, dot, text};
use frit_compiler::{Options, explain};
use frit_ir::{Diagnostic, Faults, Graph};
use frit_passes::lint;
use pyo3::prelude::*;

use crate::fault::{About, Raise, Told, told};
use crate::program::Program;
use crate::source::{Given, Source, Wishes, meaningless};

/// Every fault of a model, and what is odd about it.
#[pyfunction]
pub(crate) fn check(py: Python<'_>, model: Given, wishes: Wishes, lint: bool) -> PyResult<Vec<Told>> {
    let checked = wishes.checked()?;
    Ok(py.detach(|| match Source::read(model, checked) {
        Err(faults) => told(&faults),
        Ok(source) => told(&judged(&source, lint)),
    }))
}

/// All that is said of a model that can be read.
fn judged(source: &Source, lint: bool) -> Faults {
    let mut all = source.warnings.clone();
    let legal = source.legal().and_then(|(legal, warnings)| {
        let foreseen = frit_compiler::foresee(&legal, &source.options)?;
        Ok((warnings, foreseen))
    });
    match legal {
        Ok((warnings, foreseen)) => {
            all.extend(warnings);
            all.extend(foreseen);
        }
        Err(faults) => all.extend(faults),
    }
    if lint {
        all.extend(findings(&source.imported, &source.options));
    }
    all
}

/// What is odd about a model that was compiled, and allowed.
#[pyfunction]
pub(crate) fn warnings(py: Python<'_>, program: &Bound<'_, Program>, lint: bool) -> PyResult<Vec<Told>> {
    let program = program.get();
    let mut all = program.warnings.clone();
    if lint {
        let source = program.source().raised(py, About::Artifact)?;
        all.extend(py.detach(|| findings(&source.imported, &source.options)));
    }
    Ok(told(&all))
}

fn findings(graph: &Graph, options: &Options) -> Faults {
    let mut faults = Faults::new();
    let findings = lint::findings(graph, options.machine.width().lanes);
    findings.iter().for_each(|finding| faults.push(Diagnostic::from(finding)));
    faults
}

/// A model at `stage`, as text and for Graphviz.
#[pyfunction]
pub(crate) fn graph(py: Python<'_>, program: &Bound<'_, Program>, stage: &str) -> PyResult<(String, String)> {
    let source = program.get().source().raised(py, About::Artifact)?;
    let stages = ["imported", "legal", "optimized", "scheduled"];
    if !stages.contains(&stage) {
        return Err(meaningless(format!("there is no stage {stage}: choose from {}", stages.join(", "))));
    }
    py.detach(|| listing(source, stage)).raised(py, About::Model)
}

fn listing(source: &Source, stage: &str) -> Result<(String, String), Faults> {
    let print = frit_ir::text::print;
    let both = |text: String, listing: &Listing| (text, dot::listing(listing));
    if stage == "imported" {
        let graph = &source.imported;
        return Ok(both(print(graph), &Listing::graph(Stage::Imported, graph, graph)));
    }
    if stage == "legal" {
        let (legal, _) = source.legal()?;
        return Ok(both(print(&legal), &Listing::graph(Stage::Legal, &legal, &legal)));
    }
    let optimised = source.optimised()?;
    if stage == "optimized" {
        let listing = Listing::graph(Stage::Optimized, &optimised.graph, &optimised.legal);
        return Ok(both(print(&optimised.graph), &listing));
    }
    let plan = frit_compiler::schedule(&optimised.graph, &source.options)?;
    let listing = Listing::schedule(&plan, &optimised.graph, &optimised.legal);
    Ok(both(text::schedule(&listing), &listing))
}

/// What each pass did, and how long it took.
#[pyfunction]
pub(crate) fn passes(py: Python<'_>, program: &Bound<'_, Program>) -> PyResult<String> {
    let source = program.get().source().raised(py, About::Artifact)?;
    let reports = py.detach(|| {
        let mut reports = source.repaired()?.reports;
        reports.extend(source.optimised()?.reports);
        Ok::<_, Faults>(reports)
    });
    Ok(text::passes(&reports.raised(py, About::Model)?))
}

/// The page of a diagnostic's code.
#[pyfunction]
pub(crate) fn page(code: &str) -> PyResult<String> {
    explain::page(code).map(|page| page.text.to_owned()).map_err(meaningless)
}
