//! How layers are called, in the two forms that Keras writes: lists (Keras 1 and 2), and arguments as the call had them
//! (Keras 3).

use frit_ir::diagnostic::codes;

use super::attributes::{Attributes, float};
use crate::import::document::{Content, Value};
use crate::import::findings::wrong;
use crate::import::limits;

/// A tensor, by the layer that made it.
#[derive(Clone)]
pub(super) struct Reference<'a> {
    /// The layer's name.
    pub(super) layer: String,
    /// Which of its calls.
    pub(super) call: usize,
    /// Which of the call's results.
    pub(super) result: usize,
    /// Where it is named.
    pub(super) at: Value<'a>,
}

/// What a call hands over, with tensors as `T`.
#[derive(Debug, Clone)]
pub(super) enum Argument<T> {
    Tensor(T),
    List(Vec<Argument<T>>),
    Named(Vec<(String, Argument<T>)>),
    Number(f64),
    Flag(bool),
    Text(String),
    Nothing,
    /// `start:stop:step`
    Slice([Option<i64>; 3]),
    Ellipsis,
    /// What is none of these, in a word.
    Other(String),
}

/// One call of a layer.
#[derive(Debug, Clone)]
pub(super) struct Call<T> {
    pub(super) positional: Vec<Argument<T>>,
    pub(super) keyword: Vec<(String, Argument<T>)>,
}

impl<T> Default for Call<T> {
    fn default() -> Call<T> {
        Call { positional: Vec::new(), keyword: Vec::new() }
    }
}

impl<T> Argument<T> {
    /// Adds all tensors in it to `found`.
    fn collect<'s>(&'s self, found: &mut Vec<&'s T>) {
        match self {
            Argument::Tensor(tensor) => found.push(tensor),
            Argument::List(items) => items.iter().for_each(|item| item.collect(found)),
            Argument::Named(items) => items.iter().for_each(|(_, item)| item.collect(found)),
            _ => {}
        }
    }

    /// The same with every tensor replaced; none where one has no replacement.
    pub(super) fn map<U>(&self, with: &impl Fn(&T) -> Option<U>) -> Option<Argument<U>> {
        Some(match self {
            Argument::Tensor(tensor) => Argument::Tensor(with(tensor)?),
            Argument::List(items) => {
                Argument::List(items.iter().map(|item| item.map(with)).collect::<Option<_>>()?)
            }
            Argument::Named(items) => Argument::Named(named(items, with)?),
            Argument::Number(number) => Argument::Number(*number),
            Argument::Flag(flag) => Argument::Flag(*flag),
            Argument::Text(text) => Argument::Text(text.clone()),
            Argument::Nothing => Argument::Nothing,
            Argument::Slice(slice) => Argument::Slice(*slice),
            Argument::Ellipsis => Argument::Ellipsis,
            Argument::Other(word) => Argument::Other(word.clone()),
        })
    }
}

fn named<T, U>(
    items: &[(String, Argument<T>)],
    with: &impl Fn(&T) -> Option<U>,
) -> Option<Vec<(String, Argument<U>)>> {
    items.iter().map(|(name, item)| Some((name.clone(), item.map(with)?))).collect()
}

impl<T> Call<T> {
    /// All tensors that it hands over, in order.
    pub(super) fn tensors(&self) -> Vec<&T> {
        let mut found = Vec::new();
        self.positional.iter().for_each(|item| item.collect(&mut found));
        self.keyword.iter().for_each(|(_, item)| item.collect(&mut found));
        found
    }

    /// The same with every tensor replaced; none where one has no replacement.
    pub(super) fn map<U>(&self, with: impl Fn(&T) -> Option<U>) -> Option<Call<U>> {
        let positional = self.positional.iter().map(|item| item.map(&with)).collect::<Option<_>>()?;
        Some(Call { positional, keyword: named(&self.keyword, &with)? })
    }

    /// The argument at `place`, or of this name.
    pub(super) fn argument(&self, place: usize, name: &str) -> Option<&Argument<T>> {
        let keyword = self.keyword.iter().find(|(known, _)| known == name).map(|(_, item)| item);
        self.positional.get(place).or(keyword).filter(|item| !matches!(item, Argument::Nothing))
    }
}

