//! What reading the models of a file needs and finds.

use super::attributes::Attributes;
use super::lambda::Lambda;
use super::refused::Refused;
use super::version::Version;
use crate::import::budget::Budget;
use crate::import::document::Value;
use crate::import::findings::Findings;

/// What reading models needs and finds.
pub(super) struct Reading<'r, 'a> {
    pub(super) findings: &'r mut Findings<'a>,
    pub(super) version: Version,
    pub(super) refused: Refused<'a>,
    /// Layers that are functions.
    pub(super) lambdas: Vec<Lambda<'a>>,
    /// What reading the file may cost.
    pub(super) budget: Budget,
    /// Layers so far.
    pub(super) layers: usize,
}

impl<'r, 'a> Reading<'r, 'a> {
    pub(super) fn new(version: Version, findings: &'r mut Findings<'a>, budget: Budget) -> Reading<'r, 'a> {
        Reading { findings, version, refused: Refused::default(), lambdas: Vec::new(), budget, layers: 0 }
    }

    pub(super) fn attributes(&mut self, value: &Value<'a>, label: &str) -> Option<Attributes<'_, 'a>> {
        Attributes::open(value, label, self.version, self.findings)
    }

    /// The name of a layer behind those of the models that it lies in; none where the file asks for more names than it may
    /// have, which is told once.
    pub(super) fn path(&mut self, value: &Value<'a>, prefix: &str, name: &str) -> Option<String> {
        let before = self.budget.is_spent();
        // Weights and faults keep it in some places.
        match self.budget.take_bytes(4 * (prefix.len() + name.len())) {
            Ok(()) => return Some(format!("{prefix}{name}")),
            Err(fault) if !before => self.findings.add(value, fault),
            Err(_) => {}
        }
        None
    }
}
