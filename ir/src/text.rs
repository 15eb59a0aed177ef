//! The textual form of a graph: one line a node, stable order, an exact round trip. It is what tests compare.
//!
//! ```text
//! model tiny
//! @stem.kernel : 3x3x3x8 seeded(7)
//! @stem.bias : 8 values(0.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
//! %image = input : 16x16x3
//! %stem = conv2d %image, @stem.kernel, @stem.bias {kernel=3x3, stride=2x2, pad=0:1:0:1, bias, act=relu6} : 8x8x8 from stem, stem/relu6
//! %pool = global_avg_pool %stem : 8
//! output %pool
//! ```
//!
//! The lines, in any order; blank ones and those that begin with `//` mean nothing:
//!
//! ```text
//! model   = "model" NAME
//! weight  = "@" NAME ":" SHAPE ( "seeded(" NUMBER ")" | "digest(" 16 HEX DIGITS ")" | "values(" FLOAT, ... ")" )
//! node    = "%" NAME "=" OP [ OPERAND, ... ] [ "{" ATTRIBUTE, ... "}" ] [ ":" SHAPE ] [ "from" [ NAME, ... ] ]
//! outputs = "output" "%" NAME, ...
//! OPERAND = "%" NAME | "@" NAME                 tensors in their order, weights in theirs
//! SHAPE   = "scalar" | NUMBER "x" NUMBER ...
//! NAME    = letters, digits and "_./-", or any text in quotes with the escapes \" \\ \u{HEX}
//! ```
//!
//! What attributes an op has stands at the head of its page, `ops/OP.rs`. In place of an ACTIVATION stands its name with its
//! attributes behind it, `relu6` or `clip(-1.0, 1.0)`; an EPILOGUE is what there is of `bias`, `act=ACTIVATION`, `add` and
//! `after=ACTIVATION`.
//!
//! A node's shape stands behind `:` where inference knows it; there, `shape`, `to`, `filters`, `units`, `size` and `count` are left out, since
//! the shape says them. `from` names the source layers where they are not just the node itself. Weights of more than
//! [`MOST_VALUES`] values are written as their digest, and read back as [`crate::weights::Data::Digest`]. How pictures become
//! inputs and what the classes are called is not in the text: neither changes what the graph computes.

mod attributes;
mod cursor;
mod parse;
mod print;
mod written;

pub(crate) use attributes::{Attributes, activation, as_shape, indices, number, pair, scalar, sides};
pub use parse::parse;
pub use print::print;
pub(crate) use written::{Written, joined, spelled};

/// The largest number of given values that a weight's line spells out.
pub const MOST_VALUES: usize = 8;

/// Whether `c` may stand in a name without quotes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}

#[cfg(test)]
mod tests;
