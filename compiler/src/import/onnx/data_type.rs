//! The types of values.

use std::fmt;

/// A type of values by its number in the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DataType(pub(super) i32);

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

impl DataType {
    pub(super) const F32: DataType = DataType(1);
    pub(super) const U8: DataType = DataType(2);
    pub(super) const I8: DataType = DataType(3);
    pub(super) const U16: DataType = DataType(4);
    pub(super) const I16: DataType = DataType(5);
    pub(super) const I32: DataType = DataType(6);
    pub(super) const I64: DataType = DataType(7);
    pub(super) const BOOL: DataType = DataType(9);
    pub(super) const F16: DataType = DataType(10);
    pub(super) const F64: DataType = DataType(11);
    pub(super) const U32: DataType = DataType(12);
    pub(super) const U64: DataType = DataType(13);
    pub(super) const BF16: DataType = DataType(16);

    /// Whether values have fractions.
    pub(super) fn is_float(self) -> bool {
        [DataType::F32, DataType::F16, DataType::F64, DataType::BF16].contains(&self)
    }

    /// Bytes of a value; none where they are not read.
    pub(super) fn bytes(self) -> Option<usize> {
        Some(match self {
            DataType::U8 | DataType::I8 | DataType::BOOL => 1,
            DataType::U16 | DataType::I16 | DataType::F16 | DataType::BF16 => 2,
            DataType::F32 | DataType::I32 | DataType::U32 => 4,
            DataType::I64 | DataType::F64 | DataType::U64 => 8,
            _ => return None,
        })
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match usize::try_from(self.0).ok().and_then(|number| NAMES.get(number)) {
            Some(name) => f.write_str(name),
            None => write!(f, "type {}", self.0),
        }
    }
}
