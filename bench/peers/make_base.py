"""Writes a base with random weights: `python make_base.py resnet50 <folder>` as a TF.js LayersModel,
`python make_base.py vit_b16 <file.onnx>` as PyTorch exports it."""

import json
import sys
import warnings
from pathlib import Path


def write_layers_model(model, folder):
    from keras_peer import build, keras

    built = build(model)
    folder.mkdir(parents=True)
    weights = [(w.path, w.numpy()) for w in built.weights]
    manifest = [{"name": name, "shape": list(w.shape), "dtype": "float32"} for name, w in weights]
    (folder / "weights.bin").write_bytes(b"".join(w.astype("<f4").tobytes() for _, w in weights))
    topology = {
        "keras_version": keras.__version__,
        "backend": "tensorflow",
        "model_config": json.loads(built.to_json()),
    }
    document = {
        "format": "layers-model",
        "generatedBy": f"keras {keras.__version__}",
        "convertedBy": None,
        "modelTopology": topology,
        "weightsManifest": [{"paths": ["weights.bin"], "weights": manifest}],
    }
    (folder / "model.json").write_text(json.dumps(document))


def write_onnx(model, file):
    import torch

    from architectures import build
    from pixels import side_of

    warnings.filterwarnings("ignore", category=DeprecationWarning)
    side = side_of(model)
    torch.onnx.export(
        build(model),
        (torch.rand(2, 3, side, side),),
        str(file),
        dynamo=False,
        opset_version=17,
        input_names=["pixels"],
        output_names=["features"],
        dynamic_axes={"pixels": {0: "batch"}, "features": {0: "batch"}},
    )


def main():
    model, target = sys.argv[1], Path(sys.argv[2])
    (write_onnx if target.suffix == ".onnx" else write_layers_model)(model, target)


main()
