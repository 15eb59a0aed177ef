"""Makes the networks of this folder, each with what Keras computes for it.

    python make.py [FOLDER]   # Keras 3 and tf_keras (Keras 2) beside TensorFlow: see README.md

Every network is small on purpose: one trap each. Weights and inputs come from fixed seeds; batch normalisations have
statistics that are far from 0 and 1, so that one left out or read in another order shows.
"""

import json
import os
import pathlib
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np
import tf_keras
from keras import layers, ops

HERE = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else __file__ + "/..").resolve()
MANIFEST = []


def randomise(model, seed):
    """Weights that tell apart what is swapped, shifted or left out."""
    generator = np.random.default_rng(seed)
    values = []
    for variable in model.weights:
        name = variable.path if hasattr(variable, "path") else variable.name
        shape = tuple(variable.shape)
        if "variance" in name:
            value = generator.uniform(0.5, 2.0, shape)
        elif "gamma" in name:
            value = generator.uniform(0.7, 1.4, shape)
        elif "count" in name or np.issubdtype(np.dtype(str(variable.dtype).split("'")[-2] if "'" in str(variable.dtype) else variable.dtype), np.integer):
            value = np.asarray(variable)
        elif "kernel" in name:
            fan = max(int(np.prod(shape[:-1])), 1)
            value = generator.normal(0, np.sqrt(2.0 / fan), shape)
        else:
            value = generator.normal(0, 0.3, shape)
        values.append(np.asarray(value, dtype="float32"))
    model.set_weights(values)


def arrays(structure, names):
    """The outputs under the names that frit gives them."""
    if isinstance(structure, dict):
        return {f"out.{name.replace('/', '_')}": np.asarray(value, "float32") for name, value in structure.items()}
    if isinstance(structure, (list, tuple)):
        return {f"out.{name}": np.asarray(value, "float32") for name, value in zip(names, structure)}
    return {"output": np.asarray(structure, "float32")}


def case(name, build, *, kinds=("keras",), situation, outputs=(), backend="keras3", golden=None, scale=1.0):
    """Makes one network, saves it in the formats of `kinds`, and writes its golden and its line of the manifest."""
    package = keras if backend == "keras3" else tf_keras
    package.backend.clear_session()
    package.utils.set_random_seed(7)
    model = build(package)
    randomise(model, len(MANIFEST) + 1)
    generator = np.random.default_rng(1000 + len(MANIFEST))
    images = [
        (scale * generator.normal(0, 1, (2, *(axis or 9 for axis in tensor.shape[1:])))).astype("float32")
        for tensor in model.inputs
    ]
    expected = (golden or (lambda model, x: model.predict(x, verbose=0)))(model, images if len(images) > 1 else images[0])
    if outputs is None:
        outputs = [tensor._keras_history[0].name for tensor in model.outputs]
    files = {"golden": f"{name}.npz"}
    for kind in kinds:
        save(model, name, kind, files)
    inputs = {"input": images[0]} if len(images) == 1 else {
        f"in.{tensor.name.split(':')[0]}": image for tensor, image in zip(model.inputs, images)
    }
    np.savez_compressed(HERE / files["golden"], **inputs, **arrays(expected, outputs))
    entry = {"name": name, "files": files, "expect": "ok", "situation": situation, "made_by": f"{backend} {package.__version__}"}
    MANIFEST.append(entry)


def save(model, name, kind, files):
    if kind in ("keras", "h5"):
        file = f"{name}.{kind}"
        model.save(HERE / file)
    elif kind == "h5-keras2":
        file = f"{name}.keras2.h5"
        model.save(HERE / file)
    elif kind == "json":
        file = f"{name}.json"
        (HERE / file).write_text(model.to_json())
        files["weights"] = f"{name}.weights.h5"
        model.save_weights(HERE / files["weights"])
    else:
        file = f"{name}.keras2.json"
        (HERE / file).write_text(model.to_json())
        files["weights-keras2"] = f"{name}.keras2.weights.h5"
        model.save_weights(HERE / files["weights-keras2"], save_format="h5")
    files[kind] = file


# Networks, one trap each.


