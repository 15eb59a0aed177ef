//! The code with its constants behind it: branches and constants find their places by label.

use std::collections::BTreeMap;

use iced_x86::{Encoder, Instruction as Encoded, MemoryOperand, Register as Physical};

use super::Unsupported;
use super::encode::{self, Lanes};

/// Labels of instructions are their index from 1; labels of constants and of places not yet reached lie above.
const FIRST_CONSTANT: u64 = 1 << 40;

/// The label of the table of sign bits.
pub(super) const SIGN_BITS: u64 = FIRST_CONSTANT - 1;

/// Instructions, and the constants that they read.
#[derive(Default)]
pub(super) struct Assembly {
    pub(super) code: Vec<Encoded>,
    /// Constants by their bits, with the label that stands for their place behind the code.
    constants: BTreeMap<u32, u64>,
}

impl Assembly {
    /// The label of the constant of these bits.
    pub(super) fn constant_label(&mut self, bits: u32) -> u64 {
        let next = FIRST_CONSTANT + self.constants.len() as u64;
        *self.constants.entry(bits).or_insert(next)
    }

    /// Encodes everything, with the constants behind the code; branches and constants find their places by label.
    pub(super) fn assemble(self, lanes: Lanes) -> Result<Vec<u8>, Unsupported> {
        let mut encoder = Encoder::try_with_capacity(64, 8 * self.code.len())?;
        let mut begins = Vec::with_capacity(self.code.len() + 1);
        let mut references = Vec::new();
        let mut end = 0;
        for instruction in &self.code {
            begins.push(end);
            let begin = end;
            let mut placed = *instruction;
            let label = encode::label(instruction);
            if label.is_some() {
                // Any place that is near will do until all places are known.
                encode::set_label(&mut placed, begin as u64);
            }
            end += encoder.encode(&placed, begin as u64)?;
            if let Some(label) = label {
                let offsets = encoder.get_constant_offsets();
                let field = if offsets.has_displacement() {
                    offsets.displacement_offset()
                } else {
                    offsets.immediate_offset()
                };
                references.push(Reference { field: begin + field, end, label });
            }
        }
        begins.push(end);
        let mut bytes = encoder.take_buffer();
        let constants = self.append_constants(lanes, &mut bytes);
        for Reference { field, end, label } in references {
            let place = constants.get(&label).copied().unwrap_or_else(|| begins[label as usize - 1]);
            let distance = place as i64 - end as i64;
            let distance =
                i32::try_from(distance).map_err(|_| Unsupported::Encoding("2 GiB of code".into()))?;
            bytes[field..field + 4].copy_from_slice(&distance.to_le_bytes());
        }
        Ok(bytes)
    }

    /// Appends what the code reads from behind itself, and returns where each label's part lies.
    fn append_constants(&self, lanes: Lanes, bytes: &mut Vec<u8>) -> BTreeMap<u64, usize> {
        let mut places = BTreeMap::new();
        if lanes == Lanes::Eight {
            places.insert(SIGN_BITS, bytes.len());
            for word in [u32::MAX, 0].into_iter().flat_map(|word| [word; 8]) {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        let mut constants: Vec<(u64, u32)> =
            self.constants.iter().map(|(&bits, &label)| (label, bits)).collect();
        constants.sort_unstable();
        for (label, bits) in constants {
            places.insert(label, bytes.len());
            bytes.extend_from_slice(&bits.to_le_bytes());
        }
        places
    }
}

/// Four bytes of code that hold the distance from an instruction's end to a label.
struct Reference {
    field: usize,
    end: usize,
    label: u64,
}

/// The place of `label`, relative to the instruction pointer.
pub(super) fn rip_relative(label: u64) -> MemoryOperand {
    MemoryOperand::with_base_displ_size(Physical::RIP, label as i64, 8)
}
