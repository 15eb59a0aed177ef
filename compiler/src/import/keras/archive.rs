//! The archive that a `.keras` file is: a zip with the network, its weights and the version that wrote it.

use std::collections::BTreeSet;
use std::io::{Cursor, Read};
use std::ops::Range;
use std::sync::Arc;

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;
use frit_ir::weights::Owner;
use frit_runtime::map::MappedFile;
use zip::read::ZipFile;
use zip::{CompressionMethod, ZipArchive};

use crate::import::budget::Budget;
use crate::import::limits;

/// The network.
pub(super) const CONFIG: &str = "config.json";
/// Its weights.
pub(super) const WEIGHTS: &str = "model.weights.h5";
/// Which Keras wrote it.
const METADATA: &str = "metadata.json";

/// What begins an entry of the directory.
const ENTRY: &[u8] = b"PK\x01\x02";
/// Bytes of a text that may be packed as small as it will.
const TEXT_BYTES: u64 = 16 << 20;
/// Bytes of an entry of the directory before its name.
const ENTRY_BYTES: usize = 46;

type Zip<'m> = ZipArchive<Cursor<&'m [u8]>>;

/// What an archive holds.
pub(super) struct Archive {
    /// The network, as JSON.
    pub(super) config: String,
    /// What is said of the file itself, as JSON; empty where nothing is.
    pub(super) metadata: String,
    /// The weights, as a HDF5 file: who holds them, and where they lie in it.
    pub(super) weights: (Owner, Range<usize>),
}

/// Takes the archive apart; stored weights stay where they are.
///
/// # Errors
/// It is no complete zip, its parts contradict each other, are larger than the limits allow or not there.
pub(super) fn open(map: &Arc<MappedFile>) -> Result<Archive, Diagnostic> {
    let bytes: &[u8] = map;
    let mut zip = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| damaged(format!("it is no zip, or ends early: {error}")))?;
    named_once(bytes, &zip)?;
    let budget = Budget::of(bytes.len() as u64);
    let config = text(&mut zip, CONFIG, &budget)?.ok_or_else(|| missing(CONFIG))?;
    let metadata = text(&mut zip, METADATA, &budget)?.unwrap_or_default();
    let weights = weights(map, &mut zip, &budget)?;
    Ok(Archive { config, metadata, weights })
}

/// That no name stands twice in the archive's directory: which of the two is meant, programs see differently.
fn named_once(bytes: &[u8], zip: &Zip<'_>) -> Result<(), Diagnostic> {
    let mut names = BTreeSet::new();
    let mut at = usize::try_from(zip.central_directory_start()).unwrap_or(usize::MAX);
    while let Some(entry) = bytes.get(at..).and_then(|rest| rest.get(..ENTRY_BYTES)) {
        if !entry.starts_with(ENTRY) {
            break;
        }
        let length = |place: usize| usize::from(u16::from_le_bytes([entry[place], entry[place + 1]]));
        let (name, extra, comment) = (length(28), length(30), length(32));
        let begin = at + ENTRY_BYTES;
        let name_bytes = bytes.get(begin..).and_then(|rest| rest.get(..name)).unwrap_or_default();
        if !names.insert(name_bytes) {
            let name = String::from_utf8_lossy(name_bytes);
            return Err(damaged(format!("{name} stands in it twice")));
        }
        at = begin + name + extra + comment;
    }
    Ok(())
}

/// The entry of this name, which is a text; none where there is no such entry.
fn text(zip: &mut Zip<'_>, name: &str, budget: &Budget) -> Result<Option<String>, Diagnostic> {
    let Some(entry) = entry(zip, name)? else { return Ok(None) };
    if entry.size() > limits::DESCRIPTION_BYTES {
        let message =
            format!("{name} unpacks to {} bytes, more than {}", entry.size(), limits::DESCRIPTION_BYTES);
        return Err(Diagnostic::error(codes::LIMIT, message));
    }
    if entry.size() > TEXT_BYTES {
        unpacked(&entry, name)?;
    }
    let bytes = unpack(entry, name, budget)?;
    let text = String::from_utf8(bytes).map_err(|error| damaged(format!("{name}: {error}")))?;
    Ok(Some(text))
}

