//! The machine code means what the vector program means, at both widths and on any machine that runs the tests: its
//! bytes run in a [`processor`] of our own, and on the CPU where that has the instructions.

mod network;
mod processor;
mod refused;
mod vectors;

use proptest::prelude::*;

use super::lower;
use crate::emit::jit::{PrepareError, Prepared};
use crate::machine::{Level, Machine};
use crate::vector::random::{self, Case};
use crate::vector::{Address, Count, Instruction, Pointer, Vectors, interpret};

const EIGHT: Vectors = Vectors { lanes: 8, registers: 16, fused: true };
const SIXTEEN: Vectors = Vectors { lanes: 16, registers: 32, fused: true };

/// Random programs that leave one vector register to the lowering of 8 lanes.
fn cases(vectors: Vectors) -> impl Strategy<Value = Case> {
    let program = Vectors { registers: vectors.registers - 1, ..vectors };
    (random::cases(program), 0..20usize).prop_map(move |(mut case, crowd)| {
        case.program.vectors = vectors;
        crowded(&mut case, crowd);
        case
    })
}

/// Adds `crowd` pointers that are used more often than all else, so that they take the general registers and the
/// others live in the frame; and one that leaves the first 4 GiB and comes back.
fn crowded(case: &mut Case, crowd: usize) {
    const FAR: i64 = 5 << 31;
    let program = &mut case.program;
    let first = program.pointers;
    let new: Vec<Pointer> = (first..first + crowd).map(|index| Pointer(index as u16)).collect();
    let set = |&to: &Pointer| Instruction::SetPointer { to, base: Pointer(1), offset: 8 };
    let mut body: Vec<Instruction> = new.iter().map(set).collect();
    let advance = |&pointer: &Pointer| [4, -4].map(|bytes| Instruction::Advance { pointer, bytes });
    let often: Vec<Instruction> = new.iter().flat_map(advance).collect();
    let inner = Instruction::Loop { count: Count::Static(16), body: often };
    if crowd > 0 {
        body.push(Instruction::Loop { count: Count::Static(16), body: vec![inner] });
    }
    let far = Pointer((first + crowd) as u16);
    body.push(Instruction::SetPointer { to: far, base: Pointer(2), offset: FAR });
    body.push(Instruction::Advance { pointer: far, bytes: -FAR });
    body.append(&mut program.body);
    program.pointers = first + crowd + 1;
    program.body = body;
    for base in new.into_iter().chain([far]) {
        let to = crate::vector::Register(0);
        program.body.push(Instruction::Broadcast { to, from: Address::new(base, 4) });
        program.body.push(Instruction::Store { to: Address::new(base, 0), from: to });
    }
}

/// The memory after `run` has worked on it.
fn after(case: &Case, run: impl FnOnce(&mut [Vec<f32>])) -> Vec<Vec<f32>> {
    let mut memory = case.memory.clone();
    run(&mut memory);
    memory
}

fn interpreted(case: &Case) -> Vec<Vec<f32>> {
    after(case, |memory| interpret::run(&case.program, memory, &case.arguments, case.items).unwrap())
}

fn processed(case: &Case) -> Vec<Vec<f32>> {
    let code = lower(&case.program).unwrap();
    after(case, |memory| processor::run(&code, memory, &case.arguments, case.items))
}

/// What the CPU makes of it; nothing where it lacks the level.
fn executed(case: &Case, level: Level) -> Option<Vec<Vec<f32>>> {
    let machine = Machine::of(level);
    match Prepared::new(&case.program, &machine, case.memory.clone(), &case.arguments, case.items) {
        Ok(mut prepared) => {
            prepared.run();
            Some(prepared.memory().to_vec())
        }
        Err(PrepareError::Cpu(_)) => None,
        Err(error) => panic!("{error:?}"),
    }
}

/// Bit for bit, but for the payloads of NaNs.
fn difference(expected: &[Vec<f32>], got: &[Vec<f32>]) -> Option<String> {
    assert_eq!(expected.len(), got.len());
    let differ = |a: f32, b: f32| a.to_bits() != b.to_bits() && !(a.is_nan() && b.is_nan());
    expected.iter().zip(got).enumerate().find_map(|(buffer, (expected, got))| {
        assert_eq!(expected.len(), got.len());
        let index = expected.iter().zip(got).position(|(&a, &b)| differ(a, b))?;
        Some(format!("buffer {buffer}, value {index}: {:e}, not {:e}", got[index], expected[index]))
    })
}

fn agrees(case: &Case, level: Level) -> Result<(), TestCaseError> {
    let expected = interpreted(case);
    let others = [("processor", Some(processed(case))), ("CPU", executed(case, level))];
    for (name, got) in others {
        if let Some(difference) = got.and_then(|got| difference(&expected, &got)) {
            return Err(TestCaseError::fail(format!("{name}: {difference}\n{}", case.program)));
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn avx2_equals_the_interpreter(case in cases(EIGHT)) {
        agrees(&case, Level::V3)?;
    }

    #[test]
    fn avx512_equals_the_interpreter(case in cases(SIXTEEN)) {
        agrees(&case, Level::V4)?;
    }

    #[test]
    fn avx512_may_use_every_register(case in random::cases(SIXTEEN)) {
        agrees(&case, Level::V4)?;
    }
}
