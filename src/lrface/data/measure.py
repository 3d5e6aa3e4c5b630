"""What is measured of each face while it passes: enough to judge a source, too little to fill memory."""

import hashlib
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import UInt8

THUMB = 28
_CENTRE = slice(9, 19)
_CENTRE_PIXELS = 100
_RIM = np.flatnonzero(np.pad(np.zeros((THUMB - 6, THUMB - 6), dtype=bool), 3, constant_values=True))


# Frequencies 1 to 8 of the cosine transform. Not 0: all faces are bright in the middle, and light comes from above.
_COSINES = np.cos(np.pi / THUMB * np.outer(np.arange(1, 9), np.arange(THUMB) + 0.5)).astype(np.float32)


_MIRROR = np.where(np.arange(1, 9) % 2, -1, 1).astype(np.float32)
_BORDER = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of one face. All levels are 0 to 255.

    Attributes:
        sha256: Hash of the pixels.
        perceptual: 64-bit perceptual hash; alike pictures differ in few bits.
        mirrored: That of its mirror image.
        middle: That of its middle, nine tenths of each side.
        mean: Mean level.
        contrast: Standard deviation of the grey levels.
        grey: Whether red, green and blue are equal everywhere.
        warmth: Red less blue in the middle of the face, where the skin is.
        rim_warmth: Red less blue along the rim, where the background is.
    """

    sha256: str
    perceptual: int
    mirrored: int
    middle: int
    mean: float
    contrast: float
    grey: bool
    warmth: float
    rim_warmth: float


def measure(pixels: UInt8[np.ndarray, "112 112 3"]) -> Measured:
    """Measures a face, nearly everything on a thumbnail.

    Args:
        pixels: The face, RGB.

    Returns:
        Its figures.
    """
    thumb = cv2.resize(pixels, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    grey_levels = cv2.cvtColor(thumb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    mean, contrast = cv2.meanStdDev(grey_levels)
    warm = thumb[..., 0].astype(np.int16) - thumb[..., 2]
    # Shrinking hides faint colour, so whoever looks grey is looked at in full.
    grey = not warm.any() and bool((pixels == pixels[..., :1]).all())
    return Measured(
        sha256=hash_pixels(pixels),
        perceptual=perceptual_hash(grey_levels),
        mirrored=perceptual_hash(grey_levels, mirrored=True),
        middle=perceptual_hash(_middle(pixels)),
        mean=float(mean[0, 0]),
        contrast=float(contrast[0, 0]),
        grey=grey,
        warmth=float(warm[_CENTRE, _CENTRE].sum()) / _CENTRE_PIXELS,
        rim_warmth=float(warm.ravel()[_RIM].sum()) / len(_RIM),
    )


def hash_pixels(pixels: np.ndarray) -> str:
    """Hashes the bytes of an image, in C order, with sha256."""
    return hashlib.sha256(np.ascontiguousarray(pixels).data).hexdigest()


def _middle(pixels: np.ndarray) -> np.ndarray:
    height, width = pixels.shape[:2]
    rows, columns = round(height * _BORDER), round(width * _BORDER)
    inner = np.ascontiguousarray(pixels[rows : height - rows, columns : width - columns])
    small = cv2.resize(inner, (THUMB, THUMB), interpolation=cv2.INTER_AREA)
    grey: np.ndarray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
    return grey


def perceptual_hash(grey: np.ndarray, *, mirrored: bool = False) -> int:
    """Hashes a small grey picture so that recompressed, brighter or slightly shifted copies differ in few bits.

    The signs of 8x8 low frequencies of its cosine transform against their median (Zauner, "Implementation and
    benchmarking of perceptual image hash functions", 2010, section 3.2.1).

    Args:
        grey: float32, 28x28.
        mirrored: Hash its mirror image: waves of odd frequency change their sign.

    Returns:
        64 bits.
    """
    waves = _COSINES @ grey @ _COSINES.T
    low = (waves * _MIRROR if mirrored else waves).ravel()
    ordered = np.sort(low)
    return int.from_bytes(np.packbits(low > (ordered[31] + ordered[32]) / 2).tobytes())
