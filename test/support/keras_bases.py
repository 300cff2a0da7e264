# Writes models of the real Keras 3 as TF.js bases, each with an input and what Keras computes of it:
#   keras_bases.py <folder> '[{"family": "MobileNetV2", "size": 96}, ...]'
# Weights are random from a seed, statistics of BatchNormalization included, and of a size that keeps
# values of every layer in a range where an error shows. Needs no TensorFlow: Keras runs on NumPy.
import json
import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "numpy")

import keras
import numpy as np
from keras import layers, ops

SAMPLES = 2
CLASSES = 10
# TF.js names the depthwise kernel otherwise than Keras 3 does.
RENAMED = {("DepthwiseConv2D", "kernel"): "depthwise_kernel"}
CUT_CLASSES = ("GlobalAveragePooling2D", "Flatten")


def translated(size):
    """Layers and operations of Keras 3 that TF.js lacks, or has with another meaning."""
    inputs = keras.Input((size, size, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1.0, name="rescaling")(inputs)
    x = layers.Normalization(name="weighted")(x)
    x = layers.Normalization(mean=[0.1, -0.2, 0.3], variance=[0.5, 2.0, 1.5], name="fixed")(x)
    x = layers.Conv2D(6, 3, padding="same", activation="silu", name="conv")(x)
    hard = layers.Activation("hard_silu", name="hard")
    both = layers.Subtract(name="difference")([hard(x), hard(-x)])
    x = layers.Activation("hard_sigmoid", name="sigmoid_line")(both * 3.0)
    x = layers.ReLU(negative_slope=0.3, name="sloped")(x - 0.5)
    x = layers.ReLU(threshold=0.1, name="threshold")(x + 0.2)
    x = layers.SpatialDropout2D(0.4, name="dropped")(x / 0.7)
    x = layers.ActivityRegularization(l2=0.1, name="regularised")(1.0 - x)
    x = ops.relu6(ops.add(x, both) * 0.5)
    gate = layers.GlobalMaxPooling2D(keepdims=True, name="max")(x)
    gate = layers.Conv2D(6, 1, name="gate")(gate)
    x = layers.Multiply(name="gated")([x, ops.hard_sigmoid(ops.silu(gate))])
    x = ops.subtract(ops.tanh(x), ops.multiply(both, ops.sigmoid(x)))
    x = layers.LeakyReLU(negative_slope=0.2, name="leaky")(ops.hard_silu(x))
    x = layers.GlobalAveragePooling2D(keepdims=True, name="average")(x)
    x = layers.Flatten(name="flat")(ops.maximum(ops.relu(x), x))
    return keras.Model(inputs, layers.Dense(4, name="dense")(x), name="translated")


def random_value(layer, name, shape, rng):
    if name.endswith("kernel"):
        depthwise = name == "depthwise_kernel" or type(layer).__name__ == "DepthwiseConv2D"
        inputs = np.prod(shape[:2]) if depthwise else np.prod(shape[:-1])
        return rng.normal(0, np.sqrt(1.5 / inputs), shape)
    if name in ("gamma", "moving_variance", "variance"):
        return rng.uniform(0.7, 1.3, shape)
    return np.ones(shape) if name == "count" else rng.uniform(-0.2, 0.2, shape)


def randomise(model, rng):
    for layer in model.layers:
        for variable in layer.weights:
            value = random_value(layer, variable.name, tuple(variable.shape), rng)
            variable.assign(value.astype(str(variable.dtype)))
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def weights_of(model):
    for layer in model.layers:
        for variable in layer.weights:
            name = RENAMED.get((type(layer).__name__, variable.name), variable.name)
            yield f"{layer.name}/{name}", np.asarray(variable)


def write_model(folder, model):
    manifest = []
    folder.mkdir(parents=True)
    with open(folder / "weights.bin", "wb") as file:
        for name, value in weights_of(model):
            dtype = "int32" if value.dtype.kind == "i" else "float32"
            manifest.append({"name": name, "shape": list(value.shape), "dtype": dtype})
            file.write(value.astype(dtype).tobytes())
    document = {
        "format": "layers-model",
        "modelTopology": {"model_config": json.loads(model.to_json())},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": manifest}],
    }
    (folder / "model.json").write_text(json.dumps(document))


def compute(model, x):
    """Something in the middle, the features that people cut at, and the output: by layer name."""
    if model.name == "translated":
        every = [it for it in model.layers if not isinstance(it, layers.InputLayer)]
        outputs = keras.Model(model.input, [it.output for it in every])(x, training=False)
        return {it.name: y for it, y in zip(every, outputs)}
    *_, middle = model.layers[: len(model.layers) // 2]
    *_, features = (it for it in model.layers if type(it).__name__ in CUT_CLASSES)
    last = model.layers[-1]
    taken = [middle.output, features.output, last.input]
    first, second, before = keras.Model(model.input, taken)(x, training=False)
    if isinstance(last, layers.Dense):
        # A softmax of large values is 0 and 1, whatever went wrong before.
        last.kernel.assign(np.asarray(last.kernel) / max(1.0, float(np.abs(before).max())))
    return {middle.name: first, features.name: second, last.name: last(before)}


def write_base(folder, model, size, rng):
    randomise(model, rng)
    x = rng.uniform(0, 255, (SAMPLES, size, size, 3)).astype("float32")
    if not any(isinstance(it, layers.Rescaling) for it in model.layers):
        x = x / np.float32(127.5) - np.float32(1)
    values = {name: np.asarray(y, dtype="float32") for name, y in compute(model, x).items()}
    write_model(folder, model)
    cuts = [{"path": name, "shape": list(y.shape[1:])} for name, y in values.items()]
    expected = {"samples": SAMPLES, "input": [size, size, 3], "cuts": cuts}
    (folder / "expected.json").write_text(json.dumps(expected))
    (folder / "expected.bin").write_bytes(b"".join(it.tobytes() for it in [x, *values.values()]))


def create(family, size):
    if family == "translated":
        return translated(size)
    make = getattr(keras.applications, family)
    return make(weights=None, input_shape=(size, size, 3), classes=CLASSES)


if __name__ == "__main__":
    for wanted in json.loads(sys.argv[2]):
        keras.backend.clear_session()
        family, size = wanted["family"], wanted["size"]
        target = pathlib.Path(sys.argv[1]) / family
        write_base(target, create(family, size), size, np.random.default_rng(20))
