//! JSON whose values know where they stand: every fault can name line, column and path.
//!
//! The text is checked once, as a whole; values are taken apart a level at a time, when somebody asks for them. So nothing
//! here recurses, and a part of the document that nobody asks for costs nothing. What a value costs is small and known, and
//! how many values a document may have is limited: its memory is bounded whatever is in it.

use std::fmt;
use std::rc::Rc;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::{Place, codes};
use serde::Deserializer;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Values of a document: twenty for each of as many layers as a network may have.
const VALUES: usize = 2_000_000;
/// Fields of one object.
const FIELDS: usize = 100_000;
/// Bytes of text between two marks.
const BLOCK: usize = 1 << 16;

/// A text that is well-formed JSON, with a mark at the begin of each block.
pub(crate) struct Document<'a> {
    text: &'a str,
    file: &'a str,
    marks: Vec<Mark>,
    root: &'a RawValue,
}

/// A place of a text, for people: both count from 1, columns count characters.
#[derive(Clone, Copy)]
struct Mark {
    line: usize,
    column: usize,
}

/// A value inside a document. Where it stands is put into words when somebody asks.
#[derive(Clone)]
pub(crate) struct Value<'a> {
    raw: &'a RawValue,
    /// What it is a part of.
    whole: Option<Rc<Value<'a>>>,
    part: Part<'a>,
}

/// Which part of the whole a value is.
#[derive(Clone, Copy)]
enum Part<'a> {
    All,
    Element(usize),
    /// The key as it is spelled.
    Member(&'a RawValue),
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
    /// `text` is not well-formed JSON, or has too many values.
    pub(crate) fn parse(text: &'a str, file: &'a str) -> Result<Document<'a>, Diagnostic> {
        let root = serde_json::from_str::<&RawValue>(text).map_err(|error| syntax(&error, file))?;
        if values(text) > VALUES {
            let fault =
                Diagnostic::error(codes::LIMIT, format!("the document has more than {VALUES} values"));
            return Err(fault.in_file(Place { file: file.to_owned(), ..Place::default() }));
        }
        let mut mark = Mark { line: 1, column: 1 };
        let begins = text.as_bytes().chunks(BLOCK);
        let marks = begins.map(|block| {
            let behind = mark.behind(block);
            std::mem::replace(&mut mark, behind)
        });
        let marks = marks.collect();
        Ok(Document { text, file, marks, root })
    }

    /// The whole of it.
    pub(crate) fn root(&self) -> Value<'a> {
        Value { raw: self.root, whole: None, part: Part::All }
    }

    /// Where `value` begins, in bytes; `value` must be of this document.
    pub(crate) fn offset(&self, value: &Value<'_>) -> usize {
        let (start, here) = (self.text.as_ptr() as usize, value.raw.get().as_ptr() as usize);
        here.saturating_sub(start).min(self.text.len())
    }

    /// Where `value` stands, for people: columns count characters.
    pub(crate) fn place(&self, value: &Value<'_>) -> Place {
        let offset = self.offset(value);
        let block = self.marks.get(offset / BLOCK).copied().unwrap_or(Mark { line: 1, column: 1 });
        let before = self.text.as_bytes().get(offset / BLOCK * BLOCK..offset).unwrap_or_default();
        let Mark { line, column } = block.behind(before);
        Place { line: Some(line), column: Some(column), path: value.path(), ..self.file_alone() }
    }

    /// The document as a whole, for people.
    pub(crate) fn file_alone(&self) -> Place {
        Place { file: self.file.to_owned(), ..Place::default() }
    }
}

impl Mark {
    /// The place behind `text`, which begins here.
    fn behind(self, text: &[u8]) -> Mark {
        let characters = |text: &[u8]| text.iter().filter(|&byte| byte & 0xc0 != 0x80).count();
        match text.iter().rposition(|&byte| byte == b'\n') {
            None => Mark { column: self.column + characters(text), ..self },
            Some(end) => {
                let lines = text.iter().filter(|&&byte| byte == b'\n').count();
                Mark { line: self.line + lines, column: 1 + characters(&text[end + 1..]) }
            }
        }
    }
}

