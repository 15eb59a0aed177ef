//! From bytes to messages.

use bytes::{Buf, Bytes};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};

use crate::import::budget::Budget;
use crate::onnx::{self, Model};

/// How deep messages may lie in each other; the decoder goes no deeper.
const DEPTH: usize = 90;
/// Files of other kinds by their first bytes.
const OTHERS: [(&[u8], &str); 4] = [
    (
        b"version https://git-lfs",
        "it is the pointer of a large file (Git LFS) that was not fetched: git lfs pull",
    ),
    (b"\x89PNG", "it is a picture (PNG)"),
    (b"\x89HDF", "it is an HDF5 file"),
    (b"PK\x03\x04", "it is a zip archive"),
];

/// A file, decoded.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) model: Model,
    /// Bytes of memory that a copy of each of its functions takes, about.
    pub(super) functions: Vec<usize>,
}

/// The model that `bytes` hold; its tensors share them.
///
/// # Errors
/// They are no model, or one that takes much more memory than they.
pub(super) fn decode(bytes: Bytes, budget: &Budget) -> Result<Decoded, Faults> {
    let fault = |reason: String| {
        Diagnostic::error(codes::ONNX_FILE, "the file is no ONNX model, or a damaged one").note(reason)
    };
    if bytes.is_empty() {
        return Err(fault("it is empty".to_owned()).into());
    }
    if let Some((_, reason)) = OTHERS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return Err(fault((*reason).to_owned()).into());
    }
    let Some(functions) = weigh(&bytes, budget)? else {
        return Err(fault("its graphs are nested too deep".to_owned()).into());
    };
    let model = Model::decode(bytes).map_err(|error| {
        let said = error.to_string();
        let reason = if said.contains("underflow") { format!("it ends early ({said})") } else { said };
        fault(reason)
    })?;
    Ok(Decoded { model, functions })
}

/// A kind of message.
#[derive(Clone, Copy)]
enum MessageType {
    Model,
    Graph,
    Node,
    Attribute,
    Function,
    Tensor,
    Sparse,
    Value,
    Type,
    TensorType,
    Shape,
    Dimension,
    Entry,
    Set,
}

/// What a field takes in memory.
enum Field {
    /// A message.
    Message(MessageType),
    /// Text.
    Text,
    /// Bytes, which stay in the file.
    Shared,
    /// The name of a tensor that a node reads or makes.
    Tensor,
    /// Numbers, packed or one by one; of each of them so many bytes at least are in the file.
    Numbers { stored: usize },
    /// What its message has room for.
    Inside,
}

/// Bytes that the allocator spends on a piece of memory, about.
const PIECE: usize = 32;
/// Bytes that are kept for a tensor as long as the file is read, about: where it comes from, and what is known of it.
const TENSOR: usize = 160;
/// Bytes that are kept for a node, about: its place in the order.
const PLACE: usize = 128;

impl MessageType {
    /// What the field `tag` holds.
    fn field(self, tag: u32) -> Field {
        match (self, tag) {
            (MessageType::Model, 7) | (MessageType::Attribute, 6) => Field::Message(MessageType::Graph),
            (MessageType::Model, 8) | (MessageType::Function, 9) => Field::Message(MessageType::Set),
            (MessageType::Model, 25) => Field::Message(MessageType::Function),
            (MessageType::Graph, 1) | (MessageType::Function, 7) => Field::Message(MessageType::Node),
            (MessageType::Graph, 5) | (MessageType::Attribute, 5) | (MessageType::Sparse, 1) => {
                Field::Message(MessageType::Tensor)
            }
            (MessageType::Graph, 11 | 12) => Field::Message(MessageType::Value),
            (MessageType::Graph, 15) => Field::Message(MessageType::Sparse),
            (MessageType::Node, 5) | (MessageType::Function, 11) => Field::Message(MessageType::Attribute),
            (MessageType::Tensor, 13) => Field::Message(MessageType::Entry),
            (MessageType::Value, 2) => Field::Message(MessageType::Type),
            (MessageType::Type, 1) => Field::Message(MessageType::TensorType),
            (MessageType::TensorType, 2) => Field::Message(MessageType::Shape),
            (MessageType::Shape, 1) => Field::Message(MessageType::Dimension),
            (MessageType::Node, 1 | 2) => Field::Tensor,
            (MessageType::Attribute, 7) => Field::Numbers { stored: 4 },
            (MessageType::Tensor, 10) => Field::Numbers { stored: 8 },
            (MessageType::Attribute, 8) | (MessageType::Tensor, 1 | 5 | 7 | 11) => {
                Field::Numbers { stored: 1 }
            }
            (MessageType::Attribute, 4 | 9) | (MessageType::Tensor, 4 | 9) => Field::Shared,
            (MessageType::Model, 2 | 3)
            | (MessageType::Graph, 2)
            | (MessageType::Node, 3 | 4 | 7 | 8)
            | (MessageType::Attribute, 1 | 21)
            | (MessageType::Function, 1 | 4 | 5 | 6 | 10 | 13)
            | (MessageType::Tensor, 8)
            | (MessageType::Value | MessageType::Set, 1)
            | (MessageType::Dimension, 2)
            | (MessageType::Entry, 1 | 2) => Field::Text,
            _ => Field::Inside,
        }
    }

