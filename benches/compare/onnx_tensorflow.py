"""An ONNX network as a TensorFlow function with channels last, for those that Keras has no file of.

Knows the operations of torchvision's convolutional networks and nothing else. LiteRT's own converter of PyTorch models
needs PyTorch, JAX and a gigabyte more; whether this one is right shows in the comparison's column of errors.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import tensorflow as tf


def function_of(path: str) -> tuple[Callable[[tf.Tensor], tf.Tensor], list[int]]:
    """The network as a function of (batch, height, width, channels), and the shape of one image."""
    graph = onnx.load(path).graph
    weights = {each.name: onnx.numpy_helper.to_array(each) for each in graph.initializer}
    given = next(value for value in graph.input if value.name not in weights)
    channels, height, width = (axis.dim_value for axis in given.type.tensor_type.shape.dim[1:])

    def function(image: tf.Tensor) -> tf.Tensor:
        values: dict[str, Any] = {**weights, given.name: image}
        for node in graph.node:
            attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
            if node.op_type not in OPERATIONS:
                raise ValueError(f"{node.name}: {node.op_type} has no translation")
            operands = [values[name] for name in node.input if name]
            values[node.output[0]] = OPERATIONS[node.op_type](attributes, *operands)
        return values[graph.output[0].name]

    return function, [height, width, channels]


def padded(attributes: dict[str, Any], x: tf.Tensor, value: float = 0.0) -> tuple[tf.Tensor, str]:
    """What to give to a window operation, and which of TensorFlow's paddings to tell it."""
    if attributes.get("auto_pad", b"NOTSET") != b"NOTSET":
        raise ValueError("automatic padding has no translation")
    top, left, bottom, right = attributes.get("pads", [0, 0, 0, 0])
    if not any((top, left, bottom, right)):
        return x, "VALID"
    sizes, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    dilations = attributes.get("dilations", [1, 1])
    around = [[size * dilation // 2] * 2 for size, dilation in zip(sizes, dilations, strict=True)]
    if list(strides) == list(dilations) == [1, 1] and around == [[top, bottom], [left, right]]:
        return x, "SAME"
    return tf.pad(x, [[0, 0], [top, bottom], [left, right], [0, 0]], constant_values=value), "VALID"


def conv(attributes: dict[str, Any], x: tf.Tensor, kernel: np.ndarray, bias: np.ndarray | None = None) -> tf.Tensor:
    """Kernels are (out, in of a group, height, width) in ONNX; TensorFlow has the channels last, and a kernel of its
    own for depthwise."""
    channels, group = int(x.shape[-1]), attributes.get("group", 1)
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    x, padding = padded(attributes, x)
    if group == channels and kernel.shape[0] == channels:
        x = tf.nn.depthwise_conv2d(x, kernel.transpose(2, 3, 0, 1), [1, *strides, 1], padding, dilations=dilations)
    else:
        x = tf.nn.conv2d(x, kernel.transpose(2, 3, 1, 0), strides, padding, dilations=dilations)
    return x if bias is None else x + bias


def batch_norm(attributes: dict[str, Any], x: tf.Tensor, *parameters: np.ndarray) -> tf.Tensor:
    scale, offset, mean, variance = parameters
    return tf.nn.batch_normalization(x, mean, variance, offset, scale, attributes.get("epsilon", 1e-5))


def max_pool(attributes: dict[str, Any], x: tf.Tensor) -> tf.Tensor:
    x, padding = padded(attributes, x, float(np.finfo(np.float32).min))
    return tf.nn.max_pool2d(x, attributes["kernel_shape"], attributes.get("strides", [1, 1]), padding)


def mean(attributes: dict[str, Any], x: tf.Tensor) -> tf.Tensor:
    """Over height and width, the only axes that torchvision's networks take one of."""
    if sorted(axis % 4 for axis in attributes["axes"]) != [2, 3]:
        raise ValueError(f"a mean over axes {attributes['axes']} has no translation")
    return tf.reduce_mean(x, [1, 2], keepdims=bool(attributes.get("keepdims", 1)))


def flatten(_: dict[str, Any], x: tf.Tensor) -> tf.Tensor:
    """Of one pixel: with more, the order of the elements would be another than in ONNX."""
    if x.shape.rank == 4 and list(x.shape[1:3]) != [1, 1]:
        raise ValueError("flattening more than one pixel has no translation")
    return tf.reshape(x, [-1, int(x.shape[-1])])


def gemm(attributes: dict[str, Any], x: tf.Tensor, kernel: np.ndarray, bias: np.ndarray) -> tf.Tensor:
    return tf.matmul(x, kernel.T if attributes.get("transB", 0) else kernel) + bias


def hard_sigmoid(attributes: dict[str, Any], x: tf.Tensor) -> tf.Tensor:
    """ReLU6 of x + 3 over 6, which LiteRT has kernels for; other slopes are not it."""
    if abs(attributes.get("alpha", 0.2) - 1 / 6) > 1e-6 or attributes.get("beta", 0.5) != 0.5:
        raise ValueError(f"a hard sigmoid of {attributes} has no translation")
    return tf.nn.relu6(x + 3.0) * (1 / 6)


def clip(_: dict[str, Any], x: tf.Tensor, low: np.ndarray, high: np.ndarray) -> tf.Tensor:
    return tf.nn.relu6(x) if (low, high) == (0, 6) else tf.clip_by_value(x, low, high)


def constant(attributes: dict[str, Any]) -> np.ndarray:
    return onnx.numpy_helper.to_array(attributes["value"])


OPERATIONS: dict[str, Callable[..., tf.Tensor]] = {
    "Conv": conv,
    "BatchNormalization": batch_norm,
    "Clip": clip,
    "Constant": constant,
    "HardSigmoid": hard_sigmoid,
    "HardSwish": lambda _, x: x * tf.nn.relu6(x + 3.0) * (1 / 6),
    "Relu": lambda _, x: tf.nn.relu(x),
    "Sigmoid": lambda _, x: tf.nn.sigmoid(x),
    "Add": lambda _, a, b: a + b,
    "Mul": lambda _, a, b: a * b,
    "MaxPool": max_pool,
    "GlobalAveragePool": lambda _, x: tf.reduce_mean(x, [1, 2], keepdims=True),
    "ReduceMean": mean,
    "Flatten": flatten,
    "Gemm": gemm,
}
