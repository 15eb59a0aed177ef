//! What a kernel touches: the bytes that it reads and writes through each of its pointers.
//!
//! No address of a vector program depends on data, and all of its loops are counted, so that these sets are arithmetic.
//! A loop moves each pointer by a constant distance a turn, or sets it anew from one that does. Its body is followed once,
//! with pointers that are told apart by where they come from and how far a turn moves them; what it touches is then
//! repeated for each turn. The items stay open: what each of them touches is known, and how far the next lies behind it.

use std::collections::BTreeMap;

use super::bytes::{Bytes, FARTHEST, Interval, Untold};
use crate::vector::{Address, Count, Instruction, Pointer, Program, Touch};

/// What is read is told as a whole where it has more pieces than this; what is written is told exactly.
const MOST_PIECES: usize = 1 << 12;

/// What is touched through one pointer, in bytes from where the pointer begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// All that is read, or more.
    pub read: Bytes,
    /// What is read before it was written here, or more: what somebody else must have written.
    pub exposed: Bytes,
    /// What is written, exactly.
    pub written: Bytes,
}

impl Touched {
    /// Whether nothing is.
    pub fn is_empty(&self) -> bool {
        self.read.is_empty() && self.written.is_empty()
    }

    /// Adds what is touched after what is known here.
    pub fn then(&mut self, later: &Touched) {
        self.exposed.add(&later.exposed.without(&self.written));
        self.read.add(&later.read);
        self.written.add(&later.written);
    }

    /// Adds what is touched before, after or between what is known here: nothing is said of their order.
    fn beside(&mut self, other: &Touched) {
        self.exposed.add(&other.exposed);
        self.read.add(&other.read);
        self.written.add(&other.written);
    }

    /// The same `count` times, each `step` bytes behind the one before.
    ///
    /// # Errors
    /// As [`Bytes::repeated`].
    pub fn repeated(&self, step: i64, count: u64) -> Result<Touched, Untold> {
        let repeat = |bytes: &Bytes| match bytes.repeated(step, count) {
            Ok(repeated) => Ok(repeated.at_most_in(MOST_PIECES)),
            Err(Untold::TooScattered) => {
                bytes.clone().at_most_in(0).repeated(step, count).map(|hulls| hulls.at_most_in(0))
            }
            Err(error) => Err(error),
        };
        Ok(Touched {
            read: repeat(&self.read)?,
            exposed: repeat(&self.exposed)?,
            written: self.written.repeated(step, count)?,
        })
    }

    /// The same `by` bytes further on.
    ///
    /// # Errors
    /// That is too far.
    pub fn shifted(self, by: i64) -> Result<Touched, Untold> {
        Ok(Touched {
            read: self.read.shifted(by)?,
            exposed: self.exposed.shifted(by)?,
            written: self.written.shifted(by)?,
        })
    }
}

/// What a kernel touches through one of its parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reached {
    /// Whatever its items are.
    pub once: Touched,
    /// For each item, by the bytes from one item to the next.
    pub each: BTreeMap<i64, Touched>,
}

impl Reached {
    /// Whether nothing is touched.
    pub fn is_empty(&self) -> bool {
        self.once.is_empty() && self.each.values().all(Touched::is_empty)
    }

    /// What is touched for the first item, and whatever the items are.
    pub fn first(&self) -> Touched {
        let mut all = self.once.clone();
        self.each.values().for_each(|touched| all.beside(touched));
        all
    }

    /// What is touched for `items` items.
    ///
    /// # Errors
    /// As [`Bytes::repeated`].
    pub fn all(&self, items: u64) -> Result<Touched, Untold> {
        let mut all = self.once.clone();
        for (&step, touched) in &self.each {
            all.beside(&touched.repeated(step, items)?);
        }
        Ok(all)
    }

