//! ONNX files as text, for tests: a line for each thing in the file.
//!
//! ```text
//! version 17                                     the operators' version; `version 1 of ai.example` for another set
//! input image Nx3x8x8                            a symbol where no number is; `input image float16 1x3` for another type
//! weight w 4x3x3x3 = seeded                      or a number for all elements, or all of them
//! weight shape int64 2 = 1 -1
//! y = Conv(image, w, ) {pads=[1, 1, 1, 1], auto_pad="NOTSET"} as conv1
//! a, b = Split(y) {axis=1, num_outputs=2}
//! z = Wonder(y) of ai.example
//! function f(x) -> y                             up to `end`, lines of nodes
//! output y
//! ```

use frit_compiler::onnx::{
    Attribute, Dimension, Function, Graph, Model, Node, OperatorSet, Shape, Tensor, TensorType, Type,
    ValueInfo,
};
use prost::Message;

/// The names of types that tests use, with their numbers.
const TYPES: [(&str, i32); 6] =
    [("float32", 1), ("int32", 6), ("int64", 7), ("bool", 9), ("float16", 10), ("float64", 11)];

/// The bytes of the file that `text` describes.
///
/// # Panics
/// The text is none of these lines.
pub fn file(text: &str) -> Vec<u8> {
    let mut model = Model { ir_version: Some(8), ..Model::default() };
    let mut graph = Graph { name: Some("graph".to_owned()), ..Graph::default() };
    let mut function: Option<Function> = None;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "version" => model.opset_import.push(version(rest)),
            "input" => graph.input.push(border(rest)),
            "output" => graph.output.push(ValueInfo { name: Some(rest.to_owned()), r#type: None }),
            "weight" => graph.initializer.push(named(rest)),
            "function" => function = Some(declared(rest)),
            "end" => model.functions.extend(function.take()),
            _ => match &mut function {
                Some(function) => function.node.push(node(line)),
                None => graph.node.push(node(line)),
            },
        }
    }
    model.graph = Some(graph);
    model.encode_to_vec()
}

fn version(text: &str) -> OperatorSet {
    let (number, domain) = text.split_once(" of ").unwrap_or((text, ""));
    let number = number.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    OperatorSet { domain: (!domain.is_empty()).then(|| domain.to_owned()), version: Some(number) }
}

/// The number of the type that `words` begins with, and the words behind it.
fn typed<'a, 'w>(words: &'a [&'w str]) -> (i32, &'a [&'w str]) {
    let number = words.first().and_then(|word| TYPES.iter().find(|(name, _)| name == word));
    number.map_or((1, words), |(_, number)| (*number, &words[1..]))
}

fn border(text: &str) -> ValueInfo {
    let words: Vec<&str> = text.split(' ').collect();
    let (elem_type, rest) = typed(&words[1..]);
    let axis = |axis: &str| match axis.parse() {
        Ok(length) => Dimension { dim_value: Some(length), dim_param: None },
        Err(_) => Dimension { dim_value: None, dim_param: Some(axis.to_owned()) },
    };
    let shape = rest.first().map(|axes| Shape { dim: axes.split('x').map(axis).collect() });
    let tensor_type = Some(TensorType { elem_type: Some(elem_type), shape });
    ValueInfo { name: Some(words[0].to_owned()), r#type: Some(Type { tensor_type }) }
}

fn named(text: &str) -> Tensor {
    let (name, rest) = text.split_once(' ').unwrap_or_else(|| panic!("weight {text}: no shape"));
    Tensor { name: Some(name.to_owned()), ..tensor(rest) }
}

/// `[TYPE] SHAPE = VALUES`
fn tensor(text: &str) -> Tensor {
    let (head, values) = text.split_once(" = ").unwrap_or_else(|| panic!("{text}: no values"));
    let words: Vec<&str> = head.split(' ').collect();
    let (data_type, rest) = typed(&words);
    let dims: Vec<i64> = match rest {
        ["scalar"] => Vec::new(),
        [axes] => {
            axes.split('x').map(|axis| axis.parse().unwrap_or_else(|_| panic!("{text}: {axis}"))).collect()
        }
        _ => panic!("{text}: no shape"),
    };
    let count = usize::try_from(dims.iter().product::<i64>()).unwrap_or(0);
    let mut numbers: Vec<f64> = match values {
        // Small numbers of both signs, none of them 0.
        "seeded" => (0..count).map(|index| ((index * 7 + 3) % 11) as f64 / 4.0 - 1.3).collect(),
        _ => values
            .split(' ')
            .map(|value| value.parse().unwrap_or_else(|_| panic!("{text}: {value}")))
            .collect(),
    };
    if let &[one] = &numbers[..] {
        numbers = vec![one; count];
    }
    let bytes: Vec<u8> = match data_type {
        1 => numbers.iter().flat_map(|&value| (value as f32).to_le_bytes()).collect(),
        6 => numbers.iter().flat_map(|&value| (value as i32).to_le_bytes()).collect(),
        7 => numbers.iter().flat_map(|&value| (value as i64).to_le_bytes()).collect(),
        9 => numbers.iter().map(|&value| u8::from(value != 0.0)).collect(),
        11 => numbers.iter().flat_map(|value| value.to_le_bytes()).collect(),
        _ => vec![0; 2 * numbers.len()],
    };
    Tensor { dims, data_type: Some(data_type), raw_data: Some(bytes.into()), ..Tensor::default() }
}

fn names(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        Vec::new()
    } else {
        text.split(',').map(|name| name.trim().to_owned()).collect()
    }
}