def hard_activations(k):
    x = k.Input((5, 6, 3), name="image")
    y = k.layers.Conv2D(4, 1, activation="hard_sigmoid", name="gate")(x)
    z = k.layers.Conv2D(4, 1, name="map")(x)
    z = k.layers.Activation("hard_sigmoid", name="second")(z)
    return k.Model(x, k.layers.Multiply(name="product")([y, z]))


def activations(k):
    x = k.Input((4, 4, 2), name="image")
    names = ["silu", "gelu", "elu", "selu", "softplus", "softsign", "tanh", "relu6", "exponential", "mish",
             "hard_silu", "leaky_relu", "log_sigmoid", "hard_tanh", "tanh_shrink", "soft_shrink", "celu"]
    made = [k.layers.Conv2D(2, 1, activation=name, name=f"c_{name}")(x) for name in names]
    made.append(k.layers.Activation("softmax", name="a_softmax")(x))
    made.append(k.layers.Softmax(axis=1, name="s_rows")(x))
    made.append(k.layers.Activation("log_softmax", name="a_log")(x))
    return k.Model(x, k.layers.Concatenate(name="all")(made))


def layer_as_activation(k):
    x = k.Input((6, 5, 3), name="image")
    y = k.layers.Conv2D(4, 3, padding="same", activation=k.layers.PReLU(shared_axes=[1, 2]), name="conv")(x)
    y = k.layers.Conv2D(4, 1, activation=k.layers.LeakyReLU(name="inner"), name="leaky")(y)
    y = k.layers.Dense(3, activation=k.layers.ReLU(max_value=2.0, negative_slope=0.1), name="dense")(y)
    y = k.layers.Activation(k.activations.relu6, name="object")(y)
    return k.Model(x, y)


def normalisations(k):
    x = k.Input((4, 5, 3), name="image")
    y = k.layers.Normalization(name="adapted")(x)
    y = k.layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaled")(y)
    y = k.layers.Normalization(mean=[0.5, 0.1, 0.2], variance=[0.25, 4.0, 1e-20], name="given")(y)
    y = k.layers.Normalization(axis=None, mean=0.3, variance=2.0, invert=True, name="inverted")(y)
    y = k.layers.BatchNormalization(axis=1, name="rows")(y)
    y = k.layers.BatchNormalization(scale=False, center=False, epsilon=1e-5, name="bare")(y)
    y = k.layers.LayerNormalization(epsilon=1e-6, name="layer")(y)
    return k.Model(x, k.layers.Conv2D(2, 1, name="conv")(y))


def windows(k):
    """`same` at odd and even sizes, strides, dilations and kernels."""
    x = k.Input((13, 10, 4), name="image")
    a = k.layers.Conv2D(4, 3, strides=2, padding="same", groups=2, name="grouped")(x)
    b = k.layers.Conv2D(4, (2, 5), strides=2, padding="same", name="even")(x)
    c = k.layers.MaxPooling2D(3, 2, padding="same", name="largest")(x)
    d = k.layers.AveragePooling2D((2, 3), 2, padding="same", name="mean")(x)
    e = k.layers.Conv2D(4, 3, dilation_rate=(2, 3), padding="same", name="dilated")(x)
    e = k.layers.DepthwiseConv2D(4, strides=2, padding="same", depth_multiplier=2, name="depthwise")(e)
    f = k.layers.SeparableConv2D(5, 3, strides=2, padding="same", depth_multiplier=3, activation="relu", name="separable")(x)
    return k.Model(x, k.layers.Concatenate(name="all")([a, b, c, d, e, f]))


def pads(k):
    x = k.Input((7, 6, 3), name="image")
    y = k.layers.Conv2D(3, 1, name="conv")(x)
    a = k.layers.MaxPooling2D(2, name="max")(k.layers.ZeroPadding2D(((1, 0), (2, 0)), name="pad")(y))
    b = k.layers.Cropping2D(((0, 3), (1, 1)), name="crop")(y)
    c = k.layers.ZeroPadding2D(1, name="all")(k.layers.Cropping2D((2, 1), name="both")(y))
    return k.Model(x, [a, b, c])


