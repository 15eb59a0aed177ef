//! The layers of a description as they are written: names, operands and attributes, before any shape is known.

use frit_ir::diagnostic::codes;
use frit_ir::ops::Activation;
use frit_ir::{Diagnostic, Names};

use super::attributes::{self, Defaults, Kind};
use super::document::{Content, Value};
use super::fields::{Findings, Reader};
use super::kinds::{Name, References};
use super::section::{Field, Rule};

/// A layer as it is written.
pub(super) struct Layer<'a> {
    pub(super) name: String,
    /// The whole of it.
    pub(super) value: Value<'a>,
    /// The names that it reads, each with its place; none where it takes the layer before.
    pub(super) inputs: Option<Vec<(String, Value<'a>)>>,
    /// None where a fault was found.
    pub(super) kind: Option<Kind>,
    /// What follows it under its name.
    pub(super) activation: Option<Activation>,
    /// The name of its op or stage.
    pub(super) word: String,
}

/// What a layer is called.
pub(super) const NAME: Field = Field::new::<Option<Name>>(
    "name",
    "What the layer is called; without it, after the layer before and its op",
);
/// What it reads.
pub(super) const INPUTS: Field = Field::new::<Option<References>>(
    "inputs",
    "The layers that it reads, by name; without it, the layer before",
);
/// The op that it is.
pub(super) const OP: Field = Field::new::<Option<String>>("op", "What the layer computes");
/// The stage that it is.
pub(super) const STAGE: Field = Field::new::<Option<String>>("stage", "The kind of blocks that stand here");
/// It is an op or a stage.
pub(super) const OP_OR_STAGE: Rule =
    Rule::OneOf(&[OP.name, STAGE.name], "write \"op\": NAME, or \"stage\": NAME");

impl Layer<'_> {
    /// The fault of taking the layer for one tensor, where it has several results.
    pub(super) fn several(&self) -> Option<Diagnostic> {
        let Some(Kind::Split(split)) = &self.kind else { return None };
        let last = split.len().checked_sub(1).filter(|&last| last > 0)?;
        let message = format!("the layer {} has several results", self.name);
        let fault = Diagnostic::error(codes::UNKNOWN_LAYER, message);
        Some(fault.help(format!("name one: {0}/0 to {0}/{last}", self.name)))
    }
}

/// The op or the stage that a layer names.
pub(super) struct What<'a> {
    /// Its name.
    pub(super) word: String,
    /// Whether it is a stage.
    pub(super) stage: bool,
    /// Where it is named.
    pub(super) value: Value<'a>,
}

/// Reads the layers; `input` is the name of the network's input.
pub(super) fn read<'a>(
    list: &[Value<'a>],
    input: &str,
    defaults: &Defaults,
    findings: &mut Findings<'a>,
) -> Vec<Layer<'a>> {
    let mut layers = Vec::with_capacity(list.len());
    let mut names = Names::from_iter([input]);
    let mut unnamed = Vec::new();
    for value in list {
        let layer = layer(value, defaults, findings);
        if layer.name.is_empty() {
            unnamed.push((layers.len(), layer.word.clone()));
        } else {
            claim(&mut names, &layer.name, value, findings);
        }
        layers.push(layer);
    }
    fill(&mut names, input, &mut layers, &unnamed);
    layers
}

/// Takes the name that a layer is given; given twice, it is a fault.
fn claim<'a>(names: &mut Names, name: &str, value: &Value<'a>, findings: &mut Findings<'a>) {
    if !names.take(name) {
        let message = format!("the name {name} is given twice");
        findings.add(value, Diagnostic::error(codes::DUPLICATE_NAME, message).at(name));
    }
}

/// Names the layers that have no name after their op and the nearest layer before that was given one, the first after `input`.
fn fill(names: &mut Names, input: &str, layers: &mut [Layer<'_>], unnamed: &[(usize, String)]) {
    let mut before = input.to_owned();
    let mut missing = unnamed.iter().peekable();
    for (index, layer) in layers.iter_mut().enumerate() {
        match missing.next_if(|(at, _)| *at == index) {
            Some((_, word)) => layer.name = names.free(&format!("{before}/{word}")),
            None => before.clone_from(&layer.name),
        }
    }
}

/// Reads one layer.
fn layer<'a>(value: &Value<'a>, defaults: &Defaults, findings: &mut Findings<'a>) -> Layer<'a> {
    let mut layer = Layer {
        name: String::new(),
        value: value.clone(),
        inputs: None,
        kind: None,
        activation: None,
        word: "layer".to_owned(),
    };
    let opened = match value.content() {
        Ok(Content::Text(word)) => {
            let what = What { word, stage: false, value: value.clone() };
            Some((Reader::of_nothing(value, findings), Some(what)))
        }
        _ => Reader::open(value, findings).map(|reader| (reader, None)),
    };
    let Some((mut reader, bare)) = opened else { return layer };
    layer.name = reader.field::<Option<Name>>(&NAME, None).flatten().unwrap_or_default().0;
    reader.of_layer(layer.name.clone());
    layer.inputs = reader.take(&INPUTS).and_then(|inputs| reader.as_names(&inputs.value, INPUTS.name));
    let Some(what) = bare.or_else(|| what(&mut reader)) else { return layer };
    layer.word.clone_from(&what.word);
    if !layer.name.is_empty() {
        reader.of_layer(format!("{} ({})", layer.name, what.word));
    }
    (layer.kind, layer.activation) = attributes::read(&what, reader, defaults);
    layer
}

/// Reads `op` or `stage`; one of them must be there.
fn what<'a>(reader: &mut Reader<'_, 'a>) -> Option<What<'a>> {
    let (op, stage) = (reader.take(&OP), reader.take(&STAGE));
    reader.rules(&[OP_OR_STAGE]);
    let (member, stage) = match (op, stage) {
        (Some(op), None) => (op, false),
        (None, Some(stage)) => (stage, true),
        _ => return None,
    };
    let word = reader.as_text(&member.value, &member.name)?;
    Some(What { word, stage, value: member.value })
}
