//! JSON whose values know where they stand: every fault can name line, column and path.
//!
//! The text is checked once, as a whole; values are taken apart a level at a time, when somebody asks for them. So nothing
//! here recurses, and a part of the document that nobody asks for costs nothing.

use std::fmt;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::{Place, codes};
use serde::Deserializer;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// A text that is well-formed JSON, with the starts of its lines.
pub(crate) struct Document<'a> {
    text: &'a str,
    file: &'a str,
    lines: Vec<usize>,
    root: &'a RawValue,
}

/// A value inside a document.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    raw: &'a RawValue,
    path: String,
}

/// A field of an object: its key, and both with their places.
#[derive(Clone)]
pub(crate) struct Member<'a> {
    /// The key, as a value: for its place.
    pub(crate) key: Value<'a>,
    /// The key's text.
    pub(crate) name: String,
    /// What it stands for.
    pub(crate) value: Value<'a>,
}

/// A value, taken apart by one level.
pub(crate) enum Content<'a> {
    Object(Vec<Member<'a>>),
    Array(Vec<Value<'a>>),
    Text(String),
    /// As it is spelled.
    Number(&'a str),
    Bool(bool),
    Null,
}

impl<'a> Document<'a> {
    /// The document in `text`; `file` is its name in faults.
    ///
    /// # Errors
    /// `text` is not well-formed JSON.
    pub(crate) fn parse(text: &'a str, file: &'a str) -> Result<Document<'a>, Diagnostic> {
        let root = serde_json::from_str::<&RawValue>(text).map_err(|error| syntax(&error, file))?;
        let ends = text.bytes().enumerate().filter(|&(_, byte)| byte == b'\n');
        let lines = std::iter::once(0).chain(ends.map(|(end, _)| end + 1)).collect();
        Ok(Document { text, file, lines, root })
    }

    /// The whole of it.
    pub(crate) fn root(&self) -> Value<'a> {
        Value { raw: self.root, path: String::new() }
    }

    /// Where `value` begins, in bytes; `value` must be of this document.
    pub(crate) fn offset(&self, value: &Value<'_>) -> usize {
        let (start, here) = (self.text.as_ptr() as usize, value.raw.get().as_ptr() as usize);
        here.saturating_sub(start).min(self.text.len())
    }

    /// Where `value` stands, for people: columns count characters.
    pub(crate) fn place(&self, value: &Value<'_>) -> Place {
        let offset = self.offset(value);
        let line = self.lines.partition_point(|&start| start <= offset).max(1);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let begins = |byte: &u8| byte & 0xc0 != 0x80;
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        let column = before.iter().filter(|byte| begins(byte)).count() + 1;
        Place { line: Some(line), column: Some(column), path: value.path.clone(), ..self.file_alone() }
    }

    /// The document as a whole, for people.
    pub(crate) fn file_alone(&self) -> Place {
        Place { file: self.file.to_owned(), ..Place::default() }
    }
}

impl<'a> Value<'a> {
    /// As it is spelled.
    pub(crate) fn spelling(&self) -> &'a str {
        self.raw.get()
    }

    /// The value, taken apart by one level.
    ///
    /// # Errors
    /// A string with an escape that is no character.
    pub(crate) fn content(&self) -> Result<Content<'a>, Diagnostic> {
        let text = self.raw.get();
        Ok(match text.as_bytes().first() {
            Some(b'{') => Content::Object(self.members()?),
            Some(b'[') => {
                let elements: Vec<&RawValue> = serde_json::from_str(text).map_err(|error| broken(&error))?;
                let path = |index| format!("{}/{index}", self.path);
                let value = |(index, raw)| Value { raw, path: path(index) };
                Content::Array(elements.into_iter().enumerate().map(value).collect())
            }
            Some(b'"') => Content::Text(serde_json::from_str(text).map_err(|error| broken(&error))?),
            Some(b't') => Content::Bool(true),
            Some(b'f') => Content::Bool(false),
            Some(b'n') => Content::Null,
            _ => Content::Number(text),
        })
    }

    fn members(&self) -> Result<Vec<Member<'a>>, Diagnostic> {
        let mut object = serde_json::Deserializer::from_str(self.raw.get());
        let pairs = object.deserialize_map(Pairs).map_err(|error| broken(&error))?;
        let member = |(key, raw): (&'a RawValue, &'a RawValue)| {
            let name: String = serde_json::from_str(key.get()).map_err(|error| broken(&error))?;
            let path = format!("{}/{}", self.path, name.replace('~', "~0").replace('/', "~1"));
            let key = Value { raw: key, path: path.clone() };
            Ok(Member { key, name, value: Value { raw, path } })
        };
        pairs.into_iter().map(member).collect()
    }
}

