//! Tiles that do not fit are refused by name when they are built, and nothing spills.

use frit_ir::Element;

use super::super::{Unsupported, lower};
use super::{EIGHT, SIXTEEN};
use crate::vector::builder::TooManyRegisters;
use crate::vector::{Address, Builder, Instruction, Operand, Pointer, Program, Vectors, Width};

/// A tile of `sums`, with one vector of input and one of weights.
fn width(Vectors { lanes, registers, fused }: Vectors) -> Width {
    Width::new(lanes, registers, fused)
}

fn tile(vectors: Vectors, sums: usize) -> Result<Program, TooManyRegisters> {
    let mut builder = Builder::new(format!("tile_{sums}"), width(vectors), 3);
    let sums = builder.registers(sums);
    let input = builder.load(Pointer(0), 0);
    let weight = builder.load(Pointer(1), 0);
    for (index, &sum) in sums.iter().enumerate() {
        let to = Address::new(Pointer(2), (4 * vectors.lanes * index) as i32);
        builder.emit(Instruction::Load { to: sum, from: to });
        builder.emit(Instruction::MultiplyAdd { sum, a: input, b: Operand::Register(weight) });
        builder.emit(Instruction::Store { to, from: sum });
    }
    builder.finish()
}

#[test]
fn a_tile_that_does_not_fit_its_registers_is_refused_by_name() {
    for vectors in [EIGHT, SIXTEEN] {
        let most = vectors.registers - 2;
        lower(&tile(vectors, most).unwrap()).unwrap();
        let kernel = format!("tile_{}", most + 1);
        let refused =
            TooManyRegisters { kernel, needed: vectors.registers + 1, available: vectors.registers };
        assert_eq!(tile(vectors, most + 1), Err(refused));
    }
}

/// Every register of `vectors` in use, then `last`.
fn full(vectors: Vectors, last: Instruction) -> Program {
    let mut builder = Builder::new("full", width(vectors), 1);
    for to in builder.registers(vectors.registers) {
        builder.emit(Instruction::Constant { to, value: 1.0 });
    }
    builder.emit(last);
    builder.finish().unwrap()
}

#[test]
fn what_needs_one_more_register_at_8_lanes_is_refused_where_none_is_left() {
    let address = Address::new(Pointer(0), 0);
    let [to, a] = [0, 1].map(crate::vector::Register);
    let needy = [
        Instruction::LoadPart { to, from: address, lanes: 3 },
        Instruction::StorePart { to: address, from: a, lanes: 3 },
        Instruction::Add { to, a, b: Operand::Broadcast(address) },
    ];
    for last in needy {
        assert_eq!(lower(&full(EIGHT, last.clone())), Err(Unsupported::NoScratchRegister));
        lower(&full(SIXTEEN, last)).unwrap();
    }
    lower(&full(EIGHT, Instruction::Add { to, a, b: Operand::Memory(address) })).unwrap();
}

#[test]
fn there_is_no_wide_lowering_of_4_lanes() {
    let vectors = Vectors { lanes: 4, ..EIGHT };
    assert_eq!(lower(&tile(vectors, 1).unwrap()), Err(Unsupported::Lanes(4)));
}

#[test]
fn elements_that_no_instruction_reads_are_refused_by_name() {
    let address = Address { element: Element::I64, ..Address::new(Pointer(0), 0) };
    let load = Instruction::Load { to: crate::vector::Register(0), from: address };
    assert_eq!(lower(&full(SIXTEEN, load)), Err(Unsupported::Element(Element::I64)));
}
