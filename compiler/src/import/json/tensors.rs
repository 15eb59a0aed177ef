//! The header of a safetensors file, held to more than its crate asks: no name twice, no more of it than networks need.

use std::collections::BTreeSet;
use std::fmt;

use safetensors::SafeTensors;
use serde::Deserializer;
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};

/// Bytes of a header: three tensors, of a hundred bytes each, for as many layers as a network may have.
const HEADER_BYTES: u64 = 32 << 20;
/// Bytes before the header: its length.
const LENGTH: usize = 8;

/// The tensors of the file `bytes`.
///
/// # Errors
/// In words, why it is none.
pub(super) fn read(bytes: &[u8]) -> Result<SafeTensors<'_>, String> {
    if let Some(length) = bytes.first_chunk::<LENGTH>().copied().map(u64::from_le_bytes) {
        if length > HEADER_BYTES {
            return Err(format!("its header has {length} bytes, the limit is {HEADER_BYTES}"));
        }
        let header = bytes[LENGTH..].get(..length as usize).unwrap_or_default();
        if let Some(name) = twice(header) {
            return Err(format!("the tensor {name} stands in it twice"));
        }
    }
    SafeTensors::deserialize(bytes).map_err(|error| format!("no complete safetensors file: {error}"))
}

/// A key of the object `header` that stands in it twice; what is no object is judged elsewhere.
fn twice(header: &[u8]) -> Option<String> {
    let mut name = None;
    // The error only ends the reading: the name is what is looked for.
    let _ = serde_json::Deserializer::from_slice(header).deserialize_map(Keys(&mut name));
    name
}

struct Keys<'n>(&'n mut Option<String>);

impl<'de> Visitor<'de> for Keys<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            map.next_value::<IgnoredAny>()?;
            if names.contains(&name) {
                *self.0 = Some(name);
                return Err(A::Error::custom("a key stands twice"));
            }
            names.insert(name);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, values: usize) -> Vec<u8> {
        let length = (header.len() as u64).to_le_bytes();
        [length.as_slice(), header.as_bytes(), &vec![0; 4 * values]].concat()
    }

    fn tensor(name: &str, begin: usize, end: usize) -> String {
        let count = end.saturating_sub(begin) / 4;
        format!(r#""{name}":{{"dtype":"F32","shape":[{count}],"data_offsets":[{begin},{end}]}}"#)
    }

    #[track_caller]
    fn refused(header: &str, values: usize, why: &str) {
        let bytes = file(header, values);
        let reason = read(&bytes).err().unwrap();
        assert!(reason.contains(why), "{reason}");
    }

    #[test]
    fn a_whole_file_is_read() {
        let header = format!("{{{},{}}}", tensor("a", 0, 8), tensor("b", 8, 12));
        assert_eq!(read(&file(&header, 3)).unwrap().names().len(), 2);
    }

    #[test]
    fn a_name_that_stands_twice_is_refused_however_it_is_spelled() {
        refused(
            &format!("{{{},{}}}", tensor("a", 0, 4), tensor("a", 4, 8)),
            2,
            "the tensor a stands in it twice",
        );
        refused(
            &format!("{{{},{}}}", tensor("a", 0, 4), tensor("\\u0061", 4, 8)),
            2,
            "the tensor a stands in it twice",
        );
    }

    #[test]
    fn tensors_that_overlap_leave_a_hole_or_leave_the_file_are_refused() {
        for (begin, end, values) in [(0, 4, 1), (2, 6, 2), (8, 12, 3), (4, 12, 2)] {
            refused(&format!("{{{},{}}}", tensor("a", 0, 4), tensor("b", begin, end)), values, "no complete");
        }
    }

    #[test]
    fn a_header_that_is_too_long_or_ends_early_is_refused() {
        let mut bytes = file("{}", 0);
        bytes[..8].copy_from_slice(&(HEADER_BYTES + 1).to_le_bytes());
        assert!(read(&bytes).err().unwrap().contains("the limit is"));
        bytes[..8].copy_from_slice(&100u64.to_le_bytes());
        assert!(read(&bytes).is_err());
        assert!(read(&bytes[..5]).is_err());
    }
}
