//! The operators that frit has, and what each becomes in the graph.

mod activation;
mod arrange;
mod binary;
mod convolution;
mod dense;
mod norm;
mod parts;
mod pool;
mod reduce;
mod resize;
mod window;

use std::collections::BTreeMap;

use super::call::{Call, Value};
use super::fault::Outcome;
use super::functions::Item;
use super::network::Network;
use super::order::Order;
use crate::onnx::Node;

/// Adds the layers of a node and returns its results.
pub(super) type Translate = fn(&mut Network, &Call<'_>) -> Outcome<Vec<Value>>;

/// An operator: its name, the first and the last version of ONNX's operators that has it, and its translation; without one it
/// is only ever computed when the file is read.
pub(super) struct Operator {
    name: &'static str,
    pub(super) since: i64,
    pub(super) until: i64,
    pub(super) translate: Option<Translate>,
}

impl Operator {
    /// Whether its results on known values are found when the file is read: it looks at each element a few times at most.
    pub(super) fn is_cheap(&self) -> bool {
        const WINDOWS: [&str; 8] =
            ["Conv", "ConvTranspose", "Gemm", "MatMul", "MaxPool", "AveragePool", "Resize", "Upsample"];
        !WINDOWS.contains(&self.name)
    }
}

/// No version so far took it out.
const TODAY: i64 = i64::MAX;

const fn operator(name: &'static str, since: i64, translate: Translate) -> Operator {
    Operator { name, since, until: TODAY, translate: Some(translate) }
}

const fn folded(name: &'static str, since: i64) -> Operator {
    Operator { name, since, until: TODAY, translate: None }
}

/// The operator of this name.
pub(super) fn find(name: &str) -> Option<&'static Operator> {
    OPERATORS.iter().find(|operator| operator.name == name)
}

const OPERATORS: &[Operator] = &[
    operator("Conv", 1, convolution::conv),
    operator("ConvTranspose", 1, convolution::conv_transpose),
    operator("Gemm", 1, dense::gemm),
    operator("MatMul", 1, dense::mat_mul),
    operator("BatchNormalization", 1, norm::batch_norm),
    operator("PRelu", 1, norm::prelu),
    operator("Relu", 1, activation::named),
    operator("Sigmoid", 1, activation::named),
    operator("Tanh", 1, activation::named),
    operator("Softplus", 1, activation::named),
    operator("Mish", 18, activation::named),
    operator("Erf", 9, activation::named),
    operator("Exp", 1, activation::named),
    operator("Log", 1, activation::named),
    operator("Sqrt", 1, activation::named),
    operator("Abs", 1, activation::named),
    operator("HardSwish", 14, activation::named),
    operator("Gelu", 20, activation::gelu),
    operator("Swish", 24, activation::swish),
    operator("LeakyRelu", 1, activation::leaky_relu),
    operator("Elu", 1, activation::elu),
    operator("Selu", 1, activation::selu),
    operator("HardSigmoid", 1, activation::hard_sigmoid),
    operator("Clip", 1, activation::clip),
    operator("Neg", 1, activation::neg),
    operator("Reciprocal", 1, binary::reciprocal),
    operator("Add", 1, binary::binary),
    operator("Sub", 1, binary::binary),
    operator("Mul", 1, binary::binary),
    operator("Div", 1, binary::binary),
    operator("Pow", 1, binary::binary),
    operator("Min", 1, binary::variadic),
    operator("Max", 1, binary::variadic),
    operator("Sum", 1, binary::variadic),
    operator("Mean", 1, binary::variadic),
    operator("MaxPool", 1, pool::max_pool),
    operator("AveragePool", 1, pool::average_pool),
    operator("GlobalAveragePool", 1, pool::global),
    operator("GlobalMaxPool", 1, pool::global),
    operator("ReduceMean", 1, reduce::reduce),
    operator("ReduceSum", 1, reduce::reduce),
    operator("ReduceMax", 1, reduce::reduce),
    operator("ReduceMin", 1, reduce::reduce),
    operator("Softmax", 1, reduce::softmax),
    operator("LogSoftmax", 1, reduce::softmax),
    operator("ArgMax", 1, reduce::arg_max),
    operator("Concat", 1, parts::concat),
    operator("Split", 1, parts::split),
    operator("Slice", 1, parts::slice),
    operator("Gather", 1, parts::gather),
    operator("Pad", 1, parts::pad),
    operator("Resize", 10, resize::resize),
    Operator { name: "Upsample", since: 7, until: 9, translate: Some(resize::resize) },
    operator("Reshape", 1, arrange::reshape),
    operator("Flatten", 1, arrange::reshape),
    operator("Squeeze", 1, arrange::reshape),
    operator("Unsqueeze", 1, arrange::reshape),
    operator("Transpose", 1, arrange::transpose),
    operator("DepthToSpace", 1, arrange::depth_to_space),
    operator("SpaceToDepth", 1, arrange::space_to_depth),
    operator("Expand", 8, arrange::expand),
    operator("Tile", 6, arrange::tile),
    operator("Identity", 1, arrange::identity),
    operator("Dropout", 1, arrange::dropout),
    operator("Cast", 1, arrange::cast),
    operator("CastLike", 15, arrange::cast),
    folded("Constant", 1),
    folded("ConstantOfShape", 9),
    folded("Shape", 1),
    folded("Size", 1),
    folded("Range", 11),
    folded("Where", 9),
    folded("Equal", 7),
    folded("Greater", 7),
    folded("GreaterOrEqual", 12),
    folded("Less", 7),
    folded("LessOrEqual", 12),
    folded("And", 7),
    folded("Or", 7),
    folded("Not", 1),
    folded("Mod", 10),
    folded("Floor", 1),
    folded("Ceil", 1),
    folded("Round", 11),
    folded("Sign", 9),
    folded("ReduceProd", 1),
];

