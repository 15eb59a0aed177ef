//! How large what comes from outside may be, checked before anything is allocated for it.

use std::io::Read;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

/// Bytes of a description.
pub const DESCRIPTION_BYTES: u64 = 64 << 20;
/// Bytes of a labels file.
pub const LABELS_BYTES: u64 = 16 << 20;
/// Bytes of one array that is given as input.
pub const ARRAY_BYTES: u64 = frit_images::picture::INPUT_BYTES;
/// Bytes of the header of a `.npy` array.
pub const ARRAY_HEADER_BYTES: usize = 1 << 16;
/// Layers of a network, after its stages are spelled out.
pub const LAYERS: usize = 100_000;
/// Blocks of one stage.
pub const REPEAT: u64 = 10_000;
/// Axes of a tensor of a file.
pub const RANK: usize = 64;
/// Bytes of a name.
pub const NAME_BYTES: usize = 255;
/// The largest whole number that an attribute may be: the product of two fits 64 bits.
pub const ATTRIBUTE: u64 = 1 << 31;
/// Values of all weights of a network, where a seed makes them.
pub const SEEDED_VALUES: usize = 1 << 30;
/// Values of all constants that a description says.
pub const CONSTANT_VALUES: usize = 1 << 24;
/// Descriptions that name one another as their input, one inside the other.
pub const MODELS_INSIDE: usize = 8;
/// Levels of lists and objects in the JSON of a network of Keras: six for each model inside another.
pub const KERAS_DEPTH: usize = 256;
/// Bytes that may be read of an HDF5 file at a time, other than weights.
pub const HDF5_READ_BYTES: usize = 64 << 20;
/// How many times as large as it is packed what a file holds may be.
pub const UNPACKED: u64 = 16;
/// Faults that are told of one file.
pub const FAULTS: usize = 200;

/// Whether `count` layers are as many as there may be.
///
/// # Errors
/// They are more.
pub(super) fn layers(count: usize) -> Result<(), Diagnostic> {
    let too_many = || Diagnostic::error(codes::LIMIT, format!("the network has more than {LAYERS} layers"));
    if count > LAYERS { Err(too_many()) } else { Ok(()) }
}

/// Whether the constants of a file may have so many `values` together.
///
/// # Errors
/// They are more.
pub(super) fn constants(values: usize) -> Result<(), Diagnostic> {
    let too_many =
        || Diagnostic::error(codes::LIMIT, format!("constants of more than {CONSTANT_VALUES} values"));
    if values > CONSTANT_VALUES { Err(too_many()) } else { Ok(()) }
}

/// All of `reader`, which must be UTF-8 of at most `most` bytes; a byte order mark is left out.
///
/// # Errors
/// It can't be read, is too long, or is no UTF-8.
pub(super) fn text(reader: impl Read, most: u64) -> Result<String, Diagnostic> {
    let mut bytes = Vec::new();
    let read = reader.take(most.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| {
        Diagnostic::error(codes::FILE_UNREADABLE, format!("the file can't be read: {error}"))
    })?;
    if bytes.len() as u64 > most {
        return Err(Diagnostic::error(codes::LIMIT, format!("the file has more than {most} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let place = error.utf8_error().valid_up_to();
        Diagnostic::error(codes::JSON_SYNTAX, format!("the file is not UTF-8 (at byte {place})"))
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_up_to_its_limit_and_without_a_byte_order_mark() {
        assert_eq!(text(&b"abc"[..], 3).unwrap(), "abc");
        assert_eq!(text("\u{feff}a".as_bytes(), 9).unwrap(), "a");
        assert_eq!(text(&b"abcd"[..], 3).unwrap_err().code, codes::LIMIT);
        let fault = text(&b"ab\xff"[..], 9).unwrap_err();
        assert_eq!(fault.code, codes::JSON_SYNTAX);
        assert!(fault.message.contains("byte 2"), "{}", fault.message);
    }
}
