"""What goes in: faces out of a file, and numbers and weights of the bits of NumPy's PCG64, which are fixed.

Nothing here depends on torch's generators or on how faces are drawn today.
"""

import math
import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

HERE = Path(__file__).parent
FACES = HERE / "faces.png"
PEOPLE, IMAGES = 4, 2


def raw(seed, count):
    """Numbers of mean 0 and variance 1, even over their range, float32: of the bits themselves, which never change."""
    bits = np.random.PCG64(seed).random_raw((count + 1) // 2).view(np.uint32)[:count]
    return (bits >> 8).astype(np.float32) * np.float32(2 * np.sqrt(3) / 2**24) - np.float32(np.sqrt(3))


def numbers(name, *shape):
    """Numbers of mean 0 and variance 1 that belong to a name, float32."""
    return torch.from_numpy(raw(zlib.crc32(name.encode()), math.prod(shape)).reshape(shape))


@cache
def _stored():
    sheet = np.asarray(Image.open(FACES).convert("RGB"))
    tiles = sheet.reshape(PEOPLE, 112, IMAGES, 112, 3).swapaxes(1, 2)
    return np.ascontiguousarray(tiles.reshape(PEOPLE * IMAGES, 112, 112, 3))


def stored_faces():
    """Four drawn people with two pictures each, person by person, uint8."""
    return _stored().copy()


@cache
def _ordered():
    order = [person * IMAGES + image for image in range(IMAGES) for person in range(PEOPLE)]
    return torch.from_numpy(_stored()[order]).permute(0, 3, 1, 2).contiguous().float() / 255


def faces(count, first=0):
    """Pictures from one on, the first of each person before the second of any, float32 in [0, 1]."""
    return _ordered()[first : first + count].clone()


def filled(network, name, last=()):
    """A network whose every weight is set by its own name: one whose output is far from that of a fresh one.

    Args:
        network: It is changed; it may be on the device `meta`, where none of its own weights are drawn.
        name: Another name gives other weights.
        last: Ends of the names of layers that start at zero, and get small weights.
    """
    state = {}
    for key, value in network.state_dict().items():
        drawn = numbers(f"{name}/{key}", *value.shape)
        if value.ndim >= 2:
            scale = (0.3 if key.endswith(tuple(last)) else 0.8) / np.sqrt(value[0].numel())
            state[key] = drawn * scale
        elif key.endswith("bias"):
            state[key] = 0.05 * drawn
        else:
            state[key] = 1 + 0.1 * drawn
    network.load_state_dict(state, assign=True)
    return network.eval().requires_grad_(False)
