"""Makes the ONNX files of this folder, what ONNX's reference evaluator computes for them, and the manifest.

    python make.py            needs onnx, numpy and onnxruntime, which must agree

Each case shows one thing. Inputs are batches of two; where a file fixes the batch at one, its images run one by one.
"""

import json
import pathlib
import warnings

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator


HERE = pathlib.Path(__file__).parent
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
CASES = []
random = np.random.default_rng(7)


def w(*shape, scale=1.0):
    """Weights between -1 and 1, of few digits."""
    return (np.round(random.uniform(-1, 1, shape) * 64) / 64 * scale).astype(np.float32)


def number(value):
    return np.array(value, dtype=np.float32)


def ints(*values):
    return np.array(values, dtype=np.int64)


class Net:
    """Nodes and weights that a case adds one by one; tensors are named t1, t2 and so on where nobody names them."""

    def __init__(self, version, shape, name="x"):
        self.version, self.name, self.shape = version, name, shape
        self.nodes, self.weights, self.count = [], [], 0
        self.inputs = [helper.make_tensor_value_info(name, FLOAT, shape)]
        self.functions, self.sparse = [], []

    def weight(self, value, name=None):
        self.count += 1
        name = name or f"w{self.count}"
        self.weights.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def op(self, op, *operands, out=None, outs=1, name=None, domain="", **attributes):
        self.count += 1
        outputs = ([out] if out else [f"t{self.count}"]) if outs == 1 else [f"t{self.count}_{i}" for i in range(outs)]
        if isinstance(out, list):
            outputs = out
        names = [self.weight(o) if isinstance(o, np.ndarray) else (o or "") for o in operands]
        name = name if name is not None else f"{op.lower()}_{self.count}"
        self.nodes.append(helper.make_node(op, names, outputs, name=name, domain=domain, **attributes))
        return outputs[0] if len(outputs) == 1 else outputs

    def model(self, outputs):
        infos = [onnx.ValueInfoProto(name=name) for name in outputs]
        for info in infos:
            info.type.tensor_type.elem_type = FLOAT
        graph = helper.make_graph(self.nodes, "case", self.inputs, infos, self.weights)
        opsets = [helper.make_opsetid("", self.version)]
        if self.functions:
            opsets.append(helper.make_opsetid("local", 1))
        model = helper.make_model(graph, opset_imports=opsets, functions=self.functions, ir_version=8)
        return model


def case(version, shape, ask=None, given=None, exact=None, runtime=False):
    """A case: the function adds nodes and returns the outputs' names. `ask` is the version whose meaning the evaluator is
    asked for, where it has none for the file's own; `exact` computes the outputs instead, or onnxruntime does: the evaluator
    has no groups of transposed convolutions, for example."""

    def add(make):
        CASES.append((make.__name__, make, version, shape, ask, given, exact, runtime))
        return make

    return add


# Convolutions.

@case(13, ["N", 3, 9, 8])
def conv_groups_and_dilation(n):
    a = n.op("Conv", "x", w(6, 1, 3, 3), w(6), group=3, dilations=[2, 1], pads=[1, 2, 2, 0], strides=[1, 2])
    return [n.op("Conv", a, w(4, 3, 1, 3), w(4), group=2, out="y")]


@case(11, ["N", 2, 10, 7])
def conv_auto_pad(n):
    a = n.op("Conv", "x", w(3, 2, 3, 4), auto_pad="SAME_UPPER", strides=[2, 3])
    b = n.op("Conv", a, w(3, 3, 2, 2), auto_pad="SAME_LOWER")
    return [n.op("Conv", b, w(2, 3, 2, 2), auto_pad="VALID", out="y")]


@case(17, ["N", 3, 11])
def conv_signal(n):
    a = n.op("Conv", "x", w(4, 3, 3), w(4), pads=[2, 1], strides=[2], dilations=[2])
    b = n.op("BatchNormalization", a, w(4), w(4), w(4), np.abs(w(4)) + 1)
    c = n.op("PRelu", b, w(4, 1))
    d = n.op("MaxPool", c, kernel_shape=[2], strides=[2], pads=[1, 0])
    e = n.op("Conv", d, w(4, 1, 2), group=4, auto_pad="SAME_LOWER")
    f = n.op("AveragePool", e, kernel_shape=[2], count_include_pad=1, pads=[1, 1])
    g = n.op("GlobalAveragePool", f)
    return [n.op("Flatten", g, out="y"), f]


