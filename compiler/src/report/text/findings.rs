//! What lints found.

use std::collections::BTreeMap;

use frit_ir::diagnostic::{Code, render};
use frit_ir::{Diagnostic, Severity};
use frit_passes::lint::{Finding, Involved};

use super::counted;

/// Findings of one rule that are shown in full; of the others, the first layers are named.
const SHOWN: usize = 3;

/// The findings in their order, and a line that counts them.
pub fn findings(findings: &[Finding]) -> String {
    let mut text = String::new();
    let mut more: BTreeMap<Code, Vec<&Finding>> = BTreeMap::new();
    let mut shown: BTreeMap<Code, usize> = BTreeMap::new();
    for finding in findings {
        let count = shown.entry(finding.code).or_default();
        *count += 1;
        if *count <= SHOWN {
            text += &(render::text(&Diagnostic::from(finding)) + "\n");
        } else {
            more.entry(finding.code).or_default().push(finding);
        }
    }
    text + &more.values().map(|findings| rest(findings)).collect::<String>() + &sum(findings)
}

/// Findings of one rule in a line.
fn rest(findings: &[&Finding]) -> String {
    let first = |finding: &&Finding| finding.layers.first().map(|layer: &Involved| layer.name.clone());
    let names: Vec<String> = findings.iter().filter_map(first).collect();
    let names = render::escaped(&names.join(", "));
    findings.first().map_or(String::new(), |one| {
        format!("{}[{}]: {} more of {}: {names}\n", one.severity.name(), one.code, findings.len(), one.rule)
    })
}

fn sum(findings: &[Finding]) -> String {
    let hints = findings.iter().filter(|finding| finding.severity == Severity::Hint).count();
    match findings.len() {
        0 => "no findings\n".to_owned(),
        all => format!(
            "{}: {}, {}\n",
            counted(all, "finding"),
            counted(all - hints, "warning"),
            counted(hints, "hint")
        ),
    }
}
