//! The ops of descriptions: what each takes, and the op that it becomes.

mod arrange;
mod elementwise;
mod resize;
mod windows;

use frit_ir::ops::{
    Activation, ArgMax, BatchNorm, Binary, Dense, Epilogue, GlobalAveragePool, Pad, Padding, Reduce,
    ReduceKind, Reshape, Scalar, Softmax,
};
use frit_ir::{Diagnostic, Op, Shape};

use super::defaults::{Defaults, EPSILON, Inherited};
use super::entry::{Entry, LayerSection};
use super::kinds::{Axes, Axis, Follower, Positive};
use super::layer::{Operation, Shaped};
use super::section::section;
use crate::import::findings::wrong;
use crate::import::reader::Reader;
use arrange::{ConcatFields, SliceFields, SplitFields, TransposeFields};
use elementwise::{ClipFields, EluFields, GeluFields, LeakyReluFields, PreluFields, RescaleFields};
use resize::ResizeFields;
use windows::{AvgPoolFields, ConvolutionFields, DepthwiseFields, MaxPoolFields, TransposedFields};

/// The ops by their names in descriptions.
pub(super) const OPS: &[Entry] = &[
    Entry::new::<ConvolutionFields>("conv2d", "A convolution, perhaps in groups"),
    Entry::new::<DepthwiseFields>("depthwise_conv2d", "A convolution of each channel by itself"),
    Entry::new::<TransposedFields>("conv2d_transpose", "A transposed convolution"),
    Entry::new::<DenseFields>("dense", "A fully connected layer"),
    Entry::new::<BatchNormFields>("batch_norm", "Batch normalisation with the statistics of training"),
    Entry::new::<Plain>("relu", "max(x, 0)"),
    Entry::new::<Plain>("relu6", "min(max(x, 0), 6)"),
    Entry::new::<ClipFields>("clip", "min(max(x, low), high)"),
    Entry::new::<LeakyReluFields>("leaky_relu", "x where x >= 0, else slope * x"),
    Entry::new::<PreluFields>("prelu", "x where x >= 0, else slope * x, with slopes that are weights"),
    Entry::new::<EluFields>("elu", "x where x >= 0, else alpha * (e^x - 1)"),
    Entry::new::<GeluFields>("gelu", "x / 2 * (1 + erf(x / sqrt(2)))"),
    Entry::new::<Plain>("sigmoid", "1 / (1 + e^-x)"),
    Entry::new::<Plain>("swish", "x * sigmoid(x), also called SiLU"),
    Entry::new::<Plain>("hard_sigmoid", "relu6(x + 3) / 6"),
    Entry::new::<Plain>("hard_swish", "x * hard_sigmoid(x)"),
    Entry::new::<Plain>("tanh", "(e^x - e^-x) / (e^x + e^-x)"),
    Entry::new::<Plain>("mish", "x * tanh(softplus(x))"),
    Entry::new::<Plain>("softplus", "ln(1 + e^x)"),
    Entry::new::<Plain>("sqrt", "The square root"),
    Entry::new::<Plain>("exp", "e^x"),
    Entry::new::<Plain>("log", "The natural logarithm"),
    Entry::new::<Plain>("erf", "The error function"),
    Entry::new::<Plain>("abs", "x without its sign"),
    Entry::new::<RescaleFields>("rescale", "x * scale + offset"),
    Entry::new::<Plain>("add", "a + b; axes of length 1, and those missing in front, are repeated"),
    Entry::new::<Plain>("sub", "a - b, repeated as in add"),
    Entry::new::<Plain>("mul", "a * b, repeated as in add"),
    Entry::new::<Plain>("div", "a / b, repeated as in add"),
    Entry::new::<Plain>("min", "The smaller of a and b, repeated as in add"),
    Entry::new::<Plain>("max", "The larger of a and b, repeated as in add"),
    Entry::new::<Plain>("pow", "a to the power of b, repeated as in add"),
    Entry::new::<PadFields>("pad", "Rows and columns of one value around a map"),
    Entry::new::<MaxPoolFields>("max_pool", "The largest element of each window"),
    Entry::new::<AvgPoolFields>("avg_pool", "The mean of each window"),
    Entry::new::<GlobalPoolFields>("global_avg_pool", "The mean of each channel over the map"),
    Entry::new::<GlobalPoolFields>("global_max_pool", "The largest element of each channel over the map"),
    Entry::new::<MeanFields>("mean", "The mean along some axes"),
    Entry::new::<ResizeFields>("resize", "A map at another resolution"),
    Entry::new::<SoftmaxFields>("softmax", "Exponentials along the last axis that add up to one"),
    Entry::new::<ArgMaxFields>("arg_max", "The index of the largest element along the last axis, in f32"),
    Entry::new::<ConcatFields>("concat", "Tensors one behind the other"),
    Entry::new::<SliceFields>("slice", "A part of a tensor"),
    Entry::new::<SplitFields>("split", "A tensor in parts: NAME/0, NAME/1 and so on"),
    Entry::new::<TransposeFields>("transpose", "The axes in another order"),
    Entry::new::<ReshapeFields>("reshape", "The same elements in another shape"),
    Entry::new::<Plain>("flatten", "The same elements as a vector"),
    Entry::new::<ConstantFields>("constant", "A tensor that does not depend on the input"),
    Entry::new::<Plain>("identity", "What it reads"),
    Entry::new::<DropoutFields>("dropout", "What it reads: dropout only acts in training"),
];

