"""The decoder of JPEGs, and what is read where it is not there."""

import io

import numpy as np
from PIL import Image

from lrface.images.reading import jpeg
from lrface.images.reading.reader import decode_image


def _file(seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (37, 53, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).resize((106, 74)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def test_without_the_decoder_pillow_reads_the_same_pixels(monkeypatch):
    files = [_file(seed) for seed in range(8)]
    expected = [jpeg.jpeg_pixels(io.BytesIO(file)) for file in files]
    assert all(pixels is not None for pixels in expected)

    monkeypatch.setattr(jpeg, "simplejpeg", None)

    for file, pixels in zip(files, expected, strict=True):
        assert jpeg.jpeg_pixels(io.BytesIO(file)) is None
        assert np.array_equal(decode_image(file, "it", 1 << 20), pixels)