/// How many values a well-formed text has, at the most: the first of each list or object, and one behind each comma.
fn values(text: &str) -> usize {
    let mut bytes = text.bytes();
    let mut count = 1;
    while let Some(byte) = bytes.next() {
        match byte {
            b',' | b'[' | b'{' => count += 1,
            b'"' => {
                while bytes
                    .next()
                    .is_some_and(|byte| byte != b'"' && (byte != b'\\' || bytes.next().is_some()))
                {
                }
            }
            _ => {}
        }
    }
    count
}

impl<'a> Value<'a> {
    /// Its JSON pointer.
    fn path(&self) -> String {
        let mut parts = Vec::new();
        let mut value = self;
        while let Some(whole) = &value.whole {
            parts.push(match value.part {
                Part::All => String::new(),
                Part::Element(index) => format!("/{index}"),
                Part::Member(key) => {
                    let name: String = serde_json::from_str(key.get()).unwrap_or_default();
                    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
                }
            });
            value = whole;
        }
        parts.reverse();
        parts.concat()
    }

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
                let mut list = serde_json::Deserializer::from_str(text);
                let elements = Elements(Rc::new(self.clone()));
                Content::Array(list.deserialize_seq(elements).map_err(|error| broken(&error))?)
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
        if pairs.len() > FIELDS {
            let message = format!("an object has more than {FIELDS} fields");
            return Err(Diagnostic::error(codes::LIMIT, message));
        }
        let whole = Rc::new(self.clone());
        let member = |(key, raw): (&'a RawValue, &'a RawValue)| {
            let name: String = serde_json::from_str(key.get()).map_err(|error| broken(&error))?;
            let value = |raw| Value { raw, whole: Some(Rc::clone(&whole)), part: Part::Member(key) };
            Ok(Member { key: value(key), name, value: value(raw) })
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

/// Reads a list, the value that it holds, without understanding its elements.
struct Elements<'a>(Rc<Value<'a>>);

impl<'de> Visitor<'de> for Elements<'de> {
    type Value = Vec<Value<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut values = Vec::new();
        while let Some(raw) = list.next_element()? {
            let part = Part::Element(values.len());
            values.push(Value { raw, whole: Some(Rc::clone(&self.0)), part });
        }
        Ok(values)
    }
}

/// Reads an object without understanding its values, one field past the limit.
struct Pairs;

impl<'de> Visitor<'de> for Pairs {
    type Value = Vec<(&'de RawValue, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while pairs.len() <= FIELDS
            && let Some(pair) = map.next_entry()?
        {
            pairs.push(pair);
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
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
    fn places_are_those_of_the_text_in_any_block() {
        let text =
            format!("[{}\n\"ä\", 1{}, 2]", " ".repeat(2 * BLOCK), "\n ä".replace('ä', " ").repeat(BLOCK));
        let document = Document::parse(&text, "x").unwrap();
        let Ok(Content::Array(elements)) = document.root().content() else { panic!("not a list") };
        let place = |index: usize| {
            let place = document.place(&elements[index]);
            (place.line.unwrap(), place.column.unwrap(), place.path)
        };
        assert_eq!(place(0), (2, 1, "/0".to_owned()));
        assert_eq!(place(1), (2, 6, "/1".to_owned()));
        assert_eq!(place(2), (2 + BLOCK, 5, "/2".to_owned()));
    }

    #[test]
    fn a_document_of_too_many_values_is_refused_and_commas_in_strings_are_none() {
        let list = |elements: usize| format!("[{}0]", "0,".repeat(elements - 1));
        assert!(Document::parse(&list(VALUES - 2), "x").is_ok());
        let fault = Document::parse(&list(VALUES + 1), "x").err().unwrap();
        assert_eq!((fault.code, fault.place.file.as_str()), (codes::LIMIT, "x"));
        let text = format!(r#"["{}\"\\", 1]"#, ",[{".repeat(VALUES));
        assert!(Document::parse(&text, "x").is_ok());
    }

    #[test]
    fn depth_costs_no_stack() {
        let text = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        let document = Document::parse(&text, "x").unwrap();
        assert!(matches!(document.root().content(), Ok(Content::Array(inner)) if inner.len() == 1));
    }
}