def transposed(k):
    x = k.Input((5, 4, 3), name="image")
    a = k.layers.Conv2DTranspose(2, 3, strides=2, padding="same", name="same")(x)
    b = k.layers.Conv2DTranspose(2, 2, strides=3, padding="valid", name="gaps")(x)
    c = k.layers.Conv2DTranspose(2, (4, 5), strides=2, padding="same", output_padding=1, name="grown")(x)
    d = k.layers.Conv2DTranspose(2, 3, padding="valid", use_bias=False, activation="relu", name="plain")(x)
    return k.Model(x, [a, b, c, d])


def resized(k):
    x = k.Input((5, 4, 3), name="image")
    a = k.layers.UpSampling2D((2, 3), name="nearest")(x)
    b = k.layers.UpSampling2D(3, interpolation="bilinear", name="bilinear")(x)
    c = k.layers.Resizing(7, 3, name="resizing")(x)
    d = k.layers.Resizing(3, 9, interpolation="nearest", name="near")(x)
    e = k.layers.CenterCrop(2, 3, name="middle")(x)
    return k.Model(x, [a, b, c, d, e])


def shared(k):
    """A layer called three times, its results used out of order, one of them by nobody."""
    x = k.Input((6, 6, 4), name="image")
    conv = k.layers.Conv2D(4, 3, padding="same", name="conv")
    norm = k.layers.BatchNormalization(name="norm")
    a = norm(conv(x))
    b = conv(a)
    c = norm(conv(k.layers.ReLU(name="act")(b)))
    conv(c)
    y = k.layers.Subtract(name="difference")([c, a])
    y = k.layers.Average(name="average")([y, b, x])
    y = k.layers.Maximum(name="largest")([y, a])
    return k.Model(x, k.layers.Minimum(name="smallest")([y, c]))


def outputs(k):
    """Outputs in the middle, an output twice, the input itself, and a shared layer's two results."""
    x = k.Input((4, 4, 3), name="image")
    dense = k.layers.Dense(3, name="dense")
    a = k.layers.Conv2D(3, 1, activation="relu", name="conv")(x)
    b = dense(a)
    c = dense(b)
    d = k.layers.GlobalMaxPooling2D(name="most")(c)
    return k.Model(x, [b, a, c, d, k.layers.GlobalMaxPooling2D(keepdims=True, name="kept")(b)])


def named_outputs(k):
    x = k.Input((4, 4, 3), name="image")
    a = k.layers.Conv2D(2, 1, name="conv")(x)
    return k.Model(x, {"first": a, "conv/second": k.layers.ReLU(name="first")(a)})


def nested_deep(k):
    """Models in models, with equal names inside, called twice, several inputs and outputs."""
    def block(channels, name):
        i = k.Input((4, 4, channels), name="i")
        y = k.layers.Conv2D(3, 1, name="conv")(i)
        return k.Model(i, k.layers.BatchNormalization(name="norm")(y), name=name)

    inner = block(3, "inner")
    a, b = k.Input((4, 4, 3), name="a"), k.Input((4, 4, 3), name="b")
    u, v = inner(a), inner(k.layers.Subtract(name="conv")([a, b]))
    pair = k.Model([a, b], [v, k.layers.Add(name="sum")([u, b])], name="pair")
    tail = k.Sequential([k.layers.Conv2D(3, 1, name="conv"), block(3, "inner"), k.layers.ReLU(name="norm")], name="tail")
    x = k.Input((4, 4, 3), name="image")
    p, q = pair([x, k.layers.Conv2D(3, 1, name="conv")(x)])
    r, s = pair([q, p])
    return k.Model(x, k.layers.Concatenate(name="all")([tail(r), s, tail(p)]))


def nested_keras2(k):
    """Models in models as Keras 2 counts their calls: one that begins with an input has a call from the start."""
    i = k.Input((4, 4, 3), name="i")
    inner = k.Model(i, k.layers.BatchNormalization(name="inner_norm")(k.layers.Conv2D(3, 1, name="inner_conv")(i)), name="inner")
    a, b = k.Input((4, 4, 3), name="a"), k.Input((4, 4, 3), name="b")
    u, v = inner(a), inner(k.layers.Subtract(name="difference")([a, b]))
    pair = k.Model([a, b], [v, k.layers.Add(name="sum")([u, b])], name="pair")
    tail = k.Sequential([k.layers.Conv2D(3, 1, name="tail_conv"), k.layers.ReLU(name="tail_act")], name="tail")
    head = k.Sequential([k.layers.Conv2D(3, 1, input_shape=(4, 4, 3), name="head_conv"), k.layers.ReLU(name="head_act")], name="head")
    x = k.Input((4, 4, 3), name="image")
    p, q = pair([x, head(k.layers.Conv2D(3, 1, name="conv")(x))])
    r, s = pair([head(q), p])
    return k.Model(x, [k.layers.Concatenate(name="all")([tail(r), s, tail(p)]), inner(head(s))])


