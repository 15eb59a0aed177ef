//! From bytes to messages.

use bytes::{Buf, Bytes};
use frit_ir::diagnostic::codes;
use frit_ir::{Diagnostic, Faults};
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};

use crate::import::limits;
use crate::onnx::Model;

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

/// The model that `bytes` hold; its tensors share them.
///
/// # Errors
/// They are no model, or one that takes much more memory than they.
pub(super) fn decode(bytes: Bytes) -> Result<Model, Faults> {
    let fault = |reason: String| {
        Diagnostic::error(codes::ONNX_FILE, "the file is no ONNX model, or a damaged one").note(reason)
    };
    if bytes.is_empty() {
        return Err(fault("it is empty".to_owned()).into());
    }
    if let Some((_, reason)) = OTHERS.iter().find(|(begin, _)| bytes.starts_with(begin)) {
        return Err(fault((*reason).to_owned()).into());
    }
    match weigh(&bytes) {
        Weight::TooDeep => return Err(fault("its graphs are nested too deep".to_owned()).into()),
        Weight::Of(memory) if memory > limits::MESSAGE_BYTES => {
            let message =
                format!("the messages of the file take more than {} bytes of memory", limits::MESSAGE_BYTES);
            return Err(Diagnostic::error(codes::LIMIT, message).into());
        }
        Weight::Of(_) => {}
    }
    Model::decode(bytes).map_err(|error| {
        let said = error.to_string();
        let reason = if said.contains("underflow") { format!("it ends early ({said})") } else { said };
        fault(reason).into()
    })
}

/// A message that holds others.
#[derive(Clone, Copy)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Function,
    /// Whatever its fields are, there is no graph among them.
    Other,
}

impl Kind {
    /// What the field `tag` holds, where that is a message that takes memory of its own.
    fn field(self, tag: u32) -> Option<Kind> {
        Some(match (self, tag) {
            (Kind::Model, 7) | (Kind::Attribute, 6) => Kind::Graph,
            (Kind::Model, 25) => Kind::Function,
            (Kind::Graph, 1) | (Kind::Function, 7) => Kind::Node,
            (Kind::Node, 5) | (Kind::Function, 11) => Kind::Attribute,
            (Kind::Model, 8)
            | (Kind::Graph, 5 | 11 | 12 | 15)
            | (Kind::Attribute, 5)
            | (Kind::Function, 9) => Kind::Other,
            _ => return None,
        })
    }
}

/// What messages are once they are decoded.
enum Weight {
    TooDeep,
    /// Bytes of memory, about.
    Of(u64),
}

/// Bytes of a decoded message, about, beyond those of what is in it.
const MESSAGE: u64 = 256;
/// Bytes of a text, beyond those of its letters.
const TEXT: u64 = 24;

/// Walks through the messages without decoding them, as far as they are whole: a field of two bytes can be a message of
/// hundreds, and the decoder would make as many as there are.
fn weigh(bytes: &Bytes) -> Weight {
    let mut memory = 0u64;
    // The messages around, each with what is left of it.
    let mut around: Vec<(Kind, &[u8])> = vec![(Kind::Model, bytes)];
    while let Some((kind, rest)) = around.last_mut() {
        let kind = *kind;
        let Some((tag, content)) = next(rest) else {
            around.pop();
            continue;
        };
        memory += TEXT;
        if let Some(inner) = kind.field(tag) {
            memory += MESSAGE;
            if !matches!(inner, Kind::Other) {
                around.push((inner, content));
            }
        }
        if around.len() > DEPTH {
            return Weight::TooDeep;
        }
        if memory > limits::MESSAGE_BYTES {
            break;
        }
    }
    Weight::Of(memory)
}

/// The next field of a message and the bytes that it holds; none at its end, or where it is damaged.
fn next<'a>(rest: &mut &'a [u8]) -> Option<(u32, &'a [u8])> {
    let (tag, wire) = decode_key(rest).ok()?;
    let length = match wire {
        WireType::Varint => {
            decode_varint(rest).ok()?;
            0
        }
        WireType::ThirtyTwoBit => 4,
        WireType::SixtyFourBit => 8,
        WireType::LengthDelimited => usize::try_from(decode_varint(rest).ok()?).ok()?,
        WireType::StartGroup | WireType::EndGroup => return None,
    };
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
        let faults = decode(field(7, &graph).into()).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::ONNX_FILE);
        assert!(faults.to_string().contains("nested too deep"), "{faults}");
    }

    #[test]
    fn a_small_file_of_very_many_messages_is_not_decoded() {
        let nodes = [1 << 3 | 2, 0].repeat(2_000_000);
        let faults = decode(field(7, &nodes).into()).unwrap_err();
        assert_eq!(faults.iter().next().unwrap().code, codes::LIMIT);
        let few = [1 << 3 | 2, 0].repeat(2_000);
        assert_eq!(decode(field(7, &few).into()).unwrap().graph.unwrap().node.len(), 2_000);
    }
}
