"""What peers.py needs converted in Python: a golden file to its first image, a Keras model to a .tflite file.

Each runs in the virtual environment that has the packages for it.
"""

import os
import sys
from pathlib import Path


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
    import keras
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2 as freeze

    model = keras.models.load_model(source, compile=False)
    image = tf.TensorSpec((1, *model.input_shape[1:]), tf.float32)
    function = tf.function(lambda x: model(x, training=False)).get_concrete_function(image)
    # Frozen, so that batch normalisations fold into the convolutions.
    converter = tf.lite.TFLiteConverter.from_concrete_functions([freeze(function)])
    Path(target).write_bytes(converter.convert())


if __name__ == "__main__":
    {"golden": golden, "tflite": tflite}[sys.argv[1]](*sys.argv[2:])
