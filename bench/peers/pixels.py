"""The pixels that every peer gets."""

import numpy as np

SIDES = {"inception_v3": 299}


def side_of(model):
    return SIDES.get(model, 224)


def random_pixels(batch, side):
    """uint8 [batch, side, side, 3]"""
    return np.random.default_rng(1).integers(0, 256, (batch, side, side, 3), dtype=np.uint8)
