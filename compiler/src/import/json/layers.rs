//! The layers of a description as they are written: names, operands and attributes, before any shape is known.

use frit_ir::diagnostic::codes;
use frit_ir::ops::Activation;
use frit_ir::{Diagnostic, Names};

use super::defaults::Defaults;
use super::kinds::{Name, References};
use super::layer::{Operation, WrittenLayer};
use super::ops::OPS;
use super::section::{Field, Rule};
use super::stages::STAGES;
use crate::import::document::{Content, Value};
use crate::import::findings::Findings;
use crate::import::reader::Reader;

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

/// The op or the stage that a layer names.
struct What<'a> {
    /// Its name.
    word: String,
    /// Whether it is a stage.
    stage: bool,
    /// Where it is named.
    value: Value<'a>,
}

/// Reads the layers; `input` is the name of the network's input.
pub(super) fn read<'a>(
    list: &[Value<'a>],
    input: &str,
    defaults: &Defaults,
    findings: &mut Findings<'a>,
) -> Vec<WrittenLayer<'a>> {
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
fn fill(names: &mut Names, input: &str, layers: &mut [WrittenLayer<'_>], unnamed: &[(usize, String)]) {
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
fn layer<'a>(value: &Value<'a>, defaults: &Defaults, findings: &mut Findings<'a>) -> WrittenLayer<'a> {
    let mut layer = WrittenLayer {
        name: String::new(),
        value: value.clone(),
        inputs: None,
        operation: None,
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
    layer.inputs =
        reader.member_of(&INPUTS).and_then(|inputs| reader.values.as_names(&inputs.value, INPUTS.name));
    let Some(what) = bare.or_else(|| what(&mut reader)) else { return layer };
    layer.word.clone_from(&what.word);
    if !layer.name.is_empty() {
        reader.of_layer(format!("{} ({})", layer.name, what.word));
    }
    (layer.operation, layer.activation) = computed(&what, reader, defaults);
    layer
}

/// Reads `op` or `stage`; one of them must be there.
fn what<'a>(reader: &mut Reader<'_, 'a>) -> Option<What<'a>> {
    let (op, stage) = (reader.member_of(&OP), reader.member_of(&STAGE));
    reader.rules(&[OP_OR_STAGE]);
    let (member, stage) = match (op, stage) {
        (Some(op), None) => (op, false),
        (None, Some(stage)) => (stage, true),
        _ => return None,
    };
    let word = reader.values.as_text(&member.value, &member.name)?;
    Some(What { word, stage, value: member.value })
}

/// Reads what the op or stage takes, and the activation that follows it; a field that it does not take is a fault.
fn computed<'a>(
    what: &What<'a>,
    mut reader: Reader<'_, 'a>,
    defaults: &Defaults,
) -> (Option<Operation>, Option<Activation>) {
    let (entries, kind) = if what.stage { (STAGES, "stage") } else { (OPS, "op") };
    let Some(entry) = entries.iter().find(|entry| entry.name == what.word) else {
        let message = format!("there is no {kind}");
        let known = entries.iter().map(|entry| entry.name);
        let fault = reader.values.findings.unknown(codes::UNKNOWN_OP, &message, &what.word, known);
        reader.fault(Some(&what.value), fault);
        return (None, None);
    };
    let read = (entry.read)(entry.name, &mut reader, defaults);
    reader.finish();
    read.map_or((None, None), |(operation, activation)| (Some(operation), activation))
}
