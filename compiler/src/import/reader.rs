//! Typed reading of objects: every value is checked where it is read, every fault is told with its place, and reading goes
//! on, so that one run tells them all.

use frit_ir::diagnostic::{Code, codes};
use frit_ir::{Diagnostic, Faults, Severity};

use super::document::{Content, Document, Member, Value};
use super::limits;
use super::nearest::nearest;

/// The faults of a document so far.
pub(super) struct Findings<'a> {
    document: &'a Document<'a>,
    faults: Faults,
    errors: usize,
}

impl<'a> Findings<'a> {
    pub(super) fn new(document: &'a Document<'a>) -> Findings<'a> {
        Findings { document, faults: Faults::new(), errors: 0 }
    }

    /// Adds a fault at `value`; past the limit they are counted only.
    pub(super) fn add(&mut self, value: &Value<'a>, diagnostic: Diagnostic) {
        // Counting columns takes its time where all stands in one line, and nobody reads what is past the limit.
        let place = if self.is_full() { self.document.file_alone() } else { self.document.place(value) };
        self.push(diagnostic.in_file(place));
    }

    /// Adds faults that name their layers, and are at no value; those of another file keep it.
    pub(super) fn extend(&mut self, faults: Faults) {
        for fault in faults.iter() {
            let known = !fault.place.file.is_empty();
            let place = if known { fault.place.clone() } else { self.document.file_alone() };
            self.push(fault.clone().in_file(place));
        }
    }

    fn push(&mut self, diagnostic: Diagnostic) {
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        if self.errors <= limits::FAULTS {
            self.faults.push(diagnostic);
        }
    }

    /// Whether there is an error.
    pub(super) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether further errors are counted only.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= limits::FAULTS
    }

    /// The fault of a name that is none of `known`: `what` says what was looked for. The nearest name takes its time, and nobody
    /// reads what is past the limit.
    pub(super) fn unknown<'k>(
        &self,
        code: Code,
        what: &str,
        name: &str,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> Diagnostic {
        let known = if self.is_full() { None } else { Some(known) };
        unknown(code, what, name, known)
    }

    /// Everything found.
    pub(super) fn finish(mut self) -> Faults {
        if let Some(left_out) = self.errors.checked_sub(limits::FAULTS).filter(|&left_out| left_out > 0) {
            let message = format!("{left_out} more errors are left out");
            self.faults.push(Diagnostic::error(codes::LIMIT, message));
        }
        self.faults
    }
}

