//! The schema of descriptions and the reader of descriptions say the same.

use boon::{Compiler, SchemaIndex, Schemas};
use frit_compiler::import::{Source, json};
use frit_compiler::zoo::{self, ZooOptions};
use frit_tests::case::Case;
use frit_tests::{root, source};

/// The schema of descriptions, ready to be held against some.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    /// # Panics
    /// If the schema does not keep to its own draft.
    fn new() -> Validator {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("frit.json", json::schema()).expect("the schema is JSON");
        let index = compiler.compile("frit.json", &mut schemas);
        let index = index.unwrap_or_else(|error| panic!("the schema is no schema: {error:#}"));
        Validator { schemas, index }
    }

    /// What the schema finds wrong in `text`; empty where that is nothing.
    fn refusal(&self, text: &str) -> String {
        match serde_json::from_str(text) {
            Ok(value) => match self.schemas.validate(&value, self.index) {
                Ok(()) => String::new(),
                Err(error) => format!("{error:#}"),
            },
            Err(error) => error.to_string(),
        }
    }
}

#[test]
fn the_schema_takes_every_network_that_comes_with_frit() {
    let validator = Validator::new();
    for name in zoo::names() {
        let text = zoo::description(name, &ZooOptions::default()).unwrap_or_else(|faults| panic!("{faults}"));
        let refusal = validator.refusal(&text);
        assert!(refusal.is_empty(), "{name}: {refusal}");
    }
}

/// `// schema: accepts` in the head of a case says that only the whole network shows the fault.
#[test]
fn the_schema_and_the_reader_agree_on_every_file_test() {
    let validator = Validator::new();
    let folder = root().join("tests/files/json");
    let mut faults = Vec::new();
    for path in source::files(&folder, "test") {
        let case = Case::read(&path);
        let source =
            Source { file: "model.json".to_owned(), folder: Some(folder.clone()), ..Source::default() };
        let read = json::read(&case.body, &source).is_ok();
        let refusal = validator.refusal(&case.body);
        let beyond = case.directive("schema") == "accepts";
        if refusal.is_empty() != (read || beyond) {
            let reader = if read { "takes" } else { "refuses" };
            faults.push(format!("{}: the reader {reader} it, the schema says: {refusal}", path.display()));
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