    /// Adds what is touched after what is known here.
    fn then(&mut self, later: &Reached) {
        for (&step, touched) in &later.each {
            let mut touched = touched.clone();
            if step == 0 {
                touched.exposed = touched.exposed.without(&self.once.written);
            }
            self.each.entry(step).or_default().then(&touched);
        }
        // Behind the items, so that none of them counts as written by what may come after it.
        self.once.then(&later.once);
    }

    /// Adds what is touched before, after or between what is known here.
    fn beside(&mut self, other: &Reached) {
        self.once.beside(&other.once);
        for (&step, touched) in &other.each {
            self.each.entry(step).or_default().beside(touched);
        }
    }

    fn repeated(&self, step: i64, count: u64) -> Result<Reached, Untold> {
        let each = self.each.iter().map(|(&item, touched)| Ok((item, touched.repeated(step, count)?)));
        Ok(Reached { once: self.once.repeated(step, count)?, each: each.collect::<Result<_, Untold>>()? })
    }
}

/// Why what a kernel touches can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// A pointer whose place depends on the turn, or on the number of items.
    Pointer(Pointer),
    /// A set that can't be told.
    Bytes(Untold),
}

impl From<Untold> for Unknown {
    fn from(untold: Untold) -> Unknown {
        Unknown::Bytes(untold)
    }
}

impl std::fmt::Display for Unknown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unknown::Pointer(Pointer(index)) => write!(f, "where p{index} points is no sum of whole turns"),
            Unknown::Bytes(Untold::TooFar) => {
                f.write_str("it touches what lies too far away to be addressed")
            }
            Unknown::Bytes(Untold::TooScattered) => f.write_str("it writes too many pieces to be told apart"),
        }
    }
}

/// What `program` touches through each of its parameters.
///
/// # Errors
/// An address that is no constant distance from where a parameter and the turns of the loops have brought it.
pub fn footprint(program: &Program) -> Result<Vec<Reached>, Unknown> {
    let mut motions = Motions { pointers: program.pointers, loops: Vec::new() };
    motions.of(&program.body);
    let mut follower = Follower { motions: motions.loops, next: 0, lanes: program.vectors.lanes };
    let mut frame = Frame::new(program.parameters);
    frame.pointers = (0..program.pointers)
        .map(|index| (index < program.parameters).then_some(Place { origin: index, offset: 0 }))
        .collect();
    follower.body(&program.body, &mut frame)?;
    Ok(frame.finish())
}

/// Where a pointer is after some instructions, by where pointers were before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Motion {
    /// So many bytes behind where this one was.
    From(usize, i64),
    /// That depends on how often a loop turns.
    Lost,
}

/// The motions of one turn of each loop, in the order in which loops begin.
struct Motions {
    pointers: usize,
    loops: Vec<Vec<Motion>>,
}

impl Motions {
    /// The motions of `body`; those of the loops inside are kept.
    fn of(&mut self, body: &[Instruction]) -> Vec<Motion> {
        let mut motions: Vec<Motion> = (0..self.pointers).map(|pointer| Motion::From(pointer, 0)).collect();
        for instruction in body {
            match *instruction {
                Instruction::SetPointer { to, base, offset } => {
                    motions[usize::from(to.0)] = moved(motions[usize::from(base.0)], offset);
                }
                Instruction::Advance { pointer, bytes } => {
                    let motion = &mut motions[usize::from(pointer.0)];
                    *motion = moved(*motion, bytes);
                }
                Instruction::Loop { count, ref body } => {
                    let index = self.loops.len();
                    self.loops.push(Vec::new());
                    let turn = self.of(body);
                    let all = (0..self.pointers).map(|pointer| match turns(&turn, pointer, count) {
                        Motion::From(from, by) => moved(motions[from], by),
                        Motion::Lost => Motion::Lost,
                    });
                    motions = all.collect();
                    self.loops[index] = turn;
                }
                _ => {}
            }
        }
        motions
    }
}

fn moved(motion: Motion, by: i64) -> Motion {
    match motion {
        // Past any address it is lost, long before sums of distances could wrap around.
        Motion::From(from, offset) if by.abs() <= FARTHEST && offset.abs() <= FARTHEST => {
            Motion::From(from, offset + by)
        }
        _ => Motion::Lost,
    }
}

