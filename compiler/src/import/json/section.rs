//! Sections: objects of a description whose fields are declared once. The reader reads what is declared, and the schema
//! says the same.

use frit_ir::diagnostic::codes;
use serde_json::{Map, Value as Json, json};

use crate::import::document::{Member, Value};
use crate::import::findings::wrong;
use crate::import::reader::Reader;
use crate::import::values::Values;

/// A field as it is declared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    /// Its name.
    pub(super) name: &'static str,
    /// Other names for it, as other libraries have them.
    pub(super) also: &'static [&'static str],
    /// What it is.
    pub(super) doc: &'static str,
    /// What to write where it is missing; empty where its name says enough.
    pub(super) help: &'static str,
    /// Whether it must be there.
    pub(super) required: bool,
    /// What it is where it is not there.
    pub(super) default: Option<fn() -> Json>,
    /// What it may hold.
    pub(super) schema: fn() -> Json,
}

impl Field {
    /// A field that holds a `T`.
    pub(super) const fn new<T: FieldKind>(name: &'static str, doc: &'static str) -> Field {
        let (also, help, schema): (&[&str], &str, fn() -> Json) = (&[], "", T::schema);
        Field { name, also, doc, help, required: !T::OPTIONAL, default: None, schema }
    }

    /// All names that it goes by.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.also.iter().copied())
    }
}

/// What holds between fields, by their first names.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// One of them must be there, and no more; the text says what to write.
    OneOf(&'static [&'static str], &'static str),
    /// Not all of them together.
    NotBoth(&'static str, &'static str),
    /// The first only makes sense beside one of the others.
    Beside(&'static str, &'static [&'static str]),
}

/// An object with declared fields.
pub(super) trait Section: Sized {
    /// What it is.
    const DOC: &'static str;
    /// Its fields, in the order in which they are read.
    const FIELDS: &'static [Field];
    /// What holds between them.
    const RULES: &'static [Rule];

    /// Reads all fields; none where one is at fault.
    fn read(reader: &mut Reader<'_, '_>) -> Option<Self>;
}

/// What a field may hold.
pub(super) trait FieldKind: Sized {
    /// Whether the field may be left out.
    const OPTIONAL: bool = false;

    /// Reads `value`, which stands in the field `name`.
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Self>;

    /// As JSON Schema has it.
    fn schema() -> Json;

    /// The value of a field that is not there.
    fn absent() -> Option<Self> {
        None
    }
}

impl<T: FieldKind> FieldKind for Option<T> {
    const OPTIONAL: bool = true;

    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<Option<T>> {
        T::parse(values, value, name).map(Some)
    }

    fn schema() -> Json {
        T::schema()
    }

    fn absent() -> Option<Option<T>> {
        Some(None)
    }
}

/// A value that is written as one of some words.
pub(super) trait Choice: Copy + 'static {
    /// The words, and what they mean.
    const CHOICES: &'static [(&'static str, Self)];
}

impl<T: Choice> FieldKind for T {
    fn parse<'a>(values: &mut Values<'_, 'a>, value: &Value<'a>, name: &str) -> Option<T> {
        values.as_choice(value, name, T::CHOICES)
    }

    fn schema() -> Json {
        json!({"enum": T::CHOICES.iter().map(|(word, _)| *word).collect::<Vec<_>>()})
    }
}

/// A default, as it would be written.
pub(super) trait Spell {
    /// As JSON.
    fn spell(&self) -> Json;
}

impl<T: Choice + PartialEq> Spell for T {
    fn spell(&self) -> Json {
        T::CHOICES.iter().find(|(_, choice)| choice == self).map_or(Json::Null, |(word, _)| json!(word))
    }
}

/// Declares a section: a struct, its fields, and how they are read. A field without a default must be there, unless its
/// type is an `Option`.
macro_rules! section {
    ($(#[doc = $doc:literal])+
     $name:ident {
        $($(#[doc = $about:literal])+ $(#[also($($also:literal),+)])? $(#[help($help:expr)])?
          $field:ident: $kind:ty $(= $default:expr)?,)*
     } $([$($rule:expr),+ $(,)?])?) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone)]
        pub(in $crate::import::json) struct $name {
            $($(#[doc = $about])+ pub(in $crate::import::json) $field: $kind,)*
        }

        impl $crate::import::json::section::Section for $name {
            const DOC: &'static str = concat!($($doc),+);
            const FIELDS: &'static [$crate::import::json::section::Field] = &[$({
                #[allow(unused_mut, reason = "a field without names, help and default stays as it is")]
                let mut field = $crate::import::json::section::Field::new::<$kind>(stringify!($field), concat!($($about),+));
                $(field.also = &[$($also),+];)?
                $(field.help = $help;)?
                $(field.required = false;
                field.default = Some(|| $crate::import::json::section::Spell::spell(&$default));)?
                field
            },)*];
            const RULES: &'static [$crate::import::json::section::Rule] = &[$($($rule),+)?];

            #[allow(unused_mut, unused_variables, reason = "a section may have no field")]
            fn read(reader: &mut $crate::import::reader::Reader<'_, '_>) -> Option<$name> {
                let mut fields = Self::FIELDS.iter();
                $(let $field = match fields.next() {
                    Some(field) => reader.field::<$kind>(field, [$($default)?].into_iter().next()),
                    None => None,
                };)*
                reader.rules(Self::RULES);
                Some($name { $($field: $field?),* })
            }
        }
    };
}
pub(super) use section;

