//! Tiles that do not fit are refused by name when they are built, and nothing spills.

use super::super::{Unsupported, lower};
use super::{EIGHT, SIXTEEN};
use crate::vector::builder::TooManyRegisters;
use crate::vector::{Address, Builder, Instruction, Operand, Pointer, Program, Width};

/// A tile of `sums`, with one vector of input and one of weights.
fn tile(width: Width, sums: usize) -> Result<Program, TooManyRegisters> {
    let mut builder = Builder::new(format!("tile_{sums}"), width, 3);
    let sums = builder.registers(sums);
    let input = builder.load(Pointer(0), 0);
    let weight = builder.load(Pointer(1), 0);
    for (index, &sum) in sums.iter().enumerate() {
        let to = Address { base: Pointer(2), offset: (4 * width.lanes * index) as i32 };
        builder.emit(Instruction::Load { to: sum, from: to });
        builder.emit(Instruction::MultiplyAdd { sum, a: input, b: Operand::Register(weight) });
        builder.emit(Instruction::Store { to, from: sum });
    }
    builder.finish()
}

#[test]
fn a_tile_that_does_not_fit_its_registers_is_refused_by_name() {
    for width in [EIGHT, SIXTEEN] {
        let most = width.registers - 2;
        lower(&tile(width, most).unwrap()).unwrap();
        let kernel = format!("tile_{}", most + 1);
        let refused = TooManyRegisters { kernel, needed: width.registers + 1, available: width.registers };
        assert_eq!(tile(width, most + 1), Err(refused));
    }
}

/// Every register of `width` in use, then `last`.
fn full(width: Width, last: Instruction) -> Program {
    let mut builder = Builder::new("full", width, 1);
    for to in builder.registers(width.registers) {
        builder.emit(Instruction::Constant { to, value: 1.0 });
    }
    builder.emit(last);
    builder.finish().unwrap()
}

#[test]
fn what_needs_one_more_register_at_8_lanes_is_refused_where_none_is_left() {
    let address = Address { base: Pointer(0), offset: 0 };
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
    let width = Width { lanes: 4, ..EIGHT };
    assert_eq!(lower(&tile(width, 1).unwrap()), Err(Unsupported::Lanes(4)));
}