/// An object that is being read.
pub(super) struct Reader<'r, 'a> {
    owner: Value<'a>,
    /// The layer that faults name, empty where there is none.
    layer: String,
    members: Vec<Member<'a>>,
    /// What was read, under the first name of each field.
    given: Vec<(&'static str, Value<'a>)>,
    known: Vec<&'static str>,
    pub(super) findings: &'r mut Findings<'a>,
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
        let (owner, layer) = (value.clone(), String::new());
        Reader { owner, layer, members: Vec::new(), given: Vec::new(), known: Vec::new(), findings }
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
        self.layer = layer;
    }

    /// Adds a fault at `value`, or at the whole object.
    pub(super) fn fault(&mut self, value: Option<&Value<'a>>, diagnostic: Diagnostic) {
        let value = value.unwrap_or(&self.owner).clone();
        self.findings.add(&value, diagnostic.at(self.layer.clone()));
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
            if self.findings.is_full() {
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

    /// `list`, if it has `N` elements.
    fn exactly<T, const N: usize>(&mut self, value: &Value<'a>, list: Vec<T>, name: &str) -> Option<[T; N]> {
        let length = list.len();
        let array = <[T; N]>::try_from(list).ok();
        if array.is_none() {
            self.fault(Some(value), wrong(&format!("{name} takes {N} values, not {length}")));
        }
        array
    }

    /// `value` as true or false.
    pub(super) fn as_flag(&mut self, value: &Value<'a>, name: &str) -> Option<bool> {
        match self.content(value)? {
            Content::Bool(flag) => Some(flag),
            other => self.refuse(value, name, "true or false", &other),
        }
    }

    /// `value` as a string.
    pub(super) fn as_text(&mut self, value: &Value<'a>, name: &str) -> Option<String> {
        match self.content(value)? {
            Content::Text(text) => Some(text),
            other => self.refuse(value, name, "a string", &other),
        }
    }

    /// `value` as a name: not empty, not too long, without control characters.
    pub(super) fn as_name(&mut self, value: &Value<'a>, field: &str) -> Option<String> {
        let name = self.as_text(value, field)?;
        let fault = if name.is_empty() {
            wrong(&format!("{field} is empty"))
        } else if name.len() > limits::NAME_BYTES {
            let message = format!("{field} has {} bytes, the limit is {}", name.len(), limits::NAME_BYTES);
            Diagnostic::error(codes::LIMIT, message)
        } else if name.chars().any(char::is_control) {
            wrong(&format!("{field} has a control character"))
        } else {
            return Some(name);
        };
        self.fault(Some(value), fault);
        None
    }

    /// `value` as a list of strings, or one string as a list of one; what is no string is left out.
    pub(super) fn as_names(&mut self, value: &Value<'a>, field: &str) -> Option<Vec<(String, Value<'a>)>> {
        let elements = match self.content(value)? {
            Content::Text(name) => return Some(vec![(name, value.clone())]),
            Content::Array(elements) => elements,
            other => return self.refuse(value, field, "a name or a list of names", &other),
        };
        let name = |element: Value<'a>| Some((self.as_text(&element, field)?, element));
        Some(elements.into_iter().filter_map(name).collect())
    }

    /// `value` as a list.
    pub(super) fn as_list(&mut self, value: &Value<'a>, name: &str) -> Option<Vec<Value<'a>>> {
        match self.content(value)? {
            Content::Array(elements) => Some(elements),
            other => self.refuse(value, name, "a list", &other),
        }
    }

    /// `value` as a number that f32 can hold.
    pub(super) fn as_number(&mut self, value: &Value<'a>, name: &str) -> Option<f32> {
        match self.content(value)? {
            Content::Number(spelling) => {
                let number = spelling.parse::<f32>().ok().filter(|number| number.is_finite());
                if number.is_none() {
                    self.fault(Some(value), wrong(&format!("{name} {spelling} is outside the range of f32")));
                }
                number
            }
            other => self.refuse(value, name, "a number", &other),
        }
    }

    /// `value` as a list whose elements `read` takes; every fault of an element is told.
    pub(super) fn as_elements<T>(
        &mut self,
        value: &Value<'a>,
        name: &str,
        read: impl Fn(&mut Self, &Value<'a>, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let elements = self.as_list(value, name)?;
        let found: Vec<Option<T>> = elements.iter().map(|element| read(self, element, name)).collect();
        found.into_iter().collect()
    }

    /// The same; one value means a list of one.
    pub(super) fn as_list_or_one<T>(
        &mut self,
        value: &Value<'a>,
        name: &str,
        read: impl Fn(&mut Self, &Value<'a>, &str) -> Option<T>,
    ) -> Option<Vec<T>> {
        match self.content(value)? {
            Content::Array(_) => self.as_elements(value, name, read),
            _ => read(self, value, name).map(|one| vec![one]),
        }
    }

    /// A list with exactly `N` elements.
    pub(super) fn as_array<T, const N: usize>(
        &mut self,
        value: &Value<'a>,
        name: &str,
        read: impl Fn(&mut Self, &Value<'a>, &str) -> Option<T>,
    ) -> Option<[T; N]> {
        let found = self.as_elements(value, name, read)?;
        self.exactly(value, found, name)
    }

    /// `value` as any whole number of 64 bits.
    pub(super) fn as_seed(&mut self, value: &Value<'a>) -> Option<u64> {
        let number = value.spelling().parse::<u64>().ok();
        if number.is_none() {
            self.fault(Some(value), wrong("seed must be a whole number from 0 to 2^64 - 1"));
        }
        number
    }

    /// `value` as a whole number from 0 on.
    pub(super) fn as_whole(&mut self, value: &Value<'a>, name: &str) -> Option<usize> {
        let spelling = match self.content(value)? {
            Content::Number(spelling) => spelling,
            other => return self.refuse(value, name, "a whole number", &other),
        };
        let number = spelling.parse::<u64>().ok().filter(|&number| number <= limits::ATTRIBUTE);
        let number = number.and_then(|number| usize::try_from(number).ok());
        if number.is_none() {
            let message = format!("{name} {spelling} is no whole number from 0 to {}", limits::ATTRIBUTE);
            self.fault(Some(value), wrong(&message));
        }
        number
    }

    /// `value` as a whole number of either sign.
    pub(super) fn as_integer(&mut self, value: &Value<'a>, name: &str) -> Option<i64> {
        let spelling = match self.content(value)? {
            Content::Number(spelling) => spelling,
            other => return self.refuse(value, name, "a whole number", &other),
        };
        let number = spelling.parse::<i64>().ok().filter(|number| number.unsigned_abs() <= limits::ATTRIBUTE);
        if number.is_none() {
            let most = limits::ATTRIBUTE;
            let message = format!("{name} {spelling} is no whole number from -{most} to {most}");
            self.fault(Some(value), wrong(&message));
        }
        number
    }

    /// `value` as a whole number from 1 on.
    pub(super) fn as_count(&mut self, value: &Value<'a>, name: &str) -> Option<usize> {
        let number = self.as_whole(value, name)?;
        if number == 0 {
            let message = format!("{name} 0 makes no sense: the least is 1");
            self.fault(Some(value), Diagnostic::error(codes::BAD_ATTRIBUTE, message));
            return None;
        }
        Some(number)
    }

    /// `value` as one of `choices`.
    pub(super) fn as_choice<T: Copy>(
        &mut self,
        value: &Value<'a>,
        name: &str,
        choices: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.as_text(value, name)?;
        let found = choices.iter().find(|(known, _)| *known == text).map(|&(_, choice)| choice);
        if found.is_none() {
            let known = choices.iter().map(|choice| choice.0);
            let fault = self.findings.unknown(codes::BAD_VALUE, &format!("{name} can't be"), &text, known);
            self.fault(Some(value), fault);
        }
        found
    }

    /// A level of `value`.
    pub(super) fn content(&mut self, value: &Value<'a>) -> Option<Content<'a>> {
        value.content().map_err(|fault| self.fault(Some(value), fault)).ok()
    }

    /// The fault that `value` is of another kind than `wanted`.
    pub(super) fn refuse<T>(
        &mut self,
        value: &Value<'a>,
        name: &str,
        wanted: &str,
        found: &Content<'a>,
    ) -> Option<T> {
        self.fault(Some(value), wrong(&format!("{name} must be {wanted}, not {}", found.kind())));
        None
    }
}

/// The fault of a value that is wrong.
pub(super) fn wrong(message: &str) -> Diagnostic {
    Diagnostic::error(codes::BAD_VALUE, message)
}

/// The fault of a name that is none of `known`, with the nearest of these, where any are to be looked through.
pub(super) fn unknown<'k>(
    code: Code,
    what: &str,
    name: &str,
    known: Option<impl Iterator<Item = &'k str> + Clone>,
) -> Diagnostic {
    let shown: String = name.chars().take(limits::NAME_BYTES).collect();
    let fault = Diagnostic::error(code, format!("{what} {shown}"));
    let Some(known) = known else { return fault };
    match nearest(name, known.clone()) {
        Some(near) => fault.help(format!("the nearest is {near}")),
        None => fault.note(format!("known: {}", known.take(40).collect::<Vec<_>>().join(", "))),
    }
}
