//! The types of values.

use std::fmt;

/// A type of values by its number in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub(super) i32);

/// The names of all types by their numbers.
const NAMES: [&str; 24] = [
    "nothing",
    "float32",
    "uint8",
    "int8",
    "uint16",
    "int16",
    "int32",
    "int64",
    "string",
    "bool",
    "float16",
    "float64",
    "uint32",
    "uint64",
    "complex64",
    "complex128",
    "bfloat16",
    "float8e4m3fn",
    "float8e4m3fnuz",
    "float8e5m2",
    "float8e5m2fnuz",
    "uint4",
    "int4",
    "float4e2m1",
];

impl Kind {
    pub(super) const F32: Kind = Kind(1);
    pub(super) const U8: Kind = Kind(2);
    pub(super) const I8: Kind = Kind(3);
    pub(super) const U16: Kind = Kind(4);
    pub(super) const I16: Kind = Kind(5);
    pub(super) const I32: Kind = Kind(6);
    pub(super) const I64: Kind = Kind(7);
    pub(super) const BOOL: Kind = Kind(9);
    pub(super) const F16: Kind = Kind(10);
    pub(super) const F64: Kind = Kind(11);
    pub(super) const U32: Kind = Kind(12);
    pub(super) const U64: Kind = Kind(13);
    pub(super) const BF16: Kind = Kind(16);

    /// Whether values have fractions.
    pub(super) fn is_float(self) -> bool {
        [Kind::F32, Kind::F16, Kind::F64, Kind::BF16].contains(&self)
    }

    /// Bytes of a value; none where they are not read.
    pub(super) fn bytes(self) -> Option<usize> {
        Some(match self {
            Kind::U8 | Kind::I8 | Kind::BOOL => 1,
            Kind::U16 | Kind::I16 | Kind::F16 | Kind::BF16 => 2,
            Kind::F32 | Kind::I32 | Kind::U32 => 4,
            Kind::I64 | Kind::F64 | Kind::U64 => 8,
            _ => return None,
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match usize::try_from(self.0).ok().and_then(|number| NAMES.get(number)) {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