/// Where `pointer` is after all turns of a loop, each of which moves pointers as `turn` says.
fn turns(turn: &[Motion], pointer: usize, count: Count) -> Motion {
    let several = |bytes: i64, count: u32| bytes.checked_mul(i64::from(count));
    let still = |pointer: usize| match turn[pointer] {
        Motion::From(from, bytes) if from == pointer => Some(bytes),
        _ => None,
    };
    match (turn[pointer], count) {
        (Motion::From(from, 0), _) if from == pointer => Motion::From(pointer, 0),
        (_, Count::Items) | (Motion::Lost, _) => Motion::Lost,
        (Motion::From(from, bytes), Count::Static(count)) if from == pointer => {
            several(bytes, count).map_or(Motion::Lost, |bytes| moved(Motion::From(pointer, 0), bytes))
        }
        (Motion::From(from, bytes), Count::Static(count)) => match still(from) {
            Some(step) => several(step, count.saturating_sub(1))
                .map_or(Motion::Lost, |before| moved(moved(Motion::From(from, 0), before), bytes)),
            None => Motion::Lost,
        },
    }
}

/// Where a pointer points: so many bytes behind an origin of its frame.
#[derive(Debug, Clone, Copy)]
struct Place {
    origin: usize,
    offset: i64,
}

/// The body of a loop, or of the program. Its origins are the parameters or, in a loop, an origin of the frame around it
/// that moves on by so many bytes with each turn.
struct Frame {
    pointers: Vec<Option<Place>>,
    origins: Vec<Gathered>,
}

/// What is touched from one origin, as it is gathered.
#[derive(Default)]
struct Gathered {
    reached: Reached,
    /// Reads of bytes that nothing here has written, not yet among the reached ones.
    reads: Vec<Interval>,
}

impl Gathered {
    fn read(&mut self, interval: Interval) {
        let written = &self.reached.once.written;
        if written.touches(interval) {
            let exposed = Bytes::from(interval).without(written);
            self.reached.once.read.insert(interval);
            self.reached.once.exposed.add(&exposed);
            return;
        }
        match self.reads.last_mut() {
            Some(last) if last.begin <= interval.begin && interval.begin <= last.end => {
                last.end = last.end.max(interval.end);
            }
            _ => self.reads.push(interval),
        }
    }

    fn write(&mut self, interval: Interval) {
        self.settle();
        self.reached.once.written.insert(interval);
    }

    /// Takes the reads so far among the reached bytes, before what they read is written.
    fn settle(&mut self) {
        if !self.reads.is_empty() {
            let reads = Bytes::of(std::mem::take(&mut self.reads));
            self.reached.once.exposed.add(&reads);
            self.reached.once.read.add(&reads);
        }
    }

    fn then(&mut self, later: &Reached) {
        self.settle();
        self.reached.then(later);
    }
}

impl Frame {
    fn new(origins: usize) -> Frame {
        Frame { pointers: Vec::new(), origins: (0..origins).map(|_| Gathered::default()).collect() }
    }

    fn place(&self, pointer: Pointer) -> Result<Place, Unknown> {
        self.pointers[usize::from(pointer.0)].ok_or(Unknown::Pointer(pointer))
    }

    fn at(&mut self, address: Address, bytes: i64) -> Result<(&mut Gathered, Interval), Unknown> {
        let Place { origin, offset } = self.place(address.base)?;
        let interval = Interval::new(offset + i64::from(address.offset), bytes);
        Ok((&mut self.origins[origin], interval))
    }

    fn touch(&mut self, touch: &Touch) -> Result<(), Unknown> {
        let (gathered, interval) = self.at(touch.address, touch.bytes() as i64)?;
        if touch.writes {
            gathered.write(interval)
        } else {
            gathered.read(interval)
        }
        Ok(())
    }

