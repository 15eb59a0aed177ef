//! The schema of descriptions and the reader of descriptions say the same.

use frit_compiler::import::{Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_tests::case::Case;
use frit_tests::{root, source};
use jsonschema::Validator;

fn validator() -> Validator {
    let schema = json::schema();
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("the schema is no schema: {error}"));
    jsonschema::draft202012::new(&schema).unwrap_or_else(|error| panic!("the schema can't be used: {error}"))
}

/// What the schema finds wrong in `text`, in a line for each.
fn refusals(validator: &Validator, text: &str) -> Vec<String> {
    match serde_json::from_str(text) {
        Ok(value) => {
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
        }
        Err(error) => vec![error.to_string()],
    }
}

#[test]
fn the_schema_takes_every_network_that_comes_with_frit() {
    let validator = validator();
    for name in zoo::names() {
        let text = zoo::description(name, &ZooOptions::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let refusals = refusals(&validator, &text);
        assert!(refusals.is_empty(), "{name}:\n{}", refusals.join("\n"));
    }
}

/// `// schema: accepts` in the head of a case says that only the whole network shows the fault.
#[test]
fn the_schema_and_the_reader_agree_on_every_file_test() {
    let validator = validator();
    let folder = root().join("tests/files/json");
    let mut faults = Vec::new();
    for path in source::files(&folder, "test") {
        let case = Case::read(&path);
        let source = Source { file: "model.json".to_owned(), folder: Some(folder.clone()), weights: None };
        let read = json::read(&case.body, &source).is_ok();
        let refusals = refusals(&validator, &case.body);
        let beyond = case.directive("schema") == "accepts";
        if refusals.is_empty() != (read || beyond) {
            let reader = if read { "takes" } else { "refuses" };
            let said = refusals.join("\n  ");
            faults.push(format!("{}: the reader {reader} it, the schema says:\n  {said}", path.display()));
        }
        if beyond && read {
            faults.push(format!("{}: nothing is wrong here, so the head need not say so", path.display()));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_schema_lists_every_field_with_a_description() {
    let schema = json::schema();
    let definitions = schema["$defs"].as_object().expect("there are definitions");
    assert!(definitions.len() > 20);
    for (name, definition) in definitions {
        let Some(properties) = definition["properties"].as_object() else { continue };
        for (field, property) in
            properties.iter().filter(|(field, _)| !["op", "stage"].contains(&field.as_str()))
        {
            assert!(property["description"].is_string(), "{name}/{field} has no description");
        }
    }
}
