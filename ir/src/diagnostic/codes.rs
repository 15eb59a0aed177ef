//! The table of codes. A code is never given to another fault; each has a test that shows it.

use std::fmt;

/// A stable code, printed as `FR0101`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Code(pub u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FR{:04}", self.0)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal;)+) => {
        $($(#[doc = $doc])+ pub const $name: Code = Code($number);)+
        /// Every code with what it means, in order.
        pub const ALL: &[(Code, &str)] = &[$(($name, concat!($($doc),+)),)+];
    };
}

codes! {
    /// The file can't be read.
    FILE_UNREADABLE = 1;
    /// The document is not well-formed JSON.
    JSON_SYNTAX = 2;
    /// A field that no description has.
    UNKNOWN_FIELD = 3;
    /// A value of the wrong type or outside its range.
    BAD_VALUE = 4;
    /// An op that frit does not know.
    UNKNOWN_OP = 5;
    /// A layer refers to one that does not exist.
    UNKNOWN_LAYER = 6;
    /// Two layers have the same name.
    DUPLICATE_NAME = 7;
    /// The layers refer to each other in a cycle.
    CYCLE = 8;
    /// A field that must be there is missing.
    MISSING_FIELD = 9;
    /// The file is larger, deeper or longer than the limits allow.
    LIMIT = 10;
    /// The textual form of a graph can't be read.
    TEXT_SYNTAX = 11;
    /// The weights file can't be read or is damaged.
    WEIGHTS_UNREADABLE = 20;
    /// A weight that the network needs is not in the weights file.
    WEIGHT_MISSING = 21;
    /// A weight has another shape than its layer needs.
    WEIGHT_SHAPE = 22;
    /// A weight is not f32.
    WEIGHT_TYPE = 23;
    /// A weight holds NaN or infinite values.
    WEIGHT_NOT_FINITE = 24;
    /// The weights file holds a tensor that no layer uses.
    WEIGHT_UNUSED = 25;
    /// A picture or array given as input can't be read.
    INPUT_UNREADABLE = 30;
    /// An input has another shape or type than the model takes.
    INPUT_SHAPE = 31;
    /// The model says nothing about how a picture becomes its input.
    NO_PREPROCESS = 32;
    /// The labels can't be read or don't match the output.
    LABELS = 33;
    /// An attribute makes no sense: stride 0, groups that do not divide.
    BAD_ATTRIBUTE = 101;
    /// A tensor with no elements, or with more than 2^40.
    TENSOR_SIZE = 102;
    /// A kernel is larger than the padded map that it slides over.
    KERNEL_TOO_LARGE = 103;
    /// An op gets a tensor of a rank that it can't take.
    RANK = 104;
    /// An op gets the wrong number of operands.
    OPERANDS = 105;
    /// A reshape to another number of elements.
    RESHAPE = 106;
    /// A concatenation of tensors that differ in another axis.
    CONCAT_SHAPES = 107;
    /// A residual add joins different shapes.
    RESIDUAL_SHAPES = 201;
    /// An add joins different shapes.
    JOIN_SHAPES = 202;
    /// An output could not be written.
    OUTPUT_UNWRITABLE = 301;
    /// Compiled and interpreted results differ.
    VERIFY_DIFFERS = 302;
    /// A fault of frit itself.
    INTERNAL = 901;
}