def frozen(k):
    """Frozen layers and models: their weights come after those that are trained in the lists of a .h5."""
    i = k.Input((4, 4, 3), name="i")
    y = k.layers.Conv2D(4, 1, name="first")(i)
    y = k.layers.BatchNormalization(name="norm")(y)
    y = k.layers.Conv2D(4, 1, name="second")(y)
    y = k.layers.BatchNormalization(name="again")(y)
    body = k.Model(i, y, name="body")
    body.layers[1].trainable = False
    body.layers[4].trainable = False
    x = k.Input((4, 4, 3), name="image")
    z = body(x)
    still = k.layers.BatchNormalization(name="still", trainable=False)
    return k.Model(x, k.layers.Conv2D(2, 1, name="last")(still(z)))


def sequential(k):
    """Keras 2: no input layer, and names with slashes, one of them the beginning of others."""
    old = k is tf_keras
    first = k.layers.Conv2D(4, 3, input_shape=(8, 7, 3), name="conv") if old else k.layers.Input((8, 7, 3), name="picture")
    return k.Sequential([
        first,
        k.layers.BatchNormalization(name="conv/norm" if old else "norm"),
        k.layers.Activation("swish", name="conv/act" if old else "act"),
        k.layers.Reshape((-1, 4 if old else 3), name="rows"),
        k.layers.Dense(5, name="of_rows"),
        k.layers.Permute((2, 1), name="turned"),
        k.layers.Flatten(name="flat"),
        k.layers.Dense(3, activation="softmax", name="scores"),
    ], name="chain")


def squeeze_excite(k):
    """Gates of every spelling, and a broadcast where the width equals the channels."""
    x = k.Input((6, 4, 4), name="image")
    g = k.layers.GlobalAveragePooling2D(name="squeeze")(x)
    g = k.layers.Dense(2, activation="relu", name="reduce")(g)
    g = k.layers.Dense(4, activation="sigmoid", name="expand")(g)
    y = k.layers.Multiply(name="vector")([x, g])
    h = k.layers.GlobalAveragePooling2D(keepdims=True, name="kept")(y)
    h = k.layers.Conv2D(4, 1, activation="hard_sigmoid", name="gate")(h)
    z = k.layers.Multiply(name="map")([h, y])
    r = k.layers.Reshape((1, 4, 1), name="columns")(g)
    return k.Model(x, k.layers.Add(name="by_column")([z, r]))


def operators(k):
    """Python's operators and functions on tensors."""
    x = k.Input((6, 5, 4), name="image")
    c = k.layers.Conv2D(4, 1, name="conv")(x)
    y = c * ops.relu6(c + 3.0) / 6.0
    y = (1.0 - y) * 0.5 + 2.0 / (ops.abs(y) + 1.5)
    y = y - x ** 2 + ops.maximum(x, 0.25) - ops.minimum(0.1, x)
    y = ops.clip(y, -2.0, 2.0) + np.array([0.1, 0.2, 0.3, 0.4], "float32")
    a, b = ops.split(y, 2, axis=-1)
    p, q, r = ops.split(c, [1, 3], axis=3)
    y = ops.concatenate([b, a, p, r, q], axis=-1)
    z = y[:, 1:-1, ::2, 2:] + ops.mean(y[..., 2:], axis=(1, 2), keepdims=True)
    z = ops.pad(z, [[0, 0], [1, 0], [0, 2], [0, 0]])
    z = ops.leaky_relu(z, negative_slope=0.1) + ops.gelu(z, approximate=True) + ops.softmax(z, axis=-1)
    w = ops.transpose(ops.squeeze(z[:, :, :1, :], axis=2), (0, 2, 1))
    w = ops.reshape(ops.expand_dims(w, 2), (-1, 30))
    return k.Model(x, [z, w, ops.max(y, axis=3), y[:, 0, 1]])


