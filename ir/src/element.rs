//! What the numbers of a tensor are.

use std::fmt;

/// What one element of a tensor or a weight is.
///
/// It says what a number means, and how a file holds it. In memory, at the border and in kernels every element is an `f32`,
/// also an index, which that holds exactly up to 2^24. Ops that move elements pass it on; one that joins tensors passes on
/// what all of them are. Arithmetic takes any element as the number that it is, and its result is [`Element::F32`]: a
/// network may go on computing with an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Element {
    /// IEEE 754 single precision.
    #[default]
    F32,
    /// A whole number that counts or points at something, as the result of `arg_max` does.
    I64,
}

impl Element {
    /// All elements.
    pub const ALL: [Element; 2] = [Element::F32, Element::I64];

    /// The name in messages.
    pub fn name(self) -> &'static str {
        match self {
            Element::F32 => "f32",
            Element::I64 => "i64",
        }
    }

    /// Bytes that a file holds it in.
    pub fn bytes(self) -> usize {
        match self {
            Element::F32 => 4,
            Element::I64 => 8,
        }
    }

    /// The number that `bytes`, little-endian and [`Element::bytes`] of them, hold: the nearest that is an `f32`.
    pub fn read(self, bytes: &[u8]) -> f32 {
        match self {
            Element::F32 => f32::from_le_bytes(whole(bytes)),
            Element::I64 => i64::from_le_bytes(whole(bytes)) as f32,
        }
    }

    /// Puts `number` into `bytes`, little-endian and [`Element::bytes`] of them; whole numbers lose what is behind the point.
    pub fn write(self, number: f32, bytes: &mut [u8]) {
        match self {
            Element::F32 => bytes.copy_from_slice(&number.to_le_bytes()),
            Element::I64 => bytes.copy_from_slice(&(number as i64).to_le_bytes()),
        }
    }

    /// What tensors of `elements` are together: what all of them are, [`Element::F32`] where they differ.
    pub fn joined(elements: &[Element]) -> Element {
        match elements.split_first() {
            Some((&first, others)) if others.iter().all(|&other| other == first) => first,
            _ => Element::F32,
        }
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn whole<const BYTES: usize>(bytes: &[u8]) -> [u8; BYTES] {
    bytes.try_into().expect("an element's bytes are as many as it has")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_as_the_numbers_that_they_are() {
        assert_eq!(Element::F32.read(&(-2.5f32).to_le_bytes()), -2.5);
        assert_eq!(Element::I64.read(&(-7i64).to_le_bytes()), -7.0);
        for element in Element::ALL {
            let mut bytes = vec![0; element.bytes()];
            assert_eq!(element.read(&bytes), 0.0, "{element}");
            element.write(-3.0, &mut bytes);
            assert_eq!(element.read(&bytes), -3.0, "{element}");
        }
    }

    #[test]
    fn a_join_is_what_all_of_it_is() {
        use Element::{F32, I64};
        assert_eq!(Element::joined(&[I64, I64]), I64);
        assert_eq!(Element::joined(&[I64, F32]), F32);
        assert_eq!((Element::joined(&[I64]), Element::joined(&[])), (I64, F32));
    }
}
