//! Reading of objects, field by field: every fault is told with its place, and reading goes on, so that one run tells them all.

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::document::{Content, Member, Value};
use super::findings::{Findings, wrong};
use super::nearest::nearest;
use super::values::Values;

/// An object that is being read.
pub(super) struct Reader<'r, 'a> {
    owner: Value<'a>,
    members: Vec<Member<'a>>,
    /// What was read, under the first name of each field.
    given: Vec<(&'static str, Value<'a>)>,
    known: Vec<&'static str>,
    /// How the values of fields are read.
    pub(super) values: Values<'r, 'a>,
}

impl<'r, 'a> Reader<'r, 'a> {
    /// The object `value`; a field that stands twice is a fault, the first counts.
    pub(super) fn open(value: &Value<'a>, findings: &'r mut Findings<'a>) -> Option<Reader<'r, 'a>> {
        let content = value.content().map_err(|fault| findings.add(value, fault)).ok()?;
        let Content::Object(found) = content else {
            findings.add(value, wrong(&format!("this must be an object, not {}", content.kind())));
            return None;
        };
        let mut names = std::collections::BTreeSet::new();
        let mut members = Vec::with_capacity(found.len());
        for member in found {
            if names.insert(member.name.clone()) {
                members.push(member);
            } else {
                findings.add(&member.key, wrong(&format!("the field {} stands twice", member.name)));
            }
        }
        Some(Reader { members, ..Reader::of_nothing(value, findings) })
    }

    /// A thing without fields, for which `value` stands.
    pub(super) fn of_nothing(value: &Value<'a>, findings: &'r mut Findings<'a>) -> Reader<'r, 'a> {
        let values = Values { layer: String::new(), findings };
        Reader { owner: value.clone(), members: Vec::new(), given: Vec::new(), known: Vec::new(), values }
    }

    /// The object that is read.
    pub(super) fn owner(&self) -> &Value<'a> {
        &self.owner
    }

    /// The fields that were not taken.
    pub(super) fn members(&self) -> impl Iterator<Item = &Member<'a>> {
        self.members.iter()
    }

    /// The value of a field that was not taken.
    pub(super) fn member(&self, name: &str) -> Option<Value<'a>> {
        self.members.iter().find(|member| member.name == name).map(|member| member.value.clone())
    }

    /// Faults from now on name this layer.
    pub(super) fn of_layer(&mut self, layer: String) {
        self.values.layer = layer;
    }

    /// Adds a fault at `value`, or at the whole object.
    pub(super) fn fault(&mut self, value: Option<&Value<'a>>, diagnostic: Diagnostic) {
        let value = value.unwrap_or(&self.owner).clone();
        self.values.fault(&value, diagnostic);
    }

    /// The field `name`, which also goes by other names, where it is there; under two of them is a fault, the first counts.
    pub(super) fn take(&mut self, name: &'static str, also: &[&'static str]) -> Option<Member<'a>> {
        self.known.push(name);
        self.known.extend(also);
        let is_it = |member: &Member<'a>| name == member.name || also.contains(&member.name.as_str());
        let mut found = Vec::new();
        while let Some(place) = self.members.iter().position(is_it) {
            found.push(self.members.remove(place));
        }
        let mut found = found.into_iter();
        let first = found.next()?;
        for other in found {
            let message = format!("{} and {} are the same field: it is given twice", first.name, other.name);
            self.fault(Some(&other.key), wrong(&message));
        }
        self.given.push((name, first.value.clone()));
        Some(first)
    }

    /// The value of a field that was read, by the field's first name.
    pub(super) fn given(&self, name: &str) -> Option<Value<'a>> {
        self.given.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    /// Every field that was not read is a fault.
    pub(super) fn finish(mut self) {
        for member in std::mem::take(&mut self.members) {
            let fault =
                Diagnostic::error(codes::UNKNOWN_FIELD, format!("there is no field {} here", member.name));
            if self.values.findings.is_full() {
                self.fault(Some(&member.key), fault);
                continue;
            }
            let fault = match nearest(&member.name, self.known.iter().copied()) {
                Some(near) => fault.help(format!("the nearest is {near}")),
                None => fault.note(format!("known here: {}", self.known.join(", "))),
            };
            self.fault(Some(&member.key), fault);
        }
    }
}
