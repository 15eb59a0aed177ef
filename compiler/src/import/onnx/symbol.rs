//! Numbers that shapes and other small constants are computed in.

use std::fmt;

use crate::import::onnx::data_type::DataType;

/// One number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Symbol {
    /// A whole number; of a boolean 0 or 1.
    Int(i64),
    /// Any other.
    Float(f64),
    /// The number of images, which only a run knows.
    Batch,
    /// What follows from it, and is not known either.
    Unknown,
}

impl Symbol {
    /// A value of `kind` from its bytes, of which there are as many as it has.
    pub(super) fn read(kind: DataType, bytes: &[u8]) -> Symbol {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(wide);
        match kind {
            DataType::F32 => Symbol::Float(f64::from(f32::from_bits(bits as u32))),
            DataType::F64 => Symbol::Float(f64::from_bits(bits)),
            DataType::F16 => Symbol::Float(half(bits as u16)),
            DataType::BF16 => Symbol::Float(f64::from(f32::from_bits((bits as u32) << 16))),
            DataType::I8 => Symbol::Int(i64::from(bits as i8)),
            DataType::I16 => Symbol::Int(i64::from(bits as i16)),
            DataType::I32 => Symbol::Int(i64::from(bits as i32)),
            _ => Symbol::Int(bits as i64),
        }
    }

    /// Its bytes as a value of `kind`, as many as that has in front; none where it is not known, or is no such value.
    pub(super) fn written(self, kind: DataType) -> Option<[u8; 8]> {
        let bits = match (kind, self) {
            (DataType::F16 | DataType::BF16, _) => return None,
            (DataType::F32, _) => u64::from((self.float()? as f32).to_bits()),
            (DataType::F64, _) => self.float()?.to_bits(),
            (_, Symbol::Int(value)) if kind.bytes().is_some() => value as u64,
            _ => return None,
        };
        Some(bits.to_le_bytes())
    }

    /// The number as a float, where it is known.
    pub(super) fn float(self) -> Option<f64> {
        match self {
            Symbol::Int(value) => Some(value as f64),
            Symbol::Float(value) => Some(value),
            Symbol::Batch | Symbol::Unknown => None,
        }
    }

    /// The number, where it is whole and known.
    pub(super) fn int(self) -> Option<i64> {
        match self {
            Symbol::Int(value) => Some(value),
            _ => None,
        }
    }

    /// The same as a number of `kind`: towards zero where that holds whole numbers only.
    pub(super) fn cast(self, kind: DataType) -> Symbol {
        match self {
            Symbol::Int(_) | Symbol::Float(_) if kind == DataType::BOOL => {
                Symbol::Int(i64::from(self.float() != Some(0.0)))
            }
            Symbol::Int(value) if kind.is_float() => Symbol::Float(value as f64),
            Symbol::Float(value) if kind == DataType::F32 => Symbol::Float(f64::from(value as f32)),
            Symbol::Float(value) if !kind.is_float() => Symbol::Int(value as i64),
            other => other,
        }
    }
}

/// A number of IEEE 754 half precision.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Symbol::Int(value) => write!(f, "{value}"),
            Symbol::Float(value) => write!(f, "{value}"),
            Symbol::Batch => f.write_str("batch"),
            Symbol::Unknown => f.write_str("?"),
        }
    }
}

/// A function of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unary {
    Neg,
    Abs,
    Floor,
    Ceil,
    Round,
    Sqrt,
    Reciprocal,
    Exp,
    Log,
    Not,
    Sign,
}

impl Unary {
    /// The one that the operator `name` is.
    pub(super) fn of(name: &str) -> Option<Unary> {
        Some(match name {
            "Neg" => Unary::Neg,
            "Abs" => Unary::Abs,
            "Floor" => Unary::Floor,
            "Ceil" => Unary::Ceil,
            "Round" => Unary::Round,
            "Sqrt" => Unary::Sqrt,
            "Reciprocal" => Unary::Reciprocal,
            "Exp" => Unary::Exp,
            "Log" => Unary::Log,
            "Not" => Unary::Not,
            "Sign" => Unary::Sign,
            _ => return None,
        })
    }

