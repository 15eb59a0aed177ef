//! The processor's vector instructions: lane by lane, with masks, zeroing and embedded broadcasts.

use iced_x86::{Instruction, Mnemonic, OpKind, Register, RoundingControl};

use super::processor::{LANES, Processor};

type Lanes = [u32; LANES];

impl Processor {
    /// Runs a vector instruction.
    pub(super) fn vector(&mut self, instruction: &Instruction) {
        use Mnemonic as M;
        assert_eq!(
            instruction.rounding_control(),
            RoundingControl::None,
            "{instruction}: rounding is as always"
        );
        match instruction.mnemonic() {
            M::Vmovups | M::Vmovaps if instruction.op0_kind() == OpKind::Memory => self.store(instruction),
            M::Vmovups | M::Vmovaps => {
                let value = self.lanes(instruction, 1);
                self.set(instruction, value);
            }
            M::Vbroadcastss => self.broadcast(instruction),
            M::Vfmadd231ps => {
                let [sum, a, b] = [0, 1, 2].map(|index| floats(self.lanes(instruction, index)));
                self.set(
                    instruction,
                    std::array::from_fn(|lane| a[lane].mul_add(b[lane], sum[lane]).to_bits()),
                );
            }
            M::Vaddps => self.float_lanes(instruction, |a, b| a + b),
            M::Vsubps => self.float_lanes(instruction, |a, b| a - b),
            M::Vmulps => self.float_lanes(instruction, |a, b| a * b),
            M::Vdivps => self.float_lanes(instruction, |a, b| a / b),
            M::Vminps => self.float_lanes(instruction, |a, b| if a < b { a } else { b }),
            M::Vmaxps => self.float_lanes(instruction, |a, b| if a > b { a } else { b }),
            M::Vpaddd => self.integer_lanes(instruction, u32::wrapping_add),
            M::Vxorps | M::Vpxord => self.integer_lanes(instruction, |a, b| a ^ b),
            M::Vpslld => self.shift(instruction, u32::checked_shl),
            M::Vpsrld => self.shift(instruction, u32::checked_shr),
            M::Vsqrtps => {
                let value = floats(self.lanes(instruction, 1)).map(|lane| lane.sqrt().to_bits());
                self.set(instruction, value);
            }
            M::Vcmpps => self.compare(instruction),
            M::Vblendvps | M::Vblendmps => self.blend(instruction),
            M::Vmaskmovps => self.masked_move(instruction),
            M::Vpmovm2d => {
                let mask = self.masks[mask_number(instruction.op1_register())];
                self.set(
                    instruction,
                    std::array::from_fn(|lane| if mask >> lane & 1 == 1 { u32::MAX } else { 0 }),
                );
            }
            M::Vpmovd2m => self.set_mask(instruction, self.lanes(instruction, 1).map(|lane| lane >> 31 == 1)),
            M::Kmovw => {
                let bits = self.integer(instruction, 1) as u16;
                self.set_mask(instruction, std::array::from_fn(|lane| bits >> lane & 1 == 1));
            }
            M::Vzeroupper => self.vectors.iter_mut().take(16).for_each(|lanes| lanes[4..].fill(0)),
            mnemonic => panic!("the processor does not know {mnemonic:?}: {instruction}"),
        }
    }

    fn float_lanes(&mut self, instruction: &Instruction, operation: impl Fn(f32, f32) -> f32) {
        self.integer_lanes(instruction, |a, b| operation(f32::from_bits(a), f32::from_bits(b)).to_bits());
    }

    fn integer_lanes(&mut self, instruction: &Instruction, operation: impl Fn(u32, u32) -> u32) {
        let (a, b) = (self.lanes(instruction, 1), self.lanes(instruction, 2));
        self.set(instruction, std::array::from_fn(|lane| operation(a[lane], b[lane])));
    }

    fn shift(&mut self, instruction: &Instruction, operation: fn(u32, u32) -> Option<u32>) {
        let bits = instruction.immediate8();
        let value = self.lanes(instruction, 1).map(|lane| operation(lane, bits.into()).unwrap_or(0));
        self.set(instruction, value);
    }

    fn broadcast(&mut self, instruction: &Instruction) {
        assert_eq!(instruction.op1_kind(), OpKind::Memory, "{instruction}: only values in memory are spread");
        let value = self.word(instruction, 0);
        self.set(instruction, [value; LANES]);
    }

    fn store(&mut self, instruction: &Instruction) {
        assert!(!instruction.zeroing_masking(), "{instruction}: a store has no lanes to clear");
        let (count, value) = register(instruction.op1_register());
        let value = self.vectors[value];
        self.store_lanes(instruction, value, self.active(instruction, count));
    }

    fn store_lanes(&mut self, instruction: &Instruction, value: Lanes, active: [bool; LANES]) {
        let place = self.place(instruction);
        for lane in (0..LANES).filter(|&lane| active[lane]) {
            self.write(instruction, place.wrapping_add(4 * lane as u64), &value[lane].to_le_bytes());
        }
    }

