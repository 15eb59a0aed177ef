//! The directory of a zip archive (PKWARE's APPNOTE, 4.3), before and behind the crate that reads it: the crate takes what the
//! directory says for granted, and keeps the last of two entries with one name.

use std::collections::BTreeSet;

/// Entries of an archive of arrays.
const MEMBERS: u16 = 4_096;
/// The end of the directory without its comment.
const END_BYTES: usize = 22;
/// What it begins with.
const END: &[u8] = b"PK\x05\x06";
/// Bytes of a comment, at most.
const COMMENT_BYTES: usize = u16::MAX as usize;
/// An entry without its name, extra fields and comment.
const ENTRY_BYTES: usize = 46;
/// What it begins with.
const ENTRY: &[u8] = b"PK\x01\x02";

/// Checks that the directory has no more entries than archives of arrays have, in every place where it may end.
///
/// # Errors
/// In words, that it has more.
pub(super) fn check(file: &[u8]) -> Result<(), String> {
    let tail = &file[file.len().saturating_sub(END_BYTES + COMMENT_BYTES)..];
    let entries = tail.windows(END_BYTES).filter(|end| end.starts_with(END)).map(|end| number(end, 10));
    match entries.max().filter(|&entries| entries > MEMBERS) {
        Some(entries) => Err(format!("it has {entries} entries, the limit is {MEMBERS}")),
        None => Ok(()),
    }
}

/// Checks that no name stands twice in the directory, which begins at the byte `start`: programs differ in which they take.
///
/// # Errors
/// In words, which name does.
pub(super) fn check_names(file: &[u8], start: u64) -> Result<(), String> {
    let mut rest = usize::try_from(start).ok().and_then(|start| file.get(start..)).unwrap_or_default();
    let mut names = BTreeSet::new();
    while rest.len() >= ENTRY_BYTES && rest.starts_with(ENTRY) {
        let [name, extra, comment] = [28, 30, 32].map(|at| usize::from(number(rest, at)));
        let Some(bytes) = rest[ENTRY_BYTES..].get(..name) else { break };
        if !names.insert(bytes) {
            let shown: String =
                String::from_utf8_lossy(bytes).chars().take(crate::import::limits::NAME_BYTES).collect();
            return Err(format!("{shown} stands in it twice"));
        }
        rest = rest.get(ENTRY_BYTES + name + extra + comment..).unwrap_or_default();
    }
    Ok(())
}

/// The two bytes at `at`, which must be there.
fn number(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}
