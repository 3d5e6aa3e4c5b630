"""What people have for pictures, and what comes of it: the list of what lrface can be fed.

Each line makes a file out of an aligned face. Either it is read, and then it is the same pixels in every room
(`tests/test_one_reader.py`), or it is refused everywhere in the same words.
"""

import base64
import io
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PIL import Image, ImageCms

ORIENTATION, PHOTOMETRIC, PAGE_KIND = 274, 262, 254


def face(seed: int = 7) -> np.ndarray:
    """A blotchy picture of 112 x 112, which lossy formats keep."""
    coarse = np.random.default_rng(seed).integers(20, 236, (10, 10, 3), dtype=np.uint8)
    return cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC)


def grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(pixels[..., :1], 3, axis=2)


def same(pixels: np.ndarray) -> np.ndarray:
    return pixels


def saved(form: str, change: Callable[[Image.Image], Image.Image] = lambda image: image, **options):
    def make(pixels: np.ndarray) -> bytes:
        file = io.BytesIO()
        change(Image.fromarray(pixels)).save(file, form, **options)
        return file.getvalue()

    return make


def opencv(suffix: str, change: Callable[[np.ndarray], np.ndarray]):
    return lambda pixels: cv2.imencode(suffix, change(pixels[..., ::-1]))[1].tobytes()


def turned(form: str, orientation: int, back: Image.Transpose, **options):
    """The picture as it lies in the file, and EXIF that says how to turn it."""
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    return saved(form, lambda image: image.transpose(back), exif=exif, **options)


def several(form: str, **options):
    return lambda pixels: saved(form, save_all=True, append_images=[Image.fromarray(face(8))], **options)(pixels)


def tiff(bits: int, white_is_zero: bool, signed: bool, pack: Callable[[np.ndarray], bytes]):
    """A TIFF of one grey strip, with what Pillow does not write."""

    def make(pixels: np.ndarray) -> bytes:
        data = pack(pixels[..., 0].astype(np.int64))
        height, width = pixels.shape[:2]
        tags = [(256, width), (257, height), (258, bits), (259, 1), (PHOTOMETRIC, 0 if white_is_zero else 1)]
        tags += [(273, 8), (277, 1), (278, height), (279, len(data)), (339, 2 if signed else 1)]
        head = struct.pack("<2sHI", b"II", 42, 8 + len(data))
        entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in sorted(tags))
        return head + data + struct.pack("<H", len(tags)) + entries + bytes(4)

    return make


