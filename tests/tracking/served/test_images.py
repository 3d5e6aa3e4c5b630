"""What a request may bring for a picture; what kinds of picture are read stands in `tests/pictures.py`."""

import base64
import io
import struct
import textwrap
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lrface.errors import DataError
from lrface.images.alignment import resize
from lrface.tracking.served import images as module
from lrface.tracking.served.images import MOST_BYTES, decode_images, encode_png


def _encoded(image, kind):
    file = io.BytesIO()
    Image.fromarray(image).save(file, format=kind)
    return base64.b64encode(file.getvalue()).decode()


FACE = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
PLAIN = encode_png(FACE)
URL_SAFE = PLAIN.replace("+", "-").replace("/", "_")
assert URL_SAFE != PLAIN


def test_pictures_come_through():
    for text in (PLAIN, _encoded(FACE, "BMP"), _encoded(FACE, "TIFF")):
        assert np.array_equal(decode_images([text])[0], FACE)
    grey = decode_images([_encoded(FACE[..., 0], "JPEG"), _encoded(FACE, "WEBP")])
    assert [image.shape for image in grey] == [(16, 16, 3)] * 2


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(textwrap.wrap(PLAIN, 76)),
        "\r\n".join(textwrap.wrap(PLAIN, 64)) + "\r\n",
        f"  {PLAIN}  ",
        f"\ufeff{PLAIN}",
        PLAIN.rstrip("="),
        URL_SAFE,
        URL_SAFE.rstrip("="),
        f"data:image/png;base64,{PLAIN}",
        f"data:image/x-portable-anymap;base64,{PLAIN}",
        f"data:;base64,{PLAIN}",
        f"DATA:image/png;charset=utf-8;BASE64,{PLAIN}",
        "data:image/png;base64,\n" + "\n".join(textwrap.wrap(URL_SAFE, 76)),
        base64.b64decode(PLAIN),
        bytearray(base64.b64decode(PLAIN)),
    ],
)
def test_base64_as_people_have_it_is_read(text):
    assert np.array_equal(decode_images([text])[0], FACE)


@pytest.mark.parametrize("side", [33, 64, 111, 112, 113, 400])
def test_larger_faces_are_made_as_large_as_prepare_makes_them(side):
    image = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    assert np.array_equal(decode_images([encode_png(image)])[0], resize(image))


def _bomb(side):
    """A PNG of a few hundred bytes that says it is `side` pixels wide."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ([], "got 0 images"),
        ([PLAIN] * 65, "got 65 images"),
        ([PLAIN, 7], "image 1: got int"),
        ([None], "image 0: got NoneType"),
        ([""], "got an empty file"),
        (["===="], "got no text"),
        (["not base64!"], r"image 0: got text that is no base64 \(spaces: a \+ becomes one in a form"),
        (["ab!cd"], r"got text that is no base64 \('!cd' at character 2\)"),
        (["/data/ann/face.png"], "got the name of a file, which is not opened here"),
        ([r"C:\faces\ann 1.jpg"], "got the name of a file, which is not opened here"),
        ([base64.b64decode(PLAIN).hex()], "got hexadecimal digits"),
        (["https://example.org/face.png"], r"got an address \(https:\)"),
        (["data:image/png,abc"], "got a data: URL without ;base64,"),
        ([f"b'{PLAIN}'"], r"call .decode\(\) on it"),
        ([PLAIN.replace("+", " ")], r"spaces: a \+ becomes one"),
        ([PLAIN.replace("/", "\\/")], "escaped twice"),
        ([PLAIN.replace("+", "%2B")], "URL-encoded"),
        ([PLAIN[:40] + "=" + PLAIN[40:]], "'=' in the middle"),
        ([PLAIN.rstrip("=")[: 4 * 30 + 1]], "a character is missing or too much"),
        ([base64.b64encode(PLAIN.encode()).decode()], "got base64 text in place of the picture's bytes"),
        ([base64.b64encode(b"nothing").decode()], r"got text \('nothing'\)"),
        ([PLAIN[:200]], "a damaged image"),
        ([_encoded(FACE[:8], "PNG")], "got 16x8 pixels"),
        ([_encoded(FACE[:7, :7], "PNG")], "got 7x7 pixels"),
        ([_bomb(60_000)], "got far too many pixels|got 60000x60000 pixels"),
        ([_bomb(1025)], "got 1025x1025 pixels; expected an aligned face, square, 8 to 1024 pixels"),
        ([_bomb(1024)], "a damaged image"),
        (["A" * (MOST_BYTES * 2)], "at most 2,097,152 bytes"),
        ([bytes(MOST_BYTES + 1)], "got 2,097,153 bytes"),
    ],
)
def test_anything_else_is_one_clear_line(texts, message):
    with pytest.raises(DataError, match=message) as caught:
        decode_images(texts)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500
    assert "on_bad_image" not in str(caught.value)


def test_pictures_that_are_large_together_are_refused_before_the_one_that_is_too_much(monkeypatch):
    monkeypatch.setattr(module, "MOST_PIXELS", 2 * FACE[..., 0].size)
    assert len(decode_images([PLAIN] * 2)) == 2
    with pytest.raises(DataError, match=r"image 2: got 16x16 pixels after others, more than 512"):
        # Cut behind its header, so that reading it would be told as damage.
        decode_images([PLAIN, PLAIN, PLAIN[:80]])


@given(st.one_of(st.text(max_size=200), st.binary(max_size=300).map(lambda data: base64.b64encode(data).decode())))
def test_no_text_brings_it_down(text):
    with pytest.raises(DataError):
        decode_images([text])
