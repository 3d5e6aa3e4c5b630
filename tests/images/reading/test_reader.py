import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from lrface.images.reading import reader as module
from lrface.images.reading.reader import BadImageError, decode_image, read_image


def encoded(pixels: np.ndarray, kind: str, **options) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def picture() -> np.ndarray:
    """A blotchy picture, which lossy formats keep."""
    coarse = np.random.default_rng(7).integers(20, 236, (14, 14, 3), dtype=np.uint8)
    return cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC)[:40, :60]


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_colour_comes_back_exactly(picture, kind):
    assert np.array_equal(decode_image(encoded(picture, kind), "x", 10**6), picture)


@pytest.mark.parametrize(("kind", "options"), [("JPEG", {"quality": 95}), ("WEBP", {"quality": 95})])
def test_lossy_colour_comes_back_in_the_right_order(picture, kind, options):
    back = decode_image(encoded(picture, kind, **options), "x", 10**6).astype(int)
    assert np.abs(back - picture).mean() < 8
    assert np.abs(back - picture[..., ::-1]).mean() > 20


@pytest.mark.parametrize("kind", ["PNG", "PPM", "BMP"])
def test_grey_becomes_three_equal_channels(picture, kind):
    grey = picture[..., 0]
    assert np.array_equal(decode_image(encoded(grey, kind), "x", 10**6), np.repeat(grey[..., None], 3, axis=2))


