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
//! | op | attributes (those with a default are left out where they have it) |
//! |---|---|
//! | `input` | `shape=SHAPE` |
//! | `conv2d` | `filters=N`, `kernel=HxW`, `stride=HxW` (1x1), `pad=TOP:BOTTOM:LEFT:RIGHT` (0:0:0:0), `dilation=HxW` (1x1), `groups=N` (1), epilogue |
//! | `dense` | `units=N`, epilogue |
//! | epilogue | `bias`, `act=ACTIVATION`, `add`, `after=ACTIVATION`; an activation is its name, with its attributes behind it: `relu6`, `clip(-1.0, 1.0)` |
//! | `conv2d_transpose` | as `conv2d`, and `output_padding=HxW` (0x0) |
//! | `max_pool` | `kernel`, `stride`, `pad`, `dilation` as `conv2d` |
//! | `avg_pool` | the same, and `counted=TOP:BOTTOM:LEFT:RIGHT` (0:0:0:0) |
//! | `resize` | `size=HxW`, `scale=FLOAT:FLOAT` (that of the sizes), `method=` `nearest_half_down`, `nearest_half_up`, `nearest_floor`, `nearest_ceil` or `bilinear`, `coordinates=` `half_pixel`, `pytorch_half_pixel`, `asymmetric` or `align_corners` |
//! | `pad` | `pad=TOP:BOTTOM:LEFT:RIGHT`, `value=FLOAT` (0) |
//! | `batch_norm` | `eps=FLOAT`, `no_scale`, `no_center` |
//! | `prelu` | `slope=SHAPE` |
//! | `clip` | `low=FLOAT`, `high=FLOAT` |
//! | `leaky_relu` | `slope=FLOAT`, `threshold=FLOAT` (0) |
//! | `elu` | `alpha=FLOAT` |
//! | `rescale` | `scale=FLOAT`, `offset=FLOAT` (0) |
//! | all other activations; `add`, `sub`, `mul`, `div`, `min`, `max`, `pow`; `softmax`, `log_softmax`; `identity` | |
//! | `global_avg_pool` | `keep_dims` |
//! | `reduce_mean`, `reduce_sum`, `reduce_max`, `reduce_min` | `axes=AXIS:...`, `keep_dims` |
//! | `arg_max` | `keep_dims`, `last` |
//! | `constant` | `shape=SHAPE` |
//! | `concat` | `axis=AXIS` |
//! | `slice` | `start=N:...`, `step=N:...` (1:...), `count=N:...` |
//! | `transpose` | `axes=AXIS:...` |
//! | `reshape` | `flatten`, or `to=SHAPE` |
//!
//! A node's shape stands behind `:` where inference knows it; there, `shape`, `to`, `filters`, `units`, `size` and `count` are left out, since
//! the shape says them. `from` names the source layers where they are not just the node itself. Weights of more than
//! [`MOST_VALUES`] values are written as their digest, and read back as [`crate::weights::Data::Digest`]. How pictures become
//! inputs and what the classes are called is not in the text: neither changes what the graph computes.

mod attributes;
mod cursor;
mod parse;
mod print;

pub use parse::parse;
pub use print::print;

/// The largest number of given values that a weight's line spells out.
pub const MOST_VALUES: usize = 8;

/// Whether `c` may stand in a name without quotes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '/' | '-')
}

#[cfg(test)]
mod tests;
