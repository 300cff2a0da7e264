"""Loads exports of Headstart without Headstart and compares their predictions with those of the run.

    pip install -r load-exports-requirements.txt
    python load-exports.py <folder of an export>...

The TF.js models are loaded into Keras, model.onnx into onnxruntime. Both are given the inputs in
samples/ and must give what the run gave, within 1e-5 relative to max(1, |output|). Prints the largest
difference of each file; exits 1 when one is larger, 2 when a folder holds nothing to compare with.

A TF.js model is a topology in the words of Keras 2 and one block of weights, so Keras needs no
converter for it: the words that Keras 3 changed are changed here, the weights are set by layer.
"""

import json
import os
import pathlib
import sys

# Which backend computes makes no difference here; jax is small and needs no GPU.
os.environ.setdefault("KERAS_BACKEND", "jax")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import numpy as np

TOLERANCE = 1e-5
# Members of a layer's configuration that Keras 3 calls otherwise, by class; None: it has no such member.
RENAMED = {
    "InputLayer": {"batch_input_shape": "batch_shape", "sparse": None},
    "LeakyReLU": {"alpha": "negative_slope"},
}
# Only training uses them, and TF.js writes some that Keras does not know.
ONLY_FOR_TRAINING = ("_initializer", "_regularizer", "_constraint")
# Keras 3 has other defaults than TF.js.
DEFAULTS = {"GRU": {"reset_after": False}}
MODELS = {"Model": "Functional"}


def translate_config(class_name, config):
    renamed = RENAMED.get(class_name, {})
    translated = dict(DEFAULTS.get(class_name, {}))
    for key, value in config.items():
        if key.endswith(ONLY_FOR_TRAINING) or renamed.get(key, key) is None:
            continue
        # A shape inside of a model is known from the layer before.
        if key == "batch_input_shape" and class_name != "InputLayer":
            continue
        translated[renamed.get(key, key)] = translate(value)
    return translated


def translate(value):
    """A topology of Keras 2, any part of it, in the words of Keras 3."""
    if isinstance(value, list):
        return [translate(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "class_name" not in value or "config" not in value:
        return {key: translate(item) for key, item in value.items()}
    class_name = value["class_name"]
    others = {key: item for key, item in value.items() if key not in ("class_name", "config")}
    config = translate_config(class_name, value["config"])
    return {**others, "class_name": MODELS.get(class_name, class_name), "config": config}


def read_weights(folder, manifest):
    """Arrays by the name of the weight, `layer/weight`."""
    weights = {}
    for group in manifest:
        block = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            count = int(np.prod(entry["shape"]))
            values = np.frombuffer(block, entry["dtype"], count, offset)
            weights[entry["name"]] = values.reshape(entry["shape"])
            offset += values.nbytes
        if offset != len(block):
            raise ValueError(f"{len(block)} bytes of weights, {offset} are described")
    return weights


def leaves(model):
    """Layers that hold weights of their own, those of nested models too."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from leaves(layer)
        else:
            yield layer


def set_weights(model, weights):
    """Weights of a layer lie in one order in TF.js and in Keras; names inside of it differ."""
    left = dict(weights)
    for layer in leaves(model):
        names = [name for name in left if name.rpartition("/")[0] == layer.name]
        if len(names) != len(layer.weights):
            raise ValueError(f"{layer.name} has {len(layer.weights)} weights, the file {names}")
        layer.set_weights([left.pop(name) for name in names])
    if left:
        raise ValueError(f"no layer takes {sorted(left)}")


def load_keras(path):
    import keras

    document = json.loads(path.read_text())
    topology = document["modelTopology"]
    topology = topology.get("model_config", topology)
    described = translate(topology)
    kind = keras.Sequential if described["class_name"] == "Sequential" else keras.Model
    model = kind.from_config(described["config"])
    set_weights(model, read_weights(path.parent, document["weightsManifest"]))
    return lambda x: np.asarray(model.predict(x, verbose=0))


def load_onnx(path, samples_a_run):
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def predict(x):
        size = samples_a_run or len(x)
        # A model that fixes its batch is given zeros for the rest.
        padded = np.concatenate([x, np.zeros((-len(x) % size, *x.shape[1:]), x.dtype)])
        parts = [padded[at : at + size] for at in range(0, len(padded), size)]
        return np.concatenate([session.run(None, {name: part})[0] for part in parts])[: len(x)]

    return predict


def loaders(folder, files):
    """What each file is called, how it is loaded, and which samples it takes."""
    if files["head"]:
        yield files["head"], lambda: load_keras(folder / files["head"]), "features"
    if files["model"]:
        yield files["model"], lambda: load_keras(folder / files["model"]), "input"
    if files["onnx"]:
        path, samples = files["onnx"]["path"], files["onnx"]["input"]["samples"]
        yield path, lambda: load_onnx(folder / path, samples), "input"


def compare(folder):
    """Prints one line a file. Whether all of them agree; None without samples."""
    files = json.loads((folder / "card.json").read_text())["files"]
    samples = files["samples"]
    if samples is None:
        return None
    expected = np.load(folder / samples["expected"])
    agree = True
    for path, load, takes in loaders(folder, files):
        found = load()(np.load(folder / samples[takes]))
        difference = np.abs(found - expected)
        same = bool((difference <= TOLERANCE * np.maximum(1, np.abs(expected))).all())
        agree = agree and same
        print(f"{folder / path}: max difference {difference.max():.3g}{'' if same else '  TOO LARGE'}")
    return agree


def main(folders):
    if not folders:
        print(__doc__.split("\n\n")[1], file=sys.stderr)
        return 2
    results = []
    for folder in map(pathlib.Path, folders):
        results.append(compare(folder))
        if results[-1] is None:
            print(f"{folder} holds no samples to compare with", file=sys.stderr)
    if None in results:
        return 2
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