section! {
    /// An op without fields.
    Plain {}
}

impl LayerSection for Plain {
    fn operation(self, word: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(match word {
            "add" => Op::Binary(Binary::Add),
            "sub" => Op::Binary(Binary::Sub),
            "mul" => Op::Binary(Binary::Mul),
            "div" => Op::Binary(Binary::Div),
            "min" => Op::Binary(Binary::Min),
            "max" => Op::Binary(Binary::Max),
            "pow" => Op::Binary(Binary::Pow),
            "identity" => Op::Identity,
            "flatten" => Op::Reshape(Reshape::Flatten),
            _ => Op::Activation(Activation::of_name(word)?),
        }))
    }
}

section! {
    /// Batch normalisation with the statistics of training.
    BatchNormFields {
        /// Added to the variance.
        epsilon: Option<Positive>,
        /// Whether it multiplies by a gamma.
        scale: bool = true,
        /// Whether it adds a beta.
        center: bool = true,
        /// Whether it takes the statistics of what it sees, as in training: that can't be compiled.
        training: bool = false,
    }
}

impl LayerSection for BatchNormFields {
    const INHERITS: &'static [Inherited] = &[EPSILON];

    fn operation(
        self,
        _: &'static str,
        reader: &mut Reader<'_, '_>,
        defaults: &Defaults,
    ) -> Option<Operation> {
        if self.training {
            let at = reader.given("training");
            reader.fault(at.as_ref(), frit_passes::legality::training::fault());
        }
        let epsilon = self.epsilon.map(|epsilon| epsilon.0).or(defaults.epsilon())?;
        Some(Operation::Plain(Op::BatchNorm(BatchNorm { epsilon, scale: self.scale, center: self.center })))
    }
}

section! {
    /// Zeros around a map.
    PadFields {
        /// Rows above and below, columns left and right.
        padding: Padding,
        /// What they are filled with.
        value: Scalar = Scalar::new(0.0),
    }
}

impl LayerSection for PadFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(Op::Pad(Pad { padding: self.padding, value: self.value })))
    }
}

section! {
    /// A pool over the whole map.
    GlobalPoolFields {
        /// Whether the result is a map of one pixel, and no vector.
        keep_dims: bool = false,
    }
}

impl LayerSection for GlobalPoolFields {
    fn operation(self, word: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let keep_dims = self.keep_dims;
        Some(Operation::Plain(match word {
            "global_max_pool" => {
                Op::Reduce(Reduce { kind: ReduceKind::Max, axes: [0, 1].into_iter().collect(), keep_dims })
            }
            _ => Op::GlobalAveragePool(GlobalAveragePool { keep_dims }),
        }))
    }
}