/// Operators that compute element by element, or with what is near: their result has its axes where the operand has them.
const ALIKE: [&str; 33] = [
    "Relu",
    "Sigmoid",
    "Tanh",
    "Softplus",
    "Mish",
    "Erf",
    "Exp",
    "Log",
    "Sqrt",
    "Abs",
    "HardSwish",
    "Gelu",
    "Swish",
    "LeakyRelu",
    "Elu",
    "Selu",
    "HardSigmoid",
    "Clip",
    "Neg",
    "Reciprocal",
    "Add",
    "Sub",
    "Mul",
    "Div",
    "Pow",
    "PRelu",
    "Identity",
    "Dropout",
    "Cast",
    "Pad",
    "Split",
    "Slice",
    "Concat",
];

/// Operators that take maps with rows first.
const MAPS: [&str; 10] = [
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "Resize",
    "Upsample",
    "BatchNormalization",
    "DepthToSpace",
];

/// For tensors of four axes: the order of the last three in which the first operator behind that cares wants them to lie.
pub(super) fn demands<'a>(items: &'a [Item<'_>], order: &Order<'_>) -> BTreeMap<&'a str, [usize; 3]> {
    let mut demands: BTreeMap<&str, [usize; 3]> = BTreeMap::new();
    for &index in order.nodes.iter().rev() {
        let node = items[index].node.as_ref();
        let behind = node.output.iter().find_map(|output| demands.get(output.as_str())).copied();
        let demand = match node.op_type() {
            op if MAPS.contains(&op) => Some([2, 3, 1]),
            op if ALIKE.contains(&op) => behind,
            "Transpose" => behind.and_then(|order| turned(node, order)),
            _ => None,
        };
        if let Some(demand) = demand {
            for input in node.input.iter().filter(|input| !input.is_empty()) {
                demands.insert(input, demand);
            }
        }
    }
    demands
}

/// The axes of `order` as they are called before a transpose that leaves the first where it is.
fn turned(node: &Node, order: [usize; 3]) -> Option<[usize; 3]> {
    let axes = &node.attribute.iter().find(|attribute| attribute.name() == "perm")?.ints;
    let from = |axis: usize| {
        axes.get(axis).and_then(|&axis| usize::try_from(axis).ok()).filter(|axis| (1..4).contains(axis))
    };
    Some([from(order[0])?, from(order[1])?, from(order[2])?]).filter(|_| axes.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_stands_in_the_table_once() {
        let mut names: Vec<&str> = OPERATORS.iter().map(|operator| operator.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), OPERATORS.len());
    }
}