def test_sixteen_bits_become_eight(picture):
    wide = picture[..., 0].astype(np.uint16) * 257
    expected = np.repeat(picture[..., :1], 3, axis=2)
    assert np.array_equal(decode_image(encoded(wide, "PNG"), "x", 10**6), expected)
    assert np.array_equal(decode_image(encoded(wide, "TIFF"), "x", 10**6), expected)
    pgm = b"P5\n60 40\n65535\n" + wide.astype(">u2").tobytes()
    assert np.array_equal(decode_image(pgm, "x", 10**6), expected)
    colour = cv2.imencode(".png", picture[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
    assert np.array_equal(decode_image(colour, "x", 10**6), picture)


def test_palette_and_transparency(picture):
    seen = np.dstack([picture, np.full(picture.shape[:2], 128, np.uint8)])
    assert np.array_equal(decode_image(encoded(seen, "PNG"), "x", 10**6), picture)
    palette = Image.fromarray(picture).quantize(16)
    file = io.BytesIO()
    palette.save(file, "PNG")
    assert np.array_equal(decode_image(file.getvalue(), "x", 10**6), np.asarray(palette.convert("RGB")))


@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 3), (8, 1)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_the_exif_orientation_is_applied(picture, orientation, turns, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95} if kind == "JPEG" else {}
    back = decode_image(encoded(picture, kind, exif=exif, **options), "x", 10**6).astype(int)
    expected = np.rot90(picture, turns)
    assert back.shape == expected.shape
    assert np.abs(back - expected).mean() < 8


def jpeg_with(exif: bytes) -> bytes:
    whole = encoded(np.full((40, 60, 3), 90, np.uint8), "JPEG")
    segment = b"Exif\0\0" + exif
    return whole[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + whole[2:]


@pytest.mark.parametrize("block", [16, 17, 64, 1 << 20])
def test_zeros_after_the_end_are_told_from_zeros_in_its_place(picture, block, monkeypatch):
    monkeypatch.setattr(module, "_BLOCK", block)
    whole = encoded(picture, "PNG")
    assert np.array_equal(decode_image(whole + bytes(200), "x", 10**6), picture)
    with pytest.raises(BadImageError, match="it ends in zeros"):
        decode_image(whole[:-12] + bytes(200), "x", 10**6)


def test_a_file_that_is_nearly_all_zeros_takes_no_memory(picture, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture, "PNG")[:-40])
    os.truncate(path, 1 << 28)
    tracemalloc.start()
    with pytest.raises(BadImageError, match="it ends in zeros"):
        read_image(path, "a.png", 10**6)
    assert tracemalloc.get_traced_memory()[1] < 1 << 24
    tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data", "ignore:Possibly corrupt EXIF data")
@pytest.mark.parametrize(
    "exif",
    [
        b"II*\0\x08\0\0\0\xff\xff\x12\1\3\0\1\0\0\0",  # cut off in the tag
        b"MM\0*\0\0\0\x08\xff\xff\1\x12\0\3\0\0\0\1",
    ],
)
def test_exif_that_is_damaged_where_it_says_which_way_is_up_is_broken(exif):
    with pytest.raises(BadImageError, match="damaged where it says which way is up") as caught:
        decode_image(jpeg_with(exif), "x", 10**6)
    assert caught.value.kind == "broken"


@pytest.mark.parametrize("exif", [b"", b"nonsense", b"II*\0\x08\0\0\0\1\0\x12\1\3\0\1\0\0\0\x09\0\0\0\0\0\0\0"])
def test_exif_that_says_nothing_of_it_leaves_the_picture_as_it_lies(exif):
    assert decode_image(jpeg_with(exif), "x", 10**6).shape == (40, 60, 3)


def test_pillows_words_which_name_no_file_are_not_heard():
    code = (
        "import sys; from lrface.images.reading.reader import decode_image, BadImageError\n"
        "try: decode_image(sys.stdin.buffer.read(), 'x', 10**6)\n"
        "except BadImageError as error: print(error.kind)"
    )
    exif = b"II*\0\x08\0\0\0\xff\xff\x12\1\3\0\1\0\0\0"
    for content, kind in ((jpeg_with(exif), b"broken\n"), (bomb(12_000), b"too_large\n")):
        done = subprocess.run([sys.executable, "-c", code], input=content, capture_output=True, check=True)
        assert (done.stdout, done.stderr) == (kind, b"")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "PPM", "WEBP", "TIFF"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files_are_broken(picture, kind, share):
    whole = encoded(picture, kind)
    with pytest.raises(BadImageError) as caught:
        decode_image(whole[: int(len(whole) * share)], "a/1.png", 10**6)
    assert caught.value.kind == "broken"
    assert str(caught.value).startswith("a/1.png: got a ")


def test_a_flipped_byte_in_a_png_is_broken(picture):
    whole = bytearray(encoded(picture, "PNG"))
    whole[len(whole) // 2] ^= 0xFF
    with pytest.raises(BadImageError, match="damaged"):
        decode_image(bytes(whole), "x", 10**6)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(b"", "empty"), (b"hello", "broken"), (b"GIF89a" + bytes(50), "broken"), (b"8BPS" + bytes(50), "unsupported")],
)
def test_what_is_no_image(content, kind):
    with pytest.raises(BadImageError) as caught:
        decode_image(content, "x", 10**6)
    assert caught.value.kind == kind


def bomb(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [1001, 12_000, 60_000])
def test_decompression_bombs_are_refused_from_their_header(side):
    with pytest.raises(BadImageError) as caught:
        decode_image(bomb(side), "x", 10**6)
    assert caught.value.kind == "too_large"


def test_a_missing_file_is_unreadable(tmp_path):
    with pytest.raises(BadImageError, match="No such file") as caught:
        read_image(tmp_path / "none.png", "none.png", 10**6)
    assert caught.value.kind == "unreadable"


def test_the_size_is_told_before_anything_is_decoded(tmp_path, picture, monkeypatch):
    order: list[object] = []
    monkeypatch.setattr(module, "_pixels", lambda *_: order.append("decoded") or picture)
    path = tmp_path / "a.png"
    path.write_bytes(encoded(picture, "PNG"))
    read_image(path, "a.png", 10**6, order.append)
    decode_image(path.read_bytes(), "a.png", 10**6, order.append)
    assert order == [2400, "decoded", 2400, "decoded"]
    with pytest.raises(BadImageError):
        decode_image(path.read_bytes(), "a.png", 100, order.append)
    assert len(order) == 4