/// `NAME(INPUTS) -> OUTPUTS`
fn declared(text: &str) -> Function {
    let (head, output) = text.split_once(" -> ").unwrap_or_else(|| panic!("function {text}"));
    let (name, input) = head.split_once('(').unwrap_or_else(|| panic!("function {text}"));
    let opset_import = Vec::new();
    let input = names(input.trim_end_matches(')'));
    Function {
        name: Some(name.to_owned()),
        input,
        output: names(output),
        opset_import,
        ..Function::default()
    }
}

/// `OUTPUTS = OP(INPUTS) [{ATTRIBUTES}] [of DOMAIN] [as NAME]`
fn node(text: &str) -> Node {
    let (output, rest) = text.split_once(" = ").unwrap_or_else(|| panic!("what is {text:?}?"));
    let (op, rest) = rest.split_once('(').unwrap_or_else(|| panic!("what is {text:?}?"));
    let (input, rest) = rest.split_once(')').unwrap_or_else(|| panic!("what is {text:?}?"));
    let (attributes, rest) = match rest.split_once('{') {
        Some((_, rest)) => rest.rsplit_once('}').unwrap_or_else(|| panic!("{text}: no end")),
        None => ("", rest),
    };
    let (rest, name) = rest.split_once(" as ").unwrap_or((rest, ""));
    let domain = rest.split_once("of ").map(|(_, domain)| domain.trim().to_owned());
    Node {
        input: names(input),
        output: names(output),
        name: (!name.is_empty()).then(|| name.to_owned()),
        op_type: Some(op.to_owned()),
        attribute: split(attributes).into_iter().map(attribute).collect(),
        domain,
        ..Node::default()
    }
}

/// The parts between commas that stand in no bracket.
fn split(text: &str) -> Vec<&str> {
    let (mut depth, mut begin, mut parts) = (0, 0, Vec::new());
    for (place, letter) in text.char_indices() {
        match letter {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[begin..place]);
                begin = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[begin..]);
    parts.into_iter().map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// `NAME=VALUE`: a whole number, a float (with a point), a list of one of them, a string in quotes, `tensor(..)`, or `@OUTER`
/// in a function.
fn attribute(text: &str) -> Attribute {
    let (name, value) = text.split_once('=').unwrap_or_else(|| panic!("{text}: no value"));
    let mut attribute = Attribute { name: Some(name.trim().to_owned()), ..Attribute::default() };
    let value = value.trim();
    if let Some(outer) = value.strip_prefix('@') {
        attribute.ref_attr_name = Some(outer.to_owned());
    } else if let Some(list) = value.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        let numbers = names(list);
        if numbers.iter().any(|number| number.contains('.')) {
            attribute.r#type = Some(6);
            attribute.floats = numbers.iter().map(|number| number.parse().unwrap_or(f32::NAN)).collect();
        } else {
            attribute.r#type = Some(7);
            attribute.ints = numbers.iter().map(|number| number.parse().unwrap_or(i64::MIN)).collect();
        }
    } else if let Some(word) = value.strip_prefix('"').and_then(|word| word.strip_suffix('"')) {
        attribute.r#type = Some(3);
        attribute.s = Some(word.to_owned().into());
    } else if let Some(inner) = value.strip_prefix("tensor(").and_then(|inner| inner.strip_suffix(')')) {
        attribute.r#type = Some(4);
        attribute.t = Some(Box::new(tensor(inner)));
    } else if value.contains('.') {
        attribute.r#type = Some(1);
        attribute.f = value.parse().ok();
    } else {
        attribute.r#type = Some(2);
        attribute.i = value.parse().ok();
    }
    attribute
}