/// Makes a section what a field may hold.
macro_rules! section_kind {
    ($name:ident) => {
        impl $crate::import::json::section::FieldKind for $name {
            fn parse<'a>(
                values: &mut $crate::import::values::Values<'_, 'a>,
                value: &$crate::import::document::Value<'a>,
                _: &str,
            ) -> Option<$name> {
                let mut object = $crate::import::reader::Reader::open(value, values.findings)?;
                let read = <$name as $crate::import::json::section::Section>::read(&mut object);
                object.finish();
                read
            }

            fn schema() -> serde_json::Value {
                use $crate::import::json::section::Section;
                $crate::import::json::section::object($name::DOC, $name::FIELDS, $name::RULES)
            }
        }
    };
}
pub(super) use section_kind;

impl<'a> Reader<'_, 'a> {
    /// The field under any of its names, where it is there.
    pub(super) fn member_of(&mut self, field: &Field) -> Option<Member<'a>> {
        self.take(field.name, field.also)
    }

    /// The field as its kind; `default` where it is not there.
    pub(super) fn field<T: FieldKind>(&mut self, field: &Field, default: Option<T>) -> Option<T> {
        if let Some(member) = self.member_of(field) {
            return T::parse(&mut self.values, &member.value, &member.name);
        }
        let absent = default.or_else(T::absent);
        if absent.is_none() {
            self.missing(field.name, field.help);
        }
        absent
    }

    /// The fault of each rule that does not hold.
    pub(super) fn rules(&mut self, rules: &[Rule]) {
        for rule in rules {
            match *rule {
                Rule::OneOf(names, help) => {
                    self.not_both(names);
                    if !names.iter().any(|name| self.given(name).is_some()) {
                        self.missing(names[0], help);
                    }
                }
                Rule::NotBoth(one, other) => self.not_both(&[one, other]),
                Rule::Beside(name, others) => {
                    if let Some(value) = self.given(name)
                        && !others.iter().any(|other| self.given(other).is_some())
                    {
                        let message = format!("{name} needs {} beside it", others.join(" or "));
                        self.fault(Some(&value), wrong(&message));
                    }
                }
            }
        }
    }

    fn not_both(&mut self, names: &[&'static str]) {
        let given: Vec<(&str, Value<'a>)> =
            names.iter().filter_map(|name| Some((*name, self.given(name)?))).collect();
        for (name, value) in given.iter().skip(1) {
            self.fault(Some(value), wrong(&format!("{} or {name}, not both", given[0].0)));
        }
    }

    /// The fault that a field is missing, with what to write.
    pub(super) fn missing(&mut self, name: &str, help: &str) {
        let fault = frit_ir::Diagnostic::error(codes::MISSING_FIELD, format!("the field {name} is missing"));
        self.fault(None, if help.is_empty() { fault } else { fault.help(help) });
    }
}

/// An object of these fields and no others.
pub(super) fn object(doc: &str, fields: &[Field], rules: &[Rule]) -> Json {
    let mut properties = Map::new();
    let mut constraints = Vec::new();
    for field in fields {
        for name in field.names() {
            properties.insert(name.to_owned(), property(field, name));
        }
        if field.required {
            constraints.push(any_of(field.names()));
        }
        constraints.extend(pairs(&field.names().collect::<Vec<_>>()));
    }
    // A rule names fields by their first names, and holds for all that they go by.
    let names = |first: &&str| -> Vec<&str> {
        let field = fields.iter().find(|field| field.name == *first);
        field.map_or_else(Vec::new, |field| field.names().collect())
    };
    for rule in rules {
        match rule {
            Rule::OneOf(firsts, _) => {
                let all: Vec<&str> = firsts.iter().flat_map(names).collect();
                constraints.push(any_of(all.iter().copied()));
                constraints.extend(pairs(&all));
            }
            Rule::NotBoth(one, other) => {
                constraints.extend(pairs(&[names(one), names(other)].concat()));
            }
            Rule::Beside(first, others) => {
                let beside = any_of(others.iter().flat_map(names));
                constraints
                    .extend(names(first).iter().map(|name| json!({"dependentSchemas": {*name: beside}})));
            }
        }
    }
    constraints.dedup();
    let mut object = json!({
        "description": doc.trim(), "type": "object", "properties": properties, "additionalProperties": false,
    });
    if !constraints.is_empty() {
        object["allOf"] = json!(constraints);
    }
    object
}

fn property(field: &Field, name: &str) -> Json {
    let mut property = (field.schema)();
    let doc = field.doc.trim();
    let other = |doc: &str| format!("{doc} (another name for {})", field.name);
    property["description"] = json!(if name == field.name { doc.to_owned() } else { other(doc) });
    if let Some(default) = field.default {
        property["default"] = default();
    }
    property
}

/// That one of these fields is there.
fn any_of<'n>(names: impl Iterator<Item = &'n str>) -> Json {
    let mut required: Vec<Json> = names.map(|name| json!({"required": [name]})).collect();
    if required.len() == 1 { required.remove(0) } else { json!({"anyOf": required}) }
}

/// That no two of these fields are there.
fn pairs(names: &[&str]) -> Vec<Json> {
    let pair = |(index, one)| {
        let after: &[&str] = &names[index + 1..];
        after.iter().map(move |other| json!({"not": {"required": [one, other]}}))
    };
    names.iter().enumerate().flat_map(pair).collect()
}