    /// Bytes of a message of this kind, about, beyond those of what is in it: lists grow to twice what is in them.
    fn bytes(self) -> usize {
        match self {
            MessageType::Model => size_of::<onnx::Model>(),
            MessageType::Graph => 2 * size_of::<onnx::Graph>(),
            MessageType::Node => 2 * size_of::<onnx::Node>() + PLACE,
            MessageType::Attribute => 2 * size_of::<onnx::Attribute>(),
            MessageType::Function => 2 * size_of::<onnx::Function>(),
            MessageType::Tensor => 2 * size_of::<onnx::Tensor>() + TENSOR,
            MessageType::Sparse => 2 * size_of::<onnx::SparseTensor>(),
            MessageType::Value => 2 * size_of::<onnx::ValueInfo>() + TENSOR,
            MessageType::Type => size_of::<onnx::Type>(),
            MessageType::TensorType => size_of::<onnx::TensorType>(),
            MessageType::Shape => size_of::<onnx::Shape>(),
            MessageType::Dimension => 2 * size_of::<onnx::Dimension>(),
            MessageType::Entry => 2 * size_of::<onnx::Entry>(),
            MessageType::Set => 2 * size_of::<onnx::OperatorSet>(),
        }
    }
}

impl Field {
    /// Bytes of the field in memory, about, where it holds `content`.
    fn bytes(&self, content: &[u8]) -> usize {
        match self {
            Field::Message(kind) => kind.bytes(),
            Field::Text => size_of::<String>() + PIECE + content.len(),
            Field::Tensor => size_of::<String>() + PIECE + content.len() + TENSOR,
            Field::Shared => 2 * size_of::<Bytes>(),
            Field::Inside => 0,
            // A number that is not packed has no content here.
            Field::Numbers { .. } if content.is_empty() => 2 * size_of::<i64>(),
            Field::Numbers { stored: 1 } => {
                2 * size_of::<i64>() * content.iter().filter(|&&byte| byte < 0x80).count()
            }
            Field::Numbers { .. } => 2 * content.len(),
        }
    }
}

/// Takes the memory of the messages from `budget` without decoding them, as far as they are whole: a field of two bytes can be
/// a message of hundreds, and the decoder would make as many as there are. Returns what each function takes; nothing where
/// graphs are nested too deep.
///
/// # Errors
/// It is more than there is.
fn weigh(bytes: &Bytes, budget: &Budget) -> Result<Option<Vec<usize>>, Diagnostic> {
    let mut functions = Vec::new();
    // The messages around, each with what is left of it.
    let mut around: Vec<(MessageType, &[u8])> = vec![(MessageType::Model, bytes)];
    while let Some((kind, rest)) = around.last_mut() {
        let kind = *kind;
        let Some((tag, content)) = next(rest) else {
            around.pop();
            continue;
        };
        let field = kind.field(tag);
        let memory = field.bytes(content);
        match (&field, around.get(1)) {
            (Field::Message(MessageType::Function), None) => functions.push(memory),
            (_, Some((MessageType::Function, _))) => {
                functions.iter_mut().rev().take(1).for_each(|last| *last += memory)
            }
            _ => {}
        }
        budget
            .take_bytes(memory)
            .map_err(|fault| fault.note("the messages that it is made of are larger in memory"))?;
        if let Field::Message(inner) = field {
            around.push((inner, content));
        }
        if around.len() > DEPTH {
            return Ok(None);
        }
    }
    Ok(Some(functions))
}

/// The next field of a message and the bytes that it holds; none at its end, or where it is damaged.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(u32, &'a [u8])> {
    let (tag, wire) = decode_key(rest).ok()?;
    if wire != WireType::LengthDelimited {
        skip_field(wire, tag, rest, DecodeContext::default()).ok()?;
        return Some((tag, &[]));
    }
    let length = usize::try_from(decode_varint(rest).ok()?).ok()?;
    let content = rest.get(..length)?;
    rest.advance(length);
    Some((tag, content))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(tag: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![tag << 3 | 2];
        prost::encoding::encode_varint(content.len() as u64, &mut bytes);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn graphs_in_graphs_without_end_are_not_decoded() {
        let mut graph = Vec::new();
        for _ in 0..200 {
            graph = field(1, &field(5, &field(6, &graph)));
        }
        let faults = decode(field(7, &graph).into(), &Budget::default()).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::ONNX_FILE);
        assert!(faults.to_string().contains("nested too deep"), "{faults}");
    }

    #[test]
    fn a_small_file_of_very_many_messages_is_not_decoded() {
        let nodes = [1 << 3 | 2, 0].repeat(2_000_000);
        let faults = decode(field(7, &nodes).into(), &Budget::default()).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
        let few = [1 << 3 | 2, 0].repeat(2_000);
        assert_eq!(
            decode(field(7, &few).into(), &Budget::default()).unwrap().model.graph.unwrap().node.len(),
            2_000
        );
    }
    #[test]
    fn messages_are_weighed_wherever_they_lie_also_behind_a_group() {
        let refused = |bytes: Vec<u8>| {
            let faults = decode(bytes.into(), &Budget::default()).unwrap_err();
            assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT, "{faults}");
        };
        let empty = |tag: u8, count: usize| [tag << 3 | 2, 0].repeat(count);
        let input = |shape: &[u8]| field(7, &field(11, &field(2, &field(1, &field(2, shape)))));
        refused(input(&empty(1, 3_000_000)));
        refused(field(7, &field(1, &empty(1, 1_000_000))));
        refused(field(7, &field(5, &field(1, &[1; 10_000_000]))));
        refused(field(7, &field(5, &[1 << 3, 1].repeat(10_000_000))));
        refused(empty(8, 2_000_000));
        // An unknown field that begins and ends by itself.
        let group = [0xa3, 6, 0xa4, 6];
        refused([&group[..], &empty(8, 2_000_000)].concat());
        let around_a_set = [&group[..], &field(8, &[2 << 3, 17])].concat();
        assert_eq!(decode(around_a_set.into(), &Budget::default()).unwrap().model.opset_import.len(), 1);
    }
}