impl Content<'_> {
    /// What kind of value it is, with its article.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Content::Object(_) => "an object",
            Content::Array(_) => "a list",
            Content::Text(_) => "a string",
            Content::Number(_) => "a number",
            Content::Bool(_) => "true or false",
            Content::Null => "null",
        }
    }
}

/// Reads an object without understanding its values.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(pair) = map.next_entry()? {
            pairs.push(pair);
        }
        Ok(pairs)
    }
}

/// The fault of a text that is no JSON.
fn syntax(error: &serde_json::Error, file: &str) -> Diagnostic {
    let place = Place {
        file: file.to_owned(),
        line: Some(error.line().max(1)),
        column: Some(error.column().max(1)),
        path: String::new(),
    };
    let message = if error.is_eof() { "the JSON ends too early" } else { "this is not JSON" };
    Diagnostic::error(codes::JSON_SYNTAX, message).in_file(place).note(reason(error))
}

/// The fault of a string that passed as JSON but holds no text; the caller adds the place.
fn broken(error: &serde_json::Error) -> Diagnostic {
    Diagnostic::error(codes::JSON_SYNTAX, "this is no valid string").note(reason(error))
}

/// The parser's words without its place.
fn reason(error: &serde_json::Error) -> String {
    let words = error.to_string();
    words.split(" at line ").next().unwrap_or(&words).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<'a>(value: &Value<'a>, key: &str) -> Member<'a> {
        let Ok(Content::Object(members)) = value.content() else { panic!("not an object") };
        members.into_iter().find(|member| member.name == key).unwrap()
    }

    #[test]
    fn values_and_keys_know_line_column_and_path() {
        let text = "{\n  \"ä\": 1, \"a/b\": [true,\n {\"c~\": null}]}";
        let document = Document::parse(text, "x.json").unwrap();
        let list = at(&document.root(), "a/b");
        let place = document.place(&list.key);
        assert_eq!((place.line, place.column, place.path.as_str()), (Some(2), Some(11), "/a~1b"));
        let Ok(Content::Array(elements)) = list.value.content() else { panic!("not a list") };
        let inner = at(&elements[1], "c~");
        let place = document.place(&inner.value);
        assert_eq!((place.line, place.column, place.path.as_str()), (Some(3), Some(9), "/a~1b/1/c~0"));
        assert_eq!(document.offset(&inner.value), text.find("null").unwrap());
        assert!(matches!(inner.value.content(), Ok(Content::Null)));
    }

    #[test]
    fn a_text_that_ends_early_says_where() {
        let fault = Document::parse("{\"a\": [1,\n 2", "x.json").err().unwrap();
        assert_eq!(fault.code, codes::JSON_SYNTAX);
        assert_eq!((fault.place.line, fault.place.column), (Some(2), Some(2)));
        assert_eq!(fault.message, "the JSON ends too early");
    }

    #[test]
    fn half_a_surrogate_is_a_fault_and_no_text() {
        let document = Document::parse(r#"["\ud800"]"#, "x").unwrap();
        let Ok(Content::Array(elements)) = document.root().content() else { panic!("not a list") };
        assert_eq!(elements[0].content().err().unwrap().code, codes::JSON_SYNTAX);
    }

    #[test]
    fn depth_costs_no_stack() {
        let text = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let document = Document::parse(&text, "x").unwrap();
        assert!(matches!(document.root().content(), Ok(Content::Array(inner)) if inner.len() == 1));
    }
}