    fn finish(self) -> Vec<Reached> {
        let settled = |mut gathered: Gathered| {
            gathered.settle();
            gathered.reached
        };
        self.origins.into_iter().map(settled).collect()
    }
}

/// Follows a program, loop by loop.
struct Follower {
    motions: Vec<Vec<Motion>>,
    /// The loop that begins next.
    next: usize,
    /// Lanes of a vector.
    lanes: usize,
}

impl Follower {
    fn body(&mut self, body: &[Instruction], frame: &mut Frame) -> Result<(), Unknown> {
        for instruction in body {
            match instruction {
                Instruction::Loop { count, body } => self.repeat(*count, body, frame)?,
                _ => self.plain(instruction, frame)?,
            }
        }
        Ok(())
    }

    fn plain(&self, instruction: &Instruction, frame: &mut Frame) -> Result<(), Unknown> {
        if let Some(touch) = instruction.touch(self.lanes) {
            return frame.touch(&touch);
        }
        match *instruction {
            Instruction::SetPointer { to, base, offset } => {
                frame.pointers[usize::from(to.0)] = further(frame.pointers[usize::from(base.0)], offset);
            }
            Instruction::Advance { pointer, bytes } => {
                let place = &mut frame.pointers[usize::from(pointer.0)];
                *place = further(*place, bytes);
            }
            // Registers are of no concern. A prefetch reads nothing that anybody could tell, and faults nowhere.
            _ => {}
        }
        Ok(())
    }

    fn repeat(&mut self, count: Count, body: &[Instruction], frame: &mut Frame) -> Result<(), Unknown> {
        let turn = std::mem::take(&mut self.motions[self.next]);
        self.next += 1;
        let (mut inner, origins) = enter(frame, &turn);
        self.body(body, &mut inner)?;
        // Which of several pointers into one memory comes first in a turn is not kept: none covers what another reads.
        let mut touched: BTreeMap<usize, Reached> = BTreeMap::new();
        for ((origin, step), reached) in origins.into_iter().zip(inner.finish()) {
            let all = match count {
                Count::Static(count) => reached.repeated(step, u64::from(count))?,
                // The program's check allows no loop over items inside another.
                Count::Items => {
                    Reached { each: BTreeMap::from([(step, reached.once)]), ..Reached::default() }
                }
            };
            touched.entry(origin).or_default().beside(&all);
        }
        touched.iter().for_each(|(&origin, all)| frame.origins[origin].then(all));
        frame.pointers = (0..turn.len())
            .map(|pointer| match turns(&turn, pointer, count) {
                Motion::From(from, by) => further(frame.pointers[from], by),
                Motion::Lost => None,
            })
            .collect();
        Ok(())
    }
}

fn further(place: Option<Place>, by: i64) -> Option<Place> {
    let Place { origin, offset } = place?;
    let near = by.abs() <= FARTHEST && offset.abs() <= FARTHEST;
    near.then_some(Place { origin, offset: offset + by })
}

/// The frame of a loop inside `frame`, a turn of which moves pointers as `turn` says, and for each of its origins that which it
/// comes from and the bytes that a turn moves it. A pointer that each turn sets anew has no place before it is set.
fn enter(frame: &Frame, turn: &[Motion]) -> (Frame, Vec<(usize, i64)>) {
    let mut origins: Vec<(usize, i64)> = Vec::new();
    let place = |(pointer, motion): (usize, &Motion)| {
        let Place { origin, offset } = frame.pointers[pointer]?;
        let step = match *motion {
            Motion::From(from, step) if from == pointer => step,
            _ => return None,
        };
        let known = origins.iter().position(|&known| known == (origin, step));
        let origin = known.unwrap_or_else(|| {
            origins.push((origin, step));
            origins.len() - 1
        });
        Some(Place { origin, offset })
    };
    let pointers = turn.iter().enumerate().map(place).collect();
    let mut inner = Frame::new(origins.len());
    inner.pointers = pointers;
    (inner, origins)
}

#[cfg(test)]
mod tests;