    /// The function.
    pub(super) fn apply(self, symbol: Symbol) -> Symbol {
        match symbol {
            Symbol::Int(value) => self.of_int(value),
            Symbol::Float(value) => Symbol::Float(self.of_float(value)),
            Symbol::Batch if matches!(self, Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Round) => symbol,
            Symbol::Batch | Symbol::Unknown => Symbol::Unknown,
        }
    }

    fn of_int(self, value: i64) -> Symbol {
        Symbol::Int(match self {
            Unary::Neg => value.wrapping_neg(),
            Unary::Abs => value.wrapping_abs(),
            Unary::Not => i64::from(value == 0),
            Unary::Sign => value.signum(),
            Unary::Floor | Unary::Ceil | Unary::Round => value,
            _ => return Symbol::Float(self.of_float(value as f64)),
        })
    }

    fn of_float(self, value: f64) -> f64 {
        match self {
            Unary::Neg => -value,
            Unary::Abs => value.abs(),
            Unary::Floor => value.floor(),
            Unary::Ceil => value.ceil(),
            Unary::Round => value.round_ties_even(),
            Unary::Sqrt => value.sqrt(),
            Unary::Reciprocal => 1.0 / value,
            Unary::Exp => value.exp(),
            Unary::Log => value.ln(),
            Unary::Not => f64::from(value == 0.0),
            Unary::Sign if value == 0.0 => 0.0,
            Unary::Sign => value.signum(),
        }
    }
}

/// A function of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pair {
    Add,
    Sub,
    Mul,
    Div,
    Mod,
    Pow,
    Min,
    Max,
    Equal,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
    And,
    Or,
}

impl Pair {
    /// The one that the operator `name` is.
    pub(super) fn of(name: &str) -> Option<Pair> {
        Some(match name {
            "Add" | "Sum" => Pair::Add,
            "Sub" => Pair::Sub,
            "Mul" => Pair::Mul,
            "Div" => Pair::Div,
            "Mod" => Pair::Mod,
            "Pow" => Pair::Pow,
            "Min" => Pair::Min,
            "Max" => Pair::Max,
            "Equal" => Pair::Equal,
            "Greater" => Pair::Greater,
            "GreaterOrEqual" => Pair::GreaterOrEqual,
            "Less" => Pair::Less,
            "LessOrEqual" => Pair::LessOrEqual,
            "And" => Pair::And,
            "Or" => Pair::Or,
            _ => return None,
        })
    }

    /// Whether the result is a truth.
    pub(super) fn compares(self) -> bool {
        matches!(
            self,
            Pair::Equal
                | Pair::Greater
                | Pair::GreaterOrEqual
                | Pair::Less
                | Pair::LessOrEqual
                | Pair::And
                | Pair::Or
        )
    }

    /// The function; none where it is of whole numbers and has no result: a division by zero.
    pub(super) fn apply(self, a: Symbol, b: Symbol) -> Option<Symbol> {
        Some(match (a, b) {
            (Symbol::Int(a), Symbol::Int(b)) => Symbol::Int(self.of_ints(a, b)?),
            (Symbol::Batch, Symbol::Batch) if matches!(self, Pair::Min | Pair::Max) => Symbol::Batch,
            (Symbol::Batch, Symbol::Int(1)) if matches!(self, Pair::Mul | Pair::Div) => Symbol::Batch,
            (Symbol::Int(1), Symbol::Batch) if self == Pair::Mul => Symbol::Batch,
            (Symbol::Batch, Symbol::Int(0)) if matches!(self, Pair::Add | Pair::Sub) => Symbol::Batch,
            (Symbol::Int(0), Symbol::Batch) if self == Pair::Add => Symbol::Batch,
            // A batch is a number above 0, whatever it is.
            (Symbol::Batch, Symbol::Int(other)) | (Symbol::Int(other), Symbol::Batch)
                if self == Pair::Equal && other <= 0 =>
            {
                Symbol::Int(0)
            }
            _ => match (a.float(), b.float()) {
                (Some(a), Some(b)) => self.of_floats(a, b),
                _ => Symbol::Unknown,
            },
        })
    }