/// Where the weights lie; unpacked, where they are packed.
fn weights(
    map: &Arc<MappedFile>,
    zip: &mut Zip<'_>,
    budget: &Budget,
) -> Result<(Owner, Range<usize>), Diagnostic> {
    let entry = entry(zip, WEIGHTS)?.ok_or_else(|| missing(WEIGHTS))?;
    if entry.compression() != CompressionMethod::Stored {
        unpacked(&entry, WEIGHTS)?;
        let bytes = unpack(entry, WEIGHTS, budget)?;
        let length = bytes.len();
        return Ok((Arc::new(bytes), 0..length));
    }
    let begin = entry.data_start().and_then(|begin| usize::try_from(begin).ok());
    let range = begin.zip(usize::try_from(entry.size()).ok());
    let range = range.and_then(|(begin, size)| Some(begin..begin.checked_add(size)?));
    let part = range.clone().and_then(|range| map.get(range));
    let (Some(range), Some(part)) = (range, part) else {
        return Err(damaged(format!("{WEIGHTS} reaches behind its end")));
    };
    if crc32fast::hash(part) != entry.crc32() {
        return Err(damaged(format!("the checksum of {WEIGHTS} is wrong")));
    }
    Ok((map.clone(), range))
}

/// An entry whose sizes don't contradict each other.
fn entry<'z, 'm>(
    zip: &'z mut Zip<'m>,
    name: &str,
) -> Result<Option<ZipFile<'z, Cursor<&'m [u8]>>>, Diagnostic> {
    if zip.index_for_name(name).is_none() {
        return Ok(None);
    }
    let entry = zip.by_name(name).map_err(|error| damaged(format!("{name}: {error}")))?;
    if entry.compression() == CompressionMethod::Stored && entry.size() != entry.compressed_size() {
        let (size, stored) = (entry.size(), entry.compressed_size());
        return Err(damaged(format!(
            "its directory says that {name} has a size of {size} bytes, of which {stored} are stored"
        )));
    }
    Ok(Some(entry))
}

/// That an entry is not much larger than what it is packed in.
fn unpacked(entry: &ZipFile<'_, Cursor<&[u8]>>, name: &str) -> Result<(), Diagnostic> {
    let (packed, size) = (entry.compressed_size(), entry.size());
    if size <= packed.saturating_mul(limits::UNPACKED) {
        return Ok(());
    }
    let message = format!("{name} unpacks from {packed} to {size} bytes");
    Err(Diagnostic::error(codes::LIMIT, message)
        .note(format!("more than {} times what it is packed in", limits::UNPACKED)))
}

/// The bytes of an entry, of which there are as many as it says; reading them checks their checksum.
fn unpack(entry: ZipFile<'_, Cursor<&[u8]>>, name: &str, budget: &Budget) -> Result<Vec<u8>, Diagnostic> {
    let size = entry.size();
    // One more, by which a longer one is found without growing.
    let mut bytes = budget.list(usize::try_from(size).unwrap_or(usize::MAX).saturating_add(1))?;
    let read = entry.take(size.saturating_add(1)).read_to_end(&mut bytes);
    read.map_err(|error| damaged(format!("{name}: {error}")))?;
    if bytes.len() as u64 != size {
        return Err(damaged(format!("its directory says that {name} has a size of {size} bytes")));
    }
    Ok(bytes)
}

/// The fault of an archive that can't be trusted.
fn damaged(reason: String) -> Diagnostic {
    Diagnostic::error(codes::ARCHIVE_DAMAGED, "the archive is damaged")
        .note(reason)
        .help("save the network again: model.save(\"x.keras\")")
}

/// The fault of an archive without one of its parts.
fn missing(name: &str) -> Diagnostic {
    Diagnostic::error(codes::NOT_KERAS, format!("the archive has no {name}"))
        .note("a .keras file is a zip with config.json and model.weights.h5")
}