section! {
    /// A fully connected layer.
    DenseFields {
        /// Output channels.
        units: usize,
        /// Whether a bias is added.
        bias: bool = true,
        /// What follows.
        activation: Option<Follower>,
    }
}

impl LayerSection for DenseFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(Op::Dense(Dense {
            units: self.units,
            epilogue: Epilogue::with_bias(self.bias),
        })))
    }

    fn follower(&self) -> Option<Activation> {
        self.activation.unwrap_or_default().0
    }
}

section! {
    /// The same elements in another shape.
    ReshapeFields {
        /// The shape.
        shape: Shape,
    }
}

impl LayerSection for ReshapeFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(Op::Reshape(Reshape::To(self.shape))))
    }
}

section! {
    /// The mean along some axes.
    MeanFields {
        /// The axes.
        axes: Axes,
        /// Whether these axes stay, with length 1.
        keep_dims: bool = false,
    }
}

impl LayerSection for MeanFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Shaped(Box::new(self)))
    }
}

impl Shaped for MeanFields {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        let mut axes = self.axes.of(&operands[0])?;
        axes.sort_unstable();
        let keep_dims = self.keep_dims;
        if operands[0].map().is_some() && axes == [0, 1] {
            return Ok(Op::GlobalAveragePool(GlobalAveragePool { keep_dims }));
        }
        Ok(Op::Reduce(Reduce { kind: ReduceKind::Mean, axes: axes.into_iter().collect(), keep_dims }))
    }
}

section! {
    /// Shares along an axis.
    SoftmaxFields {
        /// The axis, which must be the last.
        axis: Axis = Axis(-1),
    }
}

impl LayerSection for SoftmaxFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Shaped(Box::new(self)))
    }
}

impl Shaped for SoftmaxFields {
    fn op(&self, operands: &[Shape]) -> Result<Op, Diagnostic> {
        if self.axis.of(&operands[0])? + 1 != operands[0].rank() {
            let fault =
                wrong(&format!("softmax goes along the last axis of {}, not {}", operands[0], self.axis.0));
            return Err(fault.help("transpose before it and behind it"));
        }
        Ok(Op::Softmax(Softmax::default()))
    }
}

section! {
    /// Where the largest element stands.
    ArgMaxFields {
        /// Whether the axis stays, with length 1.
        keep_dims: bool = false,
    }
}

impl LayerSection for ArgMaxFields {
    fn operation(self, _: &'static str, _: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        Some(Operation::Plain(Op::ArgMax(ArgMax { keep_dims: self.keep_dims, last: false })))
    }
}

section! {
    /// A tensor that does not depend on the input.
    ConstantFields {
        /// Its shape.
        shape: Shape,
        /// Its elements in order, or one number for all; without it, the weight NAME.value.
        value: Option<super::kinds::Numbers>,
    }
}

impl LayerSection for ConstantFields {
    fn operation(self, _: &'static str, reader: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        let values = self.value.map(|value| value.0);
        if let Some(values) = values.as_ref().filter(|values| values.len() != 1)
            && Some(values.len()) != self.shape.elements()
        {
            let at = reader.given("value");
            reader.fault(at.as_ref(), wrong(&format!("{} values do not fill {}", values.len(), self.shape)));
            return None;
        }
        Some(Operation::Constant(self.shape, values))
    }
}

section! {
    /// What only acts in training.
    DropoutFields {
        /// The share that training drops.
        rate: Option<Scalar>,
    }
}

impl LayerSection for DropoutFields {
    fn operation(self, _: &'static str, reader: &mut Reader<'_, '_>, _: &Defaults) -> Option<Operation> {
        if let Some(rate) = self.rate.filter(|rate| !(0.0..1.0).contains(&rate.get())) {
            let at = reader.given("rate");
            reader.fault(at.as_ref(), wrong(&format!("rate {} is not from 0 to below 1", rate.get())));
            return None;
        }
        Some(Operation::Plain(Op::Identity))
    }
}