    fn of_ints(self, a: i64, b: i64) -> Option<i64> {
        Some(match self {
            Pair::Add => a.checked_add(b)?,
            Pair::Sub => a.checked_sub(b)?,
            Pair::Mul => a.checked_mul(b)?,
            Pair::Div => a.checked_div(b)?,
            // The sign of the divisor, as in Python.
            Pair::Mod => a.checked_rem(b)?.checked_add(b)?.checked_rem(b)?,
            Pair::Pow => a.checked_pow(u32::try_from(b).ok()?)?,
            Pair::Min => a.min(b),
            Pair::Max => a.max(b),
            Pair::And => i64::from(a != 0 && b != 0),
            Pair::Or => i64::from(a != 0 || b != 0),
            _ => i64::from(self.holds(a as f64, b as f64)),
        })
    }

    fn of_floats(self, a: f64, b: f64) -> Symbol {
        Symbol::Float(match self {
            Pair::Add => a + b,
            Pair::Sub => a - b,
            Pair::Mul => a * b,
            Pair::Div => a / b,
            Pair::Mod => a % b,
            Pair::Pow => a.powf(b),
            Pair::Min => a.min(b),
            Pair::Max => a.max(b),
            _ => return Symbol::Int(i64::from(self.holds(a, b))),
        })
    }

    fn holds(self, a: f64, b: f64) -> bool {
        match self {
            Pair::Equal => a == b,
            Pair::Greater => a > b,
            Pair::GreaterOrEqual => a >= b,
            Pair::Less => a < b,
            Pair::LessOrEqual => a <= b,
            Pair::And => a != 0.0 && b != 0.0,
            _ => a != 0.0 || b != 0.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_batch_stays_itself_where_a_number_changes_nothing() {
        use Symbol::{Batch, Int, Unknown};
        assert_eq!(Pair::Mul.apply(Batch, Int(1)), Some(Batch));
        assert_eq!(Pair::Add.apply(Int(0), Batch), Some(Batch));
        assert_eq!(Pair::Mul.apply(Batch, Int(2)), Some(Unknown));
        assert_eq!(Pair::Equal.apply(Batch, Int(-1)), Some(Int(0)));
        assert_eq!(Pair::Equal.apply(Batch, Int(1)), Some(Unknown));
    }

    #[test]
    fn whole_numbers_are_divided_towards_zero_and_not_by_zero() {
        assert_eq!(Pair::Div.apply(Symbol::Int(-7), Symbol::Int(2)), Some(Symbol::Int(-3)));
        assert_eq!(Pair::Mod.apply(Symbol::Int(-7), Symbol::Int(3)), Some(Symbol::Int(2)));
        assert_eq!(Pair::Div.apply(Symbol::Int(1), Symbol::Int(0)), None);
        assert_eq!(Pair::Mul.apply(Symbol::Int(i64::MAX), Symbol::Int(2)), None);
    }

    #[test]
    fn a_half_is_rounded_to_the_even_neighbour_and_casts_go_towards_zero() {
        assert_eq!(Unary::Round.apply(Symbol::Float(2.5)), Symbol::Float(2.0));
        assert_eq!(Symbol::Float(-1.7).cast(DataType::I64), Symbol::Int(-1));
        assert_eq!(Symbol::Float(0.1).cast(DataType::F32), Symbol::Float(f64::from(0.1f32)));
        assert_eq!(Symbol::Float(0.5).cast(DataType::BOOL), Symbol::Int(1));
    }
}
