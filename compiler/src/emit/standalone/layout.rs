//! Where everything lies in a session's block and in the tables of texts, and the numbers of that for the session's text.

use std::collections::BTreeMap;
use std::mem::offset_of;

use frit_runtime::abi::{ARENA, Context, SCRATCH, TENSORS, VERSION, WEIGHTS};

use crate::emit::interface::{Interface, MESSAGES, MOST_THREADS, Status};
use crate::prove::Proved;

/// Bytes of an address, and of the handle of a thread on every libc of Linux.
const WORD: usize = 8;
/// Bytes of a line of the caches: what different threads write lies on different ones.
const LINE: usize = 64;
/// Room for a mutex and for a condition, of which libcs take 40 and 48 bytes.
const OPAQUE: usize = 128;

/// An event count: the word, the mutex, the condition.
const MUTEX: usize = LINE;
const CONDITION: usize = MUTEX + OPAQUE;
const EVENT: usize = CONDITION + OPAQUE + LINE;

/// The block of a session: the context, what only the caller changes, then a line for each that several threads change.
const ARENA_ADDRESS: usize = LINE;
const SCRATCH_ADDRESS: usize = ARENA_ADDRESS + WORD;
const STARTED: usize = SCRATCH_ADDRESS + WORD;
const RUNNING: usize = 2 * LINE;
const STOP: usize = 3 * LINE;
const BUSY: usize = 4 * LINE;
const ARRIVED: usize = 5 * LINE;
const START: usize = 6 * LINE;
const DONE: usize = START + EVENT;
const ROUND: usize = DONE + EVENT;
const FIXED: usize = ROUND + EVENT;

// The session's text is written for one calling convention: look through it before this number is changed.
const _: () = assert!(VERSION == 3);
const _: () = assert!(size_of::<Context>() <= ARENA_ADDRESS && SCRATCH_ADDRESS + 2 * WORD <= RUNNING);

/// How long a waiter spins, and how long it spins and yields, in nanoseconds, and turns between two looks at the clock: what
/// `barrier.rs` of the runtime says.
const WAITING: [(&str, i64); 3] = [("spin", 5_000), ("yield", 100_000), ("turns", 32)];

/// Constants of Linux: CLOCK_MONOTONIC, MADV_HUGEPAGE, and a huge page of most machines.
const LINUX: [(&str, i64); 3] = [("monotonic", 1), ("advice", 14), ("huge_page", 2 << 20)];

/// The number of each name that the session's text has with a `$`.
pub(super) fn numbers(plan: &Proved, interface: &Interface<'_>) -> BTreeMap<&'static str, i64> {
    let ports = plan.inputs.len() + plan.outputs.len();
    let row = WORD * (TENSORS + ports);
    let elements = plan.inputs.iter().chain(&plan.outputs).map(|port| port.element.bytes());
    let block = [
        ("context_version", offset_of!(Context, version)),
        ("workers", offset_of!(Context, workers)),
        ("images", offset_of!(Context, images)),
        ("regions", offset_of!(Context, regions)),
        ("strides_of_ports", offset_of!(Context, strides)),
        ("wait", offset_of!(Context, wait)),
        ("arena", ARENA_ADDRESS),
        ("scratch", SCRATCH_ADDRESS),
        ("started", STARTED),
        ("running", RUNNING),
        ("stop", STOP),
        ("busy", BUSY),
        ("arrived", ARRIVED),
        ("start", START),
        ("done", DONE),
        ("round", ROUND),
        ("events_end", FIXED),
        ("fixed", FIXED),
        ("event", EVENT),
        ("mutex", MUTEX),
        ("condition", CONDITION),
        ("line", LINE),
    ];
    let program = [
        ("version", VERSION as usize),
        ("row", row),
        // A handle, an argument of two words, and a row.
        ("each", 3 * WORD + row),
        ("region_of_weights", WORD * WEIGHTS),
        ("region_of_arena", WORD * ARENA),
        ("region_of_scratch", WORD * SCRATCH),
        ("region_of_tensors", WORD * TENSORS),
        ("arena_bytes", plan.arena_bytes),
        ("scratch_bytes", plan.scratch_bytes),
        ("inputs", plan.inputs.len()),
        ("outputs", plan.outputs.len()),
        ("unaligned", elements.max().map_or(0, |bytes| bytes - 1)),
        ("labels", interface.labels().len()),
        ("unknown", MESSAGES.len() - 1),
        ("most_threads", MOST_THREADS),
    ];
    let statuses = Status::ALL.map(|status| (status.in_text(), status as i64));
    let sizes = block.into_iter().chain(program).map(|(name, number)| (name, number as i64));
    sizes.chain(statuses).chain(WAITING).chain(LINUX).collect()
}

/// `text` with a number in the place of each `$name`.
///
/// # Errors
/// A name without a number, in words.
pub(super) fn replaced(text: &str, numbers: &BTreeMap<&str, i64>) -> Result<String, String> {
    let mut parts = text.split('$');
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let (name, rest) = part.split_at(part.find(|c| !is_name(c)).unwrap_or(part.len()));
        match name {
            "" => whole.push('$'),
            _ => {
                let number = numbers.get(name);
                let number = number.ok_or_else(|| format!("the session's text has no number for ${name}"))?;
                whole += &format!("{number:#x}");
            }
        }
        whole += rest;
    }
    Ok(whole)
}

/// Texts as the session finds them: their distances from the table's begin, then one behind the other.
pub(super) fn texts<S: AsRef<str>>(texts: &[S]) -> Vec<u8> {
    let mut distance = 4 * texts.len();
    let (mut table, mut bytes) = (Vec::new(), Vec::new());
    for one in texts {
        table.extend((distance as u32).to_le_bytes());
        let one = text(one.as_ref());
        distance += one.len();
        bytes.extend(one);
    }
    [table, bytes].concat()
}

/// A text as C has it, which ends at the first zero.
pub(super) fn text(text: &str) -> Vec<u8> {
    let mut bytes = text.replace('\0', "\u{fffd}").into_bytes();
    bytes.push(0);
    bytes
}
