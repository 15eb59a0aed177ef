//! The JSON Schema of descriptions (draft 2020-12), made from what the reader reads.

use serde_json::{Map, Value as Json, json};

use super::defaults::{ACTIVATION, EPSILON, Inherited, PADDING};
use super::entry::Entry;
use super::header;
use super::layers::{INPUTS, NAME, OP, OP_OR_STAGE, STAGE};
use super::ops::OPS;
use super::section::{Field, Rule, object};
use super::stages::STAGES;

/// The schema that every description keeps. What only the whole network shows (names, shapes, files) is not in it.
pub fn schema() -> Json {
    let mut root = object("A network, as frit reads it", header::FIELDS, &[]);
    let mut definitions = Map::new();
    definitions.insert("layer".to_owned(), layer());
    for (entries, kind) in [(OPS, OP), (STAGES, STAGE)] {
        for entry in entries {
            definitions.insert(entry.name.to_owned(), described(entry, &kind));
        }
    }
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("frit");
    root["$defs"] = Json::Object(definitions);
    root["allOf"] = [PADDING, ACTIVATION, EPSILON].iter().map(inherited).collect();
    root
}

/// A layer: the name of an op that needs no fields, or an object whose op or stage says which fields it has.
fn layer() -> Json {
    let bare: Vec<&str> = OPS.iter().filter(|entry| stands_alone(entry)).map(|entry| entry.name).collect();
    let words =
        |entries: &[Entry]| json!({"enum": entries.iter().map(|entry| entry.name).collect::<Vec<_>>()});
    let (op, stage) = (words(OPS), words(STAGES));
    let Rule::OneOf(kinds, _) = OP_OR_STAGE else { return Json::Bool(false) };
    let one_of: Vec<Json> = kinds.iter().map(|kind| json!({"required": [kind]})).collect();
    let choose = |entries: &'static [Entry], kind: Field| {
        entries.iter().map(move |entry| {
            json!({"if": {"type": "object", "properties": {kind.name: {"const": entry.name}}, "required": [kind.name]},
                   "then": {"$ref": format!("#/$defs/{}", entry.name)}})
        })
    };
    json!({
        "description": "A layer: the name of an op, or an object with its op or stage",
        "type": ["string", "object"],
        "if": {"type": "string"},
        "then": {"enum": bare},
        "else": {"properties": {OP.name: op, STAGE.name: stage}, "oneOf": one_of},
        "allOf": choose(OPS, OP).chain(choose(STAGES, STAGE)).collect::<Vec<_>>(),
    })
}

/// Whether the op needs no field but those that it may inherit.
fn stands_alone(entry: &Entry) -> bool {
    let one_of = |rule: &Rule| matches!(rule, Rule::OneOf(..));
    !entry.fields.iter().any(|field| field.required) && !entry.rules.iter().any(one_of)
}

/// The object of an op or a stage.
fn described(entry: &Entry, kind: &Field) -> Json {
    let fields: Vec<Field> = [NAME, INPUTS, *kind].iter().chain(entry.fields).copied().collect();
    let mut object = object(entry.doc, &fields, entry.rules);
    object["properties"][kind.name] = json!({"const": entry.name});
    object
}

/// Where `defaults` does not say it, every layer that inherits it must.
fn inherited(inherited: &Inherited) -> Json {
    let said = inherited.path.iter().rev().fold(
        json!(true),
        |inner, name| json!({"type": "object", "properties": {*name: inner}, "required": [name]}),
    );
    let inherits = |entry: &&Entry| entry.inherits.iter().any(|other| other.field == inherited.field);
    let names =
        |entries: &[Entry]| entries.iter().filter(inherits).map(|entry| entry.name).collect::<Vec<_>>();
    let (ops, stages) = (names(OPS), names(STAGES));
    let of_kind = |kind: Field, names: &[&str]| json!({"type": "object", "required": [kind.name], "properties": {kind.name: {"enum": names}}});
    let mut says = vec![json!({"required": [inherited.field]})];
    if inherited.field == PADDING.field {
        says.push(json!({"required": ["kernel"], "properties": {"kernel": {"enum": [1, [1, 1]]}}}));
    }
    let silent = json!({"anyOf": [
        {"enum": ops},
        {"anyOf": [of_kind(OP, &ops), of_kind(STAGE, &stages)], "not": {"anyOf": says}},
    ]});
    json!({
        "if": {"not": {"properties": {"defaults": said}, "required": ["defaults"]}},
        "then": {"properties": {"layers": {"items": {"not": silent}}}},
    })
}
