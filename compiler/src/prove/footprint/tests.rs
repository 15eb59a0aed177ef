//! What a kernel is said to touch, against what it touches when it is interpreted.

use proptest::prelude::*;

use super::*;
use crate::kernels::F32;
use crate::prove::tests::plans;
use crate::vector::interpret::{Access, run_watched};
use crate::vector::{Vectors, random};

const VECTORS: [Vectors; 3] = [
    Vectors { lanes: 4, registers: 16, fused: true },
    Vectors { lanes: 8, registers: 16, fused: true },
    Vectors { lanes: 16, registers: 32, fused: true },
];

/// The values of one buffer that were touched.
struct Seen {
    read: Vec<bool>,
    exposed: Vec<bool>,
    written: Vec<bool>,
}

impl Seen {
    fn nothing(values: usize) -> Seen {
        let nothing = || vec![false; values];
        Seen { read: nothing(), exposed: nothing(), written: nothing() }
    }

    fn see(&mut self, access: Access) {
        for value in access.byte / F32..(access.byte + access.bytes) / F32 {
            if access.writes {
                self.written[value] = true;
            } else {
                self.read[value] = true;
                self.exposed[value] |= !self.written[value];
            }
        }
    }

    /// What was touched, from byte `from` of the buffer on.
    fn touched(&self, from: i64) -> Touched {
        let bytes = |seen: &[bool]| {
            let places = seen.iter().enumerate().filter(|(_, seen)| **seen);
            let value = |(index, _)| Interval::new((index * F32) as i64 - from, F32 as i64);
            Bytes::of(places.map(value).collect())
        };
        Touched { read: bytes(&self.read), exposed: bytes(&self.exposed), written: bytes(&self.written) }
    }
}

/// What `program` touches when it runs for `items` items, each of whose arguments points `place` bytes behind the begin of a
/// buffer of its own.
fn seen(program: &Program, memory: &mut [Vec<f32>], places: &[usize], items: u64) -> Vec<Touched> {
    let mut seen: Vec<Seen> = memory.iter().map(|buffer| Seen::nothing(buffer.len())).collect();
    let arguments: Vec<(usize, usize)> = places.iter().copied().enumerate().collect();
    run_watched(program, memory, &arguments, items, |access| seen[access.buffer].see(access)).unwrap();
    seen.iter().zip(places).map(|(seen, &place)| seen.touched(place as i64)).collect()
}

/// That `said` is what was `seen`: what is written and read is so exactly, what must be written before is not too little.
/// Returns how many bytes it is more.
fn agree(said: &Touched, seen: &Touched) -> Result<i64, TestCaseError> {
    prop_assert_eq!(&said.written, &seen.written);
    prop_assert_eq!(&said.read, &seen.read);
    prop_assert_eq!(said.exposed.lacks(&seen.exposed), None);
    prop_assert_eq!(seen.read.lacks(&said.exposed), None);
    Ok(said.exposed.count() - seen.exposed.count())
}

fn agrees(case: random::Case) -> Result<(), TestCaseError> {
    let random::Case { program, mut memory, arguments, items } = case;
    let places: Vec<usize> = arguments.iter().map(|&(_, place)| place).collect();
    let reached = match footprint(&program) {
        Ok(reached) => reached,
        // What is added up over turns has no place that is told.
        Err(unknown) => return Err(TestCaseError::reject(unknown.to_string())),
    };
    for (reached, seen) in reached.iter().zip(seen(&program, &mut memory, &places, items)) {
        agree(&reached.all(items).unwrap(), &seen)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn random_programs_touch_what_is_said_of_them(
        case in prop::sample::select(&VECTORS[..]).prop_flat_map(random::cases)
    ) {
        agrees(case)?;
    }
}

/// The bytes of p0 that must have been written before a program with this body runs for two items.
fn exposed(body: &str) -> Bytes {
    let text = format!("kernel k parameters 1 pointers 2 registers 1 lanes 4 of 16 fused {{\n{body}\n}}\n");
    let program = crate::vector::parse::parse(&text).unwrap();
    footprint(&program).unwrap()[0].all(2).unwrap().exposed
}

#[test]
fn what_is_written_later_covers_no_read() {
    for (body, end) in [
        ("constant r0, 0x00000000\nloop items {\nload r0, [p0]\n}\nstore [p0], r0", 16),
        ("constant r0, 0x00000000\nloop 2 {\nloop items {\nload r0, [p0]\n}\nstore [p0], r0\n}", 16),
        ("set p1, p0, 0\nloop 2 {\nload r0, [p1]\nstore [p0], r0\nadvance p1, 4\n}", 20),
    ] {
        assert_eq!(exposed(body), Interval::new(0, end).into(), "{body}");
    }
}

/// Runs `program` for `items` items in buffers that are as large as they are said to be touched, and no larger.
fn agrees_in_its_hull(program: &Program, items: u64) -> Result<i64, TestCaseError> {
    let said: Vec<Touched> =
        footprint(program).unwrap().iter().map(|reached| reached.all(items).unwrap()).collect();
    let hull = |touched: &Touched| {
        let mut all = touched.read.clone();
        all.add(&touched.written);
        all.hull().unwrap_or(Interval::new(0, 0))
    };
    let hulls: Vec<Interval> = said.iter().map(hull).collect();
    // A pointer may begin in front of what is touched, or, as in a window's border, behind the begin of it.
    let places: Vec<usize> = hulls.iter().map(|hull| usize::try_from(-hull.begin).unwrap_or(0)).collect();
    let mut memory: Vec<Vec<f32>> = hulls
        .iter()
        .zip(&places)
        .map(|(hull, &place)| vec![0.5; (hull.end as usize + place) / F32])
        .collect();
    let seen = seen(program, &mut memory, &places, items);
    said.iter().zip(&seen).try_fold(0, |more, (said, seen)| Ok(more + agree(said, seen)?))
}

/// Every kernel of some plans, for its first item, for two and for all of them.
#[test]
fn kernels_touch_what_is_said_of_them() {
    let mut kernels = 0;
    for plan in plans() {
        let calls = plan.steps.iter().flat_map(|step| step.work.calls());
        let items: BTreeMap<usize, usize> = calls.map(|call| (call.kernel, call.items)).collect();
        for (kernel, all) in items {
            let program = &plan.kernels[kernel];
            for items in [1, 2.min(all), all] {
                let agreed = agrees_in_its_hull(program, items as u64);
                assert!(matches!(agreed, Ok(0)), "{} for {items} items: {agreed:?}", program.name);
            }
            kernels += 1;
        }
    }
    assert!(kernels > 300, "{kernels} kernels");
}