@case(11, ["N", 4, 5, 6], runtime=True)
def conv_transpose(n):
    a = n.op("ConvTranspose", "x", w(4, 3, 3, 2), w(3), strides=[2, 1], pads=[1, 0, 0, 1], output_padding=[1, 0])
    b = n.op("ConvTranspose", "x", w(4, 2, 2, 3), group=2, strides=[2, 3], dilations=[2, 1])
    c = n.op("ConvTranspose", "x", w(4, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER")
    d = n.op("ConvTranspose", "x", w(4, 2, 3, 3), strides=[2, 2], output_shape=[10, 12])
    return [a, b, c, d]


@case(11, ["N", 2, 6])
def conv_transpose_signal(n):
    return [n.op("ConvTranspose", "x", w(2, 3, 4), w(3), strides=[2], pads=[1, 1], out="y")]


# Normalisation and activations.

@case(9, ["N", 3, 4, 5], ask=15)
def batch_norm_of_version_9(n):
    return [n.op("BatchNormalization", "x", w(3), w(3), w(3), np.abs(w(3)) + 0.25, epsilon=1e-2, momentum=0.5, out="y")]


@case(15, ["N", 6])
def batch_norm_of_a_vector(n):
    return [n.op("BatchNormalization", "x", w(6), w(6), w(6), np.abs(w(6)) + 0.25, out="y")]


@case(20, ["N", 2, 5, 6])
def activations(n):
    outs = [
        n.op("Relu", "x"), n.op("LeakyRelu", "x", alpha=0.3), n.op("LeakyRelu", "x"), n.op("Sigmoid", "x"),
        n.op("HardSigmoid", "x"), n.op("HardSigmoid", "x", alpha=1 / 6, beta=0.5), n.op("HardSwish", "x"),
        n.op("Gelu", "x"), n.op("Gelu", "x", approximate="tanh"), n.op("Mish", "x"), n.op("Tanh", "x"),
        n.op("Elu", "x", alpha=0.7), n.op("Selu", "x"), n.op("Softplus", "x"), n.op("Erf", "x"), n.op("Exp", "x"),
        n.op("Abs", "x"), n.op("Neg", "x"), n.op("Sqrt", n.op("Abs", "x")), n.op("Log", n.op("Exp", "x")),
        n.op("Reciprocal", n.op("Exp", "x")),
    ]
    return outs


@case(10, ["N", 2, 3, 3])
def clip_by_attributes(n):
    a = n.op("Clip", "x", min=-0.5, max=0.5)
    b = n.op("Clip", "x", max=0.25)
    return [a, b, n.op("Clip", "x", min=0.0, max=6.0)]


@case(13, ["N", 2, 3, 3])
def clip_by_operands(n):
    low = n.op("Constant", value_float=-0.5)
    a = n.op("Clip", "x", low, number(0.25))
    return [a, n.op("Clip", "x", "", number(0.25)), n.op("Clip", "x", low), n.op("Clip", "x")]


@case(16, ["N", 4, 3, 4])
def prelu_slopes(n):
    c = n.op("Conv", "x", w(4, 4, 1, 1))
    return [n.op("PRelu", c, s) for s in [w(4, 1, 1), w(4), w(1), w(4, 3, 4), w(3, 1), w(1, 4, 1, 1), number(0.2)]]


# Arithmetic with repetition.

@case(14, ["N", 4, 3, 4])
def broadcast_constants(n):
    c = n.op("Conv", "x", w(4, 4, 1, 1))
    outs = [n.op(op, c, v) for op, v in [
        ("Add", w(4)), ("Mul", w(4)), ("Add", w(4, 1, 1)), ("Sub", w(3, 1)), ("Div", np.abs(w(4, 1, 1)) + 1),
        ("Add", w(1, 4, 3, 4)), ("Mul", number(0.5)), ("Max", w(4, 1, 1)), ("Min", number(0.1).reshape(1)),
        ("Pow", number(2)), ("Add", w(1, 1, 1, 1))]]
    outs += [n.op("Sub", w(4, 1, 1), c), n.op("Sub", number(1), c),
             n.op("Div", number(1), n.op("Exp", c)), n.op("Pow", n.op("Abs", c), number(0.5))]
    return outs


@case(14, ["N", 4, 3, 4])
def broadcast_widens(n):
    p = n.op("GlobalAveragePool", "x")
    row = n.op("ReduceMean", "x", axes=[3], keepdims=1)
    column = n.op("ReduceMax", "x", axes=[2], keepdims=1)
    one = n.op("Conv", "x", w(1, 4, 1, 1))
    a = n.op("Add", p, w(4, 3, 4))
    b = n.op("Mul", row, column)
    c = n.op("Add", p, one)
    d = n.op("Mul", one, "x")
    e = n.op("Sub", p, "x")
    return [a, b, c, d, e]


@case(14, ["N", 4, 4, 4])
def broadcast_of_lower_rank(n):
    v = n.op("Reshape", n.op("ReduceMean", "x", axes=[2, 3], keepdims=0), ints(0, 4, 1))
    m = n.op("ReduceMean", "x", axes=[1], keepdims=0)
    return [n.op("Add", m, v), n.op("Mul", n.op("Unsqueeze", m, ints(1)), "x"), n.op("Add", m, w(4))]


@case(13, ["N", 3, 2, 3])
def several_operands(n):
    a, b = n.op("Relu", "x"), n.op("Sigmoid", "x")
    return [n.op("Sum", "x", a, b), n.op("Mean", "x", a, b), n.op("Min", "x", a, b), n.op("Max", "x", b, a), n.op("Sum", a), n.op("Mean", a)]


# Pools.

@case(11, ["N", 2, 7, 8])
def pools_that_round_up(n):
    outs = []
    for pads in ([0, 0, 0, 0], [1, 1, 0, 1]):
        outs.append(n.op("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 3], pads=pads, ceil_mode=1))
        outs.append(n.op("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 3], pads=pads, ceil_mode=1))
    return outs


@case(19, ["N", 2, 6, 7])
def pools_with_counted_pads(n):
    a = n.op("AveragePool", "x", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 1, 1, 0], count_include_pad=1)
    b = n.op("AveragePool", "x", kernel_shape=[3, 3], auto_pad="SAME_UPPER", strides=[2, 2])
    c = n.op("AveragePool", "x", kernel_shape=[2, 2], auto_pad="SAME_LOWER")
    d = n.op("AveragePool", "x", kernel_shape=[2, 2], dilations=[2, 3], pads=[1, 0, 1, 2], count_include_pad=1)
    return [a, b, c, d]


@case(12, ["N", 2, 6, 7], runtime=True)
def max_pools(n):
    a = n.op("MaxPool", "x", kernel_shape=[3, 2], dilations=[2, 3], pads=[1, 1, 1, 0])
    b = n.op("MaxPool", n.op("Pad", n.op("Neg", n.op("Exp", "x")), ints(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=[3, 3], strides=[2, 2])
    c = n.op("MaxPool", "x", kernel_shape=[2, 2], auto_pad="SAME_LOWER", strides=[2, 2])
    return [a, b, c, n.op("GlobalMaxPool", "x"), n.op("MaxPool", "x", kernel_shape=[2, 2])]


# Reductions.

@case(18, ["N", 3, 4, 5])
def reductions(n):
    outs = []
    for op in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"):
        outs += [n.op(op, "x", ints(1), keepdims=0), n.op(op, "x", ints(-1, -2)), n.op(op, "x", ints(1, 3), keepdims=0), n.op(op, "x", ints(1, 2, 3))]
    return outs


@case(11, ["N", 3, 4, 5])
def reductions_of_version_11(n):
    return [n.op("ReduceMean", "x", axes=[2, 3], keepdims=0), n.op("ReduceSum", "x", axes=[-1]), n.op("ReduceMax", "x", axes=[1])]


@case(11, ["N", 2, 3, 4], runtime=True)
def softmax_over_all_from_an_axis(n):
    return [n.op("Softmax", "x"), n.op("Softmax", "x", axis=2), n.op("LogSoftmax", "x", axis=3), n.op("Softmax", n.op("Conv", "x", w(2, 2, 1, 1)), axis=1)]


@case(13, ["N", 2, 3, 4])
def softmax_along_an_axis(n):
    return [n.op("Softmax", "x"), n.op("Softmax", "x", axis=1), n.op("LogSoftmax", "x", axis=2), n.op("Softmax", n.op("Flatten", "x"))]


@case(13, ["N", 3, 4, 5])
def arg_max(n):
    outs = [n.op("ArgMax", "x", axis=1), n.op("ArgMax", "x", axis=3, keepdims=0), n.op("ArgMax", "x", axis=-2, select_last_index=1)]
    return [n.op("Cast", o, to=FLOAT) for o in outs]


# Parts.

@case(13, ["N", 6, 5, 7])
def slices(n):
    a = n.op("Slice", "x", ints(1, -3), ints(2**31 - 1, -1), ints(1, 3))
    b = n.op("Slice", "x", ints(0, 0, 1), ints(2**63 - 1, 5, 100), ints(0, 2, 3), ints(1, 2, 3))
    c = n.op("Slice", n.op("Conv", "x", w(4, 6, 1, 1)), ints(1), ints(3), ints(1))
    d = n.op("Gather", "x", np.array(2), axis=1)
    e = n.op("Gather", "x", ints(0, 2, 4), axis=3)
    f = n.op("Gather", "x", np.array(-1), axis=2)
    return [a, b, c, d, e, f]


@case(9, ["N", 6, 5, 7])
def slices_by_attributes(n):
    return [n.op("Slice", "x", starts=[1, 0], ends=[4, -2], axes=[1, 2], out="y")]


@case(18, ["N", 7, 4, 6])
def splits(n):
    a, b, c = n.op("Split", "x", axis=1, num_outputs=3, outs=3)
    d, e = n.op("Split", "x", ints(1, 5), axis=3, outs=2)
    return [n.op("Concat", c, a, axis=1), n.op("Relu", b), n.op("Concat", e, d, n.op("Sigmoid", d), axis=3), n.op("Concat", d, d, axis=2)]


@case(11, ["N", 6, 4, 4])
def splits_by_attributes(n):
    a, b = n.op("Split", "x", axis=1, split=[2, 4], outs=2)
    c, d = n.op("Split", "x", axis=2, outs=2)
    return [n.op("Concat", b, a, axis=1), n.op("Mul", c, d)]


@case(13, ["N", 3, 5, 4])
def concats(n):
    two = n.op("Relu", "x")
    return [n.op("Concat", two, "x", axis=2), n.op("Concat", n.op("Flatten", "x"), n.op("Flatten", two), axis=1), n.op("Concat", "x", two, axis=-3)]


@case(18, ["N", 2, 5, 6], runtime=True)
def pads(n):
    a = n.op("Pad", "x", ints(0, 0, 1, 2, 0, 0, 3, 0), number(0.5))
    b = n.op("Pad", "x", ints(0, 0, -1, 1, 0, 0, -2, -1))
    c = n.op("Pad", "x", ints(0, 1, 0, 0, 0, 2, 0, 0))
    d = n.op("Pad", "x", ints(1, 1), None, ints(3))
    e = n.op("Pad", "x", ints(0, 1, 0, 1, 0, 0, 0, -1), number(-1))
    f = n.op("Pad", n.op("Flatten", "x"), ints(0, 2, 0, 1))
    g = n.op("Conv", n.op("Pad", "x", ints(0, 0, 1, 1, 0, 0, 1, 1)), w(2, 2, 3, 3), pads=[1, 0, 0, 1])
    h = n.op("AveragePool", n.op("Pad", "x", ints(0, 0, 1, 1, 0, 0, 1, 1)), kernel_shape=[3, 3])
    return [a, b, c, d, e, f, g, h]


@case(10, ["N", 2, 5, 6])
def pads_by_attributes(n):
    return [n.op("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.25, out="y")]


@case(13, ["N", 8, 4, 6])
def squares(n):
    a = n.op("DepthToSpace", "x", blocksize=2)
    b = n.op("DepthToSpace", "x", blocksize=2, mode="CRD")
    c = n.op("SpaceToDepth", "x", blocksize=2)
    d = n.op("Conv", n.op("DepthToSpace", n.op("Conv", "x", w(8, 8, 1, 1)), blocksize=2), w(2, 2, 3, 3))
    return [a, b, c, d]


@case(13, ["N", 6, 4, 5])
def channel_shuffle(n):
    a = n.op("Conv", "x", w(6, 2, 1, 1), group=3)
    b = n.op("Reshape", a, ints(-1, 3, 2, 4, 5))
    c = n.op("Transpose", b, perm=[0, 2, 1, 3, 4])
    d = n.op("Reshape", c, ints(-1, 6, 4, 5))
    return [n.op("Conv", d, w(6, 1, 3, 3), group=6, out="y"), n.op("Relu", d)]


@case(13, ["N", 3, 4, 5])
def reshapes(n):
    flat = n.op("Flatten", n.op("Conv", "x", w(3, 3, 1, 1)))
    a = n.op("Gemm", flat, w(60, 4), w(4))
    b = n.op("Gemm", flat, w(4, 60), w(1, 4), transB=1, alpha=0.5, beta=2.0)
    c = n.op("Reshape", n.op("Conv", "x", w(3, 3, 1, 1)), ints(0, 5, -1))
    d = n.op("MatMul", n.op("Transpose", "x", perm=[0, 2, 3, 1]), w(3, 2))
    e = n.op("Squeeze", n.op("ReduceMean", "x", axes=[2]), ints(2))
    f = n.op("Unsqueeze", flat, ints(1, 3))
    g = n.op("Reshape", "x", ints(-1, 12, 5))
    h = n.op("MatMul", n.op("Reshape", "x", ints(0, 12, 5)), w(5, 3))
    i = n.op("Transpose", n.op("Reshape", "x", ints(0, 3, 20)), perm=[0, 2, 1])
    j = n.op("Add", n.op("MatMul", flat, w(60, 2)), w(2))
    return [a, b, c, d, e, f, g, h, i, j]


@case(13, ["N", 2, 3, 4])
def repeats(n):
    p = n.op("GlobalAveragePool", "x")
    a = n.op("Expand", p, ints(1, 2, 3, 4))
    b = n.op("Tile", "x", ints(1, 2, 1, 3))
    return [a, b]


# Resizes.

def resizes(n, op, *modes):
    return [n.op(op, "x", "", np.array([1, 1, *mode.pop("s")], np.float32), **mode) for mode in modes]


@case(19, ["N", 2, 5, 6])
def resize(n):
    linear = dict(mode="linear")
    return resizes(
        n, "Resize", dict(s=[2, 2]), dict(s=[2, 3], nearest_mode="floor", coordinate_transformation_mode="asymmetric"),
        dict(s=[1.5, 2.5], nearest_mode="round_prefer_ceil"), dict(s=[0.6, 0.5], nearest_mode="ceil"),
        dict(s=[2, 2], **linear), dict(s=[1.3, 0.7], **linear), dict(s=[2, 2], coordinate_transformation_mode="align_corners", **linear),
        dict(s=[2, 1.7], coordinate_transformation_mode="asymmetric", **linear))


@case(19, ["N", 2, 5, 6])
def resize_to_sizes(n):
    return [
        n.op("Resize", "x", "", "", n.op("Concat", n.op("Slice", n.op("Shape", "x"), ints(0), ints(2)), ints(9, 4), axis=0), mode="linear"),
        n.op("Resize", "x", "", "", ints(10, 12), axes=[2, 3]),
        n.op("Resize", "x", "", "", ints(1, 9), axes=[2, 3], coordinate_transformation_mode="pytorch_half_pixel", mode="linear"),
        n.op("Resize", "x", "", "", ints(9, 9), axes=[2, 3], keep_aspect_ratio_policy="not_larger", mode="linear"),
        n.op("Resize", "x", "", "", ints(9, 9), axes=[2, 3], keep_aspect_ratio_policy="not_smaller"),
    ]


@case(9, ["N", 2, 3, 4], ask=13, exact=lambda x: [x.repeat(2, 2).repeat(3, 3)])
def upsample(n):
    return [n.op("Upsample", "x", np.array([1, 1, 2, 3], np.float32), out="y")]


@case(9, ["N", 2, 3, 4], runtime=True)
def upsample_between(n):
    return [n.op("Upsample", "x", np.array([1, 1, 2, 3], np.float32), mode="linear", out="y")]


@case(7, ["N", 2, 3, 4], exact=lambda x: [x.repeat(2, 2).repeat(2, 3)])
def upsample_by_attributes(n):
    return [n.op("Upsample", "x", scales=[1.0, 1.0, 2.0, 2.0], out="y")]


@case(10, ["N", 2, 4, 8], runtime=True)
def resize_down_of_version_10(n):
    return [n.op("Resize", "x", np.array([1, 1, 0.5, 0.25], np.float32), out="y")]


@case(10, ["N", 2, 3, 4], exact=lambda x: [x.repeat(2, 2).repeat(2, 3)])
def resize_of_version_10(n):
    return [n.op("Resize", "x", np.array([1, 1, 2, 2], np.float32), out="y")]


# What broke other importers.

@case(13, ["N", 4, 5, 5], ask=15)
def weights_behind_nodes(n):
    k = n.op("Identity", n.op("Transpose", w(3, 3, 4, 2), perm=[3, 2, 0, 1]))
    a = n.op("Conv", "x", k)
    std = n.op("Sqrt", np.abs(w(2)) + 1)
    scale = n.op("Unsqueeze", n.op("Div", w(2), std), ints(1, 2))
    b = n.op("Mul", a, scale)
    kernel = n.op("Mul", w(2, 2, 1, 1), n.op("Reshape", n.op("Constant", value_floats=[0.5, 2.0]), ints(2, 1, 1, 1)))
    c = n.op("Conv", b, kernel, n.op("Cast", np.array([1.0, -1.0], np.float64), to=FLOAT))
    bn = [n.op("Expand", n.op("Cast", np.array(v, np.float16), to=FLOAT), ints(2)) for v in (0.5, 0.25, -0.5, 2.0)]
    d = n.op("BatchNormalization", c, *bn)
    e = n.op("Clip", d, n.op("Neg", n.op("Constant", value_float=0.75)), n.op("Relu", number(0.75)))
    return [e, d]


@case(13, ["N", 3, 6, 6], ask=15)
def things_shared(n):
    k = n.weight(w(3, 3, 3, 3), "shared")
    p = n.op("Pad", "x", ints(0, 0, 1, 1, 0, 0, 1, 1))
    a, b = n.op("Conv", p, k), n.op("Conv", p, k, strides=[2, 2])
    m = n.op("MaxPool", p, kernel_shape=[3, 3])
    na = n.op("BatchNormalization", a, w(3), w(3), w(3), np.abs(w(3)) + 1)
    nb = n.op("BatchNormalization", a, w(3), w(3), w(3), np.abs(w(3)) + 1)
    return [n.op("Add", na, nb), n.op("Relu", b), m, n.op("Conv", n.op("Conv", "x", k, pads=[1] * 4), k, pads=[1] * 4)]


@case(13, ["N", 3, 4, 4])
def outputs_everywhere(n):
    c = n.op("Conv", "x", w(3, 3, 1, 1), out="conv")
    r = n.op("Relu", c, out="relu", name="sum")
    s = n.op("Add", r, "x", out="sum", name="relu")
    n.op("Identity", s, out="copy")
    n.op("Identity", "x", out="passed")
    n.op("Softmax", s, out="nobody reads this")
    n.op("Neg", n.op("Identity", s), out="last")
    return ["sum", "conv", "copy", "passed", "relu", "last"]


@case(13, [1, 3, 4, 4])
def the_input_is_an_output(n):
    return ["x", n.op("Conv", "x", w(2, 3, 1, 1), out="y")]


@case(13, [1, 3, 4, 4])
def a_batch_of_one_is_squeezed(n):
    v = n.op("Squeeze", n.op("GlobalAveragePool", "x"))
    return [v, n.op("Unsqueeze", n.op("Relu", v), ints(0)), n.op("Reshape", "x", ints(3, 16))]


@case(17, ["N", 4, 6, 7])
def near_misses_of_grouped(n):
    a, b = n.op("Split", "x", axis=1, outs=2)
    p = n.op("Concat", n.op("Conv", b, w(2, 2, 1, 1)), n.op("Conv", a, w(2, 2, 1, 1)), axis=1)
    q = n.op("Concat", n.op("Conv", a, w(2, 2, 1, 1)), n.op("Conv", a, w(2, 2, 1, 1)), axis=1)
    s, t = n.op("Slice", "x", ints(0), ints(3), ints(1)), n.op("Slice", "x", ints(1), ints(4), ints(1))
    r = n.op("Concat", n.op("Conv", s, w(2, 3, 1, 1)), n.op("Conv", t, w(2, 3, 1, 1)), axis=1)
    u = n.op("Concat", n.op("Conv", a, w(2, 2, 1, 1)), n.op("Conv", b, w(2, 2, 3, 3), pads=[1] * 4), axis=1)
    v = n.op("Concat", n.op("Conv", a, w(2, 1, 1, 1), group=2), n.op("Conv", b, w(2, 1, 1, 1), group=2), axis=1)
    return [p, q, r, u, v]


@case(17, ["N", 3, 8, 8])
def padding_corners(n):
    a = n.op("Conv", "x", w(2, 3, 3, 3), pads=[2, 2, 2, 2], dilations=[2, 2])
    b = n.op("Conv", "x", w(2, 3, 2, 4), auto_pad="SAME_LOWER", strides=[3, 2])
    c = n.op("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=0, count_include_pad=1)
    d = n.op("Conv", "x", w(2, 3, 3, 3), pads=[4, 0, 0, 5])
    return [a, b, c, d]


@case(13, ["N", 5, 7, 3])
def nhwc_outside(n):
    t = n.op("Transpose", "x", perm=[0, 3, 1, 2])
    c = n.op("Relu", n.op("Conv", t, w(4, 3, 3, 3)))
    p = n.op("Transpose", n.op("GlobalAveragePool", c), perm=[0, 2, 3, 1])
    d = n.op("Reshape", p, ints(-1, 4))
    return [n.op("Transpose", c, perm=[0, 2, 3, 1]), n.op("MatMul", d, w(4, 2))]


@case(17, ["N", 3, 6, 5])
def a_local_function(n):
    body = [
        helper.make_node("Constant", [], ["k"], value_float=3.0),
        helper.make_node("Constant", [], ["zero"], value_float=0.0),
        helper.make_node("Constant", [], ["six"], value_float=6.0),
        helper.make_node("Add", ["X", "k"], ["a"]),
        helper.make_node("Clip", ["a", "zero", "six"], ["b"]),
        helper.make_node("Div", ["b", "six"], ["gate"]),
        helper.make_node("Mul", ["X", "gate"], ["Y"]),
    ]
    n.functions.append(helper.make_function("local", "hard_swish", ["X"], ["Y"], body, [helper.make_opsetid("", 17)]))
    a = n.op("hard_swish", n.op("Conv", "x", w(4, 3, 1, 1)), domain="local")
    return [n.op("hard_swish", a, domain="local", out="y"), a]


@case(17, ["N", 4, 6, 6])
def squeeze_and_excite(n):
    p = n.op("ReduceMean", "x", axes=[2, 3], keepdims=0)
    a = n.op("Relu", n.op("Gemm", p, w(2, 4), w(2), transB=1))
    b = n.op("Sigmoid", n.op("Gemm", a, w(4, 2), w(4), transB=1))
    g = n.op("Reshape", b, n.op("Concat", n.op("Shape", b), ints(1, 1), axis=0))
    return [n.op("Mul", g, "x", out="y")]


@case(17, ["N", 3, 8, 6])
def shapes_computed(n):
    s = n.op("Shape", "x")
    h = n.op("Gather", s, np.array(2))
    half = n.op("Cast", n.op("Floor", n.op("Div", n.op("Cast", h, to=FLOAT), number(2))), to=INT64)
    start = n.op("Unsqueeze", half, ints(0))
    a = n.op("Slice", "x", start, ints(2**31 - 1), ints(2))
    b = n.op("Reshape", "x", n.op("Concat", n.op("Slice", s, ints(0), ints(1)), n.op("Unsqueeze", n.op("Mul", n.op("Gather", s, np.array(1)), h), ints(0)), ints(-1), axis=0))
    k = n.op("ConstantOfShape", ints(3, 1, 1), value=numpy_helper.from_array(np.array([0.5], np.float32)))
    r = n.op("Cast", n.op("Range", np.array(0), n.op("Gather", s, np.array(3)), np.array(1)), to=FLOAT)
    c = n.op("Mul", n.op("Add", "x", r), k)
    d = n.op("Where", n.op("Equal", h, np.array(8)), number(2), number(3))
    e = n.op("Mul", "x", d)
    return [a, b, c, e]


@case(13, ["N", 2, "H", "W"], given=[2, 2, 5, 6])
def open_sizes(n):
    a = n.op("Conv", "x", w(3, 2, 3, 3), pads=[1, 1, 1, 1], strides=[2, 2])
    s = n.op("Slice", n.op("Shape", "x"), ints(2), ints(4))
    b = n.op("Resize", a, "", "", n.op("Concat", n.op("Slice", n.op("Shape", a), ints(0), ints(2)), s, axis=0), mode="nearest")
    return [n.op("Concat", b, "x", axis=1, out="y")]


@case(13, ["N", 12])
def vectors(n):
    a = n.op("Relu", n.op("Gemm", "x", w(12, 5), w(5)))
    b = n.op("Softmax", n.op("Gemm", a, w(5, 3)))
    return [b, n.op("Mul", a, w(5)), n.op("Reshape", "x", ints(-1, 3, 2, 2))]


@case(13, ["N", 3, 4, 4])
def dropout_and_casts(n):
    a = n.op("Dropout", "x", number(0.5))
    return [n.op("Cast", n.op("Relu", a), to=FLOAT, out="y")]


def build(make, version, shape):
    net = Net(version, shape)
    outputs = make(net)
    return net.model(outputs), outputs


def asked(model, version):
    """The model as the evaluator is asked about it: written in another version."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.opset_import[0].version = version
    return copy


def compare_with_runtime(name, model, x, expected):
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        found = session.run(None, {"x": x})
    except Exception as error:  # what it does not take is no fault of the case
        print(f"{name}: onnxruntime: {str(error).splitlines()[0][:120]}")
        return
    for index, (a, b) in enumerate(zip(expected, found)):
        off = np.abs(a - b).max() / max(np.abs(a).max(), 1e-30) if a.shape == b.shape else np.inf
        if not off < 1e-5:
            print(f"{name}: output {index} of onnxruntime differs by {off} ({a.shape}, {b.shape})")


def computed(model, inputs, runtime):
    """The outputs for all inputs: by onnxruntime, or by the evaluator."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if runtime:
            run = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run
        else:
            run = ReferenceEvaluator(model).run
        rows = [run(None, {"x": part}) for part in inputs]
    if len(rows) == 1:
        return rows[0]
    # One image after the other: their own axis of one goes, where they have it.
    image = lambda value: value[0] if value.ndim > 1 and len(value) == 1 else value
    return [np.stack([image(value) for value in values]) for values in zip(*rows)]


def main():
    manifest = []
    for name, make, version, shape, ask, given, exact, runtime in CASES:
        model, outputs = build(make, version, shape)
        sizes = given or [2 if axis == "N" else axis for axis in shape]
        batch = [np.round(random.normal(size=[1, *sizes[1:]]) * 32).astype(np.float32) / 32 for _ in range(2)]
        fixed = shape[0] == 1
        x = np.concatenate(batch)
        if exact:
            results = exact(x)
        else:
            results = computed(asked(model, ask) if ask else model, batch if fixed else [x], runtime)
        results = [np.asarray(r, np.float32) for r in results]
        if not fixed:
            compare_with_runtime(name, model, x, results)
        onnx.save(model, HERE / f"{name}.onnx")
        np.savez_compressed(HERE / f"{name}.npz", input=x, **{f"out.{o}": r for o, r in zip(outputs, results)})
        entry = {"name": name, "expect": "ok", "files": {"onnx": f"{name}.onnx", "golden": f"{name}.npz"}}
        if given:
            entry["shape"] = "x=" + "x".join(map(str, given))
        manifest.append(entry)
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


if __name__ == "__main__":
    main()
