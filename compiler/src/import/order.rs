//! The order in which things can be made that read each other, and the cycles that leave none.

use std::collections::{BTreeMap, BTreeSet};

use frit_ir::Diagnostic;
use frit_ir::diagnostic::codes;

/// Cycles that are told of one file.
const CYCLES: usize = 16;
/// Members of a cycle that are named.
const NAMED: usize = 8;

/// An order of `reads.len()` things in which each comes after those that it reads; among those that are ready, the first comes
/// first. The second part is the cycles, each followed by what it reads and beginning with its first member; their members
/// come as if they read nothing of the cycle.
pub(super) fn sorted(reads: &[Vec<usize>]) -> (Vec<usize>, Vec<Vec<usize>>) {
    let mut queue = Queue::new(reads);
    let mut order = Vec::with_capacity(reads.len());
    let mut cycles = Vec::new();
    queue.drain(&mut order);
    for _ in 0..CYCLES {
        let Some(mut cycle) = queue.cycle(reads) else { break };
        for &member in &cycle {
            queue.force(member);
        }
        queue.drain(&mut order);
        let first = cycle.iter().enumerate().min_by_key(|(_, member)| **member).map_or(0, |(place, _)| place);
        cycle.rotate_left(first);
        cycles.push(cycle);
    }
    (order, cycles)
}

/// The fault of a cycle, each of whose members is followed by the one that it reads.
pub(super) fn cycle_fault(names: &[&str]) -> Diagnostic {
    let more = names.len().saturating_sub(NAMED);
    let tail = if more > 0 { format!(" ← {more} more") } else { String::new() };
    let listed = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(" ← ");
    let first = names.first().copied().unwrap_or_default();
    Diagnostic::error(codes::CYCLE, "the layers read each other in a cycle")
        .note(format!("{listed}{tail} ← {first}"))
}

/// Things that wait for those that they read.
struct Queue {
    /// What is read and not there yet; none for a thing that was passed on.
    waiting: Vec<Option<usize>>,
    users: Vec<Vec<usize>>,
    ready: BTreeSet<usize>,
    /// Nothing before this one waits.
    cursor: usize,
}

impl Queue {
    fn new(reads: &[Vec<usize>]) -> Queue {
        let mut users = vec![Vec::new(); reads.len()];
        let mut waiting = Vec::with_capacity(reads.len());
        for (reader, read) in reads.iter().enumerate() {
            read.iter().for_each(|&read| users[read].push(reader));
            waiting.push(Some(read.len()));
        }
        let ready = (0..waiting.len()).filter(|&thing| waiting[thing] == Some(0)).collect();
        Queue { waiting, users, ready, cursor: 0 }
    }

    /// Passes on everything whose operands are there.
    fn drain(&mut self, order: &mut Vec<usize>) {
        while let Some(thing) = self.ready.pop_first() {
            self.waiting[thing] = None;
            order.push(thing);
            for user in std::mem::take(&mut self.users[thing]) {
                if let Some(count) = self.waiting[user].as_mut() {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.ready.insert(user);
                    }
                }
            }
        }
    }

    /// Takes a thing for ready, whatever it waits for.
    fn force(&mut self, thing: usize) {
        self.waiting[thing] = Some(0);
        self.ready.insert(thing);
    }

    /// A cycle among what waits, each followed by one that it reads.
    fn cycle(&mut self, reads: &[Vec<usize>]) -> Option<Vec<usize>> {
        self.cursor += self.waiting.get(self.cursor..)?.iter().position(Option::is_some)?;
        let (mut path, mut places) = (Vec::new(), BTreeMap::new());
        let mut at = self.cursor;
        // What waits reads something that waits, so the walk goes on until it comes back to itself.
        while !places.contains_key(&at) {
            places.insert(at, path.len());
            path.push(at);
            at = reads[at].iter().copied().find(|&read| self.waiting[read].is_some())?;
        }
        let start = *places.get(&at)?;
        Some(path.split_off(start))
    }
}
