//! What a layer's configuration says, value by value: each is checked where it is read, every fault is told with its place.

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_ir::ops::Scalar;
use frit_ir::weights;

use super::version::Version;
use crate::import::document::{Content, Value};
use crate::import::findings::{Findings, wrong};
use crate::import::reader::Reader;
use crate::import::values::Values;

/// The configuration of a layer that is being read. A field that is null is one that is not there.
pub(super) struct Attributes<'r, 'a> {
    reader: Reader<'r, 'a>,
    /// Which Keras wrote it.
    pub(super) version: Version,
}

/// How the axes of a map lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Axes {
    ChannelsLast,
    ChannelsFirst,
}

/// The number of this spelling; infinite where it is too large, which no attribute may be.
pub(super) fn float(spelling: &str) -> f64 {
    spelling.parse().unwrap_or(f64::NAN)
}

impl<'r, 'a> Attributes<'r, 'a> {
    /// The fields of the object `value`, of the layer `label`.
    pub(super) fn open(
        value: &Value<'a>,
        label: &str,
        version: Version,
        findings: &'r mut Findings<'a>,
    ) -> Option<Attributes<'r, 'a>> {
        let mut reader = Reader::open(value, findings)?;
        reader.of_layer(label.to_owned());
        Some(Attributes { reader, version })
    }

    /// Something without fields, for which `value` stands.
    pub(super) fn nothing(
        value: &Value<'a>,
        label: &str,
        version: Version,
        findings: &'r mut Findings<'a>,
    ) -> Attributes<'r, 'a> {
        let mut reader = Reader::of_nothing(value, findings);
        reader.of_layer(label.to_owned());
        Attributes { reader, version }
    }

    /// How the values of fields are read.
    pub(super) fn values(&mut self) -> &mut Values<'r, 'a> {
        &mut self.reader.values
    }

    /// All faults so far.
    pub(super) fn findings(&mut self) -> &mut Findings<'a> {
        self.reader.values.findings
    }

    /// Tells a fault at `value`.
    pub(super) fn fault(&mut self, value: &Value<'a>, fault: Diagnostic) {
        self.values().fault(value, fault);
    }

    /// Tells a fault at the field `name`, or at the whole where it isn't there.
    pub(super) fn fault_at(&mut self, name: &str, fault: Diagnostic) {
        let at = self.value(name);
        self.reader.fault(at.as_ref(), fault);
    }

    /// A level of `value`.
    pub(super) fn content(&mut self, value: &Value<'a>) -> Option<Content<'a>> {
        self.values().content(value)
    }

    /// The field `name`, if it is there and says something.
    pub(super) fn value(&self, name: &str) -> Option<Value<'a>> {
        self.reader.member(name).filter(|value| value.spelling() != "null")
    }

    /// All fields, with their names.
    pub(super) fn all(&self) -> Vec<(String, Value<'a>)> {
        self.reader.members().map(|member| (member.name.clone(), member.value.clone())).collect()
    }

    /// The field `name`; that it is not there is a fault.
    pub(super) fn needed(&mut self, name: &str) -> Option<Value<'a>> {
        let found = self.value(name);
        if found.is_none() {
            let message = format!("the field {name} is missing");
            self.reader.fault(None, Diagnostic::error(codes::MISSING_FIELD, message));
        }
        found
    }

    /// `value` as a number that f32 can hold. What NumPy made of it may stand around it.
    pub(super) fn number_of(&mut self, value: &Value<'a>, name: &str) -> Option<Scalar> {
        let mut value = value.clone();
        for wrapping in ["config", "value"] {
            if let Content::Object(members) = self.content(&value)? {
                value = members.into_iter().find(|member| member.name == wrapping).map_or(value, |m| m.value);
            }
        }
        self.values().as_scalar(&value, name)
    }

    /// The field `name` as a number from 1 on.
    pub(super) fn count(&mut self, name: &str) -> Option<usize> {
        let value = self.needed(name)?;
        self.values().as_count(&value, name)
    }

    /// The same, `default` where it is not there.
    pub(super) fn count_or(&mut self, name: &str, default: usize) -> Option<usize> {
        self.value(name).map_or(Some(default), |value| self.values().as_count(&value, name))
    }

    /// The field `name` as height and width, each from 1 on; one number means both.
    pub(super) fn pair(&mut self, name: &str) -> Option<[usize; 2]> {
        let value = self.needed(name)?;
        self.values().as_pair(&value, name, Values::as_count)
    }

    /// The same, `default` where it is not there.
    pub(super) fn pair_or(&mut self, name: &str, default: [usize; 2]) -> Option<[usize; 2]> {
        self.value(name).map_or(Some(default), |value| self.values().as_pair(&value, name, Values::as_count))
    }

    /// The field `name` as true or false.
    pub(super) fn flag_or(&mut self, name: &str, default: bool) -> Option<bool> {
        self.value(name).map_or(Some(default), |value| self.values().as_flag(&value, name))
    }

    /// The field `name` as a number.
    pub(super) fn number_or(&mut self, name: &str, default: Scalar) -> Option<Scalar> {
        self.value(name).map_or(Some(default), |value| self.number_of(&value, name))
    }

    /// The field `name` as one of `choices`, the first where it is not there.
    pub(super) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&'static str, T)]) -> Option<T> {
        match self.value(name) {
            Some(value) => self.values().as_choice(&value, name, choices),
            None => choices.first().map(|&(_, choice)| choice),
        }
    }

    /// The field `data_format`.
    pub(super) fn data_format(&mut self) -> Option<Axes> {
        self.choice(
            "data_format",
            &[("channels_last", Axes::ChannelsLast), ("channels_first", Axes::ChannelsFirst)],
        )
    }

    /// The field `name` as whole numbers of either sign; one means a list of one, none where it is not there.
    pub(super) fn integers(&mut self, name: &str) -> Option<Vec<i64>> {
        let Some(value) = self.value(name) else { return Some(Vec::new()) };
        self.values().as_list_or_one(&value, name, Values::as_integer)
    }

    /// The field `name` as numbers, lists of lists one behind the other; one means a list of one.
    pub(super) fn numbers(&mut self, name: &str) -> Option<Option<weights::Values>> {
        let Some(value) = self.value(name) else { return Some(None) };
        let mut waiting = vec![value];
        let mut found = Vec::new();
        while let Some(value) = waiting.pop() {
            match self.content(&value)? {
                Content::Array(parts) => waiting.extend(parts.into_iter().rev()),
                Content::Object(members) => {
                    let mut inner = ["config", "value"].into_iter();
                    let inner = inner.find_map(|name| members.iter().find(|member| member.name == name));
                    waiting.push(inner?.value.clone());
                }
                _ => found.push(self.values().as_number(&value, name)?),
            }
        }
        Some(Some(found.into()))
    }

    /// The axes of an input after that of the batch; none of those that are open.
    pub(super) fn input_axes(&mut self, shape: &Value<'a>, name: &str) -> Option<Vec<Option<usize>>> {
        let axes = self.values().as_list(shape, name)?;
        let Some((_, axes)) = axes.split_first() else {
            self.fault(shape, wrong(&format!("{name} has no axes, not even that of the batch")));
            return None;
        };
        axes.iter()
            .map(|axis| match axis.spelling() {
                "null" => Some(None),
                _ => self.values().as_count(axis, name).map(Some),
            })
            .collect()
    }
}
