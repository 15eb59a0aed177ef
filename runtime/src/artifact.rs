//! The `.frit` file: a compiled network that runs without the compiler.
//!
//! ```text
//! byte 0   magic, 8 bytes
//!      8   version of the format, u32
//!     12   CRC-32 of all other bytes, u32
//!     16   bytes of the file, u64
//!     24   version of the calling convention, u32
//!     28   bytes of the metadata, u32
//!     32   bytes of the code, u64
//!     40   bytes of the weights, u64
//!     48   metadata
//!          code, from the next multiple of 4096
//!          weights, from the next multiple of 4096
//! ```
//! Numbers are little-endian. Sections stand one behind the other, so that their lengths say where they are and none can
//! reach into another; what lies between them is zero. Code is position-independent where it begins at a multiple of 4096.
//!
//! In front of the code lies its [`Record`], which the compiler lays there out of the plan: sizes, shapes, steps, instructions,
//! and the digest of the metadata. The reader compares it with the metadata, so that a file whose metadata was altered, its
//! checksum made right, is refused. Code, with its record, and weights are taken as they are: to run an artifact is to trust
//! it like a program.

mod check;
mod coding;
mod record;

use std::io::Write;
use std::ops::Range;

use crate::abi;
use crate::error::LoadError;
use crate::program::Metadata;
use check::check;
use coding::{Coded, Reader};
pub use record::{Record, digest};

/// How every artifact begins. The first byte is no text, and the line end shows a file that was transferred as text.
pub const MAGIC: [u8; 8] = *b"\x93frit\r\n\x1a";

/// The version of the format, increased with every change of it.
pub const VERSION: u32 = 4;

const HEADER_BYTES: usize = 48;
/// Where in the header the checksum stands.
const CHECKSUM: Range<usize> = 12..16;
/// Code and weights begin at a multiple of this.
const PAGE: usize = 4096;
/// The most bytes of metadata.
const METADATA_BYTES: usize = 64 << 20;
/// The most bytes of a tensor and of a region of memory.
const REGION_BYTES: usize = 1 << 42;

/// Whether a file that begins with `bytes` says that it is an artifact.
pub fn is_artifact(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// What an artifact holds.
#[derive(Debug, Clone, Copy)]
pub struct Contents<'a> {
    /// What is known of the program.
    pub metadata: &'a Metadata,
    /// Position-independent code, behind its [`Record`].
    pub code: &'a [u8],
    /// Packed weights.
    pub weights: &'a [u8],
}

/// An artifact that was read and found consistent.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifact {
    /// What is known of the program.
    pub metadata: Metadata,
    /// Where in the file the code is.
    pub code: Range<usize>,
    /// Where in the code its entry is.
    pub entry: usize,
    /// Where in the file the weights are.
    pub weights: Range<usize>,
}

/// Writes an artifact; the same contents give the same bytes.
///
/// # Errors
/// The writer's; `InvalidData` for contents that no artifact can hold.
pub fn write(contents: &Contents<'_>, to: &mut impl Write) -> std::io::Result<()> {
    let mut metadata = Vec::new();
    contents.metadata.encode(&mut metadata);
    let lengths =
        Lengths { metadata: metadata.len(), code: contents.code.len(), weights: contents.weights.len() };
    let refused = |error: LoadError| std::io::Error::new(std::io::ErrorKind::InvalidData, error.to_string());
    let sections = lengths.sections().map_err(refused)?;
    let record = Record::read(contents.code).map_err(refused)?;
    check(contents.metadata, &record, &lengths).map_err(refused)?;
    let padding = [0; PAGE];
    let mut head = lengths.header(sections.weights.end);
    let parts: [&[u8]; 5] = [
        &metadata,
        &padding[..sections.code.start - sections.metadata.end],
        contents.code,
        &padding[..sections.weights.start - sections.code.end],
        contents.weights,
    ];
    let checksum = checksum(&head, &parts);
    head[CHECKSUM].copy_from_slice(&checksum.to_le_bytes());
    to.write_all(&head)?;
    parts.into_iter().try_for_each(|part| to.write_all(part))
}

