//! Sets of bytes: what a kernel touches of one pointer's memory, relative to where the pointer begins.

/// Bytes from `begin` on, before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval {
    /// The first byte.
    pub begin: i64,
    /// The byte behind the last.
    pub end: i64,
}

impl Interval {
    /// `bytes` from `begin` on.
    pub fn new(begin: i64, bytes: i64) -> Interval {
        Interval { begin, end: begin + bytes }
    }

    fn shifted(self, by: i64) -> Interval {
        Interval { begin: self.begin + by, end: self.end + by }
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "bytes {} to {}", self.begin, self.end)
    }
}

/// No address of a plan lies further from where its pointer begins; sums of two such distances stay far inside 64 bits.
pub const FARTHEST: i64 = 1 << 44;

/// The most pieces that a set is kept in.
const MOST_PIECES: usize = 1 << 22;

/// Why a set can't be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untold {
    /// It lies further away than [`FARTHEST`].
    TooFar,
    /// It has too many pieces.
    TooScattered,
}

/// A set of bytes: intervals in ascending order, none empty, none touching the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bytes(Vec<Interval>);

impl From<Interval> for Bytes {
    fn from(interval: Interval) -> Bytes {
        Bytes::of(vec![interval])
    }
}

impl Bytes {
    /// The set of nothing.
    pub const NONE: &Bytes = &Bytes(Vec::new());

