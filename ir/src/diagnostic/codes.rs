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
    /// The variance of a batch normalisation is negative, or 0 without an epsilon.
    VARIANCE = 26;
    /// A picture or array given as input can't be read.
    INPUT_UNREADABLE = 30;
    /// An input has another shape or type than the model takes.
    INPUT_SHAPE = 31;
    /// The model says nothing about how a picture becomes its input.
    NO_PREPROCESS = 32;
    /// The labels can't be read or don't match the output.
    LABELS = 33;
    /// The file is no ONNX model, or a damaged one.
    ONNX_FILE = 40;
    /// The file says no version of its operators, or one that frit does not read.
    ONNX_VERSION = 41;
    /// An operator of the file that frit does not have.
    ONNX_OPERATOR = 42;
    /// An operator of the file in a form that frit does not have.
    ONNX_FORM = 43;
    /// The nodes of the file don't make a network: a tensor that nothing makes, or two nodes make.
    ONNX_GRAPH = 44;
    /// An attribute or operand of a node makes no sense.
    ONNX_NODE = 45;
    /// The values of a tensor of the file are missing or not as many as its shape says.
    ONNX_TENSOR = 46;
    /// The file leaves a size open that must be known.
    ONNX_OPEN_SIZE = 47;
    /// A value is of another type than f32.
    ONNX_TYPE = 48;
    /// A layer mixes the images of a batch.
    ONNX_BATCH = 49;
    /// The file is no network of Keras, or only a part of one.
    NOT_KERAS = 50;
    /// The archive is damaged, or says of itself what is not so.
    ARCHIVE_DAMAGED = 51;
    /// The HDF5 file is damaged, or is none.
    HDF5_DAMAGED = 52;
    /// A class, operation or function of Keras that frit does not read.
    KERAS_CLASS = 53;
    /// A layer is Python code.
    KERAS_LAMBDA = 54;
    /// Layers made in a loop share the variable that should tell them apart.
    LATE_BINDING = 55;
    /// A layer computes in another type than float32.
    KERAS_DTYPE = 56;
    /// The file leaves a size of an input open.
    OPEN_SIZE = 57;
    /// A layer is used in a way that frit does not read.
    KERAS_ARGUMENT = 58;
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
    /// A depthwise multiplier changes the channels that a later layer expects.
    MULTIPLIER_CHANNELS = 203;
    /// A batch normalisation is in training mode.
    TRAINING_MODE = 204;
    /// A projection that a repair inserted has weights that nobody trained.
    UNTRAINED_PROJECTION = 205;
    /// An output could not be written.
    OUTPUT_UNWRITABLE = 301;
    /// Compiled and interpreted results differ.
    VERIFY_DIFFERS = 302;
    /// A network that the format that it is to be written in can't hold.
    NOT_EXPRESSIBLE = 303;
    /// A layer makes numbers that f32 does not hold.
    VERIFY_OVERFLOW = 304;
    /// A shared library could not be linked.
    UNLINKED = 305;
    /// The file is no artifact.
    ARTIFACT_FORMAT = 401;
    /// The artifact has another version than this program reads.
    ARTIFACT_VERSION = 402;
    /// The artifact is cut off or damaged.
    ARTIFACT_DAMAGED = 403;
    /// The artifact's parts contradict each other.
    ARTIFACT_INCONSISTENT = 404;
    /// The artifact was compiled for another CPU.
    ARTIFACT_CPU = 405;
    /// An artifact was given where a model's source is needed.
    ARTIFACT_NO_SOURCE = 406;
    /// The artifact was not compiled from the model that it is compared with.
    ARTIFACT_OTHER_MODEL = 407;
    /// A network can't be cut there.
    NO_CUT = 601;
    /// A cut leaves a padding behind whose window is in the other half.
    CUT_BEHIND_PADDING = 602;
    /// Two networks whose tensors can't be joined.
    NO_ADAPTER = 603;
    /// Layers that were put between or behind networks have weights that nobody trained.
    UNTRAINED_LAYERS = 604;
    /// A batch normalisation is over another axis than that of the channels.
    NORM_AXIS = 701;
    /// The statistics of a batch normalisation are those of an untrained one.
    NORM_STATISTICS = 702;
    /// A bias stands before a batch normalisation, which cancels it.
    BIAS_BEFORE_NORM = 703;
    /// Squeeze and excite stands behind the projection of its block.
    SQUEEZE_BEHIND_PROJECTION = 704;
    /// A gate is never below a half: a ReLU stands before its sigmoid.
    GATE_ABOVE_HALF = 705;
    /// Branches that should read different channels read the same.
    SAME_SLICE = 706;
    /// Slices, convolutions and a concatenation are one grouped convolution.
    SPLIT_CONVOLUTION = 707;
    /// Strided convolutions are padded as PyTorch pads, before normalisations as TensorFlow makes them.
    SYMMETRIC_PADDING = 708;
    /// A stride stands on several layers of one block.
    STRIDE_TWICE = 709;
    /// A block could have a residual and has none.
    MISSING_RESIDUAL = 710;
    /// Channels don't fill the machine's vectors.
    IDLE_LANES = 711;
    /// Layers have no effect on any output.
    DEAD_LAYERS = 712;
    /// Layers have equal kernels.
    EQUAL_WEIGHTS = 713;
    /// A softmax is taken of a softmax.
    SOFTMAX_TWICE = 714;
    /// Pictures are prepared otherwise than those that the network was trained with.
    PREPROCESS_STATISTICS = 715;
    /// All depthwise convolutions have the same depth multiplier.
    MULTIPLIER_EVERYWHERE = 716;
    /// A fault of frit itself.
    INTERNAL = 901;
    /// The system does not give the memory, the threads or the executable pages that are needed.
    SYSTEM_REFUSES = 902;
}
