"""What peers.py needs converted in Python: a golden file to its first image, a Keras or ONNX model to a .tflite file,
an ONNX model to one that pnnx reads.

Each runs in the virtual environment that has the packages for it.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def golden(source: str, target: str) -> None:
    """Keeps the first image, as the comparison runs one at a time, and prints the shape of it."""
    import numpy as np

    arrays = np.load(source)
    first = {name: arrays[name][:1] for name in ("input", "output")}
    np.savez(target, **first)
    print(",".join(str(size) for size in first["input"].shape))


def tflite(source: str, target: str) -> None:
    """Converts for a batch of one, in 32-bit floats; nothing is quantised."""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as freeze

    function, shape = of_onnx(source) if source.endswith(".onnx") else of_keras(source)
    concrete = tf.function(function).get_concrete_function(tf.TensorSpec((1, *shape), tf.float32))
    # Frozen, so that batch normalisations fold into the convolutions.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(concrete)])
    Path(target).write_bytes(converter.convert())


def of_keras(source: str) -> tuple[Callable[[Any], Any], list[int]]:
    import keras

    model = keras.models.load_model(source, compile=False)
    return lambda image: model(image, training=False), model.input_shape[1:]


def of_onnx(source: str) -> tuple[Callable[[Any], Any], list[int]]:
    import onnx_tensorflow

    return onnx_tensorflow.function_of(source)


def spelled_out(source: str, target: str) -> None:
    """Writes down the default mode of each Pad: pnnx passes over one without it and makes a network that can't run."""
    import onnx

    model = onnx.load(source)
    for node in model.graph.node:
        if node.op_type == "Pad" and all(attribute.name != "mode" for attribute in node.attribute):
            node.attribute.append(onnx.helper.make_attribute("mode", "constant"))
    onnx.save(model, target)


if __name__ == "__main__":
    {"golden": golden, "tflite": tflite, "spelled_out": spelled_out}[sys.argv[1]](*sys.argv[2:])