/// Reads an artifact, which is all of `bytes`, and finds it consistent. Nothing of it is executed.
///
/// # Errors
/// Something else than an artifact; one of another version; one that is damaged; one that contradicts itself.
pub fn decode(bytes: &[u8]) -> Result<Artifact, LoadError> {
    if !is_artifact(bytes) {
        return Err(LoadError::NotAnArtifact);
    }
    let (head, behind) = bytes
        .split_first_chunk::<HEADER_BYTES>()
        .ok_or_else(|| LoadError::Damaged(format!("it ends after {} bytes", bytes.len())))?;
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let long = |at: usize| u64::from(word(at)) | u64::from(word(at + 4)) << 32;
    version("format", word(8), VERSION)?;
    if long(16) != bytes.len() as u64 {
        let message = format!("it has {} bytes, and says that it has {}", bytes.len(), long(16));
        return Err(LoadError::Damaged(message));
    }
    if checksum(head, &[behind]) != word(CHECKSUM.start) {
        return Err(LoadError::Damaged("its checksum is another".to_owned()));
    }
    version("calling convention", word(24), abi::VERSION)?;
    let size = |at: usize| usize::try_from(long(at)).map_err(|_| oversized("a section"));
    let lengths = Lengths { metadata: word(28) as usize, code: size(32)?, weights: size(40)? };
    let sections = lengths.sections()?;
    if sections.weights.end != bytes.len() {
        let message = format!("its sections end at byte {} of {}", sections.weights.end, bytes.len());
        return Err(LoadError::Inconsistent(message));
    }
    let Sections { metadata, code, weights } = sections;
    if bytes[metadata.end..code.start].iter().chain(&bytes[code.end..weights.start]).any(|&byte| byte != 0) {
        return Err(LoadError::Inconsistent("something lies between its sections".to_owned()));
    }
    let record = Record::read(&bytes[code.clone()])?;
    let metadata = Reader::new("metadata", &bytes[metadata]).all::<Metadata>()?;
    check(&metadata, &record, &lengths)?;
    Ok(Artifact { metadata, entry: record.entry, code, weights })
}

fn version(what: &'static str, found: u32, expected: u32) -> Result<(), LoadError> {
    if found == expected { Ok(()) } else { Err(LoadError::Version { what, found, expected }) }
}

fn oversized(what: &str) -> LoadError {
    LoadError::Inconsistent(format!("{what} is larger than any can be"))
}

/// The CRC-32 of a file of `head` and `parts`, without the four bytes that it is stored in.
fn checksum(head: &[u8; HEADER_BYTES], parts: &[&[u8]]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&head[..CHECKSUM.start]);
    hasher.update(&head[CHECKSUM.end..]);
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

/// What the header says of the sections, in bytes.
struct Lengths {
    metadata: usize,
    code: usize,
    weights: usize,
}

struct Sections {
    metadata: Range<usize>,
    code: Range<usize>,
    weights: Range<usize>,
}

impl Lengths {
    fn sections(&self) -> Result<Sections, LoadError> {
        if self.metadata > METADATA_BYTES {
            return Err(oversized("the metadata"));
        }
        let end =
            |begin: usize, length: usize| begin.checked_add(length).ok_or_else(|| oversized("a section"));
        let page = |end: usize| end.checked_next_multiple_of(PAGE).ok_or_else(|| oversized("a section"));
        let metadata = HEADER_BYTES..end(HEADER_BYTES, self.metadata)?;
        let begin = page(metadata.end)?;
        let code = begin..end(begin, self.code)?;
        let begin = page(code.end)?;
        Ok(Sections { metadata, code, weights: begin..end(begin, self.weights)? })
    }

    /// The header of a file of `bytes`, with zeros for the checksum.
    fn header(&self, bytes: usize) -> [u8; HEADER_BYTES] {
        let mut head = [0; HEADER_BYTES];
        let mut put = |at: usize, value: &[u8]| head[at..at + value.len()].copy_from_slice(value);
        put(0, &MAGIC);
        put(8, &VERSION.to_le_bytes());
        put(16, &(bytes as u64).to_le_bytes());
        put(24, &abi::VERSION.to_le_bytes());
        put(28, &(self.metadata as u32).to_le_bytes());
        put(32, &(self.code as u64).to_le_bytes());
        put(40, &(self.weights as u64).to_le_bytes());
        head
    }
}

#[cfg(test)]
pub(crate) mod tests;
