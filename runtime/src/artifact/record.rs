//! What code says of itself: a record that lies in front of it and is made with it, out of the plan and not out of the metadata.
//! A file whose metadata says something else is refused.

use super::coding::{Coded, Reader};
use crate::error::LoadError;
use crate::program::{Metadata, Target};

/// Code begins behind its record at a multiple of this many bytes.
const ALIGNMENT: usize = 64;

/// What code was made for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Record {
    /// Bytes of the code, this record among them.
    pub code: usize,
    /// Where in the code its entry is.
    pub entry: usize,
    /// The [`digest`] of the metadata.
    pub metadata: u64,
    /// Number of steps: the entry waits for all workers between two.
    pub steps: usize,
    /// Bytes of the packed weights.
    pub weights: usize,
    /// Bytes of memory between the steps.
    pub arena: usize,
    /// Bytes of memory of each worker, within a step.
    pub scratch: usize,
    /// Shapes of the inputs, without the batch.
    pub inputs: Vec<Vec<usize>>,
    /// Shapes of the outputs, without the batch.
    pub outputs: Vec<Vec<usize>>,
    /// The instructions that it is made of.
    pub target: Target,
}

impl Record {
    /// Bytes that are to be left free in front of the code, which do not depend on what [`Record::code`] and
    /// [`Record::entry`] will be.
    pub fn room(&self) -> usize {
        self.encoded().len().next_multiple_of(ALIGNMENT)
    }

    /// Lays the record into the room in front of `code`.
    ///
    /// # Panics
    /// If there is no such room.
    pub fn lay(&self, code: &mut [u8]) {
        let bytes = self.encoded();
        code[..bytes.len()].copy_from_slice(&bytes);
    }

    /// The record in front of `code`.
    pub(super) fn read(code: &[u8]) -> Result<Record, LoadError> {
        Reader::new("record of the code", code).first()
    }

    fn encoded(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.encode(&mut bytes);
        bytes
    }
}

/// What tells one metadata from another.
pub fn digest(metadata: &Metadata) -> u64 {
    let mut bytes = Vec::new();
    metadata.encode(&mut bytes);
    // FNV-1a (Fowler, Noll and Vo): unlike the file's checksum in kind, so that no change keeps both by its structure.
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