def operators_keras2(k):
    import tensorflow as tf
    x = k.Input((6, 5, 4), name="image")
    c = k.layers.Conv2D(4, 1, name="conv")(x)
    y = c * tf.nn.relu6(c + 3.0) / 6.0
    y = (1.0 - y) * 0.5 + 2.0 / (tf.abs(y) + 1.5)
    y = tf.maximum(y, x) - tf.minimum(0.1, x)
    y = tf.clip_by_value(y, -2.0, 2.0) + tf.constant([0.1, 0.2, 0.3, 0.4])
    a, b = tf.split(y, 2, axis=-1)
    p, q, r = tf.split(c, [1, 2, 1], axis=3)
    y = tf.concat([b, a, p, r, q], axis=-1)
    z = y[:, 1:-1, ::2, 2:] + tf.reduce_mean(y[..., 2:], axis=[1, 2], keepdims=True)
    z = tf.pad(z, [[0, 0], [1, 0], [0, 2], [0, 0]])
    z = tf.nn.leaky_relu(z, alpha=0.1) + tf.nn.sigmoid(z) + tf.nn.softmax(z)
    u = tf.image.resize(z, [7, 3])
    return k.Model(x, [z, u, k.layers.Activation("hard_sigmoid", name="hard")(y)])


def channels_first(k, first=True):
    """Channels first through every kind of layer: nothing but the two ends is turned."""
    axis, rows = (1, [2, 3]) if first else (3, [1, 2])

    def layer(cls, *args, **kwargs):
        return cls(*args, data_format="channels_first" if first else "channels_last", **kwargs)

    x = k.Input((3, 8, 7) if first else (8, 7, 3), name="image")
    y = layer(k.layers.Conv2D, 4, 3, strides=2, padding="same", name="conv")(x)
    y = k.layers.PReLU(shared_axes=rows, name="slopes")(k.layers.BatchNormalization(axis=axis, name="norm")(y))
    y = layer(k.layers.SeparableConv2D, 4, 3, padding="same", name="separable")(y)
    s = layer(k.layers.Conv2D, 4, 1, name="side")(x)
    s = layer(k.layers.AveragePooling2D, 2, padding="same", name="mean")(s)
    y = k.layers.Concatenate(axis=axis, name="join")([y, s])
    y = layer(k.layers.Cropping2D, ((1, 0), (0, 1)), name="crop")(y)
    y = layer(k.layers.UpSampling2D, 2, name="up")(y)
    m = layer(k.layers.GlobalMaxPooling2D, keepdims=True, name="most")(y)
    y = k.layers.Multiply(name="gated")([y, m])
    y = k.layers.Softmax(axis=axis, name="softmax")(y)
    f = layer(k.layers.Flatten, name="flat")(y)
    return k.Model(x, [y, k.layers.Dense(3, name="dense")(f)])


def by_a_twin(model, x):
    """Plain TensorFlow on a CPU has no convolution with channels first, and XLA's differs from the same with channels last."""
    twin = channels_first(keras, first=False)
    twin.set_weights([value.reshape(own.shape) for value, own in zip(model.get_weights(), twin.get_weights())])
    softmax, dense = twin.predict(np.moveaxis(x, 1, 3), verbose=0)
    return [np.moveaxis(softmax, 3, 1), dense]


def relu_corners(k):
    x = k.Input((5, 5, 3), name="image")
    made = [k.layers.ReLU(max_value=m, negative_slope=s, threshold=t, name=f"r{i}")(x) for i, (m, s, t) in enumerate([
        (None, 0.0, 0.5), (None, 0.2, 0.5), (1.0, 0.0, 0.5), (0.5, 0.3, 0.0), (6.0, 0.1, 0.2), (6.0, 0.0, 0.0),
    ])]
    return k.Model(x, k.layers.Concatenate(name="all")(made))


def augmented(k):
    x = k.Input((6, 6, 3), name="image")
    y = k.layers.RandomZoom(0.2, name="zoom")(k.layers.RandomContrast(0.1, name="contrast")(x))
    y = k.layers.RandomTranslation(0.1, 0.1, name="shift")(y)
    y = k.layers.Conv2D(3, 3, name="conv")(y)
    y = k.layers.GaussianNoise(0.1, name="noise")(k.layers.SpatialDropout2D(0.3, name="drop")(y))
    return k.Model(x, k.layers.Dropout(0.5, noise_shape=(None, 1, 1, 1), name="connect")(y))


