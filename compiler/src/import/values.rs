//! Typed reading of values: each is checked where it is read, every fault is told with its place.

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_ir::ops::Scalar;

use super::document::{Content, Value};
use super::findings::{Findings, wrong};
use super::limits;

/// How values are read: faults name a layer and are added to those of the document.
pub(super) struct Values<'r, 'a> {
    /// The layer that faults name, empty where there is none.
    pub(super) layer: String,
    pub(super) findings: &'r mut Findings<'a>,
}

impl<'a> Values<'_, 'a> {
    /// Adds a fault at `value`.
    pub(super) fn fault(&mut self, value: &Value<'a>, diagnostic: Diagnostic) {
        self.findings.add(value, diagnostic.at(self.layer.clone()));
    }

    /// A level of `value`.
    pub(super) fn content(&mut self, value: &Value<'a>) -> Option<Content<'a>> {
        value.content().map_err(|fault| self.fault(value, fault)).ok()
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
        self.fault(value, fault);
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

    /// `value` as an attribute of an op.
    pub(super) fn as_scalar(&mut self, value: &Value<'a>, name: &str) -> Option<Scalar> {
        self.as_number(value, name).map(Scalar::new)
    }

    /// `value` as a number that f32 can hold, with its sign where it is 0.
    pub(super) fn as_number(&mut self, value: &Value<'a>, name: &str) -> Option<f32> {
        match self.content(value)? {
            Content::Number(spelling) => {
                let number = spelling.parse::<f32>().ok().filter(|number| number.is_finite());
                if number.is_none() {
                    self.fault(value, wrong(&format!("{name} {spelling} is outside the range of f32")));
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

    /// `list`, if it has `N` elements.
    fn exactly<T, const N: usize>(&mut self, value: &Value<'a>, list: Vec<T>, name: &str) -> Option<[T; N]> {
        let length = list.len();
        let array = <[T; N]>::try_from(list).ok();
        if array.is_none() {
            self.fault(value, wrong(&format!("{name} takes {N} values, not {length}")));
        }
        array
    }

    /// `value` as two values; one means both.
    pub(super) fn as_pair<T: Copy>(
        &mut self,
        value: &Value<'a>,
        name: &str,
        read: impl Fn(&mut Self, &Value<'a>, &str) -> Option<T>,
    ) -> Option<[T; 2]> {
        let Content::Array(parts) = self.content(value)? else {
            return read(self, value, name).map(|one| [one; 2]);
        };
        match parts.as_slice() {
            [one] => read(self, one, name).map(|one| [one; 2]),
            [first, second] => Some([read(self, first, name)?, read(self, second, name)?]),
            _ => {
                self.fault(value, wrong(&format!("{name} takes 2 values, not {}", parts.len())));
                None
            }
        }
    }

    /// `value` as any whole number of 64 bits.
    pub(super) fn as_seed(&mut self, value: &Value<'a>) -> Option<u64> {
        let number = value.spelling().parse::<u64>().ok();
        if number.is_none() {
            self.fault(value, wrong("seed must be a whole number from 0 to 2^64 - 1"));
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
            self.fault(value, wrong(&message));
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
            self.fault(value, wrong(&message));
        }
        number
    }

    /// `value` as a whole number from 1 on.
    pub(super) fn as_count(&mut self, value: &Value<'a>, name: &str) -> Option<usize> {
        let number = self.as_whole(value, name)?;
        if number == 0 {
            let message = format!("{name} 0 makes no sense: the least is 1");
            self.fault(value, Diagnostic::error(codes::BAD_ATTRIBUTE, message));
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
            self.fault(value, fault);
        }
        found
    }

    /// The fault that `value` is of another kind than `wanted`.
    fn refuse<T>(&mut self, value: &Value<'a>, name: &str, wanted: &str, found: &Content<'a>) -> Option<T> {
        self.fault(value, wrong(&format!("{name} must be {wanted}, not {}", found.kind())));
        None
    }
}
