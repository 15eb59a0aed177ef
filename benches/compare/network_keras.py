"""Makes one network of keras.applications with seeded weights: NAME.keras, NAME.onnx and its golden file NAME.npz.

Runs in the environment of requirements-convert.txt. The network is the one that a user gets, with its preprocessing
layers and its softmax. The ONNX file keeps every batch normalisation, and takes channels before height and width.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np
import seeded
import tensorflow as tf
import tf2onnx
from tf2onnx.optimizer import back_to_back_optimizer

OPSET = 17

# Networks that scale their images themselves take bytes' range, the others the range of their preprocess_input.
TAKES_BYTES = ("Rescaling", "Normalization")


def randomise(name: str, model: keras.Model, calibration: np.ndarray) -> None:
    norms = []
    for layer in model.layers:
        rng = seeded.generator(name, layer.name)
        if isinstance(layer, keras.layers.BatchNormalization):
            norms.append(layer)
            for variable, draw in ((layer.gamma, seeded.gamma), (layer.beta, seeded.beta)):
                if variable is not None:
                    variable.assign(draw(rng, tuple(variable.shape)))
        elif isinstance(layer, keras.layers.Normalization):
            layer.adapt_mean.assign(rng.uniform(0.4, 0.6, layer.adapt_mean.shape))
            layer.adapt_variance.assign(rng.uniform(0.04, 0.09, layer.adapt_variance.shape))
            layer.finalize_state()
        else:
            for variable in layer.weights:
                variable.assign(draw_weight(rng, layer, variable))
    calibrate(name, model, norms, calibration)


def draw_weight(rng: np.random.Generator, layer: keras.Layer, variable: keras.Variable) -> np.ndarray:
    shape = tuple(variable.shape)
    if len(shape) == 1:
        return seeded.bias(rng, shape)
    # A depthwise kernel is (height, width, channels, multiplier), and each output sees one channel.
    depthwise = isinstance(layer, keras.layers.DepthwiseConv2D) or variable.name == "depthwise_kernel"
    return seeded.kernel(rng, shape, int(np.prod(shape[:2] if depthwise else shape[:-1])))


def calibrate(name: str, model: keras.Model, norms: list[keras.layers.BatchNormalization],
              calibration: np.ndarray) -> None:
    """Gives each batch normalisation statistics near those of what it sees, layers before it having theirs."""

    def adapting(layer: keras.layers.BatchNormalization) -> Callable[..., tf.Tensor]:
        def call(inputs: tf.Tensor, **options: Any) -> tf.Tensor:
            rng = seeded.generator(name, layer.name, "statistics")
            seen = (each.numpy() for each in tf.nn.moments(inputs, [0, 1, 2]))
            mean, variance = seeded.statistics(rng, *seen)
            layer.moving_mean.assign(mean)
            layer.moving_variance.assign(variance)
            return type(layer).call(layer, inputs, **options)

        return call

    for layer in norms:
        layer.call = adapting(layer)
    model(calibration, training=False)
    for layer in norms:
        del layer.call


def save_onnx(model: keras.Model, path: Path) -> None:
    """Keras writes a batch normalisation as a product and a sum, which the exporter then folds: a file of these would
    test nobody's folding."""
    back_to_back_optimizer._func_map.pop(("Conv", "BatchNormalization"), None)
    for layer in model.layers:
        if isinstance(layer, keras.layers.Normalization):
            # The exporter takes tensors from outside the function for further inputs.
            layer.mean, layer.variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
    signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.float32, name="image")]
    with mock.patch.object(tf.nn, "batch_normalization", one_operation):
        function = tf.function(lambda image: model(image, training=False), input_signature=signature)
        tf2onnx.convert.from_function(function, signature, opset=OPSET, inputs_as_nchw=["image"],
                                      output_path=str(path))


def one_operation(x: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor, offset: tf.Tensor, scale: tf.Tensor | None,
                  variance_epsilon: float) -> tf.Tensor:
    """tf.nn.batch_normalization over the last axis as the operation that ONNX has, too."""
    scale = tf.ones_like(mean) if scale is None else scale
    scale, offset, mean, variance = (tf.reshape(each, [-1]) for each in (scale, offset, mean, variance))
    return tf.raw_ops.FusedBatchNormV3(x=x, scale=scale, offset=offset, mean=mean, variance=variance,
                                       epsilon=variance_epsilon, is_training=False).y


def main(constructor: str, size: int, name: str, folder: Path) -> None:
    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, constructor)(weights=None, input_shape=(size, size, 3))
    takes_bytes = any(type(layer).__name__ in TAKES_BYTES for layer in model.layers)
    border = (0, 255) if takes_bytes else (-1, 1)
    calibration = seeded.images(name, "calibration", seeded.CALIBRATION_IMAGES, size, *border)
    randomise(name, model, calibration.transpose(0, 2, 3, 1))
    image = seeded.images(name, "golden", seeded.GOLDEN_IMAGES, size, *border)
    output = keras.ops.convert_to_numpy(model(image.transpose(0, 2, 3, 1), training=False))
    model.save(folder / f"{name}.keras")
    save_onnx(model, folder / f"{name}.onnx")
    np.savez(folder / f"{name}.npz", input=image, output=output)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))
