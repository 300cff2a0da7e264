"""Keras 3 on TensorFlow: predict_on_batch, and tf.data with predict."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from pixels import random_pixels, side_of

BUILDERS = {
    "mobilenet_v2": keras.applications.MobileNetV2,
    "inception_v3": keras.applications.InceptionV3,
    "resnet50": keras.applications.ResNet50,
}


def build(model):
    """The pooled features, with random weights."""
    if model not in BUILDERS:
        raise ValueError(f"keras.applications has no {model}")
    keras.utils.set_random_seed(1)
    side = side_of(model)
    return BUILDERS[model](weights=None, include_top=False, pooling="avg", input_shape=(side, side, 3))


class Peer:
    """TensorFlow takes all cores by itself; on a GPU float32 without TF32."""

    def __init__(self, model, device, threads, **_):
        if device == "tensorrt":
            raise ValueError("measured on cpu and cuda only")
        if device == "cuda" and not tf.config.list_physical_devices("GPU"):
            raise RuntimeError("TensorFlow sees no GPU")
        tf.config.experimental.enable_tensor_float_32_execution(False)
        self.model, self.side = build(model), side_of(model)
        self.version = f"keras {keras.__version__}, tensorflow {tf.__version__}"
        self.kernels = sum(int(w.numpy().size) for w in self.model.weights if len(w.shape) > 1)

    def forward(self, batch):
        pixels = random_pixels(batch, self.side).astype("float32") / 255
        return lambda: self.model.predict_on_batch(pixels)

    def extract(self, files, batch):
        def decode(path):
            image = tf.io.decode_jpeg(tf.io.read_file(path), channels=3)
            return tf.image.resize(image, (self.side, self.side)) / 255

        data = tf.data.Dataset.from_tensor_slices(files).map(decode, num_parallel_calls=tf.data.AUTOTUNE)
        return self.model.predict(data.batch(batch).prefetch(tf.data.AUTOTUNE), verbose=0)
