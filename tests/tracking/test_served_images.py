import base64
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lrface.errors import DataError
from lrface.tracking import served_images as module
from lrface.tracking.served_images import MOST_BYTES, decode_images, encode_png


def _encoded(image, kind):
    file = io.BytesIO()
    Image.fromarray(image).save(file, format=kind)
    return base64.b64encode(file.getvalue()).decode()


FACE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)


def test_pictures_come_through():
    for text in (encode_png(FACE), _encoded(FACE, "PNG")):
        assert np.array_equal(decode_images([text])[0], FACE)
    grey = decode_images([_encoded(FACE[..., 0], "JPEG"), _encoded(FACE, "WEBP")])
    assert [image.shape for image in grey] == [(16, 16, 3)] * 2


def _bomb(side):
    """A PNG of a few hundred bytes that says it is `side` pixels wide."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


def _animation():
    file = io.BytesIO()
    frames = [Image.fromarray(FACE), Image.fromarray(255 - FACE)]
    frames[0].save(file, format="WEBP", save_all=True, append_images=frames[1:])
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "got 0 images"),
        ([encode_png(FACE)] * 65, "got 65 images"),
        ([encode_png(FACE), 7], "image 1: got int"),
        (["not base64!"], "image 0: got text that is no base64"),
        ([base64.b64encode(b"nothing").decode()], "does not read"),
        ([encode_png(FACE)[:200]], "does not read"),
        ([_encoded(FACE, "GIF")], "does not read"),
        ([_encoded(FACE[:8], "PNG")], "got 16 x 8 pixels"),
        ([_encoded(FACE[:7, :7], "PNG")], "got 7 x 7 pixels"),
        ([_bomb(60_000)], r"60000 x 60000 pixels|DecompressionBomb"),
        ([_bomb(1024)], "does not read"),
        ([_animation()], "got an animation"),
        (["A" * (MOST_BYTES * 2)], "at most 2,097,152 bytes"),
    ],
)
def test_anything_else_is_one_clear_line(texts, message):
    with pytest.raises(DataError, match=message) as caught:
        decode_images(texts)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_pictures_that_are_large_together_are_refused_before_the_one_that_is_too_much(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 2 * FACE[..., 0].size)
    assert len(decode_images([encode_png(FACE)] * 2)) == 2
    whole = encode_png(FACE)
    with pytest.raises(DataError, match=r"image 2: got 16 x 16 pixels after others, more than 512"):
        # Cut behind its header, so that reading it would be told as damage.
        decode_images([whole, whole, whole[:80]])


@given(st.one_of(st.text(max_size=200), st.binary(max_size=300).map(lambda data: base64.b64encode(data).decode())))
def test_no_text_brings_it_down(text):
    with pytest.raises(DataError):
        decode_images([text])