    /// All bytes of `intervals`, which may overlap and stand in any order.
    pub fn of(mut intervals: Vec<Interval>) -> Bytes {
        intervals.retain(|interval| interval.begin < interval.end);
        if !intervals.is_sorted() {
            intervals.sort_unstable();
        }
        intervals.dedup_by(|next, last| {
            let joins = next.begin <= last.end;
            if joins {
                last.end = last.end.max(next.end);
            }
            joins
        });
        Bytes(intervals)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The intervals.
    pub fn intervals(&self) -> &[Interval] {
        &self.0
    }

    /// From the first byte to the last.
    pub fn hull(&self) -> Option<Interval> {
        Some(Interval { begin: self.0.first()?.begin, end: self.0.last()?.end })
    }

    /// How many there are.
    pub fn count(&self) -> i64 {
        self.0.iter().map(|interval| interval.end - interval.begin).sum()
    }

    /// Adds `interval`, most often at the end of what is there.
    pub fn insert(&mut self, interval: Interval) {
        match self.0.last_mut() {
            Some(last) if last.begin <= interval.begin && interval.begin <= last.end => {
                last.end = last.end.max(interval.end);
            }
            Some(last) if interval.begin < last.begin => self.add(&interval.into()),
            _ => self.0.extend((interval.begin < interval.end).then_some(interval)),
        }
    }

    /// Whether a byte of `interval` is in the set.
    pub fn touches(&self, interval: Interval) -> bool {
        let behind = self.0.partition_point(|own| own.end <= interval.begin);
        self.0.get(behind).is_some_and(|own| own.begin < interval.end)
    }

    /// Adds all of `others`.
    pub fn add(&mut self, others: &Bytes) {
        match (&self.0[..], &others.0[..]) {
            (_, []) => {}
            ([], _) => self.0.clone_from(&others.0),
            ([.., last], [first, ..]) if last.end < first.begin => self.0.extend_from_slice(&others.0),
            _ => {
                let mut all = std::mem::take(&mut self.0);
                all.extend_from_slice(&others.0);
                *self = Bytes::of(all);
            }
        }
    }

    /// The same `by` bytes further on.
    ///
    /// # Errors
    /// That is too far.
    pub fn shifted(mut self, by: i64) -> Result<Bytes, Untold> {
        self.stays_near(by)?;
        self.0.iter_mut().for_each(|interval| *interval = interval.shifted(by));
        Ok(self)
    }

    fn stays_near(&self, by: i64) -> Result<(), Untold> {
        let near = |bound: i64| bound.checked_add(by).is_some_and(|moved| moved.abs() <= FARTHEST);
        let all_near = self.hull().is_none_or(|Interval { begin, end }| near(begin) && near(end));
        if all_near { Ok(()) } else { Err(Untold::TooFar) }
    }

    /// `count` copies, each `step` bytes behind the one before.
    ///
    /// # Errors
    /// The last lies too far away, or there would be too many pieces.
    pub fn repeated(&self, step: i64, count: u64) -> Result<Bytes, Untold> {
        if step == 0 || count <= 1 || self.is_empty() {
            return Ok(if count == 0 { Bytes::default() } else { self.clone() });
        }
        let turns = i64::try_from(count - 1).map_err(|_| Untold::TooFar)?;
        let last = step.checked_mul(turns).ok_or(Untold::TooFar)?;
        self.stays_near(last)?;
        let (first, last) = (0.min(last), 0.max(last));
        let step = step.abs();
        let runs = |interval: &Interval| interval.end - interval.begin >= step;
        let scattered = self.0.iter().filter(|interval| !runs(interval)).count();
        if (scattered as u64).saturating_mul(count) > MOST_PIECES as u64 {
            return Err(Untold::TooScattered);
        }
        let mut pieces = Vec::with_capacity(self.0.len() - scattered + scattered * count as usize);
        for interval in &self.0 {
            if runs(interval) {
                pieces.push(Interval { begin: interval.begin + first, end: interval.end + last });
            } else {
                let places = (0..=turns).map(|turn| first + turn * step);
                pieces.extend(places.map(|by| interval.shifted(by)));
            }
        }
        Ok(Bytes::of(pieces))
    }

    /// The first part of `others` that is not in this set.
    pub fn lacks(&self, others: &Bytes) -> Option<Interval> {
        let mut own = self.0.iter().peekable();
        for &Interval { mut begin, end } in &others.0 {
            while own.next_if(|interval| interval.end <= begin).is_some() {}
            if let Some(interval) = own.next_if(|interval| interval.begin <= begin && interval.end < end) {
                begin = interval.end;
            }
            match own.peek() {
                Some(interval) if interval.begin <= begin => {}
                Some(interval) => return Some(Interval { begin, end: end.min(interval.begin) }),
                None => return Some(Interval { begin, end }),
            }
        }
        None
    }

    /// The first part of `others` that is in this set too.
    pub fn meets(&self, others: &Bytes) -> Option<Interval> {
        let mut own = self.0.iter().peekable();
        for &other in &others.0 {
            while own.next_if(|interval| interval.end <= other.begin).is_some() {}
            if let Some(interval) = own.peek().filter(|interval| interval.begin < other.end) {
                return Some(Interval {
                    begin: interval.begin.max(other.begin),
                    end: interval.end.min(other.end),
                });
            }
        }
        None
    }

    /// What is left without `others`.
    pub fn without(&self, others: &Bytes) -> Bytes {
        if self.meets(others).is_none() {
            return self.clone();
        }
        let mut rest = Vec::new();
        let mut first = 0;
        for &interval in &self.0 {
            while others.0.get(first).is_some_and(|other| other.end <= interval.begin) {
                first += 1;
            }
            let mut begin = interval.begin;
            for other in others.0[first..].iter().take_while(|other| other.begin < interval.end) {
                if begin < other.begin {
                    rest.push(Interval { begin, end: other.begin });
                }
                begin = begin.max(other.end);
            }
            if begin < interval.end {
                rest.push(Interval { begin, ..interval });
            }
        }
        Bytes(rest)
    }

    /// The set, or all from its first byte to its last where it has more than `most` pieces: more than it is.
    pub fn at_most_in(self, most: usize) -> Bytes {
        match self.hull() {
            Some(hull) if self.0.len() > most => hull.into(),
            _ => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set() -> impl Strategy<Value = Bytes> {
        prop::collection::vec((-40i64..40, 0i64..12), 0..6).prop_map(|pairs| {
            Bytes::of(pairs.into_iter().map(|(begin, bytes)| Interval::new(begin, bytes)).collect())
        })
    }

    fn each(bytes: &Bytes) -> BTreeSet<i64> {
        bytes.intervals().iter().flat_map(|interval| interval.begin..interval.end).collect()
    }

    proptest! {
        /// Against sets of single bytes.
        #[test]
        fn sets_of_intervals_are_sets_of_bytes(a in set(), b in set(), step in -15i64..15, count in 0u64..6) {
            let (one, other) = (each(&a), each(&b));
            prop_assert_eq!(a.count(), one.len() as i64);
            prop_assert!(a.intervals().windows(2).all(|pair| pair[0].end < pair[1].begin));
            let mut sum = a.clone();
            sum.add(&b);
            prop_assert_eq!(each(&sum), &one | &other);
            let mut grown = a.clone();
            for &interval in b.intervals() {
                prop_assert_eq!(a.touches(interval), a.meets(&interval.into()).is_some());
                grown.insert(interval);
            }
            prop_assert_eq!(grown, sum);
            prop_assert_eq!(each(&a.without(&b)), &one - &other);
            let common = &one & &other;
            let met = a.meets(&b).map(|met| each(&met.into()));
            prop_assert_eq!(met.is_none(), common.is_empty());
            prop_assert!(met.is_none_or(|met| met.is_subset(&common) && met.first() == common.first()));
            let missing = &other - &one;
            let lacked = a.lacks(&b).map(|lacked| each(&lacked.into()));
            prop_assert_eq!(lacked.is_none(), missing.is_empty());
            prop_assert!(lacked.is_none_or(|lacked| lacked.is_subset(&missing) && lacked.first() == missing.first()));
            let copies = (0..count as i64).flat_map(|turn| one.iter().map(move |byte| byte + turn * step));
            let repeated = a.repeated(step, count).unwrap();
            prop_assert_eq!(each(&repeated), copies.collect::<BTreeSet<i64>>());
        }
    }

    #[test]
    fn what_is_too_far_or_too_scattered_is_not_told() {
        let byte = Bytes::from(Interval::new(0, 1));
        assert_eq!(byte.repeated(1 << 40, 1 << 10), Err(Untold::TooFar));
        assert_eq!(byte.repeated(i64::MAX, 3), Err(Untold::TooFar));
        assert_eq!(byte.clone().shifted(FARTHEST), Err(Untold::TooFar));
        assert_eq!(byte.repeated(2, 1 << 23), Err(Untold::TooScattered));
        assert_eq!(byte.repeated(1, 1 << 23).unwrap().hull(), Some(Interval::new(0, 1 << 23)));
    }

    #[test]
    fn many_pieces_become_one_that_has_them_all() {
        let pieces = Bytes::from(Interval::new(0, 4)).repeated(8, 10).unwrap();
        assert_eq!(pieces.clone().at_most_in(10), pieces);
        assert_eq!(pieces.at_most_in(9), Interval::new(0, 76).into());
    }
}