    fn compare(&mut self, instruction: &Instruction) {
        let [a, b] = [1, 2].map(|index| floats(self.lanes(instruction, index)));
        let holds: [bool; LANES] = std::array::from_fn(|lane| match instruction.immediate8() {
            0x11 => a[lane] < b[lane],
            0x12 => a[lane] <= b[lane],
            predicate => panic!("{instruction}: the processor does not know predicate {predicate:#x}"),
        });
        if is_mask(instruction.op0_register()) {
            assert_eq!(instruction.op_mask(), Register::None, "{instruction}: comparisons are of all lanes");
            self.set_mask(instruction, holds);
        } else {
            self.set(instruction, holds.map(|holds| if holds { u32::MAX } else { 0 }));
        }
    }

    /// Takes the second source where the mask says so: sign bits of a fourth operand, or the mask register, which
    /// here chooses and leaves no lane as it was.
    fn blend(&mut self, instruction: &Instruction) {
        let (no, yes) = (self.lanes(instruction, 1), self.lanes(instruction, 2));
        let (count, to) = register(instruction.op0_register());
        let chosen: [bool; LANES] = if instruction.mnemonic() == Mnemonic::Vblendmps {
            assert!(!instruction.zeroing_masking(), "{instruction}: a choice clears no lane");
            self.active(instruction, count)
        } else {
            self.lanes(instruction, 3).map(|lane| lane >> 31 == 1)
        };
        self.vectors[to] = std::array::from_fn(|lane| match chosen[lane] {
            _ if lane >= count => 0,
            true => yes[lane],
            false => no[lane],
        });
    }

    fn masked_move(&mut self, instruction: &Instruction) {
        let active = self.lanes(instruction, 1).map(|lane| lane >> 31 == 1);
        if instruction.op0_kind() == OpKind::Memory {
            self.store_lanes(instruction, self.lanes(instruction, 2), active);
        } else {
            let value =
                std::array::from_fn(|lane| if active[lane] { self.word(instruction, lane) } else { 0 });
            self.set(instruction, value);
        }
    }

    /// Which of the first `count` lanes the instruction's mask lets through; all where it has none.
    fn active(&self, instruction: &Instruction, count: usize) -> [bool; LANES] {
        let mask = match instruction.op_mask() {
            Register::None => u16::MAX,
            mask => self.masks[mask_number(mask)],
        };
        std::array::from_fn(|lane| lane < count && mask >> lane & 1 == 1)
    }

    /// Operand `index`; lanes beyond the register's are zero, and lanes behind the mask are not read from memory.
    fn lanes(&self, instruction: &Instruction, index: u32) -> Lanes {
        if instruction.op_kind(index) == OpKind::Register {
            return self.vectors[register(instruction.op_register(index)).1];
        }
        assert_eq!(instruction.op_kind(index), OpKind::Memory, "{instruction}: operand {index} is no vector");
        if instruction.is_broadcast() {
            return [self.word(instruction, 0); LANES];
        }
        let active = self.active(instruction, register(instruction.op0_register()).0);
        std::array::from_fn(|lane| if active[lane] { self.word(instruction, lane) } else { 0 })
    }

    fn word(&self, instruction: &Instruction, lane: usize) -> u32 {
        let place = self.place(instruction).wrapping_add(4 * lane as u64);
        u32::from_le_bytes(self.read(instruction, place, 4).try_into().expect("4 bytes were read"))
    }

    /// Writes the first operand: lanes behind the mask stay or become zero, lanes beyond the register become zero.
    fn set(&mut self, instruction: &Instruction, value: Lanes) {
        let (count, to) = register(instruction.op0_register());
        let active = self.active(instruction, count);
        let old = self.vectors[to];
        self.vectors[to] = std::array::from_fn(|lane| match active[lane] {
            true => value[lane],
            false if lane >= count || instruction.zeroing_masking() => 0,
            false => old[lane],
        });
    }

    fn set_mask(&mut self, instruction: &Instruction, holds: [bool; LANES]) {
        let to = mask_number(instruction.op0_register());
        self.masks[to] = (0..LANES).filter(|&lane| holds[lane]).map(|lane| 1 << lane).sum();
    }
}

fn floats(lanes: Lanes) -> [f32; LANES] {
    lanes.map(f32::from_bits)
}

/// A vector register's lanes and index.
fn register(register: Register) -> (usize, usize) {
    let from = |first: Register| (register as usize).checked_sub(first as usize).filter(|&index| index < 32);
    match (from(Register::YMM0), from(Register::ZMM0)) {
        (Some(index), _) => (8, index),
        (_, Some(index)) => (16, index),
        _ => panic!("{register:?} is no vector register of 8 or 16 lanes"),
    }
}

fn is_mask(register: Register) -> bool {
    (Register::K0..=Register::K7).contains(&register)
}

/// A mask register's index; K0 as a mask means none, so that the lowering never names it.
fn mask_number(register: Register) -> usize {
    match (register as usize).checked_sub(Register::K0 as usize) {
        Some(index @ 1..8) => index,
        _ => panic!("{register:?} is no mask register that masks"),
    }
}