/// Levels of lists in one argument.
const DEPTH: usize = 8;

/// The calls of a layer.
pub(super) fn read<'a>(nodes: &Value<'a>, attributes: &mut Attributes<'_, 'a>) -> Vec<Call<Reference<'a>>> {
    let Some(Content::Array(nodes)) = attributes.content(nodes) else { return Vec::new() };
    nodes.iter().filter_map(|node| call(node, attributes)).collect()
}

fn call<'a>(node: &Value<'a>, attributes: &mut Attributes<'_, 'a>) -> Option<Call<Reference<'a>>> {
    match attributes.content(node)? {
        Content::Object(members) => {
            let mut call = Call::default();
            for member in members {
                match member.name.as_str() {
                    "args" => {
                        if let Argument::List(items) = argument(&member.value, attributes, DEPTH)? {
                            call.positional = items;
                        }
                    }
                    "kwargs" => {
                        if let Argument::Named(items) = argument(&member.value, attributes, DEPTH)? {
                            call.keyword = items;
                        }
                    }
                    _ => {}
                }
            }
            Some(call)
        }
        Content::Array(entries) => listed(node, &entries, attributes),
        other => {
            attributes
                .fault(node, wrong(&format!("a call must be an object or a list, not {}", other.kind())));
            None
        }
    }
}

/// A call as Keras 2 writes it: tensors, each with its layer, call, result and further arguments; one alone perhaps without
/// the list around it.
fn listed<'a>(
    node: &Value<'a>,
    entries: &[Value<'a>],
    attributes: &mut Attributes<'_, 'a>,
) -> Option<Call<Reference<'a>>> {
    if entries.first().is_some_and(|first| first.spelling().starts_with('"')) {
        let (tensor, keyword) = entry(node, entries, attributes)?;
        return Some(Call { positional: vec![tensor], keyword });
    }
    let mut call = Call::default();
    let mut tensors = Vec::new();
    for value in entries {
        let Content::Array(parts) = attributes.content(value)? else {
            attributes.fault(value, wrong("a tensor must be a list: layer, call, result"));
            return None;
        };
        let (tensor, keyword) = entry(value, &parts, attributes)?;
        tensors.push(tensor);
        if call.keyword.is_empty() {
            call.keyword = keyword;
        }
    }
    call.positional = if tensors.len() == 1 { tensors } else { vec![Argument::List(tensors)] };
    Some(call)
}

type Entry<'a> = (Argument<Reference<'a>>, Vec<(String, Argument<Reference<'a>>)>);

/// What stands for a constant where a tensor would.
const CONSTANT: &str = "\"_CONSTANT_VALUE\"";

fn entry<'a>(at: &Value<'a>, parts: &[Value<'a>], attributes: &mut Attributes<'_, 'a>) -> Option<Entry<'a>> {
    let first = match parts {
        [name, _, value, ..] if name.spelling() == CONSTANT => argument(value, attributes, DEPTH)?,
        _ => Argument::Tensor(reference(at, parts, attributes)?),
    };
    let keyword = match parts.get(3).map(|value| argument(value, attributes, DEPTH)) {
        Some(Some(Argument::Named(items))) => items,
        Some(None) => return None,
        _ => Vec::new(),
    };
    Some((first, keyword))
}

/// The tensor that is named as a layer, a call and a result.
pub(super) fn reference<'a>(
    at: &Value<'a>,
    parts: &[Value<'a>],
    attributes: &mut Attributes<'_, 'a>,
) -> Option<Reference<'a>> {
    let [layer, call, result, ..] = parts else {
        attributes.fault(at, wrong("a tensor must be a list: layer, call, result"));
        return None;
    };
    let layer = attributes.values().as_text(layer, "layer")?;
    let (call, result) =
        (attributes.values().as_whole(call, "call")?, attributes.values().as_whole(result, "result")?);
    Some(Reference { layer, call, result, at: at.clone() })
}

/// Whether these are the parts of a tensor's name.
fn names_tensor(parts: &[Value<'_>]) -> bool {
    let digit = |value: &Value<'_>| value.spelling().bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts, [layer, call, result] if layer.spelling().starts_with('"') && digit(call) && digit(result))
}

/// Reads an argument of a call.
pub(super) fn argument<'a>(
    value: &Value<'a>,
    attributes: &mut Attributes<'_, 'a>,
    depth: usize,
) -> Option<Argument<Reference<'a>>> {
    if depth == 0 {
        let message = format!("an argument of more than {DEPTH} levels");
        attributes.fault(value, frit_ir::Diagnostic::error(codes::LIMIT, message));
        return None;
    }
    Some(match attributes.content(value)? {
        Content::Null => Argument::Nothing,
        Content::Bool(flag) => Argument::Flag(flag),
        Content::Text(text) => Argument::Text(text),
        Content::Number(spelling) => Argument::Number(float(spelling)),
        Content::Array(parts) if names_tensor(&parts) => {
            Argument::Tensor(reference(value, &parts, attributes)?)
        }
        Content::Array(parts) => list(&parts, attributes, depth)?,
        Content::Object(_) => object(value, attributes, depth)?,
    })
}

