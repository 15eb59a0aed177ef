//! Layers that can't be read: all of a network are told at once, a fault for each class.

use std::collections::BTreeMap;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

use super::tensors::Described;
use super::{layers, operations};
use crate::import::document::Value;
use crate::import::findings::Findings;

/// Layers of one fault that are named.
const NAMED: usize = 100;

/// The layers of a file that can't be read.
#[derive(Default)]
pub(super) struct Refused<'a> {
    classes: Vec<Class<'a>>,
    /// Where a class, or a type, stands among them.
    places: BTreeMap<(String, Reason), usize>,
}

struct Class<'a> {
    /// The class, or the type.
    word: String,
    reason: Reason,
    layers: Vec<String>,
    /// The class of the first.
    class: String,
    value: Value<'a>,
}

/// Why a layer can't be read.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reason {
    /// Its class is the user's own.
    Custom,
    /// Its class is none that is read.
    Unknown,
    /// It computes in another type.
    Type,
}

impl<'a> Refused<'a> {
    /// A layer whose class is the user's own.
    pub(super) fn class(&mut self, layer: &Described<'a>) {
        self.add(layer, &layer.class, Reason::Custom);
    }

    /// A layer whose class is none that is read.
    pub(super) fn unknown(&mut self, layer: &Described<'a>) {
        self.add(layer, &layer.class, Reason::Unknown);
    }

    /// An operation of TensorFlow that is none that is read.
    pub(super) fn function(&mut self, layer: &Described<'a>, function: &str) {
        self.add(layer, function, Reason::Unknown);
    }

    /// A layer that computes in another type than float32.
    pub(super) fn dtype(&mut self, layer: &Described<'a>, dtype: &str) {
        self.add(layer, dtype, Reason::Type);
    }

    fn add(&mut self, layer: &Described<'a>, word: &str, reason: Reason) {
        let place = *self.places.entry((word.to_owned(), reason)).or_insert(self.classes.len());
        match self.classes.get_mut(place) {
            Some(known) => known.layers.push(layer.path.clone()),
            None => self.classes.push(Class {
                word: word.to_owned(),
                reason,
                layers: vec![layer.path.clone()],
                class: layer.class.clone(),
                value: layer.value.clone(),
            }),
        }
    }

    /// Tells them all.
    pub(super) fn tell(&self, findings: &mut Findings<'a>) {
        for class in &self.classes {
            // Nobody reads what is past the limit of faults.
            let fault = if findings.is_full() { class.plain() } else { class.fault(findings) };
            findings.add(&class.value, fault);
        }
    }
}

impl Class<'_> {
    /// The fault in short.
    fn plain(&self) -> Diagnostic {
        Diagnostic::error(codes::KERAS_CLASS, format!("{} is not read", self.word))
    }

    fn fault(&self, findings: &Findings<'_>) -> Diagnostic {
        let names: Vec<&str> = self.layers.iter().map(String::as_str).collect();
        let word = &self.word;
        let fault = match self.reason {
            Reason::Custom => {
                let message = format!("{word} is a class of its own, whose code is not in the file");
                Diagnostic::error(codes::KERAS_CLASS, message)
                    .help("build the network of layers that Keras has, or export it to ONNX")
            }
            Reason::Unknown => {
                let what = "frit has no layer or operation";
                findings
                    .unknown(codes::KERAS_CLASS, what, word, layers::names().chain(operations::names()))
                    .help("export the network to ONNX, which spells it in smaller operations")
            }
            Reason::Type => {
                let message = format!("layers compute in {word}, not in float32");
                Diagnostic::error(codes::KERAS_DTYPE, message)
                    .note("frit computes in float32 and converts nothing silently")
                    .help("build the network in float32 and save it again: keras.config.set_dtype_policy(\"float32\")")
            }
        };
        fault.at(format!("{} ({})", names[0], self.class)).note(format!("it is used by {}", listed(&names)))
    }
}

/// The names, as many as may be.
pub(super) fn listed(names: &[&str]) -> String {
    let more = names.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{tail}", names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", "))
}

/// The members of `all` by what `key` says of them, in the order of the first of each.
pub(super) fn grouped<'l, T, K: Ord>(all: &'l [T], key: impl Fn(&'l T) -> K) -> Vec<Vec<&'l T>> {
    let mut places = BTreeMap::new();
    let mut groups: Vec<Vec<&T>> = Vec::new();
    for one in all {
        let place = *places.entry(key(one)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        groups[place].push(one);
    }
    groups
}