def two_inputs(k):
    a, b = k.Input((4, 4, 3), name="left"), k.Input((4, 4, 2), name="right")
    y = k.layers.Conv2D(3, 1, name="conv")(k.layers.Concatenate(name="join")([b, a]))
    return k.Model([a, b], k.layers.Add(name="sum")([y, a]))


def open_size(k):
    x = k.Input((None, None, 3), name="image")
    return k.Model(x, k.layers.Conv2D(2, 3, strides=2, padding="same", name="conv")(x))


def main():
    case("hard_sigmoid", hard_activations, kinds=("keras",), situation="hard_sigmoid of Keras 3: relu6(x + 3) / 6", scale=3.0)
    case("hard_sigmoid_keras2", hard_activations, kinds=("h5-keras2",), backend="keras2", situation="hard_sigmoid of Keras 2: clip(0.2 x + 0.5, 0, 1)", scale=3.0)
    case("activations", activations, kinds=("h5",), situation="every activation by its name, and softmax along another axis", scale=2.0)
    case("layer_as_activation", layer_as_activation, kinds=("keras", "h5"), situation="layers, one with weights, and a function's object as activation")
    case("normalisations", normalisations, kinds=("keras", "h5"), situation="stored and given statistics, axes other than the last, neither gamma nor beta")
    case("windows", windows, kinds=("h5",), situation=windows.__doc__)
    case("pads", pads, kinds=("h5",), outputs=("max", "crop", "all"), situation="a zero pad before a max pool, crops and pads of four different sides")
    case("transposed", transposed, kinds=("h5",), outputs=("same", "gaps", "grown", "plain"), situation="transposed convolutions: strides beyond the kernel, output_padding")
    case("resized", resized, kinds=("h5",), outputs=("nearest", "bilinear", "resizing", "near", "middle"), situation="upsampling, resizing and a crop")
    case("shared", shared, kinds=("json",), situation=shared.__doc__)
    case("shared_keras2", shared, kinds=("h5-keras2",), backend="keras2", situation=shared.__doc__)
    case("outputs", outputs, outputs=("dense", "conv", "dense_2", "most", "kept"), situation=outputs.__doc__)
    case("named_outputs", named_outputs, situation="a dictionary of outputs, one of them named as another layer")
    case("nested_deep", nested_deep, kinds=("keras", "h5"), situation=nested_deep.__doc__)
    case("nested_keras2", nested_keras2, kinds=("h5-keras2",), backend="keras2", outputs=("all", "inner"), situation=nested_keras2.__doc__)
    case("frozen", frozen, kinds=("h5",), situation=frozen.__doc__)
    case("frozen_keras2", frozen, kinds=("h5-keras2",), backend="keras2", situation=frozen.__doc__)
    case("sequential", sequential, kinds=("json",), situation="a Sequential, with dense layers on rows")
    case("sequential_keras2", sequential, kinds=("json-keras2",), backend="keras2", situation=sequential.__doc__)
    case("squeeze_excite", squeeze_excite, kinds=("h5",), situation=squeeze_excite.__doc__)
    case("operators", operators, outputs=None, situation=operators.__doc__)
    case("operators_keras2", operators_keras2, kinds=("h5-keras2",), backend="keras2", outputs=None, situation=operators.__doc__)
    case("channels_first", channels_first, kinds=("h5",), outputs=("softmax", "dense"), situation=channels_first.__doc__, golden=by_a_twin)
    case("relu_corners", relu_corners, kinds=("h5",), situation="ReLU's three arguments, together and alone", scale=2.0)
    case("augmented", augmented, situation="layers that do something in training alone")
    case("two_inputs", two_inputs, kinds=("keras",), situation="two inputs, taken in another order than they are joined")
    case("open_size", open_size, kinds=("keras",), situation="height and width left open")
    for entry in MANIFEST:
        if entry["name"] == "open_size":
            entry["shape"] = "image=1x9x9x3"
    (HERE / "manifest.json").write_text(json.dumps(MANIFEST, indent=1) + "\n")


if __name__ == "__main__":
    main()