fn list<'a>(
    parts: &[Value<'a>],
    attributes: &mut Attributes<'_, 'a>,
    depth: usize,
) -> Option<Argument<Reference<'a>>> {
    if parts.len() > limits::CONSTANT_VALUES {
        return Some(Argument::Other("a list that is too long".to_owned()));
    }
    let items = parts.iter().map(|part| argument(part, attributes, depth - 1)).collect::<Option<_>>()?;
    Some(Argument::List(items))
}

/// An object that stands for something: a tensor, a slice, an array.
fn object<'a>(
    value: &Value<'a>,
    attributes: &mut Attributes<'_, 'a>,
    depth: usize,
) -> Option<Argument<Reference<'a>>> {
    let Content::Object(members) = attributes.content(value)? else { return None };
    let field = |name: &str| members.iter().find(|member| member.name == name).map(|member| &member.value);
    let Some(class) = field("class_name") else {
        if let (Some(start), Some(stop), Some(step)) = (field("start"), field("stop"), field("step")) {
            return slice([start, stop, step], attributes);
        }
        let item = |member: &crate::import::document::Member<'a>, attributes: &mut Attributes<'_, 'a>| {
            Some((member.name.clone(), argument(&member.value, attributes, depth - 1)?))
        };
        return members.iter().map(|m| item(m, attributes)).collect::<Option<_>>().map(Argument::Named);
    };
    let class = attributes.values().as_text(class, "class_name")?;
    let config = field("config").cloned();
    let inside = |name: &str, attributes: &mut Attributes<'_, 'a>| {
        let Content::Object(members) = attributes.content(config.as_ref()?)? else { return None };
        members.into_iter().find(|member| member.name == name).map(|member| member.value)
    };
    match class.as_str() {
        "__keras_tensor__" => {
            let history = inside("keras_history", attributes)?;
            let Content::Array(parts) = attributes.content(&history)? else { return None };
            reference(&history, &parts, attributes).map(Argument::Tensor)
        }
        "__slice__" => {
            let parts = ["start", "stop", "step"].map(|name| inside(name, attributes));
            let [Some(start), Some(stop), Some(step)] = parts else { return None };
            slice([&start, &stop, &step], attributes)
        }
        "__ellipsis__" => Some(Argument::Ellipsis),
        "__tuple__" => argument(field("items")?, attributes, depth - 1),
        "__numpy__" | "__tensor__" => argument(&inside("value", attributes)?, attributes, depth - 1),
        other => Some(Argument::Other(other.to_owned())),
    }
}

fn slice<'a>(parts: [&Value<'a>; 3], attributes: &mut Attributes<'_, 'a>) -> Option<Argument<Reference<'a>>> {
    let mut found = [None; 3];
    for (found, part) in found.iter_mut().zip(parts) {
        *found = match attributes.content(part)? {
            Content::Null => None,
            _ => Some(attributes.values().as_integer(part, "a slice's bound")?),
        };
    }
    Some(Argument::Slice(found))
}
