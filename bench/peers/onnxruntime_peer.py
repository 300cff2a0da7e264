"""Plain onnxruntime on the very graph that Headstart computes: float32 input, all cores."""

import onnx
import onnxruntime
from onnx.utils import Extractor

from pixels import random_pixels, side_of

PROVIDERS = {
    "cpu": [],
    "cuda": [("CUDAExecutionProvider", {"use_tf32": 0})],
    "tensorrt": ["TensorrtExecutionProvider", ("CUDAExecutionProvider", {"use_tf32": 0})],
}


def cut_graph(path, cut):
    """The part of the graph between its input and the cut."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    known = {value.name for value in [*model.graph.value_info, *model.graph.output]}
    if cut not in known:
        described = onnx.helper.make_tensor_value_info(cut, onnx.TensorProto.FLOAT, None)
        model.graph.value_info.append(described)
    return Extractor(model).extract_model([model.graph.input[0].name], [cut])


class Peer:
    def __init__(self, model, device, threads, graph, cut, **_):
        if graph is None:
            raise ValueError("there is no ONNX graph to compare with: run with --engine onnxruntime")
        cut_model = cut_graph(graph, cut)
        if device != "cpu":
            # The CUDA libraries that pip installed.
            onnxruntime.preload_dlls()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        providers = [*PROVIDERS[device], "CPUExecutionProvider"]
        self.session = onnxruntime.InferenceSession(cut_model.SerializeToString(), options, providers)
        # onnxruntime goes on without a provider that does not load.
        wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if wanted not in self.session.get_providers():
            raise RuntimeError(f"{wanted} does not load")
        self.input, self.side = self.session.get_inputs()[0], side_of(model)
        self.version = f"onnxruntime {onnxruntime.__version__}"
        weights = [w for w in cut_model.graph.initializer if w.data_type == onnx.TensorProto.FLOAT]
        self.kernels = sum(onnx.numpy_helper.to_array(w).size for w in weights if len(w.dims) > 1)

    def forward(self, batch):
        pixels = random_pixels(batch, self.side).astype("float32") / 255
        if self.input.shape[1] == 3:
            pixels = pixels.transpose(0, 3, 1, 2).copy()
        return lambda: self.session.run(None, {self.input.name: pixels})[0]
