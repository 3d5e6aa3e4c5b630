"""What stands behind the head, and what the camera makes of it all: exposure, blur, noise, eight bits."""

import cv2
import numpy as np
from jaxtyping import UInt8

from lrface.images.procedural.person.grid import Map
from lrface.images.procedural.view.nuisance import Camera
from lrface.images.procedural.view.surface import DRAWN, SIZE


def background(generator: np.random.Generator) -> Map:
    """An out-of-focus place, linear RGB, `DRAWN` x `DRAWN` x 3."""
    kind = generator.random()
    base = np.exp(generator.uniform(np.log(0.03), np.log(0.9)))
    hue = np.exp(generator.normal(0.0, 0.17, 3))
    colour = (base * hue / hue.mean()).astype(np.float32)
    if kind < 0.35:
        cells, depth = 2, 0.15
    elif kind < 0.75:
        cells, depth = int(generator.integers(2, 5)), 0.5
    else:
        cells, depth = int(generator.integers(5, 9)), 0.6
    field = generator.normal(0.0, 1.0, (cells, cells, 3)).astype(np.float32)
    field = 0.8 * field[..., :1] + 0.22 * field
    small = np.asarray(cv2.resize(field, (SIZE, SIZE), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
    if kind > 0.55:
        for _ in range(int(generator.integers(1, 5))):
            patch = (colour * np.exp(generator.normal(0.0, 0.8)) - colour) / (colour + 0.05)
            corner = generator.integers(-20, SIZE, 2)
            size = generator.integers(10, 70, 2)
            start = (int(corner[0]), int(corner[1]))
            end = (int(corner[0] + size[0]), int(corner[1] + size[1]))
            cv2.rectangle(small, start, end, [float(value) for value in patch], -1)
    small = np.asarray(cv2.GaussianBlur(small, (0, 0), float(generator.uniform(0.8, 4.5))), dtype=np.float32)
    place = colour * np.exp(np.clip(depth * small, -2.5, 1.6))
    return np.asarray(cv2.resize(place, (DRAWN, DRAWN), interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _blurred(picture: Map, camera: Camera, oversampling: int) -> Map:
    out = picture
    if camera.motion > 0.0:
        reach = camera.motion * oversampling
        size = 2 * int(np.ceil(reach)) + 1
        kernel = np.zeros((size, size), dtype=np.float32)
        middle = size // 2
        for step in np.linspace(-reach, reach, 4 * size):
            column = middle + 0.5 * step * np.cos(camera.motion_angle)
            row = middle + 0.5 * step * np.sin(camera.motion_angle)
            kernel[round(row), round(column)] += 1.0
        out = cv2.filter2D(out, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)
    sigma = camera.blur * oversampling
    return np.asarray(cv2.GaussianBlur(out, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE), dtype=np.float32)


def photograph(
    radiance: Map, face: Map, camera: Camera, generator: np.random.Generator
) -> UInt8[np.ndarray, "112 112 3"]:
    """Takes the picture.

    Args:
        radiance: Linear RGB, `DRAWN` x `DRAWN` x 3.
        face: How much of each pixel is the head, `DRAWN` x `DRAWN`: the camera meters on it.
        camera: Lens and sensor.
        generator: For the sensor's noise.
    """
    small = cv2.resize(_blurred(radiance, camera, DRAWN // SIZE), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    weight = cv2.resize(face, (SIZE, SIZE), interpolation=cv2.INTER_AREA)
    luminance = small @ np.array([0.2126, 0.7152, 0.0722], dtype=np.float32)
    meant = float((luminance * weight).sum() / max(float(weight.sum()), 1.0))
    # Cameras pull faces towards middle grey, but only half the way: dark skin stays dark.
    gain = (0.33 / max(meant, 1e-3)) ** 0.55 * 2.0**camera.exposure
    linear = small * np.asarray(camera.white, dtype=np.float32) * np.float32(gain)
    # A soft shoulder instead of hard clipping.
    over = np.maximum(linear - 0.62, 0.0)
    linear = np.minimum(linear, 0.62) + 0.38 * (1.0 - np.exp(-over / 0.38))
    encoded = np.power(np.maximum(linear, 1e-5), 1.0 / 2.2)
    encoded = 0.46 + (encoded - 0.46) * (1.09 + camera.contrast)
    encoded += np.float32(camera.sharpening) * (encoded - cv2.GaussianBlur(encoded, (0, 0), 0.9))
    grey = encoded @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    encoded = grey[..., None] + (encoded - grey[..., None]) * camera.saturation
    noise = generator.standard_normal(encoded.shape, dtype=np.float32)
    shared = generator.standard_normal(grey.shape, dtype=np.float32)
    level = camera.noise / 255.0
    encoded = encoded + level * (0.55 * noise + 0.8 * shared[..., None])
    return np.asarray(np.clip(np.round(encoded * 255.0), 0, 255).astype(np.uint8))
