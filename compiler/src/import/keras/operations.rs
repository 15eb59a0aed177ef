//! Operations on tensors: functions of Keras 3, and of TensorFlow as Keras 2 keeps them.

mod arithmetic;
mod arrange;
mod parameters;
mod reduce;

use super::attributes::Attributes;
use super::calls::{self, Argument};
use super::layer::KerasLayer;
use super::site::Site;
use super::tensors::Tensor;
use parameters::Parameters;

/// What a call of an operation becomes.
type Run = fn(&mut Site<'_, '_, '_>, &Parameters) -> Option<Vec<Tensor>>;

/// Operations: what Keras 3 calls them, what TensorFlow calls them, and what becomes of them.
const OPERATIONS: &[(&[&str], Run)] = &[
    (&["Add", "__operators__.add", "math.add", "add"], arithmetic::add),
    (&["Subtract", "__operators__.sub", "math.subtract", "subtract"], arithmetic::subtract),
    (&["Multiply", "__operators__.mul", "math.multiply", "multiply"], arithmetic::multiply),
    (
        &["Divide", "TrueDivide", "__operators__.truediv", "math.truediv", "math.divide", "divide"],
        arithmetic::divide,
    ),
    (&["Maximum", "math.maximum", "maximum"], arithmetic::maximum),
    (&["Minimum", "math.minimum", "minimum"], arithmetic::minimum),
    (&["Power", "math.pow", "pow", "__operators__.pow"], arithmetic::power),
    (&["Clip", "clip_by_value"], arithmetic::clip),
    (&["Negative", "math.negative", "__operators__.neg", "negative"], arithmetic::negative),
    (&["Square", "math.square", "square"], arithmetic::square),
    (&["Reciprocal", "math.reciprocal"], arithmetic::reciprocal),
    (&["Rsqrt", "math.rsqrt"], arithmetic::rsqrt),
    (&["Gelu", "nn.gelu"], arithmetic::gelu),
    (&["LeakyRelu", "nn.leaky_relu"], arithmetic::leaky_relu),
    (&["Elu", "nn.elu"], arithmetic::elu),
    (&["HardSigmoid", "keras.activations.hard_sigmoid"], arithmetic::hard_sigmoid),
    (&["Softmax", "nn.softmax"], reduce::softmax),
    (&["LogSoftmax", "nn.log_softmax"], reduce::log_softmax),
    (&["Mean", "math.reduce_mean", "reduce_mean"], reduce::mean),
    (&["Sum", "math.reduce_sum", "reduce_sum"], reduce::sum),
    (&["Max", "Amax", "math.reduce_max", "reduce_max"], reduce::max),
    (&["Min", "Amin", "math.reduce_min", "reduce_min"], reduce::min),
    (&["GetItem", "__operators__.getitem"], arrange::get_item),
    (&["Split", "split"], arrange::split),
    (&["Concatenate", "concat"], arrange::concatenate),
    (&["Reshape", "reshape"], arrange::reshape),
    (&["Transpose", "transpose", "compat.v1.transpose"], arrange::transpose),
    (&["ExpandDims", "expand_dims"], arrange::expand_dims),
    (&["Squeeze", "squeeze"], arrange::squeeze),
    (&["Pad", "pad", "compat.v1.pad"], arrange::pad),
    (&["Cast", "cast"], arrange::cast),
    (&["Identity", "identity", "StopGradient", "stop_gradient", "nn.dropout"], arrange::identity),
    (&["Resize", "image.resize"], arrange::resize),
    (&["Relu", "nn.relu", "keras.activations.relu"], |site, _| arithmetic::named(site, "relu")),
    (&["Relu6", "nn.relu6"], |site, _| arithmetic::named(site, "relu6")),
    (&["Sigmoid", "math.sigmoid", "sigmoid", "nn.sigmoid"], |site, _| arithmetic::named(site, "sigmoid")),
    (&["Silu", "Swish", "nn.silu", "nn.swish"], |site, _| arithmetic::named(site, "silu")),
    (&["HardSilu", "HardSwish"], |site, _| arithmetic::named(site, "hard_silu")),
    (&["Tanh", "math.tanh", "tanh", "nn.tanh"], |site, _| arithmetic::named(site, "tanh")),
    (&["Softplus", "math.softplus", "nn.softplus"], |site, _| arithmetic::named(site, "softplus")),
    (&["Softsign", "nn.softsign"], |site, _| arithmetic::named(site, "softsign")),
    (&["Selu", "nn.selu"], |site, _| arithmetic::named(site, "selu")),
    (&["Mish"], |site, _| arithmetic::named(site, "mish")),
    (&["LogSigmoid", "math.log_sigmoid"], |site, _| arithmetic::named(site, "log_sigmoid")),
    (&["HardTanh"], |site, _| arithmetic::named(site, "hard_tanh")),
    (&["TanhShrink"], |site, _| arithmetic::named(site, "tanh_shrink")),
    (&["Exp", "math.exp", "exp"], |site, _| arithmetic::named(site, "exp")),
    (&["Log", "math.log", "log"], |site, _| arithmetic::named(site, "log")),
    (&["Sqrt", "math.sqrt", "sqrt"], |site, _| arithmetic::named(site, "sqrt")),
    (&["Abs", "Absolute", "math.abs", "abs"], |site, _| arithmetic::named(site, "abs")),
    (&["Erf", "math.erf"], |site, _| arithmetic::named(site, "erf")),
];

/// The names of operations.
pub(super) fn names() -> impl Iterator<Item = &'static str> + Clone {
    OPERATIONS.iter().flat_map(|(names, _)| names.iter().copied())
}

/// The classes of Keras 2 that hold a function of TensorFlow.
pub(super) fn is_lambda(class: &str) -> bool {
    ["TFOpLambda", "SlicingOpLambda"].contains(&class)
}

/// An operation, with what its configuration says.
struct Operation {
    run: Run,
    config: Vec<(String, Argument<()>)>,
}

/// What reads the operation `class` of Keras 3.
pub(super) fn find(
    class: &str,
) -> Option<impl Fn(&mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> + use<>> {
    let run = named(class)?;
    Some(move |attributes: &mut Attributes<'_, '_>| operation(run, attributes))
}

fn named(name: &str) -> Option<Run> {
    OPERATIONS.iter().find(|(names, _)| names.contains(&name)).map(|&(_, run)| run)
}

/// What reads the function `name` of TensorFlow.
pub(super) fn find_function(
    name: &str,
) -> Option<impl Fn(&mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> + use<>> {
    find(name)
}

fn operation(run: Run, attributes: &mut Attributes<'_, '_>) -> Option<Box<dyn KerasLayer>> {
    let mut config = Vec::new();
    for (name, value) in attributes.all() {
        if let Some(argument) = calls::argument(&value, attributes, 6)?.map(&|_| None::<()>) {
            config.push((name, argument));
        }
    }
    Some(Box::new(Operation { run, config }))
}

impl KerasLayer for Operation {
    fn call(&self, site: &mut Site<'_, '_, '_>) -> Option<Vec<Tensor>> {
        let call = site.call.clone();
        let config =
            self.config.iter().filter_map(|(name, item)| Some((name.clone(), item.map(&|()| None)?)));
        let parameters = Parameters { call, config: config.collect() };
        (self.run)(site, &parameters)
    }
}