def twelve(levels: np.ndarray) -> bytes:
    """Two levels of 12 bits in three bytes."""
    one, other = (levels * 4095 // 255).reshape(-1, 2).T
    return np.stack([one >> 4, (one & 15) << 4 | other >> 8, other & 255], axis=1).astype(np.uint8).tobytes()


def lab(image: Image.Image) -> Image.Image:
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    return ImageCms.profileToProfile(image, *profiles, outputMode="LAB")


def floats(change: Callable[[np.ndarray], np.ndarray]):
    return lambda pixels: saved("TIFF")(change(pixels[..., 0].astype(np.float32)).astype(np.float32))


def with_thumbnail(pixels: np.ndarray) -> bytes:
    """A TIFF whose second page says that it is the first made smaller."""
    small = Image.fromarray(pixels[::4, ::4])
    small.encoderinfo = {"tiffinfo": {PAGE_KIND: 1}}
    return saved("TIFF", save_all=True, append_images=[small])(pixels)


def cut(make: Callable[[np.ndarray], bytes], share: float = 0.6):
    return lambda pixels: (whole := make(pixels))[: int(len(whole) * share)]


def emptied(make: Callable[[np.ndarray], bytes]):
    """The rest of the file is there, and zero: a copy that stopped after the space was taken."""
    return lambda pixels: (whole := make(pixels))[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2)


def holed(make: Callable[[np.ndarray], bytes], start: float = 0.4, share: float = 0.1):
    """A part in the middle is zero: a bad block, or a download by several threads of which one failed."""

    def damaged(pixels: np.ndarray) -> bytes:
        whole = make(pixels)
        first, last = int(len(whole) * start), int(len(whole) * (start + share))
        return whole[:first] + bytes(last - first) + whole[last:]

    return damaged


def bomb(pixels: np.ndarray) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def is_content(content: bytes):
    return lambda pixels: content


@dataclass(frozen=True)
class Kind:
    """One kind of picture.

    Attributes:
        name: What a person would call it.
        file: How the file is called.
        make: Makes it out of a face, uint8 112 x 112 x 3.
        gives: What it must be read as; None where it is refused.
        within: Mean difference that is allowed, levels of 255; 0 is to the bit.
        refused: What the refusal says.
    """

    name: str
    file: str
    make: Callable[[np.ndarray], bytes]
    gives: Callable[[np.ndarray], np.ndarray] | None = same
    within: float = 0
    refused: str = ""


JPEG, SIXTEEN = {"quality": 95, "subsampling": 0}, lambda pixels: pixels.astype(np.uint16) * 257
READ = [
    # formats
    Kind("PNG", "a.png", saved("PNG")),
    Kind("JPEG", "a.jpg", saved("JPEG", **JPEG), within=3),
    Kind("JPEG in capitals", "a.JPEG", saved("JPEG", **JPEG), within=3),
    Kind("JPEG as Windows calls it", "a.jfif", saved("JPEG", **JPEG), within=3),
    Kind("progressive JPEG", "a.jpe", saved("JPEG", progressive=True, **JPEG), within=3),
    Kind("WebP", "a.webp", saved("WEBP", lossless=True)),
    Kind("AVIF", "a.avif", saved("AVIF", quality=90), within=4),
    Kind("BMP", "a.bmp", saved("BMP")),
    Kind("TIFF", "a.tif", saved("TIFF", compression="tiff_lzw")),
    Kind("PPM", "a.ppm", saved("PPM")),
    Kind("JPEG 2000", "a.jp2", saved("JPEG2000")),
    Kind("GIF", "a.gif", saved("GIF", lambda image: image.convert("L")), lambda pixels: as_grey(pixels)),
    Kind("PNG under another suffix", "a.jpg", saved("PNG")),
    # turned by telephones
    Kind("EXIF 2, mirrored", "a.jpg", turned("JPEG", 2, Image.Transpose.FLIP_LEFT_RIGHT, **JPEG), within=3),
    Kind("EXIF 3, upside down", "a.jpg", turned("JPEG", 3, Image.Transpose.ROTATE_180, **JPEG), within=3),
    Kind("EXIF 5", "a.jpg", turned("JPEG", 5, Image.Transpose.TRANSPOSE, **JPEG), within=3),
    Kind("EXIF 6, on its side", "a.jpg", turned("JPEG", 6, Image.Transpose.ROTATE_90, **JPEG), within=3),
    Kind("EXIF 8, on its side", "a.png", turned("PNG", 8, Image.Transpose.ROTATE_270)),
    Kind("EXIF 6 in WebP", "a.webp", turned("WEBP", 6, Image.Transpose.ROTATE_90, lossless=True)),
    Kind("EXIF 6 in AVIF", "a.avif", turned("AVIF", 6, Image.Transpose.ROTATE_90, quality=90), within=4),
    Kind("TIFF that says it lies on its side", "a.tif",
         saved("TIFF", lambda image: image.transpose(Image.Transpose.ROTATE_90), tiffinfo={ORIENTATION: 6})),
    # several pictures of which one is the first
    Kind("MPO, as telephones write", "a.jpg", several("MPO", **JPEG), within=3),
    Kind("TIFF with a thumbnail", "a.tif", with_thumbnail),
    # colour
    Kind("grey", "a.png", saved("PNG", lambda image: image.getchannel(0)), grey),
    Kind("black and white", "a.pbm", saved("PPM", lambda image: image.getchannel(0).point(lambda v: v > 127, "1")),
         lambda pixels: grey((pixels > 127) * np.uint8(255))),
    Kind("palette", "a.png", saved("PNG", lambda image: image.quantize(256)), within=12),
    Kind("palette with a colour that is not shown", "a.png",
         saved("PNG", lambda image: image.quantize(256), transparency=3), within=12),
    Kind("transparency", "a.png", saved("PNG", lambda image: with_alpha(image))),
    Kind("grey with transparency", "a.png", saved("PNG", lambda image: with_alpha(image.getchannel(0))), grey),
    Kind("CMYK", "a.jpg", saved("JPEG", lambda image: image.convert("CMYK"), **JPEG), within=3),
    Kind("CMYK in TIFF", "a.tif", saved("TIFF", lambda image: image.convert("CMYK"))),
    Kind("LAB", "a.tif", saved("TIFF", lab), within=4),
    # depth
    Kind("grey of 16 bits", "a.png", lambda pixels: saved("PNG")(SIXTEEN(pixels[..., 0])), grey),
    Kind("grey of 16 bits in TIFF", "a.tif", lambda pixels: saved("TIFF")(SIXTEEN(pixels[..., 0])), grey),
    Kind("grey of 16 bits, white is zero", "a.tif",
         tiff(16, True, False, lambda levels: ((255 - levels) * 257).astype("<u2").tobytes()), grey),
    Kind("grey of 16 bits with a sign", "a.tif",
         tiff(16, False, True, lambda levels: (levels * 32767 // 255).astype("<i2").tobytes()), grey, within=1),
    Kind("grey of 12 bits that say so", "a.tif", tiff(12, False, False, twelve), grey, within=1),
    Kind("grey of 16 bits in PGM", "a.pgm",
         lambda pixels: b"P5\n112 112\n65535\n" + SIXTEEN(pixels[..., 0]).astype(">u2").tobytes(), grey),
    Kind("grey of 12 bits in PGM", "a.pgm",
         lambda pixels: b"P5\n112 112\n4095\n" + (pixels[..., 0] * 16.0).astype(">u2").tobytes(), grey, within=2),
    Kind("grey of 16 bits in JPEG 2000", "a.jp2", lambda pixels: saved("JPEG2000")(SIXTEEN(pixels[..., 0])), grey),
    Kind("colour of 16 bits", "a.png", opencv(".png", SIXTEEN)),
    Kind("colour of 16 bits in TIFF", "a.tif", opencv(".tif", SIXTEEN)),
    Kind("floats from 0 to 1", "a.tif", floats(lambda levels: levels / 255), grey),
    Kind("floats from 0 to 255", "a.tif", floats(same), grey),
    Kind("floats in PFM", "a.pfm", opencv(".pfm", lambda pixels: pixels[..., 2].astype(np.float32) / 255), grey),
    Kind("12 bits in a file of 16, nearly black", "a.png",
         lambda pixels: saved("PNG")(pixels[..., 0].astype(np.uint16) << 4), lambda pixels: grey(pixels // 16),
         within=1),
    # what is after the end does not count
    Kind("padded after its end", "a.jpg", lambda pixels: saved("JPEG", **JPEG)(pixels) + bytes(500), within=3),
]  # fmt: skip
REFUSED = [
    Kind("empty", "a.png", is_content(b""), None, refused="an empty file"),
    Kind("cut off", "a.jpg", cut(saved("JPEG", **JPEG)), None, refused="a damaged image"),
    Kind("cut off", "a.png", cut(saved("PNG")), None, refused="a damaged image"),
    Kind("cut off", "a.webp", cut(saved("WEBP")), None, refused="a damaged image"),
    Kind("cut off", "a.gif", cut(saved("GIF")), None, refused="a damaged image"),
    Kind("cut off", "a.jp2", cut(saved("JPEG2000")), None, refused="a damaged image"),
    Kind("cut off", "a.avif", cut(saved("AVIF"), 0.3), None, refused="an AVIF picture that does not decode"),
    Kind("cut off", "a.tif", cut(saved("TIFF")), None, refused="a damaged image|a TIFF, or a camera's raw file"),
    Kind("cut off, an MPO", "a.mpo", cut(several("MPO"), 0.3), None, refused="a damaged image"),
    Kind("not copied whole", "a.jpg", emptied(saved("JPEG", **JPEG)), None, refused="it ends in zeros"),
    Kind("not copied whole", "a.png", emptied(saved("PNG")), None, refused="it ends in zeros"),
    Kind("not copied whole", "a.webp", emptied(saved("WEBP")), None, refused="it ends in zeros"),
    Kind("not copied whole", "a.avif", emptied(saved("AVIF")), None, refused="it ends in zeros"),
    Kind("zeros in its middle", "a.jpg", holed(saved("JPEG", **JPEG)), None, refused="a damaged image .Corrupt JPEG"),
    Kind("zeros in a progressive one", "a.jpg", holed(saved("JPEG", progressive=True, **JPEG)), None,
         refused="a damaged image .Corrupt JPEG"),
    Kind("zeros in an MPO", "a.jpg", holed(several("MPO", **JPEG), 0.2), None, refused="a damaged image .Corrupt JPEG"),
    Kind("not copied at all", "a.jpg", is_content(bytes(4000)), None, refused="nothing but zeros"),
    Kind("a decompression bomb", "a.png", bomb, None, refused="far too many pixels|60000x60000 pixels"),
    Kind("animated WebP", "a.webp", several("WEBP"), None, refused="several pictures in one WEBP file"),
    Kind("animated GIF", "a.gif", several("GIF"), None, refused="several pictures in one GIF file"),
    Kind("animated PNG", "a.png", several("PNG"), None, refused="several pictures in one PNG file"),
    Kind("animated AVIF", "a.avif", several("AVIF"), None, refused="several pictures in one AVIF file"),
    Kind("TIFF of several pages", "a.tif", several("TIFF"), None, refused="several pictures in one TIFF file"),
    Kind("floats of no known white", "a.tif", floats(lambda levels: levels * 9), None, refused="floating-point levels"),
    Kind("floats that are no numbers", "a.tif", floats(lambda levels: levels * np.nan), None, refused="not finite"),
    Kind("more than 16 bits", "a.tif",
         lambda pixels: saved("TIFF")(pixels[..., 0].astype(np.int32) * 10_000), None, refused="integers from"),
    Kind("HEIC under another suffix", "a.jpg", is_content(b"\0\0\0\x18ftypheic" + bytes(range(200))), None,
         refused="a HEIC picture.*; export it as JPEG or PNG"),
    Kind("a film", "a.jpg", is_content(b"\0\0\0\x18ftypmp42" + bytes(range(200))), None, refused="a video"),
    Kind("a web page", "a.jpg", is_content(b"<!DOCTYPE html><html><body>403</body></html>"), None,
         refused="a web page"),
    Kind("a drawing", "a.png", is_content(b'<?xml version="1.0"?>\n<svg xmlns="x"></svg>'), None, refused="an SVG"),
    Kind("text", "a.png", is_content(b"see the other folder"), None, refused="text .'see the other folder'"),
    Kind("base64", "a.png", lambda pixels: base64.b64encode(saved("PNG")(pixels)), None, refused="base64 text"),
    Kind("what Git LFS left", "a.png", is_content(b"version https://git-lfs.github.com/spec/v1\noid x\n"), None,
         refused="a pointer of Git LFS"),
    Kind("what macOS left", "a.png", is_content(b"\0\5\x16\7" + bytes(60)), None, refused="AppleDouble"),
    Kind("an archive", "a.png", is_content(b"PK\x03\x04" + bytes(60)), None, refused="a ZIP archive"),
    Kind("something else", "a.png", is_content(bytes([1, 200, 3]) * 60), None, refused="no known image format"),
]  # fmt: skip


def as_grey(pixels: np.ndarray) -> np.ndarray:
    return np.repeat(np.asarray(Image.fromarray(pixels).convert("L"))[..., None], 3, axis=2)


def with_alpha(image: Image.Image) -> Image.Image:
    image.putalpha(128)
    return image
